//! The outbox, and a simple one in memory that is told the same.

use std::time::Duration;

use adsum::domain::alert::{Change, NotifierName, RuleName};
use adsum::domain::event::{EventKind, Recorded};
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::time::Time;
use adsum::history::alerts::{
    AlertChange, AlertQuery, Delivery, DeliveryAttempt, DeliveryKind, DeliveryStatus, GATHER, Outcome,
    StandingAlert, Subscriber, Told,
};
use adsum::history::sqlite::Law;
use adsum::history::{Entry, History};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::alerting::{changes, channel, deliveries, notifier, resolved, told};
use crate::given::{arrival, open, time};
use crate::verify::verified;

const CHANNELS: usize = 3;
const NOTIFIERS: [&str; 2] = ["hook", "mail"];
const RULES: [&str; 2] = ["crowded", "quiet"];

/// One thing that happens, 0.3 s after the one before.
#[derive(Clone, Debug)]
enum Step {
    /// Alerts change, each in a channel and of a rule, and these are told.
    Alerts(Vec<(usize, usize, u8, [bool; 2])>),
    /// Somebody arrives in a channel.
    Event(usize),
    /// So many of a notifier's deliveries are tried.
    Due(usize, usize),
    /// A delivery was tried.
    Tried(Index, u8),
    /// Nothing can be sent to a notifier.
    GiveUp(usize),
    /// A delivery is to be sent again.
    Retry(Index),
    /// What is older than that many steps goes, a few rows at a time.
    Expire(u8, usize),
    /// adsum ends and starts again.
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let alert = (0..CHANNELS, 0..RULES.len(), 0u8..5, any::<[bool; 2]>());
    let step = prop_oneof![
        8 => proptest::collection::vec(alert, 1..4).prop_map(Step::Alerts),
        2 => (0..CHANNELS).prop_map(Step::Event),
        6 => (0..NOTIFIERS.len(), 1usize..5).prop_map(|(to, limit)| Step::Due(to, limit)),
        6 => (any::<Index>(), 0u8..4).prop_map(|(which, outcome)| Step::Tried(which, outcome)),
        1 => (0..NOTIFIERS.len()).prop_map(Step::GiveUp),
        3 => any::<Index>().prop_map(Step::Retry),
        1 => (0u8..20, 4usize..9).prop_map(|(steps, limit)| Step::Expire(steps, limit)),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..60)
}

/// A delivery as the model has it.
#[derive(Clone)]
struct Kept {
    delivery: Delivery,
    sealed: bool,
    finished: Option<Time>,
    /// The transitions it tells of.
    changes: Vec<i64>,
    event: Option<Recorded>,
    channels: Vec<ChannelName>,
    /// The pending delivery that goes first in each of its channels.
    behind: Option<i64>,
    attempts: Vec<DeliveryAttempt>,
}

impl Kept {
    fn finish(&mut self, status: DeliveryStatus, at: Time) {
        (self.delivery.status, self.delivery.due, self.finished, self.sealed) =
            (status, None, Some(at), true);
    }

    fn pending(&self) -> bool {
        self.delivery.status == DeliveryStatus::Pending
    }
}

#[derive(Default)]
struct Model {
    now: i64,
    seqs: [u64; CHANNELS],
    last_change: i64,
    last_delivery: i64,
    standing: Vec<StandingAlert>,
    changes: Vec<AlertChange>,
    deliveries: Vec<Kept>,
}

impl Model {
    fn time(&self) -> Time {
        time(self.now)
    }

    fn step(&mut self, history: &dyn History, step: &Step) {
        self.now += 300_000;
        match step {
            Step::Alerts(alerts) => self.alerts(history, alerts),
            Step::Event(index) => self.event(history, *index),
            Step::Due(to, limit) => self.due(history, &notifier(NOTIFIERS[*to]), *limit),
            Step::Tried(which, outcome) => self.tried(history, *which, *outcome),
            Step::GiveUp(to) => self.give_up(history, &notifier(NOTIFIERS[*to])),
            Step::Retry(which) => self.retry(history, *which),
            Step::Expire(steps, limit) => self.expire(history, i64::from(*steps), *limit),
            Step::Reopen => {}
        }
    }

    fn alerts(&mut self, history: &dyn History, alerts: &[(usize, usize, u8, [bool; 2])]) {
        let mut entries: Vec<Entry> = Vec::new();
        for (index, of, change, notify) in alerts {
            let change = match change {
                0 => Change::Pending,
                1 => Change::Repeated,
                2 => resolved(),
                _ => Change::Firing,
            };
            let notify: Vec<NotifierName> = NOTIFIERS
                .iter()
                .zip(notify)
                .filter(|(_, yes)| **yes)
                .map(|(name, _)| notifier(name))
                .collect();
            entries.push(told(&channel(*index), RULES[*of], change, self.now, &notify));
        }
        history.commit(&entries).unwrap();
        for entry in &entries {
            self.note(entry);
        }
    }

    fn note(&mut self, entry: &Entry) {
        let alert = &entry.alerts[0];
        let (standing, notice) = (alert.standing.clone(), &alert.notices[0]);
        let rule = standing.rule.clone();
        self.standing.retain(|known| known.channel != entry.channel || known.standing.rule != rule);
        self.last_change += 1;
        let severity = standing.severity;
        let transition = notice.transition.clone();
        let kind = match transition.change {
            Change::Firing => Some(DeliveryKind::Firing),
            Change::Repeated => Some(DeliveryKind::Repeated),
            Change::Resolved(_) => Some(DeliveryKind::Resolved),
            Change::Pending | Change::Inactive(_) => None,
        };
        if !matches!(transition.change, Change::Resolved(_)) {
            self.standing.push(StandingAlert { channel: entry.channel.clone(), standing });
        }
        let channel = entry.channel.clone();
        let id = self.last_change;
        self.changes.push(AlertChange {
            id,
            rule: rule.clone(),
            severity,
            channel: channel.clone(),
            transition,
            muted: None,
        });
        for to in kind.iter().flat_map(|_| &notice.notify) {
            let of_rule = |kept: &Kept| {
                kept.pending() && kept.delivery.notifier == *to && kept.delivery.rule.as_ref() == Some(&rule)
            };
            let before = |number: i64, channels: &[ChannelName]| {
                let shares = |kept: &&Kept| channels.iter().any(|channel| kept.channels.contains(channel));
                let earlier = self.deliveries.iter().filter(|kept| kept.delivery.number < number);
                earlier.filter(|kept| of_rule(kept)).filter(shares).map(|kept| kept.delivery.number).max()
            };
            let behind = before(i64::MAX, std::slice::from_ref(&channel));
            let joined = self.deliveries.iter().rposition(|kept| {
                let waits = before(kept.delivery.number, &kept.channels);
                let alike = kept.behind == behind && (behind.is_some() || waits.is_none());
                of_rule(kept) && !kept.sealed && Some(kept.delivery.kind) == kind && alike
            });
            if let Some(joined) = joined {
                let joined = &mut self.deliveries[joined];
                joined.delivery.count += 1;
                joined.changes.push(id);
                joined.channels.push(channel.clone());
            } else {
                let due = self.time().plus(GATHER);
                let kept = self.begin(to, Some(rule.clone()), kind.unwrap(), due, channel.clone());
                kept.changes.push(id);
                kept.behind = behind;
            }
        }
    }

    fn begin(
        &mut self,
        to: &NotifierName,
        rule: Option<RuleName>,
        kind: DeliveryKind,
        due: Time,
        channel: ChannelName,
    ) -> &mut Kept {
        self.last_delivery += 1;
        let delivery = Delivery {
            number: self.last_delivery,
            id: String::new(),
            notifier: to.clone(),
            rule,
            kind,
            count: 1,
            created: self.time(),
            status: DeliveryStatus::Pending,
            attempts: 0,
            tried: None,
            due: Some(due),
            answer: None,
            attempts_before: 0,
        };
        self.deliveries.push(Kept {
            delivery,
            sealed: false,
            finished: None,
            changes: Vec::new(),
            event: None,
            channels: vec![channel],
            behind: None,
            attempts: Vec::new(),
        });
        self.deliveries.last_mut().unwrap()
    }

    fn event(&mut self, history: &dyn History, index: usize) {
        self.seqs[index] += 1;
        let user = UserId::new(&format!("user {}", self.seqs[index])).unwrap();
        let wants =
            |name, kinds: &[EventKind]| Subscriber { notifier: notifier(name), kinds: kinds.to_vec() };
        let subscribers =
            [wants("hook", &[EventKind::Present, EventKind::Settled]), wants("mail", &[EventKind::Join])];
        let entry = Entry {
            subscribers: subscribers.into_iter().collect(),
            at: self.time(),
            ..arrival(&channel(index), &user, self.seqs[index])
        };
        let event = history.commit(&[entry]).unwrap().into_iter().next();
        let due = self.time();
        let kept = self.begin(&notifier("hook"), None, DeliveryKind::Event, due, channel(index));
        (kept.event, kept.sealed) = (event, true);
    }

    fn due(&mut self, history: &dyn History, to: &NotifierName, limit: usize) {
        let free = |kept: &&Kept| {
            let shares = |other: &&Kept| {
                other.delivery.rule == kept.delivery.rule
                    && other.channels.iter().any(|channel| kept.channels.contains(channel))
            };
            let mut before = self.deliveries.iter().filter(|other| {
                other.pending()
                    && other.delivery.notifier == *to
                    && other.delivery.number < kept.delivery.number
            });
            !before.any(|other| shares(&other))
        };
        let now = self.time();
        let mine = |kept: &&Kept| kept.pending() && kept.delivery.notifier == *to;
        let due = self.deliveries.iter().filter(mine).filter(|kept| kept.delivery.due.unwrap() <= now);
        let due: Vec<i64> = due.filter(free).take(limit).map(|kept| kept.delivery.number).collect();
        let free: Vec<Time> =
            self.deliveries.iter().filter(mine).filter(free).filter_map(|kept| kept.delivery.due).collect();
        for kept in &mut self.deliveries {
            kept.sealed |= due.contains(&kept.delivery.number);
        }
        let next =
            history.waiting().unwrap().into_iter().find(|(name, ..)| name == to).map(|(.., next)| next);
        assert_eq!(next, free.into_iter().min());
        let given = history.due(to, now, limit).unwrap();
        assert_eq!(given.iter().map(|outgoing| outgoing.delivery.number).collect::<Vec<_>>(), due);
        for outgoing in given {
            assert_eq!(history.delivery(&outgoing.delivery.id).unwrap().unwrap().0, outgoing);
        }
    }

    fn any(&self, which: Index) -> Option<usize> {
        (!self.deliveries.is_empty()).then(|| which.index(self.deliveries.len()))
    }

    fn tried(&mut self, history: &dyn History, which: Index, outcome: u8) {
        let Some(index) = self.any(which) else { return };
        let now = self.time();
        let kept = &mut self.deliveries[index];
        let outcome = match outcome {
            0 => Outcome::Delivered,
            1 => Outcome::Failed,
            _ => Outcome::Again(now.plus(Duration::from_secs(1))),
        };
        let delivered = outcome == Outcome::Delivered;
        let attempt = crate::alerting::attempt(kept.delivery.attempts + 1, now.as_micros(), delivered);
        history.attempted(kept.delivery.number, &attempt, outcome).unwrap();
        kept.delivery.attempts += 1;
        kept.delivery.tried = Some(now);
        kept.delivery.answer = Some(attempt.answer.clone());
        kept.attempts.push(attempt);
        match (kept.delivery.status, outcome) {
            (DeliveryStatus::Pending, Outcome::Again(due)) => {
                (kept.delivery.due, kept.sealed) = (Some(due), true);
            }
            (DeliveryStatus::Pending, Outcome::Delivered) => kept.finish(DeliveryStatus::Delivered, now),
            (DeliveryStatus::Pending, Outcome::Failed) => kept.finish(DeliveryStatus::Failed, now),
            (DeliveryStatus::Failed, Outcome::Delivered) => kept.delivery.status = DeliveryStatus::Delivered,
            _ => {}
        }
        self.free();
    }

    /// Whatever waited for what is finished does not any more.
    fn free(&mut self) {
        let pending = |number: &i64| {
            self.deliveries.iter().any(|kept| kept.delivery.number == *number && kept.pending())
        };
        let behind: Vec<Option<i64>> =
            self.deliveries.iter().map(|kept| kept.behind.filter(pending)).collect();
        for (kept, behind) in self.deliveries.iter_mut().zip(behind) {
            kept.behind = behind;
        }
    }

    fn give_up(&mut self, history: &dyn History, to: &NotifierName) {
        let now = self.time();
        let mut given_up = 0;
        for kept in self.deliveries.iter_mut().filter(|kept| kept.pending() && kept.delivery.notifier == *to)
        {
            kept.finish(DeliveryStatus::Failed, now);
            kept.delivery.answer = Some("it is gone".to_owned());
            let answer = "it is gone".to_owned();
            let took = Duration::ZERO;
            kept.attempts.push(DeliveryAttempt { number: 0, at: now, took, delivered: false, answer });
            given_up += 1;
        }
        self.free();
        assert_eq!(history.give_up(to, now, "it is gone").unwrap(), given_up);
    }

    fn retry(&mut self, history: &dyn History, which: Index) {
        let Some(index) = self.any(which) else { return };
        let now = self.time();
        let kept = &mut self.deliveries[index];
        match kept.delivery.status {
            DeliveryStatus::Pending => kept.delivery.due = Some(now),
            DeliveryStatus::Failed => {
                kept.delivery.status = DeliveryStatus::Pending;
                (kept.delivery.due, kept.finished) = (Some(now), None);
                kept.delivery.attempts_before = kept.delivery.attempts;
            }
            DeliveryStatus::Delivered => {}
        }
        let id = &deliveries(history)[index].id;
        let again = history.retry(id, now).unwrap().unwrap();
        assert_eq!(again, Delivery { id: id.clone(), ..kept.delivery.clone() });
    }

    fn expire(&mut self, history: &dyn History, steps: i64, limit: usize) {
        let before = time(self.now - steps * 300_000);
        while history.expire(before, limit).unwrap() {}
        self.deliveries.retain(|kept| kept.finished.is_none_or(|finished| finished >= before));
        let needed: Vec<i64> = self.deliveries.iter().flat_map(|kept| kept.changes.clone()).collect();
        self.changes.retain(|change| change.transition.at >= before || needed.contains(&change.id));
    }

    /// Everything that is kept is as the model has it.
    fn check(&self, history: &dyn History) {
        assert_eq!(changes(history), self.changes);
        let mut standing = self.standing.clone();
        standing.sort_by_key(|alert| (alert.standing.rule.clone(), alert.channel.clone()));
        assert_eq!(history.alerts(&AlertQuery { limit: 99, ..AlertQuery::default() }).unwrap(), standing);
        let kept = deliveries(history);
        assert_eq!(kept.len(), self.deliveries.len());
        let (_, expired) = history.event_ids().unwrap();
        for (delivery, expected) in kept.into_iter().zip(&self.deliveries) {
            let (outgoing, attempts) = history.delivery(&delivery.id).unwrap().unwrap();
            assert_eq!(outgoing.delivery, delivery);
            assert_eq!(attempts, expected.attempts);
            match &outgoing.told {
                Told::Alerts(told) => {
                    assert_eq!(told.iter().map(|change| change.id).collect::<Vec<_>>(), expected.changes);
                    assert!(told.iter().all(|change| self.changes.contains(change)));
                }
                Told::Event(told) => {
                    let event = expected.event.clone();
                    assert_eq!(*told, event.filter(|event| event.id > expired));
                }
            }
            assert_eq!(Delivery { id: String::new(), ..delivery }, expected.delivery);
        }
        for name in NOTIFIERS {
            let waiting = history.waiting().unwrap();
            let count = waiting.iter().find(|(to, ..)| to.as_str() == name).map_or(0, |(_, count, _)| *count);
            let mine = |kept: &&Kept| kept.pending() && kept.delivery.notifier.as_str() == name;
            assert_eq!(usize::try_from(count).unwrap(), self.deliveries.iter().filter(mine).count());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_outbox_does_what_a_simple_one_does(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let mut history = open(&folder);
        history.begin(&(0..CHANNELS).map(channel).collect::<Vec<_>>(), time(0)).unwrap();
        let mut model = Model::default();
        for (number, step) in steps.iter().enumerate() {
            if matches!(step, Step::Reopen) {
                drop(history);
                history = open(&folder);
            }
            model.step(history.as_ref(), step);
            model.check(history.as_ref());
            if number % 8 != 7 {
                continue;
            }
            // The model's alerts go no alert's way; what is to be delivered of them is as it should be.
            let of_outbox = |law| matches!(law, Law::File | Law::Values | Law::Deliveries | Law::Turns);
            let mut found = verified(&folder.path().join("history.db")).broken;
            found.retain(|breach| of_outbox(breach.law));
            prop_assert_eq!(found, []);
        }
    }
}
