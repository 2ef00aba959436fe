"""The part of the kernel that touches the world: database, journal, log, documents, parties."""
