//! What the history keeps of alerts: how each stands, what became of it, silences, and the outbox (SPEC section 4).
//!
//! All of an alert's change is in the commit of what changed it: its new state, its transitions, and a notification for
//! everybody who is to be told. Notifications of one rule to one notifier that follow each other closely are one delivery:
//! a notification joins one of the same kind that was not tried yet and that waits for the same earlier delivery as it must
//! itself, or for none; otherwise it begins another. Presence events make a delivery each.

use std::sync::Arc;
use std::time::Duration;

use super::Result;
use crate::domain::alert::{AlertId, AlertState, NotifierName, RuleName, Severity, Silence, Transition};
use crate::domain::event::{EventKind, Recorded};
use crate::domain::names::ChannelName;
use crate::domain::time::Time;

/// A new delivery waits so long for more of its group before it is tried, so that many channels crossing one rule at once
/// make one message.
pub const GATHER: Duration = Duration::from_secs(1);

/// The most alerts of one delivery. A webhook lists them all, in some 100 kB where names are of ordinary length; a text lists
/// a few and counts the rest.
pub const MAX_TOLD_TOGETHER: usize = 250;

/// The most deliveries to one notifier that wait. What comes beyond is recorded as failed at once: as one delivery for
/// all of the same rule and kind that come within [`GATHER`]. What is sent again on request may wait beyond that.
pub const MAX_WAITING: usize = 100_000;

/// The most silences that are kept: those that mute, will mute, or are over and not expired yet.
pub const MAX_SILENCES: usize = 10_000;

/// The number of a silence, from 1. Never used again.
pub type SilenceId = i64;

/// How one alert stands, as it is kept of each that is not inactive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Its rule's name.
    pub rule: RuleName,
    /// What the rule decided by when it was last judged ([`crate::domain::alert::Rule::terms`]).
    pub terms: String,
    /// How grave the rule is.
    pub severity: Severity,
    /// How it stands.
    pub state: AlertState,
    /// The silence that muted it when it was last to be told, if one did: nobody knows of it.
    pub muted: Option<SilenceId>,
    /// Who is told when it is over, also if the rule is gone by then.
    pub tell_end: Vec<NotifierName>,
}

/// One alert's part of a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertEntry {
    /// How it stands from now on.
    pub standing: Standing,
    /// What led there, in order.
    pub notices: Vec<Notice>,
}

/// A transition, and who is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// What happened.
    pub transition: Transition,
    /// Who is told; nobody if it is muted.
    pub notify: Vec<NotifierName>,
    /// The silence that muted it.
    pub muted: Option<SilenceId>,
}

/// A notifier that wants to hear of presence events themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscriber {
    /// Who.
    pub notifier: NotifierName,
    /// Of which kinds.
    pub kinds: Vec<EventKind>,
}

impl Subscriber {
    /// Whether it is told of an event of this kind. Nobody is of [`EventKind::Settled`], which is in no answer.
    pub fn wants(&self, kind: EventKind) -> bool {
        kind != EventKind::Settled && self.kinds.contains(&kind)
    }
}

/// Everybody who wants to hear of presence events.
pub type Subscribers = Arc<[Subscriber]>;

/// An alert that is not inactive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StandingAlert {
    /// Where.
    pub channel: ChannelName,
    /// How it stands.
    pub standing: Standing,
}

/// Which alerts. Every field narrows.
#[derive(Clone, Debug, Default)]
pub struct AlertQuery {
    /// Of this rule.
    pub rule: Option<RuleName>,
    /// Of this channel.
    pub channel: Option<ChannelName>,
    /// After this one, in order of `(rule, channel)`, both by name.
    pub after: Option<(RuleName, ChannelName)>,
    /// At most so many.
    pub limit: usize,
}

/// A transition as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertChange {
    /// Its number, from 1, in the order of commits.
    pub id: i64,
    /// The rule.
    pub rule: RuleName,
    /// How grave it was.
    pub severity: Severity,
    /// Where.
    pub channel: ChannelName,
    /// What happened.
    pub transition: Transition,
    /// The silence that muted it.
    pub muted: Option<SilenceId>,
}

/// Which transitions. Every field narrows.
#[derive(Clone, Debug, Default)]
pub struct ChangeQuery {
    /// Of this alert.
    pub alert: Option<AlertId>,
    /// Of this rule.
    pub rule: Option<RuleName>,
    /// In this channel.
    pub channel: Option<ChannelName>,
    /// Known at this time or later ([`Transition::at`]).
    pub from: Option<Time>,
    /// Known before this.
    pub to: Option<Time>,
    /// With a greater number.
    pub after: i64,
    /// At most so many.
    pub limit: usize,
}

/// A silence as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptSilence {
    /// Its number.
    pub id: SilenceId,
    /// When it was made.
    pub created: Time,
    /// What it says.
    pub silence: Silence,
}

/// What a delivery is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DeliveryKind {
    /// Alerts that began to fire.
    Firing,
    /// Alerts that fire still.
    Repeated,
    /// Alerts that were resolved.
    Resolved,
    /// A presence event.
    Event,
}

impl DeliveryKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Firing, Self::Repeated, Self::Resolved, Self::Event];

    /// As written in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Repeated => "repeated",
            Self::Resolved => "resolved",
            Self::Event => "event",
        }
    }
}

/// How a delivery stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DeliveryStatus {
    /// It is to be tried, for the first time or again.
    Pending,
    /// The receiver took it.
    Delivered,
    /// It was given up. It may be sent again on request.
    Failed,
}

impl DeliveryStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Failed];

    /// As written in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// A delivery as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Its number, from 1, in the order in which they began.
    pub number: i64,
    /// What tells it apart everywhere, the same on every try: the receiver's `webhook-id`. Letters, digits, `-` and `_`.
    pub id: String,
    /// To whom.
    pub notifier: NotifierName,
    /// Of which rule; `None` for a presence event.
    pub rule: Option<RuleName>,
    /// About what.
    pub kind: DeliveryKind,
    /// How many alerts, or 1 event.
    pub count: u64,
    /// When it was written.
    pub created: Time,
    /// How it stands.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was last tried.
    pub tried: Option<Time>,
    /// When it is tried next, while it is pending.
    pub due: Option<Time>,
    /// What came of the last try, or why it was given up without one, in one bounded sentence.
    pub answer: Option<String>,
    /// How many of its tries count for no back-off: those before it was sent again on request, and those that came sooner
    /// because the receiver took something again.
    pub attempts_before: u32,
}

/// One try of a delivery, as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeliveryAttempt {
    /// 1, 2, 3 …; 0 for what was given up without a try.
    pub number: u32,
    /// When it began.
    pub at: Time,
    /// How long it took.
    pub took: Duration,
    /// Whether the receiver took it.
    pub delivered: bool,
    /// What the receiver answered, or why there was no answer, in one bounded sentence.
    pub answer: String,
}

/// What follows from a try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The receiver took it.
    Delivered,
    /// It is tried again then.
    Again(Time),
    /// It is given up.
    Failed,
}

/// A delivery to be tried, with what it says.
#[derive(Clone, PartialEq, Debug)]
pub struct Outgoing {
    /// The delivery.
    pub delivery: Delivery,
    /// What it says.
    pub told: Told,
}

/// What a delivery says.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    /// Its transitions, in order.
    Alerts(Vec<AlertChange>),
    /// The event; `None` if it has expired.
    Event(Option<Recorded>),
}

/// Which deliveries. Every field narrows.
#[derive(Clone, Debug, Default)]
pub struct DeliveryQuery {
    /// To this notifier.
    pub notifier: Option<NotifierName>,
    /// That stand like this.
    pub status: Option<DeliveryStatus>,
    /// Written at this time or later.
    pub from: Option<Time>,
    /// Written before this.
    pub to: Option<Time>,
    /// With a greater number.
    pub after: i64,
    /// At most so many.
    pub limit: usize,
}

/// What the history keeps of alerts. Methods block.
pub trait AlertHistory: Send + Sync + 'static {
    /// How the alerts of a channel stand that are not inactive, in order of rule.
    ///
    /// # Errors
    /// See [`super::HistoryError`]; so for every method here.
    fn standings(&self, channel: &ChannelName) -> Result<Vec<Standing>>;

    /// Alerts that are not inactive, in order of `(rule, channel)`.
    ///
    /// # Errors
    /// See [`super::HistoryError`].
    fn alerts(&self, query: &AlertQuery) -> Result<Vec<StandingAlert>>;

    /// Transitions in order of their numbers.
    ///
    /// # Errors
    /// See [`super::HistoryError`].
    fn alert_changes(&self, query: &ChangeQuery) -> Result<Vec<AlertChange>>;

    /// All silences that end after `over`, in order of their numbers; all that are kept if that is `None`.
    ///
    /// # Errors
    /// See [`super::HistoryError`].
    fn silences(&self, over: Option<Time>) -> Result<Vec<KeptSilence>>;

    /// Keeps a silence and gives it a number; `None` if [`MAX_SILENCES`] are kept already.
    ///
    /// # Errors
    /// See [`super::HistoryError`].
    fn add_silence(&self, silence: &Silence, created: Time) -> Result<Option<KeptSilence>>;

    /// Ends a silence at `at` if it would last longer; one that has not begun by then is removed
    /// ([`Silence::ended`]). Whether there was one that had not ended yet.
    ///
    /// # Errors
    /// See [`super::HistoryError`].
    fn end_silence(&self, id: SilenceId, at: Time) -> Result<bool>;

    /// What of the notifier's deliveries may be tried at `now`, at most `limit`: pending ones that are due, in order of
    /// their numbers, as far as no earlier one to the same notifier that is pending is about the same rule and channel,
    /// or, for presence events, the same channel. Nothing joins them from now on. What is under way is given again.
    ///
    /// # Errors
    /// See [`super::HistoryError`].
    fn due(&self, notifier: &NotifierName, now: Time, limit: usize) -> Result<Vec<Outgoing>>;

    /// The notifiers that pending deliveries are for, with how many, and when the next of those is due that wait for no
    /// earlier one (see [`AlertHistory::due`]); in order of name.
    ///
    /// # Errors
    /// See [`super::HistoryError`].
    fn waiting(&self) -> Result<Vec<(NotifierName, u64, Time)>>;

    /// Notes a try of a pending delivery and what follows; `attempt.number` 0 does not count as one. If it was given up
    /// while it was under way, nothing follows but that it was delivered if it was. A try that was noted already (the same
    /// number and time) is not noted again: whoever does not know whether it was may say it twice.
    ///
    /// # Errors
    /// See [`super::HistoryError`].
    fn attempted(&self, number: i64, attempt: &DeliveryAttempt, outcome: Outcome) -> Result<()>;

    /// Makes everything due at `now` that was tried in vain and waits for a later try: the receiver takes what it is sent
    /// again. That try counts for no back-off ([`Delivery::attempts_before`]). Gives how many.
    ///
    /// # Errors
    /// See [`super::HistoryError`].
    fn hasten(&self, notifier: &NotifierName, now: Time) -> Result<usize>;

    /// Gives up all pending deliveries to a notifier, which nothing can be sent to; `answer` says why. Gives how many.
    ///
    /// # Errors
    /// See [`super::HistoryError`].
    fn give_up(&self, notifier: &NotifierName, at: Time, answer: &str) -> Result<usize>;

    /// Deliveries, in order of their numbers.
    ///
    /// # Errors
    /// See [`super::HistoryError`].
    fn deliveries(&self, query: &DeliveryQuery) -> Result<Vec<Delivery>>;

    /// A delivery with what it says and every try, in order.
    ///
    /// # Errors
    /// See [`super::HistoryError`].
    fn delivery(&self, id: &str) -> Result<Option<(Outgoing, Vec<DeliveryAttempt>)>>;

    /// Makes a failed delivery pending again, due at `now`, with its id; its back-off begins anew. A pending one becomes
    /// due at `now`. A delivered one is left as it is. Gives it as it stands then; `None` if there is none of this id.
    ///
    /// # Errors
    /// See [`super::HistoryError`].
    fn retry(&self, id: &str, now: Time) -> Result<Option<Delivery>>;
}
