//! The poller: asks for the channels that are due, many in one request, and tells whom it concerns.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use hashbrown::HashMap;
use parking_lot::RwLock;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::asking::{Report, make};
use super::channel::{ChannelActor, Observed};
use super::clock::{Clock, Step};
use super::live::{Failed, Live, Outcome, Registry, Rest};
use super::pace::Pace;
use super::seat::Obituary;
use super::source::{Source, Trouble};
use super::supervisor::Child;
use crate::domain::channel::Stale;
use crate::domain::gap::GapReason;
use crate::domain::names::ChannelName;
use crate::domain::observation::Observation;
use crate::domain::plan::{Ask, Failure, Limits, Plan};
use crate::domain::time::{Moment, Time};
use crate::telemetry::metrics;

/// Requests that may be under way at once.
pub const MAX_REQUESTS: usize = 64;

/// Failures of one kind are warned of once in so long; the others are in the log at `debug`.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The wall clock is looked at this often, also when nothing is asked for.
const MIND_THE_CLOCK_EVERY: Duration = Duration::from_secs(1);

/// A look waits at least so long, so that channels that become due together are asked for together.
const GATHER: Duration = Duration::from_millis(5);

/// What a poller needs; kept by the supervisor to make another.
#[derive(Clone)]
pub struct PollerParts {
    /// Whom to ask.
    pub source: Arc<dyn Source>,
    /// How often at most.
    pub pace: Pace,
    /// What time it is.
    pub clock: Clock,
    /// What bounds a request.
    pub limits: Limits,
    /// Every watched channel.
    pub registry: Registry,
    /// Whether the service wants to be left alone by this key.
    pub rest: Arc<RwLock<Option<Rest>>>,
}

impl PollerParts {
    /// The time, for a request or an answer. A step of the wall clock before it, or a sleep of the machine, is a gap of its
    /// own reason where it is long enough for one.
    pub fn stamp(&self) -> Time {
        self.mind_the_clock();
        self.clock.now()
    }

    /// When the answer to a request was true.
    pub fn moment(&self, sent: Time, received: Time) -> Moment {
        Moment { earliest: self.clock.before(sent, self.limits.cache_ttl), latest: received }
    }

    fn mind_the_clock(&self) {
        match self.clock.step() {
            Some(Step::Forward(ahead)) => {
                warn!(?ahead, "the wall clock was set ahead, or the machine slept; following it");
                let now = self.clock.now();
                for live in self.registry.all() {
                    live.channel.write().clock_stepped(now);
                }
            }
            Some(Step::Back(behind)) => {
                warn!(?behind, "the wall clock was set back; the record's clock goes on and is ahead of it");
            }
            None => {}
        }
    }
}

/// Asks who is here now.
pub struct Poller {
    parts: PollerParts,
    plan: Plan,
    channels: HashMap<ChannelName, (Arc<Live>, Addr<ChannelActor>)>,
    under_way: Arc<Semaphore>,
    /// When a failure of each kind was last warned of.
    warned: HashMap<GapReason, Instant>,
    /// When the next look is made.
    tick: Option<(Time, SpawnHandle)>,
    _obituary: Obituary<Child>,
}

/// Ask for these channels from now on. Each is given with what is published of it and with who hears of changes.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Watch(pub Vec<(Arc<Live>, Addr<ChannelActor>)>);

/// Ask for this channel no longer.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Unwatch(pub ChannelName);

/// Ask for nothing any more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Halt;

/// The channel's last observation, which had arrived at `received`, is dealt with: it may be asked for again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Release {
    /// Which.
    pub channel: ChannelName,
    /// `r` of that observation.
    pub received: Time,
}

impl Poller {
    /// A poller with nothing to watch. What the service told the one before it is kept to.
    pub fn new(parts: PollerParts, obituary: Obituary<Child>) -> Self {
        let mut plan = Plan::new(parts.limits, parts.clock.now());
        if let Some((until, _)) = &*parts.rest.read() {
            plan.key_rests(*until);
        }
        Self {
            plan,
            channels: HashMap::new(),
            under_way: Arc::new(Semaphore::new(MAX_REQUESTS)),
            warned: HashMap::new(),
            tick: None,
            parts,
            _obituary: obituary,
        }
    }

    /// Makes the requests that are due.
    fn look(&mut self, ctx: &mut Context<Self>) {
        self.tick = None;
        for ask in self.plan.due(self.parts.stamp()) {
            let parts = self.parts.clone();
            let under_way = Arc::clone(&self.under_way);
            let request = async move {
                let _permit = under_way.acquire_owned().await;
                make(&parts, ask).await
            };
            ctx.spawn(request.into_actor(self).map(|report, poller, ctx| {
                poller.take(report);
                poller.come_back(ctx);
            }));
        }
        self.come_back(ctx);
    }

    /// Sees to it that the next look is made when something is due.
    fn come_back(&mut self, ctx: &mut Context<Self>) {
        let Some(due) = self.plan.next_due() else { return };
        match self.tick {
            Some((tick, _)) if tick <= due => return,
            Some((_, handle)) => {
                ctx.cancel_future(handle);
            }
            None => {}
        }
        let wait = due.since(self.parts.clock.now()).max(GATHER);
        self.tick = Some((due, ctx.run_later(wait, Self::look)));
    }

    fn take(&mut self, report: Report) {
        match report.result {
            Ok(seen) => {
                self.plan.key_works(&report.ask);
                self.tell_of_rest(None);
                for (name, observation) in seen {
                    self.seen(&name, observation, &report.ask, (report.sent, report.received));
                }
            }
            Err(trouble) => {
                self.failed(&report.ask, &trouble);
            }
        }
    }

    /// Whoever asks with the same key hears until when it rests, and why.
    fn tell_of_rest(&self, failed: Option<Arc<Failed>>) {
        let mut rest = self.parts.rest.write();
        let until = self.plan.key_rests_until();
        if rest.as_ref().map(|(until, _)| *until) != until {
            *rest = until.zip(failed);
        }
    }

    fn seen(
        &mut self,
        name: &ChannelName,
        observation: Option<Observation>,
        ask: &Ask,
        (sent, received): (Time, Time),
    ) {
        let Some((live, channel)) = self.channels.get(name) else { return };
        let cache_ttl = self.parts.limits.cache_ttl;
        let seen = match observation {
            Some(seen) => seen,
            // A channel that is missing is taken as empty, but that ends nothing: only an explicit count of 0 does.
            None if live.channel.read().is_vacant() => {
                Observation::of_nobody(self.parts.moment(sent, received))
            }
            None => return self.plan.ask_alone(name, received.plus(cache_ttl)),
        };
        // While something is committed it is not known yet what is repeated. (Bound, not inlined: a guard in the match would
        // last through it.)
        let committing = live.committing.load(Ordering::Relaxed);
        let repeats = live.channel.read().repeats(&seen);
        let repeats = repeats.map(|repeats| repeats && !committing && live.alarms.read().may_skip(&seen));
        let changed = match repeats {
            Err(Stale) => {
                live.polls.count(Outcome::Stale);
                metrics::channel_poll(Outcome::Stale.as_str());
                false
            }
            Ok(repeats) => {
                let outcome = Outcome::Good(seen.grade());
                live.polls.count(outcome);
                metrics::channel_poll(outcome.as_str());
                if repeats {
                    live.channel.write().confirm(&seen);
                }
                !repeats
            }
        };
        let listed = seen.listed().len();
        let to_list = if ask.include_uuids { seen.occupancy() as usize } else { 0 };
        let at = seen.moment.latest;
        let held = changed && channel.try_send(Observed(seen)).is_ok();
        if changed && !held {
            // The channel's actor has died. Its successor watches again, and knows nothing of this.
            live.channel.write().unrecorded(at);
        }
        self.plan.listed(name, listed, to_list);
        self.plan.answered(name, sent, received, listed, held);
    }

    fn failed(&mut self, ask: &Ask, trouble: &Trouble) {
        let now = self.parts.clock.now();
        let (reason, what) = (trouble.reason, &trouble.what);
        let recently = self.warned.get(&reason).is_some_and(|at| at.elapsed() < WARN_EVERY);
        if recently {
            debug!(reason = reason.as_str(), what, channels = ask.channels.len(), "a request failed");
        } else {
            self.warned.insert(reason, Instant::now());
            warn!(reason = reason.as_str(), what, channels = ask.channels.len(), "a request failed");
        }
        let failed = Arc::new(Failed::new(now, reason, what));
        for name in self.concerned(ask, trouble) {
            if let Some((live, _)) = self.channels.get(&name) {
                live.polls.count(Outcome::Failed(reason));
                metrics::channel_poll(reason.as_str());
                live.failed(&failed);
            }
        }
        self.plan.failed(ask, &trouble.failure, now, fastrand::f64());
        self.tell_of_rest(Some(failed));
    }

    /// Whose gap this trouble may open. What fails for the key fails for all.
    fn concerned(&self, ask: &Ask, trouble: &Trouble) -> Vec<ChannelName> {
        match &trouble.failure {
            Failure::Key { .. } => self.channels.keys().cloned().collect(),
            Failure::Channels(named) => {
                ask.channels.iter().filter(|name| named.contains(name)).cloned().collect()
            }
            Failure::Service { .. } | Failure::Answer => ask.channels.clone(),
        }
    }
}

impl Actor for Poller {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(MIND_THE_CLOCK_EVERY, |poller, _| poller.parts.mind_the_clock());
    }
}

impl Handler<Watch> for Poller {
    type Result = ();

    fn handle(&mut self, Watch(watched): Watch, ctx: &mut Self::Context) {
        let now = self.parts.clock.now();
        for (live, channel) in watched {
            let last = live.channel.read().last_known();
            let not_before = last.map_or(now, |last| last.latest.plus(self.parts.limits.cache_ttl));
            self.plan.watch(&live.name, *live.policy.read(), now, not_before);
            let before = self.channels.insert(live.name.clone(), (Arc::clone(&live), channel.clone()));
            if before.is_some_and(|(_, before)| before != channel) {
                // What the successor's predecessor was about to do it does not do any more.
                self.plan.release(&live.name, now, not_before);
            }
        }
        self.come_back(ctx);
    }
}

impl Handler<Halt> for Poller {
    type Result = ();

    fn handle(&mut self, _: Halt, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Handler<Unwatch> for Poller {
    type Result = ();

    fn handle(&mut self, Unwatch(name): Unwatch, _: &mut Self::Context) {
        self.plan.unwatch(&name);
        self.channels.remove(&name);
    }
}

impl Handler<Release> for Poller {
    type Result = ();

    fn handle(&mut self, Release { channel, received }: Release, ctx: &mut Self::Context) {
        let not_before = received.plus(self.parts.limits.cache_ttl);
        self.plan.release(&channel, self.parts.clock.now(), not_before);
        self.come_back(ctx);
    }
}
