-- Tries of ours to send captures on. They have seqs of the one counter and go with their capture.
CREATE TABLE replays (
  seq     INTEGER PRIMARY KEY,
  capture INTEGER NOT NULL,
  data    BLOB NOT NULL
) STRICT;
CREATE INDEX replays_capture ON replays(capture, seq);
