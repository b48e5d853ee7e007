-- State of one role of one party. Both tables are read in key order, so neither has a rowid.

CREATE TABLE kv (
    key   BLOB NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE stream (
    name  TEXT    NOT NULL,
    seq   INTEGER NOT NULL,
    value BLOB    NOT NULL,
    PRIMARY KEY (name, seq)
) WITHOUT ROWID, STRICT;
