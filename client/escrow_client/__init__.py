"""The messenger, and the shells of an agency and of the people who hold the locks. All protocol is in ``escrow.roles``."""
