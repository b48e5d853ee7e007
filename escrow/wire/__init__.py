"""The wire contract as generated code, one package a version. Seen by ``escrow.rpc`` and by nobody else here."""
