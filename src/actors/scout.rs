//! The scout: finds out which channels patterns and groups mean, by and by.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::*;
use parking_lot::RwLock;
use tracing::warn;

use super::poller::PollerParts;
use super::seat::Obituary;
use super::source::{HereNow, counted};
use super::supervisor::{Child, Found, Supervisor};
use crate::domain::names::{ChannelName, GroupName};

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
            if parts.patterns.load(Ordering::Relaxed) {
                discover(&parts).await;
            }
            let groups = parts.groups.read().clone();
            for group in &groups {
                resolve(&parts, group).await;
            }
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
    match counted(asking.source.channels_of(group).await) {
        Ok(names) => {
            let channels = names.iter().filter_map(|name| ChannelName::new(name).ok()).collect();
            tell(parts, Found::InGroup { group: group.clone(), channels }).await;
        }
        Err(trouble) => warn!(%group, what = trouble.what, "the channels of a group could not be listed"),
    }
}

impl Actor for Scout {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.scout(ctx);
    }
}
