//! The scout: finds out which channels patterns and groups mean, by and by.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join;
use futures_util::stream::{self, StreamExt as _};
use parking_lot::RwLock;
use tracing::warn;

use super::live::Failed;
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
    _obituary: Obituary<Child>,
}

impl Scout {
    /// A scout that has seen nothing.
    pub fn new(parts: ScoutParts, obituary: Obituary<Child>) -> Self {
        Self { parts, _obituary: obituary }
    }

    fn scout(&mut self, ctx: &mut Context<Self>) {
        let parts = self.parts.clone();
        ctx.spawn(look(parts).into_actor(self).map(|wait, _, ctx| {
            ctx.run_later(wait, Self::scout);
        }));
    }
}

/// Looks once. Gives how long to wait before the next time: longer where the service wants to be left alone.
async fn look(parts: ScoutParts) -> Duration {
    let rest = *parts.poller.rests_until.read();
    let rest = rest.map(|until| until.since(parts.poller.clock.now())).filter(|rest| !rest.is_zero());
    if let Some(rest) = rest {
        return rest;
    }
    let groups = parts.groups.read().clone();
    // A group whose listing hangs keeps neither the other groups nor the discovery waiting.
    let listings = stream::iter(groups).map(|group| resolve(&parts, group)).buffer_unordered(MAX_LISTINGS);
    let discovery = async {
        if parts.patterns.load(Ordering::Relaxed) { discover(&parts).await } else { Duration::ZERO }
    };
    let (discovery, listings) =
        join(discovery, listings.fold(Duration::ZERO, async |most, wait| most.max(wait))).await;
    parts.every.max(discovery).max(listings)
}

/// For how long the service wants to be left alone.
fn retry_after(trouble: &Trouble) -> Duration {
    match trouble.failure {
        Failure::Service { retry_after } | Failure::Key { retry_after } => {
            retry_after.unwrap_or_default().min(MAX_RETRY_AFTER)
        }
        Failure::Answer | Failure::Channels(_) => Duration::ZERO,
    }
}

/// Tells the supervisor; what it finds next time is as good, so a supervisor that is gone is no loss.
async fn tell(parts: &ScoutParts, found: Found) {
    let _ = parts.supervisor.send(found).await;
}

/// Asks for every channel in which somebody is. All others had nobody.
async fn discover(parts: &ScoutParts) -> Duration {
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
            Duration::ZERO
        }
        Err(trouble) => {
            warn!(what = trouble.what, "channels could not be discovered");
            let failed = Failed::new(received, trouble.reason, &trouble.what);
            tell(parts, Found::Nothing(Arc::new(failed))).await;
            retry_after(&trouble)
        }
    }
}

async fn resolve(parts: &ScoutParts, group: GroupName) -> Duration {
    let asking = &parts.poller;
    asking.pace.turn().await;
    let listing = asking.source.channels_of(&group).await.and_then(|names| members(&names));
    match counted(listing) {
        Ok(channels) => {
            tell(parts, Found::InGroup { group, channels }).await;
            Duration::ZERO
        }
        Err(trouble) => {
            // What it listed before goes on being watched.
            warn!(?group, what = trouble.what, "the channels of a group could not be listed");
            retry_after(&trouble)
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
