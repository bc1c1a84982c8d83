//! The scout: finds out which channels patterns and groups mean, by and by.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join;
use futures_util::stream::{self, StreamExt as _};
use parking_lot::RwLock;
use tracing::warn;

use super::poller::PollerParts;
use super::seat::Obituary;
use super::source::{HereNow, Trouble, bad_answer, counted};
use super::supervisor::{Child, Found, Supervisor};
use crate::domain::names::{ChannelName, GroupName};
use crate::domain::time::Moment;

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
        let work = async move {
            let groups = parts.groups.read().clone();
            // A group whose listing hangs keeps neither the other groups nor the discovery waiting.
            let groups = stream::iter(groups).for_each_concurrent(MAX_LISTINGS, |group| {
                let parts = &parts;
                async move { resolve(parts, &group).await }
            });
            let discovery = async {
                if parts.patterns.load(Ordering::Relaxed) {
                    discover(&parts).await;
                }
            };
            join(discovery, groups).await;
        };
        ctx.spawn(work.into_actor(self).map(|(), scout, ctx| {
            ctx.run_later(scout.parts.every, Self::scout);
        }));
    }
}

/// Tells the supervisor; what it finds next time is as good, so a supervisor that is gone is no loss.
async fn tell(parts: &ScoutParts, found: Found) {
    let _ = parts.supervisor.send(found).await;
}

/// Asks for every channel in which somebody is. All others had nobody.
async fn discover(parts: &ScoutParts) {
    let asking = &parts.poller;
    asking.pace.turn().await;
    asking.mind_the_clock();
    let sent = asking.clock.now();
    let global = HereNow { channels: Vec::new(), include_state: false, include_uuids: false, page: None };
    match counted(asking.source.here_now(global).await) {
        Ok(listings) => {
            let moment = Moment::of_request(sent, asking.clock.now(), asking.limits.cache_ttl);
            let occupied = listings.iter().filter(|listing| listing.occupancy > 0);
            let channels = occupied.filter_map(|listing| ChannelName::new(&listing.channel).ok()).collect();
            tell(parts, Found::Everywhere { moment, channels }).await;
        }
        Err(trouble) => {
            warn!(what = trouble.what, "channels could not be discovered");
            tell(parts, Found::Nothing { reason: trouble.reason }).await;
        }
    }
}

async fn resolve(parts: &ScoutParts, group: &GroupName) {
    let asking = &parts.poller;
    asking.pace.turn().await;
    let listing = asking.source.channels_of(group).await.and_then(|names| members(&names));
    match counted(listing) {
        Ok(channels) => tell(parts, Found::InGroup { group: group.clone(), channels }).await,
        // What it listed before goes on being watched.
        Err(trouble) => warn!(?group, what = trouble.what, "the channels of a group could not be listed"),
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
