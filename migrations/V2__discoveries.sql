-- What discoveries observed of channels that have no row: nobody. A row is a series of good discoveries for one pattern
-- without a pause; whatever they listed under a matching name was begun in `channels` with the same commit.
CREATE TABLE discoveries (
    pattern        TEXT NOT NULL,
    first_earliest INTEGER NOT NULL,
    first_latest   INTEGER NOT NULL,
    last_earliest  INTEGER NOT NULL,
    last_latest    INTEGER NOT NULL,
    widest         INTEGER NOT NULL,
    over           INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (pattern, first_latest)
) STRICT, WITHOUT ROWID;

-- Up to when discoveries had observed nobody in the channel when its row was made.
ALTER TABLE channels ADD COLUMN absent_until INTEGER;
-- When an unwatched channel was watched again: it may not be forgotten before that is as old.
ALTER TABLE channels ADD COLUMN resumed INTEGER;
