-- The search index. It can be made anew from the captures at any time, and is made in the background.
--
-- A block stands for the captures of a range of seqs; the ranges follow one another from the oldest capture on. A part
-- holds the sets of captures of some marks: its id is the block's * 2048 + its number.
CREATE TABLE search_blocks (
  id       INTEGER PRIMARY KEY,
  first    INTEGER NOT NULL, -- the range of seqs, both included
  last     INTEGER NOT NULL,
  earliest INTEGER NOT NULL, -- Unix nanoseconds of the arrivals
  latest   INTEGER NOT NULL,
  columns  INTEGER NOT NULL, -- of the sets
  count    INTEGER NOT NULL, -- of the captures
  lanes    TEXT NOT NULL,    -- JSON
  captures BLOB NOT NULL
) STRICT;

CREATE TABLE search_parts (
  id   INTEGER PRIMARY KEY,
  data BLOB NOT NULL
) STRICT;

-- How the marks were made; no row while there is no index.
CREATE TABLE search_version (
  version TEXT NOT NULL,
  erasing INTEGER NOT NULL -- deletions by people that the blocks still have marks of
) STRICT;
