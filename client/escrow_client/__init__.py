"""The messenger, and the shells of an agency and of the people who hold the locks: all protocol is in the library."""
