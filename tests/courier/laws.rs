//! What must hold whatever receivers, the history and the courier itself do, tried with many seeds in virtual time. A seed
//! makes receivers that refuse, hang, lose their answers and ask for rests, a history that fails at times, and a courier that
//! is stopped and replaced, now and then by one that forgets what was under way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use adsum::actors::alerting::Receiver;
use adsum::history::alerts::{AlertHistory, DeliveryAttempt, DeliveryStatus};
use adsum::notify::{Attempt, Body, Message, Notifier, Receipt, Remedy, Undelivered};
use fastrand::Rng;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use crate::flaky::{Faults, Flaky};
use crate::world::{World, receiver};

const SEEDS: u64 = 25;
const AT_ONCE: usize = 3;
const RULES: [&str; 2] = ["crowded", "blind"];
const CHANNELS: [&str; 4] = ["a", "b", "c", "d"];

/// What a receiver has: by delivery, in the order in which each first came.
type Arrived = Vec<(String, Vec<String>)>;

/// A receiver that does what chance says, and sees to it that nothing comes that must not.
struct Fickle {
    chance: Mutex<Rng>,
    history: Mutex<Option<Arc<dyn AlertHistory>>>,
    under_way: AtomicUsize,
    arrived: Mutex<Arrived>,
    /// Whether it takes whatever comes.
    well: AtomicBool,
}

/// One try, counted as long as it lasts.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Fickle {
    fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            chance: Mutex::new(Rng::with_seed(seed)),
            history: Mutex::default(),
            under_way: AtomicUsize::new(0),
            arrived: Mutex::default(),
            well: AtomicBool::new(false),
        })
    }

    /// `firing crowded a` of each alert that a message lists.
    fn what(message: &Message) -> Vec<String> {
        let (kind, alerts) = match &message.body {
            Body::Firing(alerts) => ("firing", alerts),
            Body::Resolved(alerts) => ("resolved", alerts),
            other => panic!("{other:?}"),
        };
        alerts.alerts.iter().map(|alert| format!("{} {} {kind}", alerts.rule, alert.channel)).collect()
    }

    fn takes(&self, message: &Message) {
        let mut arrived = self.arrived.lock();
        if !arrived.iter().any(|(id, _)| *id == message.delivery) {
            arrived.push((message.delivery.clone(), Self::what(message)));
        }
    }

    /// Only what is pending comes, and nothing before its turn.
    fn check(&self, message: &Message, attempt: Attempt) {
        let history = Arc::clone(self.history.lock().as_ref().unwrap());
        let (outgoing, _) = history.delivery(&message.delivery).unwrap().unwrap();
        let this = outgoing.delivery;
        assert_eq!(this.status, DeliveryStatus::Pending, "what is done is sent again: {this:?}");
        assert_eq!(this.attempts + 1, attempt.number);
        assert!(this.due.unwrap() <= attempt.now, "before its time: {this:?}");
        let alerts =
            |message: &Message| Self::what(message).into_iter().map(|what| place(&what)).collect::<Vec<_>>();
        let mine = alerts(message);
        let query = adsum::history::alerts::DeliveryQuery {
            notifier: Some(this.notifier.clone()),
            status: Some(DeliveryStatus::Pending),
            limit: 1000,
            ..Default::default()
        };
        for earlier in history.deliveries(&query).unwrap() {
            if earlier.number < this.number {
                let (outgoing, _) = history.delivery(&earlier.id).unwrap().unwrap();
                let earlier = adsum::actors::courier::message(&outgoing, None).unwrap();
                assert!(!alerts(&earlier).iter().any(|place| mine.contains(place)), "before its turn");
            }
        }
    }
}

/// `crowded a`: an alert's rule and channel.
fn place(what: &str) -> String {
    what.rsplit_once(' ').unwrap().0.to_owned()
}

impl Notifier for Fickle {
    fn deliver<'a>(
        &'a self,
        message: &'a Message,
        attempt: Attempt,
    ) -> BoxFuture<'a, Result<Receipt, Undelivered>> {
        self.check(message, attempt);
        assert!(self.under_way.fetch_add(1, Ordering::SeqCst) < AT_ONCE, "too many at once");
        let under_way = UnderWay(&self.under_way);
        let (choice, millis) = {
            let mut chance = self.chance.lock();
            (chance.u8(..10), chance.u64(..4000))
        };
        let well = self.well.load(Ordering::SeqCst);
        async move {
            let _under_way = under_way;
            let no = |after| Err(Undelivered { remedy: Remedy::Retry { after }, answer: "no".to_owned() });
            match choice {
                _ if well => {}
                0 | 1 => return no(None),
                2 => return no(Some(Duration::from_millis(10 * millis))),
                // It has it, and the answer is lost.
                3 => {
                    self.takes(message);
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    return no(None);
                }
                4 => {
                    tokio::time::sleep(Duration::from_secs(20)).await;
                    return no(None);
                }
                _ => tokio::time::sleep(Duration::from_millis(millis)).await,
            }
            self.takes(message);
            Ok(Receipt { answer: "taken".to_owned() })
        }
        .boxed()
    }
}

/// One receiver's alerts as they were told to the history: by alert, in order.
type Told = BTreeMap<String, Vec<String>>;

struct Life {
    world: World,
    fickle: [Arc<Fickle>; 2],
    faults: Arc<Faults>,
    told: [Told; 2],
    chance: Rng,
}

const NAMES: [&str; 2] = ["ops", "team"];

impl Life {
    fn begin(seed: u64) -> Self {
        let fickle = [Fickle::new(seed), Fickle::new(seed + 1_000_000)];
        let faults = Arc::<Faults>::default();
        let world = World::paused_with(receivers(&fickle), flaky(&faults));
        let life = Self { world, fickle, faults, told: Default::default(), chance: Rng::with_seed(seed) };
        life.introduce();
        life
    }

    /// The receivers look into the history themselves.
    fn introduce(&self) {
        for fickle in &self.fickle {
            *fickle.history.lock() = Some(Arc::clone(&self.world.history) as Arc<dyn AlertHistory>);
        }
    }

    /// Whoever looks into the history has it open.
    fn leave(&self) {
        for fickle in &self.fickle {
            *fickle.history.lock() = None;
        }
    }

    /// The next change of an alert: it fires, or is resolved if it fires.
    fn change(&mut self) {
        let at = self.chance.usize(..NAMES.len());
        let rule = self.chance.choice(RULES).unwrap();
        for channel in CHANNELS {
            if self.chance.bool() {
                let told = self.told[at].entry(format!("{rule} {channel}")).or_default();
                let fires = told.len().is_multiple_of(2);
                let kind = if fires { "firing" } else { "resolved" };
                told.push(format!("{rule} {channel} {kind}"));
                if fires {
                    self.world.fires(rule, &[channel], NAMES[at]);
                } else {
                    self.world.resolves(rule, &[channel], NAMES[at]);
                }
            }
        }
    }

    async fn happens(mut self) -> Self {
        match self.chance.u8(..20) {
            0..10 => self.change(),
            10 => self.faults.unreadable.store(true, Ordering::SeqCst),
            11 => self.faults.unwritable.store(true, Ordering::SeqCst),
            12..15 => {
                self.faults.unreadable.store(false, Ordering::SeqCst);
                self.faults.unwritable.store(false, Ordering::SeqCst);
            }
            15 => {
                let alerting = crate::world::alerting(receivers(&self.fickle));
                self.world.editions.publish(alerting);
            }
            16 => {
                self.world.halt().await;
                self.leave();
                self.world = self.world.again_with(receivers(&self.fickle), flaky(&self.faults));
                self.introduce();
            }
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(self.chance.u64(..20_000))).await;
        self
    }

    async fn end(&mut self) {
        self.faults.unreadable.store(false, Ordering::SeqCst);
        self.faults.unwritable.store(false, Ordering::SeqCst);
        for fickle in &self.fickle {
            fickle.well.store(true, Ordering::SeqCst);
        }
        for _ in 0..20 * 60 {
            if self.world.history.waiting().unwrap().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }

    /// Everything arrived, in order, and nothing else.
    fn judge(&self) {
        for (told, fickle) in self.told.iter().zip(&self.fickle) {
            let mut arrived = Told::new();
            for (_, what) in fickle.arrived.lock().iter() {
                for what in what {
                    arrived.entry(place(what)).or_default().push(what.clone());
                }
            }
            assert_eq!(arrived, *told);
        }
        for delivery in self.world.deliveries() {
            assert_eq!(delivery.status, DeliveryStatus::Delivered);
            // A law that a receiver saw broken; it panicked, which the courier survives.
            let broken = |attempt: &DeliveryAttempt| attempt.answer.starts_with("adsum failed");
            assert!(!self.world.attempts(&delivery).iter().any(broken), "see the panic above");
        }
    }
}

fn receivers(fickle: &[Arc<Fickle>; 2]) -> Vec<Receiver> {
    let pairs = NAMES.iter().zip(fickle);
    pairs.map(|(name, fickle)| receiver(name, AT_ONCE, Arc::clone(fickle) as Arc<dyn Notifier>)).collect()
}

fn flaky(faults: &Arc<Faults>) -> impl FnOnce(Arc<dyn AlertHistory>) -> Arc<dyn AlertHistory> + use<> {
    let faults = Arc::clone(faults);
    |inner| Arc::new(Flaky { inner, faults })
}

#[actix::test]
async fn whatever_fails_everything_arrives_in_order_with_one_id_and_nothing_that_is_done_comes_again() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut life = Life::begin(seed);
        for _ in 0..60 {
            life = life.happens().await;
        }
        life.end().await;
        life.judge();
        life.world.halt().await;
        life.leave();
        tokio::time::resume();
    }
}
