-- Who may call the inspector, which captures are shared, and who changed what. Of tokens and of the keys of shares only
-- digests are kept. These rows are no facts and have no seq.
CREATE TABLE tokens (
  id     TEXT PRIMARY KEY,
  name   TEXT NOT NULL UNIQUE,
  hash   BLOB NOT NULL,
  used   INTEGER NOT NULL, -- Unix nanoseconds; 0 is never
  config BLOB NOT NULL
) STRICT;

CREATE TABLE shares (
  id      TEXT PRIMARY KEY,
  capture INTEGER NOT NULL, -- it may be gone: a seq is never given out again
  hash    BLOB NOT NULL,
  expires INTEGER NOT NULL, -- Unix nanoseconds
  opens   INTEGER NOT NULL,
  opened  INTEGER NOT NULL, -- Unix nanoseconds; 0 is never
  config  BLOB NOT NULL
) STRICT;
CREATE INDEX shares_capture ON shares(capture);
CREATE INDEX shares_expires ON shares(expires);

CREATE TABLE audit (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  at       INTEGER NOT NULL,     -- Unix nanoseconds
  request  TEXT NOT NULL UNIQUE, -- the newest request that the entry stands for
  who      TEXT NOT NULL,
  token    TEXT NOT NULL,
  action   TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  fold     TEXT,                 -- set where equal entries are counted up
  count    INTEGER NOT NULL,
  last     INTEGER NOT NULL,     -- Unix nanoseconds
  config   BLOB NOT NULL
) STRICT;
CREATE INDEX audit_fold ON audit(fold, at) WHERE fold IS NOT NULL;
CREATE INDEX audit_endpoint ON audit(endpoint, id);
