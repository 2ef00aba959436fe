"""The part of the kernel that touches the world: the database, the journal, the log, the documents."""
