//! Loading channels from the history.

use hashbrown::HashSet;
use tokio::task::JoinError;

use crate::actors::clock::Clock;
use crate::domain::channel::Channel;
use crate::domain::names::ChannelName;
use crate::domain::time::Moment;
use crate::domain::watch::Policies;
use crate::history::{History, HistoryError};

/// A good discovery.
pub(super) struct Discovery {
    pub(super) moment: Moment,
    pub(super) channels: HashSet<ChannelName>,
}

/// The work's own error, or that it was lost.
pub(super) fn flatten<T>(work: Result<Result<T, HistoryError>, JoinError>) -> Result<T, String> {
    work.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// What the history has of the channels, or what they begin with.
pub(super) fn load(
    history: &dyn History,
    policies: &Policies,
    clock: Clock,
    names: Vec<ChannelName>,
    discovered: Option<&Discovery>,
) -> Result<Vec<(ChannelName, Channel)>, HistoryError> {
    let mut loaded = Vec::with_capacity(names.len());
    let mut new = Vec::new();
    for name in names {
        let gap_after = policies.of(&name).gap_after;
        match history.checkpoint(&name)? {
            Some(kept) => loaded.push((name.clone(), Channel::resume(name, gap_after, kept))),
            None => new.push((name, gap_after)),
        }
    }
    if !new.is_empty() {
        let began = clock.now();
        let names: Vec<ChannelName> = new.iter().map(|(name, _)| name.clone()).collect();
        history.begin(&names, began)?;
        let fresh =
            new.into_iter().map(|(name, gap_after)| (name.clone(), Channel::begin(name, gap_after, began)));
        loaded.extend(fresh);
    }
    for (name, channel) in &mut loaded {
        if let Some(discovery) = discovered.filter(|discovery| !discovery.channels.contains(name)) {
            channel.absent(discovery.moment);
        }
    }
    Ok(loaded)
}
