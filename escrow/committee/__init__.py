"""The committee of custodians: its documents and the generation of its key. Not the use of the key: see ``capsule``."""
