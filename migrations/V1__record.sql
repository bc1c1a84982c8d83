-- The record. Times are microseconds since the Unix epoch. Kinds, reasons and grades are the numbers that
-- src/history/sqlite/codes.rs gives them. A state is NULL while unknown, '' when the user had none, else JSON.
-- 'ADSM': what tells this file from other SQLite databases.
PRAGMA application_id = 1094996813;

CREATE TABLE meta (
    only_row      INTEGER PRIMARY KEY CHECK (only_row = 1),
    history_id    TEXT NOT NULL,
    last_event    INTEGER NOT NULL DEFAULT 0,  -- ids are never used again, so not max(id)
    expired_up_to INTEGER NOT NULL DEFAULT 0,
    kept_since    INTEGER
) STRICT;

CREATE TABLE channels (
    id                INTEGER PRIMARY KEY,
    name              TEXT NOT NULL UNIQUE,
    began             INTEGER NOT NULL,
    observed_since    INTEGER,
    complete_since    INTEGER,
    last_seq          INTEGER NOT NULL DEFAULT 0,
    complete_earliest INTEGER,
    complete_latest   INTEGER,
    shown_earliest    INTEGER,
    shown_latest      INTEGER
) STRICT;

CREATE TABLE users (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE events (
    channel_id INTEGER NOT NULL REFERENCES channels (id),
    seq        INTEGER NOT NULL,
    id         INTEGER NOT NULL,
    user_id    INTEGER NOT NULL REFERENCES users (id),
    kind       INTEGER NOT NULL,
    not_before INTEGER,
    not_after  INTEGER NOT NULL,
    occupancy  INTEGER NOT NULL,
    state      TEXT,
    PRIMARY KEY (channel_id, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX events_by_id ON events (id);
CREATE INDEX events_by_user ON events (user_id, id);

-- Which times the events of 1,024 consecutive ids touch, so that a question about a span skips the others.
CREATE TABLE event_blocks (
    block    INTEGER PRIMARY KEY,
    earliest INTEGER NOT NULL,
    latest   INTEGER NOT NULL
) STRICT;

CREATE TABLE visits (
    channel_id      INTEGER NOT NULL REFERENCES channels (id),
    opened          INTEGER NOT NULL,
    user_id         INTEGER NOT NULL REFERENCES users (id),
    joined_from     INTEGER,
    joined_to       INTEGER NOT NULL,
    left_from       INTEGER,
    left_to         INTEGER,           -- NULL while it lasts
    state           TEXT,
    since_from      INTEGER,
    since_to        INTEGER,
    listed_earliest INTEGER,           -- only where later than the channel's complete observation
    listed_latest   INTEGER,
    shown_earliest  INTEGER,           -- only where later than the channel's shown observation
    shown_latest    INTEGER,
    PRIMARY KEY (channel_id, opened)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX visits_open ON visits (channel_id, user_id) WHERE left_to IS NULL;
CREATE INDEX visits_by_time ON visits (joined_to);
CREATE INDEX visits_by_user ON visits (user_id, joined_to);

CREATE TABLE gaps (
    channel_id INTEGER NOT NULL REFERENCES channels (id),
    began      INTEGER NOT NULL,
    users_only INTEGER NOT NULL,
    ended      INTEGER,                -- NULL while it lasts
    reason     INTEGER NOT NULL,
    PRIMARY KEY (channel_id, began, users_only)
) STRICT, WITHOUT ROWID;
CREATE INDEX gaps_open ON gaps (channel_id) WHERE ended IS NULL;
CREATE INDEX gaps_by_time ON gaps (began);

CREATE TABLE runs (
    channel_id     INTEGER NOT NULL REFERENCES channels (id),
    first_latest   INTEGER NOT NULL,
    first_earliest INTEGER NOT NULL,
    last_earliest  INTEGER NOT NULL,
    last_latest    INTEGER NOT NULL,
    widest         INTEGER NOT NULL,
    occupancy      INTEGER NOT NULL,
    grade          INTEGER NOT NULL,
    PRIMARY KEY (channel_id, first_latest)
) STRICT, WITHOUT ROWID;

-- The last mark: what is proven of every channel, save of those in mark_others.
CREATE TABLE mark (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    floor    INTEGER NOT NULL,
    widest   INTEGER NOT NULL
) STRICT;
CREATE TABLE mark_others (
    channel_id INTEGER PRIMARY KEY REFERENCES channels (id) ON DELETE CASCADE,
    earliest   INTEGER NOT NULL,
    latest     INTEGER NOT NULL
) STRICT;

CREATE TABLE watches (
    target TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
