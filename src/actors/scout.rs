//! The scout: finds out which channels patterns and groups mean, by and by.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join;
use futures_util::stream::{self, StreamExt as _};
use parking_lot::RwLock;
use tracing::warn;

use super::live::{Failed, Rest};
use super::poller::PollerParts;
use super::seat::Obituary;
use super::source::{HereNow, Trouble, bad_answer, counted};
use super::supervisor::{Child, Found, Supervisor};
use crate::domain::names::{ChannelName, GroupName};
use crate::domain::plan::{Failure, MAX_RETRY_AFTER};

/// The most channels that a group may list; `PubNub` allows 2,000 (PROTOCOL.md 1.6).
pub const MAX_IN_GROUP: usize = 10_000;

/// So many groups are listed at once.
const MAX_LISTINGS: usize = 16;

/// Groups whose channels are watched; a configuration that is read again may change them.
pub type Groups = Arc<RwLock<Vec<GroupName>>>;

/// What a scout needs; kept by the supervisor to make another.
#[derive(Clone)]
pub struct ScoutParts {
    /// How to ask.
    pub poller: PollerParts,
    /// How often.
    pub every: Duration,
    /// Whether there are patterns now.
    pub patterns: Arc<AtomicBool>,
    /// The groups now.
    pub groups: Groups,
    /// Who hears of it.
    pub supervisor: Addr<Supervisor>,
}

/// Looks for channels.
pub struct Scout {
    parts: ScoutParts,
    /// What the service told the scout itself.
    rest: Option<Rest>,
    _obituary: Obituary<Child>,
}

impl Scout {
    /// A scout that has seen nothing.
    pub fn new(parts: ScoutParts, obituary: Obituary<Child>) -> Self {
        Self { parts, rest: None, _obituary: obituary }
    }

    fn scout(&mut self, ctx: &mut Context<Self>) {
        let (parts, every) = (self.parts.clone(), self.parts.every);
        let Some((left, failed)) = self.resting() else {
            ctx.spawn(look(parts).into_actor(self).map(move |rest, scout, ctx| {
                scout.rest = rest;
                ctx.run_later(every, Self::scout);
            }));
            return;
        };
        // Nobody looks, so that is why what discoveries observe is not observed.
        let told = async move { tell(&parts, Found::Nothing(failed)).await };
        ctx.spawn(told.into_actor(self).map(move |(), _, ctx| {
            ctx.run_later(every.min(left), Self::scout);
        }));
    }

    /// For how long the service still wants to be left alone, as it told the scout or the poller, and how it said so.
    fn resting(&self) -> Option<(Duration, Arc<Failed>)> {
        let now = self.parts.poller.clock.now();
        let key = self.parts.poller.rest.read().clone();
        let (until, failed) = self.rest.clone().into_iter().chain(key).max_by_key(|(until, _)| *until)?;
        Some((until.since(now), failed)).filter(|(left, _)| !left.is_zero())
    }
}

/// Looks once. The service may want to be left alone then.
async fn look(parts: ScoutParts) -> Option<Rest> {
    let groups = parts.groups.read().clone();
    // A group whose listing hangs keeps neither the other groups nor the discovery waiting.
    let listings = stream::iter(groups).map(|group| resolve(&parts, group)).buffer_unordered(MAX_LISTINGS);
    let discovery =
        async { if parts.patterns.load(Ordering::Relaxed) { discover(&parts).await } else { None } };
    let (discovery, listings) = join(discovery, listings.collect::<Vec<_>>()).await;
    listings.into_iter().chain([discovery]).flatten().max_by_key(|(until, _)| *until)
}

/// Until when the service wants to be left alone.
fn rest(trouble: &Trouble, failed: Arc<Failed>) -> Option<Rest> {
    match trouble.failure {
        Failure::Service { retry_after } | Failure::Key { retry_after } => {
            Some((failed.at.plus(retry_after?.min(MAX_RETRY_AFTER)), failed))
        }
        Failure::Answer | Failure::Channels(_) => None,
    }
}

/// Tells the supervisor; what it finds next time is as good, so a supervisor that is gone is no loss.
async fn tell(parts: &ScoutParts, found: Found) {
    let _ = parts.supervisor.send(found).await;
}

/// Asks for every channel in which somebody is. All others had nobody.
async fn discover(parts: &ScoutParts) -> Option<Rest> {
    let asking = &parts.poller;
    asking.pace.turn().await;
    let sent = asking.stamp();
    let global = HereNow { channels: Vec::new(), include_state: false, include_uuids: false, page: None };
    let answer = counted(asking.source.here_now(global).await);
    let received = asking.stamp();
    match answer {
        Ok(listings) => {
            let moment = asking.moment(sent, received);
            let occupied = listings.iter().filter(|listing| listing.occupancy > 0);
            let channels = occupied.filter_map(|listing| ChannelName::new(&listing.channel).ok()).collect();
            tell(parts, Found::Everywhere { moment, channels }).await;
            None
        }
        Err(trouble) => {
            warn!(what = trouble.what, "channels could not be discovered");
            let failed = Arc::new(Failed::new(received, trouble.reason, &trouble.what));
            tell(parts, Found::Nothing(Arc::clone(&failed))).await;
            rest(&trouble, failed)
        }
    }
}

async fn resolve(parts: &ScoutParts, group: GroupName) -> Option<Rest> {
    let asking = &parts.poller;
    asking.pace.turn().await;
    let listing = asking.source.channels_of(&group).await.and_then(|names| members(&names));
    match counted(listing) {
        Ok(channels) => {
            tell(parts, Found::InGroup { group, channels }).await;
            None
        }
        Err(trouble) => {
            // What it listed before goes on being watched.
            warn!(?group, what = trouble.what, "the channels of a group could not be listed");
            rest(&trouble, Arc::new(Failed::new(asking.stamp(), trouble.reason, &trouble.what)))
        }
    }
}

/// The channels of a listing. Names that are none of a channel's are left out.
fn members(names: &[String]) -> Result<Vec<ChannelName>, Trouble> {
    if names.len() > MAX_IN_GROUP {
        return Err(bad_answer(format!("lists {} channels, over the limit of {MAX_IN_GROUP}", names.len())));
    }
    Ok(names.iter().filter_map(|name| ChannelName::new(name).ok()).collect())
}

impl Actor for Scout {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.scout(ctx);
    }
}
