//! Users driven by scripts, and the tally of what they truly did.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::process::PATIENCE;
use crate::tally::{Place, Tally};
use crate::wire::{Span, Wire};

/// A presence timeout nobody meets in a test.
const NEVER: u32 = 3600;

/// The seed of a test, which `ADSUM_TEST_SEED` sets.
pub(crate) fn seed() -> u64 {
    let given =
        std::env::var("ADSUM_TEST_SEED").ok().map(|text| text.parse().expect("ADSUM_TEST_SEED is a number"));
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("ADSUM_TEST_SEED={seed}");
    seed
}

/// Ends of user ids that try to break something on their way.
pub(crate) const HOSTILE: [&str; 12] = [
    "",
    " with spaces ",
    "%41%zz%",
    "\"'`\\",
    "🦀👩‍👩‍👧",
    "\u{202e}rtl\u{2066}",
    "\u{1b}[31mred\u{7}",
    "/../a//",
    "?x=1&y#z+;",
    "line\nbreak\ttab\r",
    "a,b,*",
    "é e\u{301} ＡＢＣ'); DROP TABLE events;--",
];

/// What the origin announced: the action, where, and when it was heard.
type Heard = Arc<Mutex<Vec<(String, Place, Timestamp)>>>;

/// What all users share.
#[derive(Clone)]
pub(crate) struct Crowd {
    pub(crate) wire: Wire,
    pub(crate) tally: Arc<Mutex<Tally>>,
    /// Places whose truth is not known: the machine stood still for a whole presence timeout.
    pub(crate) spoilt: Arc<Mutex<BTreeSet<Place>>>,
    heard: Heard,
    until: Instant,
    dismissed: Arc<AtomicBool>,
    serial: Arc<AtomicU64>,
}

/// How long things last.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// How often the daemon looks.
    pub(crate) interval: Duration,
    /// What a stay must exceed to be seen for certain.
    pub(crate) long: Duration,
}

/// One user: an id and chance of its own.
pub(crate) struct User {
    pub(crate) crowd: Crowd,
    pub(crate) id: String,
    pub(crate) rng: Rng,
}

impl Crowd {
    pub(crate) fn new(origin: &str, lasts: Duration) -> Self {
        Self {
            wire: Wire::new(origin),
            tally: Arc::default(),
            spoilt: Arc::default(),
            heard: Heard::default(),
            until: Instant::now() + lasts,
            dismissed: Arc::default(),
            serial: Arc::default(),
        }
    }

    /// Listens to what the origin announces, until dropped.
    pub(crate) fn listen(&self, channels: Vec<String>) -> tokio::task::JoinSet<()> {
        let (wire, heard) = (self.wire.clone(), Arc::clone(&self.heard));
        let mut task = tokio::task::JoinSet::new();
        task.spawn(async move {
            let note = |message: &Value, at| {
                let channel = message["c"].as_str().unwrap().strip_suffix("-pnpres").unwrap().to_owned();
                let text = |key: &str| message["d"][key].as_str().unwrap_or_default().to_owned();
                heard.lock().unwrap().push((text("action"), (channel, text("uuid")), at));
            };
            wire.observe(&channels, note).await;
        });
        task
    }

    pub(crate) fn user(&self, id: String, rng: &mut Rng) -> User {
        User { crowd: self.clone(), id, rng: rng.fork() }
    }

    pub(crate) fn over(&self) -> bool {
        self.until <= Instant::now() || self.dismissed.load(Ordering::Relaxed)
    }

    /// Everybody ends what they are doing.
    pub(crate) fn dismiss(&self) {
        self.dismissed.store(true, Ordering::Relaxed);
    }
}

impl User {
    fn place(&self, channel: &str) -> Place {
        (channel.to_owned(), self.id.clone())
    }

    pub(crate) async fn join(&self, channel: &str) {
        let span = self.crowd.wire.heartbeat(channel, &self.id, NEVER).await;
        self.crowd.tally.lock().unwrap().joined(&self.place(channel), span);
    }

    pub(crate) async fn leave(&self, channel: &str) {
        let span = self.crowd.wire.leave(channel, &self.id).await;
        self.crowd.tally.lock().unwrap().left(&self.place(channel), span);
    }

    /// Sets a state no one else sets.
    pub(crate) async fn set_state(&mut self, channel: &str) {
        let serial = self.crowd.serial.fetch_add(1, Ordering::Relaxed);
        let text = HOSTILE[self.rng.usize(..HOSTILE.len())];
        let state =
            json!({"n": serial, text: [text, null, {"deep": -1.5}], "\u{0}": serial.is_multiple_of(2)});
        let span = self.crowd.wire.set_state(channel, &self.id, &state).await;
        self.crowd.tally.lock().unwrap().set(&self.place(channel), span, state);
    }

    /// Waits some time between two bounds, which may be told in parts of `unit`; not much beyond the end.
    pub(crate) async fn wait(&mut self, unit: Duration, from: f64, to: f64) {
        let time = unit.mul_f64(from + (to - from) * self.rng.f64());
        let left = self.crowd.until.saturating_duration_since(Instant::now());
        tokio::time::sleep(time.min(left)).await;
    }

    fn any<'a>(&mut self, channels: &'a [String]) -> &'a str {
        &channels[self.rng.usize(..channels.len())]
    }

    /// Stays in one channel and changes state now and then; some stay beyond the end.
    pub(crate) async fn regular(mut self, channels: Vec<String>, pace: Pace, joined: bool) {
        let channel = self.any(&channels).to_owned();
        if !joined {
            self.wait(pace.interval, 0.0, 3.0).await;
            self.join(&channel).await;
        }
        while !self.crowd.over() {
            self.wait(pace.interval, 0.3, 4.0).await;
            self.set_state(&channel).await;
        }
        if self.rng.bool() {
            self.leave(&channel).await;
        }
    }

    /// Goes from channel to channel: `stay` and `away` are bounds in parts of `unit`.
    pub(crate) async fn wander(
        mut self,
        channels: Vec<String>,
        unit: Duration,
        stay: (f64, f64),
        away: (f64, f64),
    ) {
        while !self.crowd.over() {
            self.wait(unit, away.0, away.1).await;
            let channel = self.any(&channels).to_owned();
            self.join(&channel).await;
            self.wait(unit, stay.0 / 2.0, stay.1 / 2.0).await;
            if self.rng.u8(..4) > 0 {
                self.set_state(&channel).await;
            }
            self.wait(unit, stay.0 / 2.0, stay.1 / 2.0).await;
            self.leave(&channel).await;
        }
    }

    /// Joins again and again, and each time is never heard of again: gone when the presence timeout is over.
    pub(crate) async fn vanish(mut self, channels: Vec<String>, tempo: Pace) {
        while !self.crowd.over() {
            self.wait(tempo.interval, 0.2, 2.0).await;
            let channel = self.any(&channels).to_owned();
            let place = self.place(&channel);
            // Long stays too, but none far beyond the end.
            let left = self.crowd.until.saturating_duration_since(Instant::now()).as_secs().max(2);
            let longest = tempo.long.mul_f64(1.4).as_secs().max(5).min(left);
            let seconds = self.rng.u32(2..=u32::try_from(longest).unwrap());
            let timeout = SignedDuration::from_secs(seconds.into());
            let mut last = self.crowd.wire.heartbeat(&channel, &self.id, seconds).await;
            self.crowd.tally.lock().unwrap().joined(&place, last);
            if self.rng.bool() {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let again = self.crowd.wire.heartbeat(&channel, &self.id, seconds).await;
                if last.from + timeout <= again.to {
                    self.crowd.spoilt.lock().unwrap().insert(place.clone());
                }
                last = again;
            }
            let announced = self.announced(&place, last.from).await;
            let gone = Span { from: last.from + timeout, to: announced };
            assert!(gone.from <= gone.to, "{place:?} timed out at {announced}, before {}", gone.from);
            self.crowd.tally.lock().unwrap().left(&place, gone);
        }
    }

    /// When the origin's timeout event came.
    async fn announced(&self, place: &Place, since: Timestamp) -> Timestamp {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = {
                let heard = self.crowd.heard.lock().unwrap();
                heard
                    .iter()
                    .find(|(action, of, at)| action == "timeout" && of == place && since < *at)
                    .map(|heard| heard.2)
            };
            if let Some(at) = found {
                return at;
            }
            assert!(Instant::now() < deadline, "the origin never announced that {place:?} timed out");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
