//! True time, and what the machine's wall clock shows of it.

use std::sync::Arc;
use std::time::Duration;

use adsum::actors::clock::Wall;
use adsum::domain::time::Time;
use parking_lot::Mutex;
use tokio::time::Instant;

/// When the simulation begins, by a wall clock that is right.
const START: i64 = 1_800_000_000_000_000;

/// True time goes on while the machine sleeps, and its wall clock with it; its monotonic clock stands still.
#[derive(Clone)]
pub(crate) struct Timeline(Arc<Mutex<State>>);

struct State {
    /// True time when the present life began, or the machine last woke.
    base: i64,
    instant: Instant,
    /// By how much the wall clock is wrong.
    offset: i64,
}

impl Timeline {
    /// At true time `base`; to be called anew in each life, as its runtime has a clock of its own.
    pub(crate) fn new(base: i64) -> Self {
        Self(Arc::new(Mutex::new(State { base, instant: Instant::now(), offset: 0 })))
    }

    /// Goes on in another runtime.
    pub(crate) fn go_on(&self, base: i64) {
        let mut state = self.0.lock();
        (state.base, state.instant) = (base, Instant::now());
    }

    /// True time in microseconds since the simulation began.
    pub(crate) fn now(&self) -> i64 {
        let state = self.0.lock();
        state.base + i64::try_from(state.instant.elapsed().as_micros()).unwrap()
    }

    pub(crate) async fn sleep_until(&self, at: i64) {
        let wait = u64::try_from(at - self.now()).unwrap_or(0);
        tokio::time::sleep(Duration::from_micros(wait)).await;
    }

    /// The machine sleeps.
    pub(crate) fn suspend(&self, span: i64) {
        self.0.lock().base += span;
    }

    pub(crate) fn set_wall(&self, by: i64) {
        self.0.lock().offset += by;
    }

    /// What the wall clock shows.
    pub(crate) fn wall_time(&self) -> Time {
        let now = self.now();
        Time::from_micros(START + now + self.0.lock().offset)
    }

    pub(crate) fn wall(&self) -> Wall {
        let timeline = self.clone();
        Arc::new(move || timeline.wall_time())
    }
}

/// What the record's clock showed at every true time.
#[derive(Default)]
pub(crate) struct Scale {
    /// From this true time on, it showed true time plus so much.
    steps: Vec<(i64, i64)>,
}

impl Scale {
    /// The record's clock shows `shown` at true time `now`.
    pub(crate) fn note(&mut self, now: i64, shown: Time) {
        let ahead = shown.as_micros() - now;
        if self.steps.last().is_none_or(|(_, last)| *last != ahead) {
            self.steps.push((now, ahead));
        }
    }

    /// What it showed, or would have shown before it began. While the machine sleeps it may have stood still.
    pub(crate) fn shown(&self, at: i64) -> Time {
        let next = self.steps.partition_point(|(from, _)| *from <= at);
        let ahead = self.steps.get(next.saturating_sub(1)).map_or(START, |(_, ahead)| *ahead);
        let latest = self.steps.get(next.max(1)).map_or(i64::MAX, |(from, ahead)| from + ahead);
        Time::from_micros(at.saturating_add(ahead).min(latest))
    }

    /// What it showed by itself, also where a later life, after a crash, knew nothing of that any more.
    pub(crate) fn reading(&self, at: i64) -> i64 {
        let step = self.steps.iter().rfind(|(from, _)| *from <= at).or(self.steps.first());
        at + step.map_or(START, |(_, ahead)| *ahead)
    }

    /// The true time at which it showed this; `None` if it never did.
    pub(crate) fn truly(&self, shown: Time) -> Option<i64> {
        let of = |(index, (from, ahead)): (usize, &(i64, i64))| {
            let at = shown.as_micros() - ahead;
            let until = self.steps.get(index + 1).map_or(i64::MAX, |(next, _)| *next);
            (*from <= at && at < until).then_some(at)
        };
        self.steps.iter().enumerate().find_map(of)
    }
}
