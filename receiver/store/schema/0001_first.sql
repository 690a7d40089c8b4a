-- One counter, seq, runs over all facts: arrivals, outcomes, objects and deletions.

CREATE TABLE endpoints (
  id     INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: lanes of a deleted endpoint stay unknown
  name   TEXT NOT NULL UNIQUE,
  config BLOB NOT NULL
) STRICT;

-- A lane is one class of one endpoint: endpoint id * 4 + class. Blobs come last, so that lists and scans do
-- not walk through them.
CREATE TABLE captures (
  seq         INTEGER PRIMARY KEY,
  lane        INTEGER NOT NULL,
  received_at INTEGER NOT NULL, -- Unix nanoseconds
  delivery    BLOB NOT NULL,    -- UUID, 16 bytes
  attempt     INTEGER NOT NULL,
  refs        INTEGER NOT NULL, -- 0 no presigned URLs, 1 not listed yet, 2 listed in objects
  share       INTEGER,          -- the capture whose body this one was found to repeat; it may be gone
  size        INTEGER NOT NULL, -- bytes that count for retention
  record      BLOB NOT NULL,    -- the rest of the capture and the checksum over all that never changes
  framed      BLOB,
  body        BLOB              -- NULL when empty, or kept with another capture of the same share
) STRICT;
CREATE INDEX captures_lane ON captures(lane, seq, attempt, size);
CREATE INDEX captures_delivery ON captures(delivery);
CREATE INDEX captures_unplanned ON captures(seq) WHERE refs = 1;
CREATE INDEX captures_share ON captures(share) WHERE share IS NOT NULL;
CREATE INDEX captures_heir ON captures(share) WHERE share IS NOT NULL AND body IS NOT NULL;

CREATE TABLE outcomes (
  capture INTEGER PRIMARY KEY,
  seq     INTEGER NOT NULL,
  data    BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX outcomes_seq ON outcomes(seq);

CREATE TABLE objects (
  capture INTEGER NOT NULL,
  name    TEXT NOT NULL,
  place   INTEGER NOT NULL, -- the payload's order
  seq     INTEGER NOT NULL,
  due     INTEGER,          -- Unix nanoseconds of the next try; NULL once the state is final
  expires INTEGER NOT NULL, -- Unix nanoseconds; the largest integer when unknown
  size    INTEGER NOT NULL, -- of content
  data    BLOB NOT NULL,
  content BLOB,
  UNIQUE (capture, name)
) STRICT;
CREATE UNIQUE INDEX objects_seq ON objects(seq);
CREATE INDEX objects_due ON objects(expires, due) WHERE due IS NOT NULL;

CREATE TABLE deletions (
  seq      INTEGER PRIMARY KEY,
  endpoint TEXT NOT NULL,
  lane     INTEGER, -- set for ranges: a later range of the lane stands for the earlier ones
  data     BLOB NOT NULL
) STRICT;
