-- Connections to listeners that endpoints have for themselves, and tries to make one. They have seqs of the one counter.
CREATE TABLE connections (
  seq      INTEGER PRIMARY KEY,
  endpoint INTEGER NOT NULL, -- its id
  at       INTEGER NOT NULL, -- Unix nanoseconds
  data     BLOB NOT NULL
) STRICT;
CREATE INDEX connections_endpoint ON connections(endpoint, seq);
