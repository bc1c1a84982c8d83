//! What alerts went through, as the history is given it: each step of a rule in a channel that nobody else watches.

use std::sync::Arc;
use std::time::Duration;

use adsum::actors::alerting::{Alerting, Receiver};
use adsum::domain::alert::{
    AlertId, AlertState, Change, Condition, Input, Listing, NotifierName, OnGap, Rule, RuleName, Severity,
    Sighting, step,
};
use adsum::domain::channel::Changes;
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::names::ChannelName;
use adsum::domain::time::{Moment, Time};
use adsum::domain::watch::Target;
use adsum::history::Entry;
use adsum::history::alerts::{AlertEntry, DeliveryAttempt, Notice, Outcome, SilenceId, Standing};
use adsum::notify::{Attempt, Message, Notifier, Receipt, Undelivered};
use futures_util::future::{BoxFuture, FutureExt as _, pending};

use crate::server::Server;

/// How old an answer may be.
const AGE: Duration = Duration::from_secs(1);

/// More than 2 in a room, told again every hour.
pub(crate) fn crowded() -> Rule {
    Rule {
        condition: Condition::OccupancyAbove { bound: 2, clear_below: 2 },
        hold_for: Duration::from_secs(10),
        repeat_every: Some(Duration::from_secs(3600)),
        ..rule("crowded", Severity::Warning)
    }
}

/// A room that is not observed.
pub(crate) fn blind() -> Rule {
    rule("blind", Severity::Critical)
}

fn rule(name: &str, severity: Severity) -> Rule {
    Rule {
        name: RuleName::new(name).unwrap(),
        channels: vec![Target::new("room.*").unwrap()],
        condition: Condition::Unobserved,
        hold_for: Duration::ZERO,
        keep_firing_for: Duration::ZERO,
        on_gap: OnGap::Keep,
        severity,
        notify: vec![NotifierName::new("ops").unwrap()],
        repeat_every: None,
        send_resolved: true,
    }
}

/// Both rules, and a receiver that never answers: what is to become of a delivery is the test's to say.
pub(crate) fn alerting() -> Alerting {
    let ops = Receiver {
        name: NotifierName::new("ops").unwrap(),
        notifier: Arc::new(Silent),
        at_once: 1,
        events: Vec::new(),
    };
    Alerting {
        rules: vec![Arc::new(crowded()), Arc::new(blind())],
        receivers: vec![ops],
        ..Alerting::default()
    }
}

struct Silent;

impl Notifier for Silent {
    fn deliver<'a>(&'a self, _: &'a Message, _: Attempt) -> BoxFuture<'a, Result<Receipt, Undelivered>> {
        pending().boxed()
    }
}

/// The alert of a rule in a channel.
pub(crate) struct Story<'a> {
    server: &'a Server,
    rule: Rule,
    channel: ChannelName,
    /// The time from which its seconds are counted: some minutes ago, in whole seconds.
    start: Time,
    state: AlertState,
    before: Option<Sighting>,
    muted: Option<SilenceId>,
}

impl<'a> Story<'a> {
    /// A channel, new to the record.
    pub(crate) fn new(server: &'a Server, rule: Rule, channel: &str) -> Self {
        let channel = ChannelName::new(channel).unwrap();
        let start = start(server);
        server.history.begin(std::slice::from_ref(&channel), start).unwrap();
        Self { server, rule, channel, start, state: AlertState::Inactive, before: None, muted: None }
    }

    /// From now on muted by this silence.
    pub(crate) fn muted(mut self, by: SilenceId) -> Self {
        self.muted = Some(by);
        self
    }

    pub(crate) fn at(&self, second: u64) -> Time {
        self.start.plus(Duration::from_secs(second))
    }

    /// So many were there at a second, in an answer that may have been a second old.
    pub(crate) fn seen(&mut self, second: u64, occupancy: u32) -> AlertId {
        let moment = Moment { earliest: self.at(second).minus(AGE), latest: self.at(second) };
        let seen = Sighting { moment, occupancy, user: Listing::Unknown };
        let before = self.before.replace(seen);
        self.hear(second, &Input::Observed { seen, before, partial: None })
    }

    /// The channel is not observed since a second.
    pub(crate) fn gap(&mut self, second: u64) -> AlertId {
        let gap = Gap::open(self.at(second), GapReason::Timeout);
        self.hear(second, &Input::Gap { gap, at: self.at(second) })
    }

    /// It is now so late.
    pub(crate) fn time(&mut self, second: u64) -> AlertId {
        self.hear(second, &Input::Time(self.at(second)))
    }

    fn hear(&mut self, second: u64, input: &Input) -> AlertId {
        let fresh = AlertId::new(uuid::Uuid::new_v4());
        let (state, transitions) = step(&self.rule, self.state, input, fresh);
        let alert = state.id().or(self.state.id()).unwrap_or(fresh);
        self.state = state;
        let tell = |change: &Change| {
            self.muted.is_none() && matches!(change, Change::Firing | Change::Repeated | Change::Resolved(_))
        };
        let notices = transitions.into_iter().map(|transition| Notice {
            notify: if tell(&transition.change) { self.rule.notify.clone() } else { Vec::new() },
            muted: self.muted,
            transition,
        });
        let standing = Standing {
            rule: self.rule.name.clone(),
            terms: self.rule.terms(),
            severity: self.rule.severity,
            state,
            muted: self.muted,
            tell_end: self.rule.notify.clone(),
        };
        let entry = Entry {
            alerts: vec![AlertEntry { standing, notices: notices.collect() }],
            at: self.at(second),
            ..Entry::new(self.channel.clone(), Changes::default())
        };
        self.server.history.commit(&[entry]).unwrap();
        alert
    }
}

/// Ten minutes ago, in whole seconds: what was is not a whole day ago, so nothing of it expires.
pub(crate) fn start(server: &Server) -> Time {
    let seconds = server.adsum.now().as_micros() / 1_000_000 - 600;
    Time::from_micros(seconds * 1_000_000)
}

/// A delivery was tried at a time, and that came of it.
pub(crate) fn tried(server: &Server, number: i64, at: Time, answer: &str, outcome: Outcome) {
    let attempt = DeliveryAttempt {
        number: 1,
        at,
        took: Duration::from_millis(250),
        delivered: outcome == Outcome::Delivered,
        answer: answer.to_owned(),
    };
    server.history.attempted(number, &attempt, outcome).unwrap();
}
