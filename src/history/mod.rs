//! The durable record, behind one trait. An adapter keeps events, visits, gaps, occupancy runs, watches, and what is kept
//! of alerts ([`alerts`]), commits many channels' changes at once or not at all, and answers questions from a consistent
//! view.
//!
//! Methods block: callers run them where blocking is allowed. Nothing here knows a rule about presence; adapters store
//! what [`crate::domain`] worked out and give it back.

pub mod alerts;
pub mod backtest;
pub mod sqlite;

use std::time::Duration;

use thiserror::Error;

use self::alerts::{AlertEntry, AlertHistory, Subscribers};
use crate::domain::channel::{Changes, Checkpoint};
use crate::domain::event::{EventId, EventKind, Recorded, Seq};
use crate::domain::gap::Gap;
use crate::domain::names::{ChannelName, Pattern, UserId};
use crate::domain::occupancy::Run;
use crate::domain::state::Shown;
use crate::domain::time::{Moment, Time, Window};
use crate::domain::visit::Visit;

/// The most rows one commit writes: events, gaps and channels. The recorder splits what is more, but never one channel's
/// changes.
pub const MAX_COMMIT_ROWS: usize = 10_000;

/// The most visits that are joined to one. Somebody who comes and goes every 10 s makes as many in twelve days.
pub const MAX_JOINED: usize = 100_000;

/// The most runs one question is answered from, 16 MiB of them. A channel that changes every 5 s has as many in twelve days.
pub const MAX_RUNS: usize = 200_000;

/// Why the history could not do something.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// It cannot be read or written now: full, locked, read-only, an I/O error. Worth trying again.
    #[error("the history is unavailable: {0}")]
    Unavailable(String),
    /// What is to be committed of this channel does not go on from what the history holds: the caller's view of it is
    /// out of date and must be loaded again. Entries of other channels are not to blame.
    #[error("the changes of channel {channel:?} do not go on from what the history holds")]
    Conflict {
        /// Which channel.
        channel: ChannelName,
    },
    /// It holds what adsum did not write.
    #[error("the history is damaged: {0}")]
    Damaged(String),
    /// A question touches more than is answered at once.
    #[error("the occupancy changed more than {MAX_RUNS} times in that span: ask about a shorter one")]
    TooMuch,
    /// More visits than are joined to one would be.
    #[error(
        "more than {MAX_JOINED} visits of user {user:?} to channel {channel:?} would be one: ask about a shorter span, or join less"
    )]
    TooManyJoined {
        /// Where.
        channel: ChannelName,
        /// Whose.
        user: UserId,
    },
    /// It was written by a newer adsum.
    #[error(
        "the history has schema version {found}, newer than this adsum knows ({known}): use a newer adsum"
    )]
    TooNew {
        /// The file's version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// It was written by an older adsum, and is only to be read.
    #[error(
        "the history has schema version {found}, older than this adsum reads ({known}): start adsum run once, which brings it up to date"
    )]
    TooOld {
        /// The file's version.
        found: i64,
        /// The version known here.
        known: i64,
    },
}

impl HistoryError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// What a history gives back.
pub type Result<T> = std::result::Result<T, HistoryError>;

/// One channel's part of a commit.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which channel.
    pub channel: ChannelName,
    /// What changed.
    pub changes: Changes,
    /// How its alerts changed with that.
    pub alerts: Vec<AlertEntry>,
    /// Who wants to hear of the events.
    pub subscribers: Subscribers,
    /// When this was put together: notifications are due from then on.
    pub at: Time,
}

impl Entry {
    /// Changes that concern no alert, and that nobody is told of.
    pub fn new(channel: ChannelName, changes: Changes) -> Self {
        Self {
            channel,
            changes,
            alerts: Vec::new(),
            subscribers: Subscribers::default(),
            at: Time::default(),
        }
    }
}

/// What is proven of the channels that changed nothing (SPEC section 2, Commits). It replaces the mark before it.
///
/// It speaks of every channel that is not named, so whoever takes a mark names each one that it does not know to be
/// observed up to the floor: one not yet observed; one in a gap, which an observation may be about to close; one that
/// was watched since the start and no longer is, as long as its gap `unwatched` is not committed. Not named need be a
/// channel whose watch begins after the mark was taken, and one that is in a full gap since the start.
///
/// A mark lifts a channel's last run only where it speaks of a moment certainly after the run's last observation that
/// was committed, so it says nothing of runs that are committed after it was taken.
#[derive(Clone, Debug, Default)]
pub struct Mark {
    /// The moment up to which the last runs of the unnamed channels are proven: each was observed, unchanged since what is
    /// committed of it, in an observation whose [`Moment::earliest`] is this one's or later, and whose [`Moment::latest`]
    /// is this one's or earlier.
    pub floor: Moment,
    /// The other channels, with the last observation that repeated what is committed; `None`: nothing is proven beyond
    /// that.
    pub others: Vec<(ChannelName, Option<Moment>)>,
    /// The widest step ([`Run::widest`]) of any of their runs so far.
    pub widest: Duration,
}

/// A good discovery: every name that a pattern matches was observed at `moment`, and all but the listed had nobody.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// When it was true.
    pub moment: Moment,
    /// What it was made for.
    pub patterns: Vec<Pattern>,
    /// The channels that had somebody, that a pattern matches and whose watches have not begun yet. Those of all others that
    /// had somebody must have: what has no record was not listed.
    pub listed: Vec<ChannelName>,
    /// A discovery goes on from one that is no older than this; otherwise there was a pause in which nothing was seen.
    pub patience: Duration,
}

/// Discoveries without a pause that did not list a channel which had no record then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unlisted {
    /// From the first to the last of them, an occupancy of 0.
    pub run: Run,
    /// Whether the next may go on from the last.
    pub goes_on: bool,
}

/// A channel as the record knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelRecord {
    /// Its name.
    pub channel: ChannelName,
    /// When its watch first began.
    pub began: Time,
    /// When its first good observation had arrived.
    pub observed_since: Option<Time>,
    /// When its first complete observation had arrived.
    pub complete_since: Option<Time>,
    /// The last run of equal observations, as far as committed.
    pub run: Option<Run>,
    /// The last complete observation, as far as committed.
    pub complete: Option<Moment>,
}

/// Which events. Every field narrows; the times are `[from, to)`, and an event is in them if its window touches them.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Of this channel.
    pub channel: Option<ChannelName>,
    /// Of this user.
    pub user: Option<UserId>,
    /// Of these kinds; empty: of every kind, [`EventKind::Settled`] too.
    pub kinds: Vec<EventKind>,
    /// Not over before this.
    pub from: Option<Time>,
    /// Begun before this. A window without a beginning begins where it ends.
    pub to: Option<Time>,
    /// With a greater id.
    pub after: EventId,
    /// At most so many.
    pub limit: usize,
}

/// Where a list of visits goes on: the last visit listed. Visits are in order of `(joined.not_after, channel, opened)`,
/// channels in an order of the history's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VisitCursor {
    /// Its `joined.not_after`.
    pub joined: Time,
    /// Its channel.
    pub channel: ChannelName,
    /// The number of the event that opened it.
    pub opened: Seq,
}

/// Which visits. Every field narrows; a visit is in `[from, to)` if its user may have been there then.
#[derive(Clone, Debug, Default)]
pub struct VisitQuery {
    /// To this channel.
    pub channel: Option<ChannelName>,
    /// By this user.
    pub user: Option<UserId>,
    /// Not over before this.
    pub from: Option<Time>,
    /// Begun before this. A visit without a proven beginning (`present`) has always begun.
    pub to: Option<Time>,
    /// Only those that last (`true`), or that are over (`false`).
    pub open: Option<bool>,
    /// After this one.
    pub after: Option<VisitCursor>,
    /// At most so many.
    pub limit: usize,
}

/// A state and when the user came to have it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StateAt {
    /// The state.
    pub state: Shown,
    /// `None` while it is unknown.
    pub since: Option<Window>,
}

/// The durable record.
pub trait History: AlertHistory {
    /// A text that no other history has: projections keep it to notice that they belong to another one.
    fn id(&self) -> &str;

    /// What a channel goes on from; `None` if it was never watched. The last run ends where it is proven to: at its own
    /// end, or where the last mark proves it.
    ///
    /// # Errors
    /// See [`HistoryError`]; so for every method here.
    fn checkpoint(&self, channel: &ChannelName) -> Result<Option<Checkpoint>>;

    /// Notes that these channels' watches begin. A channel that was watched before keeps its record, and is not forgotten
    /// while it is watched. One without a record begins with a complete observation of nobody where the last discovery
    /// for a matching pattern is known: that did not list it, for what a discovery lists has a record from then on.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn begin(&self, channels: &[ChannelName], began: Time) -> Result<()>;

    /// Commits all entries at once or nothing. Gives the events with their ids, in order of ids; ids follow the order
    /// of the entries. An event whose number is not its channel's next is a [`HistoryError::Conflict`], and so are an
    /// arrival of somebody who is there, a leave or a state of somebody who is not, and a channel that was never begun
    /// or was forgotten. What is to be told of it all is in the same commit (see [`alerts`]).
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn commit(&self, entries: &[Entry]) -> Result<Vec<Recorded>>;

    /// Commits a mark.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn mark(&self, mark: &Mark) -> Result<()>;

    /// Notes that adsum is running at `at`, whether or not anything is observed. An earlier time than was noted before
    /// changes nothing.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn alive(&self, at: Time) -> Result<()>;

    /// Notes a good discovery, and that the watches of what it lists for the first time begin, at once (see
    /// [`History::begin`]). An older one than was noted before changes nothing.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn discovered(&self, discovery: &Discovery) -> Result<()>;

    /// What discoveries observed of a channel around `at`, before it had a record if it has one now: of the series that
    /// began by then, the one that reaches furthest. `None`: no discovery observed it then.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn unlisted(&self, channel: &ChannelName, at: Time) -> Result<Option<Unlisted>>;

    /// Called once at start, before anything is watched: every channel that was neither stopped nor unwatched was
    /// being watched when adsum ended without stopping. Their last runs end where the last mark proves them, and a gap
    /// `crashed` opens from there. Gives how many there were. No later discovery goes on from one before.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn recover(&self) -> Result<usize>;

    /// Names of all channels in the record, in order of name, after `after`.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn channels(&self, after: Option<&ChannelName>, limit: usize) -> Result<Vec<ChannelName>>;

    /// A channel as the record knows it.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn channel(&self, channel: &ChannelName) -> Result<Option<ChannelRecord>>;

    /// Whether any event of this user was ever recorded.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn knows_user(&self, user: &UserId) -> Result<bool>;

    /// Events in order of id.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn events(&self, query: &EventQuery) -> Result<Vec<Recorded>>;

    /// The newest event's id, 0 if there was none; and the id up to which events have expired, 0 if none have.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn event_ids(&self) -> Result<(EventId, EventId)>;

    /// The latest time of anything that was observed or marked, or at which adsum was noted to run; `None` if nothing was.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn newest(&self) -> Result<Option<Time>>;

    /// Visits in order of [`VisitCursor`].
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn visits(&self, query: &VisitQuery) -> Result<Vec<Visit>>;

    /// The user's visit to the same channel before this one.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn visit_before(&self, visit: &Visit) -> Result<Option<Visit>>;

    /// The state of a visit as of `at`: the last one that had settled by then.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn state_at(&self, visit: &Visit, at: Time) -> Result<StateAt>;

    /// Gaps that touch `[from, to)`, in order of `(from, channel)`, channels in an order of the history's own, after
    /// the given one. Two of a channel that begin together (one partial) are never parted: then there is one more than
    /// `limit`.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn gaps(
        &self,
        channel: Option<&ChannelName>,
        span: (Option<Time>, Option<Time>),
        after: Option<&(Time, ChannelName)>,
        limit: usize,
    ) -> Result<Vec<(ChannelName, Gap)>>;

    /// Runs that touch `[from, to]`, with the one before and the one after, in order of time; at most [`MAX_RUNS`].
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn runs(&self, channel: &ChannelName, from: Time, to: Time) -> Result<Vec<Run>>;

    /// Channels and patterns that the API added.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn watches(&self) -> Result<Vec<String>>;

    /// Adds one; whether it was new.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn add_watch(&self, watch: &str) -> Result<bool>;

    /// Takes one away; whether it was there.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn remove_watch(&self, watch: &str) -> Result<bool>;

    /// Forgets what ended before `before`: events, visits, gaps, runs, the rosters of channels unwatched since then;
    /// deliveries that were finished, transitions of alerts that no delivery tells of any more, silences. How an alert
    /// stands is not forgotten, nor what is pending, nor the channel of either. Removes at most `limit` rows and says
    /// whether more are left.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn expire(&self, before: Time, limit: usize) -> Result<bool>;

    /// Since when the record is whole: what ended before may have been forgotten. `None`: nothing was.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn kept_since(&self) -> Result<Option<Time>>;
}
