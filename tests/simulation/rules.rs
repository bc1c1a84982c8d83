//! Alert rules of every kind for a simulated world, and who is told.

use std::sync::Arc;
use std::time::Duration;

use adsum::actors::alerting::{Alerting, Receiver};
use adsum::domain::alert::{Condition, NotifierName, OnGap, Rule, RuleName, Severity};
use adsum::domain::names::UserId;
use adsum::domain::watch::Target;
use adsum::notify::{Attempt, Message, Notifier, Receipt, Remedy, Undelivered};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use crate::dice::Dice;
use crate::timeline::Timeline;
use crate::truth::user_id;

/// Rules for some of the channels or all, which tell one receiver, both, or nobody.
pub(crate) fn any(dice: &mut Dice, channels: &[String], users: usize, interval: i64) -> Vec<Arc<Rule>> {
    let count = dice.below(5) + 2;
    (0..count).map(|number| Arc::new(one(dice, number, channels, users, interval))).collect()
}

fn one(dice: &mut Dice, number: usize, channels: &[String], users: usize, interval: i64) -> Rule {
    let intervals = |most: usize, dice: &mut Dice| {
        // Off the beat of the polling, and on it.
        let odd = if dice.chance(0.5) { 0 } else { dice.int(0, interval) };
        let micros = interval * i64::try_from(dice.below(most)).unwrap() + odd;
        Duration::from_millis(u64::try_from(micros / 1000).unwrap())
    };
    let span = |dice: &mut Dice| if dice.chance(0.4) { Duration::ZERO } else { intervals(10, dice) };
    let targets = match dice.below(3) {
        0 => vec![dice.pick(channels).clone()],
        1 => vec!["*".to_owned()],
        _ => vec!["hall:*".to_owned(), "count.*".to_owned(), "added.*".to_owned(), "room.*".to_owned()],
    };
    let notify: &[&str] = *dice.pick(&[&["ops"][..], &["ops", "desk"], &["desk"], &[]]);
    Rule {
        name: RuleName::new(&format!("rule-{number}")).unwrap(),
        channels: targets.iter().map(|target| Target::new(target).unwrap()).collect(),
        condition: condition(dice, users),
        hold_for: span(dice),
        keep_firing_for: span(dice),
        on_gap: *dice.pick(&OnGap::ALL),
        severity: *dice.pick(&Severity::ALL),
        notify: notify.iter().map(|name| NotifierName::new(name).unwrap()).collect(),
        repeat_every: dice.chance(0.4).then(|| Duration::from_secs(7) + intervals(20, dice)),
        send_resolved: dice.chance(0.8),
    }
}

fn condition(dice: &mut Dice, users: usize) -> Condition {
    let user = |dice: &mut Dice| UserId::new(&user_id(dice.below(users))).unwrap();
    let few = |dice: &mut Dice| u32::try_from(dice.below(users.min(4))).unwrap();
    match dice.below(6) {
        0 => {
            let bound = few(dice);
            Condition::OccupancyAbove { bound, clear_below: bound + 1 - few(dice).min(bound) }
        }
        1 => {
            let bound = few(dice) + 1;
            Condition::OccupancyBelow { bound, clear_above: bound - 1 + few(dice) }
        }
        2 => Condition::UserPresent { user: user(dice) },
        3 => Condition::UserAbsent { user: user(dice) },
        _ => Condition::Unobserved,
    }
}

/// The deliveries that receivers took, in order.
#[derive(Clone, Default)]
pub(crate) struct Taken(Arc<Mutex<Vec<String>>>);

impl Taken {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

/// A receiver that now and then does not take what it gets, until nothing goes wrong any more.
struct Moody {
    taken: Taken,
    dice: Mutex<Dice>,
    timeline: Timeline,
    moody_until: i64,
}

impl Notifier for Moody {
    fn deliver<'a>(
        &'a self,
        message: &'a Message,
        _: Attempt,
    ) -> BoxFuture<'a, Result<Receipt, Undelivered>> {
        async move {
            let (takes, refuses, silently) = {
                let mut dice = self.dice.lock();
                (dice.span(0.001, 2.0), dice.chance(0.3), dice.chance(0.3))
            };
            tokio::time::sleep(Duration::from_micros(takes.unsigned_abs())).await;
            let refuses = refuses && self.timeline.now() < self.moody_until;
            if !refuses || silently {
                self.taken.0.lock().push(message.delivery.clone());
            }
            if refuses {
                let remedy = Remedy::Retry { after: None };
                return Err(Undelivered { remedy, answer: "not now".to_owned() });
            }
            Ok(Receipt { answer: "taken".to_owned() })
        }
        .boxed()
    }
}

/// The rules and both receivers, for one life.
pub(crate) fn alerting(
    rules: &[Arc<Rule>],
    taken: &Taken,
    dice: &mut Dice,
    mood: (Timeline, i64),
) -> Alerting {
    let (timeline, moody_until) = mood;
    let receiver = |name: &str| Receiver {
        name: NotifierName::new(name).unwrap(),
        notifier: Arc::new(Moody {
            taken: taken.clone(),
            dice: Mutex::new(Dice::new(dice.seed(), 0)),
            timeline: timeline.clone(),
            moody_until,
        }),
        at_once: 2,
        events: Vec::new(),
    };
    Alerting { rules: rules.to_vec(), receivers: ["ops", "desk"].map(receiver).into(), base: None }
}
