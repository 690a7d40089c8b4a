-- What people note about captures. A note that was emptied keeps its row, and with it its seq.
CREATE TABLE notes (
  capture INTEGER PRIMARY KEY,
  seq     INTEGER NOT NULL,
  data    BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX notes_seq ON notes(seq);
