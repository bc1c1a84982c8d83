//! The courier: takes what is due out of the outbox to those who are told, and notes what came of it.
//!
//! **At least once.** A try is noted after it was made. If adsum dies between, or the history cannot be written, the receiver
//! gets the message again, with the same id; while it cannot be written nothing more is tried.
//!
//! **In order.** The history gives no delivery while an earlier one about the same rule and channel is pending, and one that
//! is under way is pending until it is noted.
//!
//! **To each in its own time.** Every receiver has its own bound of deliveries under way, so one that hangs keeps no other
//! waiting. One that asks for a rest (`Retry-After`) gets nothing until then. One that wants no more (410) gets nothing until
//! another edition of the configuration is published, and what waits for it is given up, as is what waits for a name that
//! nobody has. What waits for later tries to a receiver that takes something again after an outage is tried at once.

mod backoff;
mod desk;
mod errand;
mod message;
mod reach;
mod round;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::watch;
use tracing::{error, info, warn};

pub use self::backoff::{PAUSES, SPREAD, TRIES, pause};
use self::desk::Desks;
pub use self::errand::LONGEST_TRY;
use self::errand::{Done, Errand, Wish};
pub use self::message::message;
use self::reach::Reach;
use self::round::{Round, look};
use super::alerting::{Edition, Editions};
use super::clock::Clock;
use super::seat::{Ended, Obituary};
use super::supervisor::Child;
use crate::domain::alert::NotifierName;
use crate::domain::time::Time;
use crate::history::alerts::{AlertHistory, Outcome};
use crate::telemetry::metrics;

/// The outbox is looked at this often, or sooner when something is known to be due.
pub const EVERY: Duration = Duration::from_secs(1);

/// As long as nobody is told of anything; then only what waits for a name that nobody has is looked for.
pub const IDLE: Duration = Duration::from_secs(10);

/// When the history fails, it is tried again after so long.
pub const AGAIN: Duration = Duration::from_secs(5);

/// A receiver that took nothing for so long, and takes what it is sent again, is sent at once what waits for later tries.
pub const OUTAGE: Duration = Duration::from_secs(60);

/// When adsum stops, what is under way may take so long; then it is left to the next start.
pub const STOP_WITHIN: Duration = Duration::from_secs(2);

/// What a courier needs; kept by the supervisor to make another.
#[derive(Clone)]
pub struct CourierParts {
    /// Where the outbox is.
    pub history: Arc<dyn AlertHistory>,
    /// What time it is.
    pub clock: Clock,
    /// Who is told.
    pub editions: Editions,
}

impl fmt::Debug for CourierParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clock, editions, .. } = self;
        f.debug_struct("CourierParts")
            .field("clock", clock)
            .field("editions", editions)
            .finish_non_exhaustive()
    }
}

/// Delivers.
pub struct Courier {
    parts: CourierParts,
    desks: Desks,
    /// Whether it is looking, and whether it is to look again at once.
    looking: bool,
    again: bool,
    /// The look that comes by itself.
    timer: Option<SpawnHandle>,
    reads: Reach,
    damage: Reach,
    notes: Arc<Reach>,
    under_way: watch::Sender<usize>,
    stopping: bool,
    obituary: Obituary<Child>,
}

/// Begin nothing more. Answers when what was under way is noted, or after [`STOP_WITHIN`].
#[derive(Message)]
#[rtype(result = "()")]
pub struct Halt;

impl Courier {
    /// A courier with nothing under way.
    pub fn new(parts: CourierParts, obituary: Obituary<Child>) -> Self {
        Self {
            parts,
            desks: Desks::default(),
            looking: false,
            again: false,
            timer: None,
            reads: Reach::new("the outbox cannot be read; nothing is sent"),
            damage: Reach::new("some of the outbox is damaged; it is not sent"),
            notes: Arc::new(Reach::new("what was sent cannot be noted; nothing more is sent")),
            under_way: watch::Sender::new(0),
            stopping: false,
            obituary,
        }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        if self.looking || self.stopping {
            self.again = true;
            return;
        }
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        if self.notes.fails() {
            return self.look_in(AGAIN, ctx);
        }
        (self.looking, self.again) = (true, false);
        self.count();
        let edition = self.parts.editions.current();
        self.desks.take(&edition);
        let now = self.parts.clock.now();
        let asks = self.desks.ask(&edition.alerting.receivers, now);
        let history = Arc::clone(&self.parts.history);
        let work = async move { tokio::task::spawn_blocking(move || look(&*history, &asks, now)).await };
        ctx.spawn(work.into_actor(self).map(move |result, courier, ctx| {
            courier.looking = false;
            courier.count();
            match courier.reads.take(result) {
                Some(round) => courier.looked(&edition, round, ctx),
                None => courier.look_in(AGAIN, ctx),
            }
        }));
    }

    fn look_in(&mut self, span: Duration, ctx: &mut Context<Self>) {
        self.timer = Some(ctx.run_later(span, Self::look));
    }

    fn looked(&mut self, edition: &Arc<Edition>, round: Round, ctx: &mut Context<Self>) {
        metrics::deliveries_pending(round.pending);
        if self.stopping {
            return;
        }
        let now = self.parts.clock.now();
        for (name, due) in round.due {
            let receiver = edition.alerting.receivers.iter().find(|receiver| receiver.name == name);
            let Some(receiver) = receiver else { continue };
            // It may have asked for a rest meanwhile.
            let room = self.desks.room(receiver, now);
            for outgoing in due.into_iter().take(room) {
                self.desks.begin(&name, outgoing.delivery.number);
                let errand = Errand {
                    parts: self.parts.clone(),
                    notes: Arc::clone(&self.notes),
                    receiver: receiver.clone(),
                    edition: edition.number,
                    base: edition.alerting.base.clone(),
                    outgoing,
                };
                ctx.spawn(errand.run().into_actor(self).map(Self::done));
            }
        }
        self.count();
        if let Some(damage) = round.damage {
            self.damage.failed(&damage.to_string());
            return self.look_in(AGAIN, ctx);
        }
        if self.again {
            return self.look(ctx);
        }
        let every = if edition.alerting.receivers.is_empty() { IDLE } else { EVERY };
        self.look_in(round.next.map_or(every, |due| due.since(now).min(every)), ctx);
    }

    fn done(done: Done, courier: &mut Self, ctx: &mut Context<Self>) {
        let Done { receiver, edition, number, attempt, outcome, wish } = done;
        let (notifier, answer) = (&receiver.name, attempt.answer);
        courier.desks.end(notifier, number);
        courier.count();
        match wish {
            Wish::None => {}
            Wish::Rest(span) => {
                let now = courier.parts.clock.now();
                courier.desks.rest(notifier, edition, now, span);
            }
            Wish::NoMore => {
                if courier.desks.disable(notifier, edition, &answer) {
                    error!(%notifier, answer, "it wants no more; nothing is sent to it until it is configured anew");
                }
            }
        }
        let now = courier.parts.clock.now();
        match outcome {
            Outcome::Again(_) if courier.desks.fails(notifier, now) => {
                warn!(%notifier, answer, "it does not take what it is sent; trying again and again");
            }
            Outcome::Delivered => {
                if let Some(span) = courier.desks.takes(notifier, now) {
                    info!(%notifier, ?span, "it takes what it is sent again");
                    if span >= OUTAGE {
                        courier.hasten(notifier.clone(), now, ctx);
                    }
                }
            }
            // What is given up says nothing of others.
            Outcome::Again(_) | Outcome::Failed => {}
        }
        courier.look(ctx);
    }

    /// Tries what waits for a receiver, which takes what it is sent again.
    fn hasten(&self, notifier: NotifierName, now: Time, ctx: &mut Context<Self>) {
        let history = Arc::clone(&self.parts.history);
        let work = async move { tokio::task::spawn_blocking(move || history.hasten(&notifier, now)).await };
        ctx.spawn(work.into_actor(self).map(|result, courier, ctx| {
            // If it cannot be, everything is tried in its time.
            courier.reads.take(result);
            courier.look(ctx);
        }));
    }

    /// Publishes how much is under way, a look at the outbox included.
    fn count(&self) {
        self.under_way.send_replace(self.desks.under_way() + usize::from(self.looking));
    }
}

impl Actor for Courier {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}

impl Handler<Halt> for Courier {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Halt, _: &mut Self::Context) -> Self::Result {
        self.stopping = true;
        let mut under_way = self.under_way.subscribe();
        let idle = async move {
            let idle = under_way.wait_for(|under_way| *under_way == 0);
            // The sender lives as long as the courier.
            tokio::time::timeout(STOP_WITHIN, idle).await.is_ok()
        };
        Box::pin(idle.into_actor(self).map(|idle, courier, ctx| {
            if !idle {
                let deliveries = courier.desks.under_way();
                warn!(deliveries, "deliveries under way are left to the next start");
            }
            courier.obituary.ends(Ended::AsTold);
            ctx.stop();
        }))
    }
}
