//! Alerts as they are judged, committed with what is to be told of them.

use std::collections::BTreeMap;
use std::time::Duration;

use adsum::domain::alert::{
    AlertState, Change, Condition, Input, Listing, OnGap, Rule, Severity, Sighting, Transition, Why, step,
};
use adsum::domain::channel::Changes;
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::time::Time;
use adsum::history::alerts::{AlertEntry, Notice, Outcome, Standing};
use adsum::history::{Entry, History};
use proptest::prelude::*;

use crate::alerting::{alert_id, attempt, channel, deliveries, notifier, rule};
use crate::given::{moment, time};

pub(crate) const CHANNELS: usize = 3;
const SECOND: i64 = 1_000_000;

/// What alerts hear of, or their deliveries.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    /// So many are in a channel.
    Seen(usize, u32),
    /// A channel is not observed.
    Blind(usize),
    /// Time passed.
    Time(usize),
    /// The rules are gone from a channel.
    Gone(usize),
    /// A delivery was tried, this one after the other.
    Tried(usize, bool),
    /// Nothing can be sent.
    GivenUp,
    /// A delivery is to be sent again.
    Again(usize),
}

pub(crate) fn heard() -> impl Strategy<Value = Vec<Heard>> {
    let heard = prop_oneof![
        10 => (0..CHANNELS, 0u32..4).prop_map(|(channel, count)| Heard::Seen(channel, count)),
        2 => (0..CHANNELS).prop_map(Heard::Blind),
        2 => (0..CHANNELS).prop_map(Heard::Time),
        1 => (0..CHANNELS).prop_map(Heard::Gone),
        4 => (0usize..64, any::<bool>()).prop_map(|(which, taken)| Heard::Tried(which, taken)),
        1 => Just(Heard::GivenUp),
        1 => (0usize..64).prop_map(Heard::Again),
    ];
    proptest::collection::vec(heard, 1..60)
}

/// One that waits, and one that fires at once and for gaps.
fn rules() -> [Rule; 2] {
    let patient = Rule {
        name: rule("crowded"),
        channels: Vec::new(),
        condition: Condition::OccupancyAbove { bound: 1, clear_below: 1 },
        hold_for: Duration::from_secs(2),
        keep_firing_for: Duration::from_secs(1),
        on_gap: OnGap::Resolve,
        severity: Severity::Warning,
        notify: vec![notifier("hook"), notifier("mail")],
        repeat_every: Some(Duration::from_secs(5)),
        send_resolved: true,
    };
    let hasty = Rule {
        name: rule("hasty"),
        condition: Condition::OccupancyBelow { bound: 1, clear_above: 0 },
        hold_for: Duration::ZERO,
        keep_firing_for: Duration::ZERO,
        on_gap: OnGap::Fire,
        ..patient.clone()
    };
    [patient, hasty]
}

/// The alerts of all channels.
pub(crate) struct Judged<'h> {
    history: &'h dyn History,
    states: BTreeMap<(usize, usize), AlertState>,
    before: [Option<Sighting>; CHANNELS],
    pub(crate) now: Time,
    fresh: u128,
}

impl<'h> Judged<'h> {
    pub(crate) fn begin(history: &'h dyn History) -> Self {
        history.begin(&(0..CHANNELS).map(channel).collect::<Vec<_>>(), time(0)).unwrap();
        Self { history, states: BTreeMap::new(), before: [None; CHANNELS], now: time(0), fresh: 0 }
    }

    /// A second later.
    pub(crate) fn hear(&mut self, heard: &Heard) {
        self.now = self.now.plus(Duration::from_secs(1));
        let now = self.now.as_micros();
        match *heard {
            Heard::Seen(index, occupancy) => {
                let seen =
                    Sighting { moment: moment(now - SECOND / 2, now), occupancy, user: Listing::Unknown };
                let before = self.before[index].replace(seen);
                self.judge(index, &Input::Observed { seen, before, partial: None });
            }
            Heard::Blind(index) => {
                let gap = Gap::open(time(now - SECOND / 2), GapReason::Timeout);
                self.judge(index, &Input::Gap { gap, at: self.now });
            }
            Heard::Time(index) => self.judge(index, &Input::Time(self.now)),
            Heard::Gone(index) => self.judge(index, &Input::Ended { at: self.now, why: Why::RuleRemoved }),
            Heard::Tried(which, taken) => self.tried(which, taken),
            Heard::GivenUp => drop(self.history.give_up(&notifier("mail"), self.now, "it is gone").unwrap()),
            Heard::Again(which) => {
                let all = deliveries(self.history);
                if !all.is_empty() {
                    self.history.retry(&all[which % all.len()].id, self.now).unwrap();
                }
            }
        }
    }

    fn tried(&mut self, which: usize, taken: bool) {
        let all = deliveries(self.history);
        if all.is_empty() {
            return;
        }
        let tried = &all[which % all.len()];
        let attempt = attempt(tried.attempts + 1, self.now.as_micros(), taken);
        let outcome = if taken { Outcome::Delivered } else { Outcome::Failed };
        self.history.attempted(tried.number, &attempt, outcome).unwrap();
    }

    fn judge(&mut self, index: usize, input: &Input) {
        let mut alerts = Vec::new();
        for (number, rule) in rules().iter().enumerate() {
            self.fresh += 1;
            let state = self.states.entry((number, index)).or_default();
            let (after, transitions) = step(rule, *state, input, alert_id(self.fresh));
            if after != *state || !transitions.is_empty() {
                alerts.push(entry(rule, after, transitions));
            }
            *state = after;
        }
        let entry = Entry { alerts, at: self.now, ..Entry::new(channel(index), Changes::default()) };
        self.history.commit(&[entry]).unwrap();
    }
}

fn entry(rule: &Rule, state: AlertState, transitions: Vec<Transition>) -> AlertEntry {
    let standing = Standing {
        rule: rule.name.clone(),
        terms: rule.terms(),
        severity: rule.severity,
        state,
        muted: None,
        tell_end: rule.notify.clone(),
    };
    let notice = |transition: Transition| {
        let told = !matches!(transition.change, Change::Pending | Change::Inactive(_));
        Notice { notify: if told { rule.notify.clone() } else { Vec::new() }, transition, muted: None }
    };
    AlertEntry { standing, notices: transitions.into_iter().map(notice).collect() }
}
