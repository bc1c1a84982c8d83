-- How alerts stand, what became of them, silences, and the outbox. Severities, changes, reasons, kinds and statuses are
-- the numbers that src/history/sqlite/alerts/codes.rs gives them.

-- Alerts that are not inactive.
CREATE TABLE alerts (
    rule     TEXT NOT NULL,
    channel  TEXT NOT NULL REFERENCES channels (name),
    terms    TEXT NOT NULL,
    severity INTEGER NOT NULL,
    state    TEXT NOT NULL,               -- JSON
    muted    INTEGER,
    tell_end TEXT NOT NULL,               -- names of notifiers, with commas between
    PRIMARY KEY (rule, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_by_channel ON alerts (channel);

-- Their transitions. Numbers are never used again.
CREATE TABLE alert_changes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    rule       TEXT NOT NULL,
    severity   INTEGER NOT NULL,
    channel_id INTEGER NOT NULL REFERENCES channels (id),
    alert      TEXT NOT NULL,
    at         INTEGER NOT NULL,
    change     INTEGER NOT NULL,
    why        INTEGER,                   -- of an end
    ended_from INTEGER,
    ended_to   INTEGER,
    since_from INTEGER,
    since_to   INTEGER NOT NULL,
    condition  TEXT NOT NULL,             -- JSON
    occupancy  INTEGER,
    gap        INTEGER,
    muted      INTEGER
) STRICT;
CREATE INDEX alert_changes_by_alert ON alert_changes (alert);
CREATE INDEX alert_changes_by_rule ON alert_changes (rule);
CREATE INDEX alert_changes_by_channel ON alert_changes (channel_id);
CREATE INDEX alert_changes_by_time ON alert_changes (at);

CREATE TABLE silences (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    created  INTEGER NOT NULL,
    rule     TEXT,
    channel  TEXT,                        -- a name or a pattern
    severity INTEGER,
    begins   INTEGER NOT NULL,
    ends     INTEGER NOT NULL,
    author   TEXT NOT NULL,
    reason   TEXT NOT NULL
) STRICT;

-- Everybody to whom there ever was a delivery, and how many of theirs are pending.
CREATE TABLE notifiers (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    waiting INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What is sent as one message: alerts of one rule, or one event (then the rule is '').
CREATE TABLE deliveries (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    notifier_id     INTEGER NOT NULL REFERENCES notifiers (id),
    rule            TEXT NOT NULL,
    kind            INTEGER NOT NULL,
    event_id        INTEGER,              -- the event may have expired
    channel_id      INTEGER REFERENCES channels (id),  -- of the event
    count           INTEGER NOT NULL,
    created         INTEGER NOT NULL,
    joinable        INTEGER NOT NULL,     -- whether others may join it
    behind          INTEGER,              -- the pending delivery that goes first in each of its channels
    status          INTEGER NOT NULL,
    blocked         INTEGER NOT NULL DEFAULT 0,  -- in how many of its channels another one goes first (see turns)
    due             INTEGER,              -- while it is pending
    finished        INTEGER,              -- while it is not
    attempts        INTEGER NOT NULL DEFAULT 0,
    attempts_before INTEGER NOT NULL DEFAULT 0,
    tried           INTEGER,
    answer          TEXT
) STRICT;
CREATE INDEX deliveries_joinable ON deliveries (notifier_id, rule, kind, behind) WHERE joinable;
CREATE INDEX deliveries_behind ON deliveries (behind) WHERE behind IS NOT NULL;
CREATE INDEX deliveries_free ON deliveries (notifier_id, number, due) WHERE status = 0 AND blocked = 0;
CREATE INDEX deliveries_next ON deliveries (notifier_id, due) WHERE status = 0 AND blocked = 0;
CREATE INDEX deliveries_by_notifier ON deliveries (notifier_id);
CREATE INDEX deliveries_by_status ON deliveries (status);
CREATE INDEX deliveries_by_time ON deliveries (created);
CREATE INDEX deliveries_finished ON deliveries (finished) WHERE finished IS NOT NULL;
CREATE INDEX deliveries_by_channel ON deliveries (channel_id) WHERE channel_id IS NOT NULL;

-- Which transitions a delivery tells of.
CREATE TABLE notifications (
    delivery  INTEGER NOT NULL REFERENCES deliveries (number),
    change_id INTEGER NOT NULL REFERENCES alert_changes (id),
    PRIMARY KEY (delivery, change_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX notifications_by_change ON notifications (change_id);

-- In which order the pending deliveries to a notifier tell of a rule and a channel: by number, one after the other.
-- What a delivery is about keeps the channel.
CREATE TABLE turns (
    notifier_id INTEGER NOT NULL REFERENCES notifiers (id),
    rule        TEXT NOT NULL,
    channel_id  INTEGER NOT NULL,
    delivery    INTEGER NOT NULL REFERENCES deliveries (number),
    PRIMARY KEY (notifier_id, rule, channel_id, delivery)
) STRICT, WITHOUT ROWID;
CREATE INDEX turns_by_delivery ON turns (delivery);

CREATE TABLE attempts (
    id        INTEGER PRIMARY KEY,
    delivery  INTEGER NOT NULL REFERENCES deliveries (number),
    number    INTEGER NOT NULL,           -- 0: given up without a try
    at        INTEGER NOT NULL,
    took      INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    answer    TEXT NOT NULL
) STRICT;
CREATE INDEX attempts_by_delivery ON attempts (delivery);
