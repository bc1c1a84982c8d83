//! Reading from the history what channels go on from.

use std::time::Duration;

use tokio::task::JoinError;

use crate::actors::clock::Clock;
use crate::actors::live::Discovery;
use crate::domain::channel::Channel;
use crate::domain::gap::{Gap, GapReason};
use crate::domain::names::{ChannelName, Pattern};
use crate::domain::time::Time;
use crate::history::alerts::Standing;
use crate::history::{History, HistoryError, VisitQuery};

/// Gaps are read in pages of so many.
const GAPS: usize = 1000;

/// The work's own error, or that it was lost.
pub(super) fn flatten<T>(work: Result<Result<T, HistoryError>, JoinError>) -> Result<T, String> {
    work.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// What the history has of a channel.
pub(super) struct Kept {
    /// The channel.
    pub(super) channel: Channel,
    /// Its alerts that are not inactive.
    pub(super) standings: Vec<Standing>,
}

/// Channels that were loaded, and, with the first error, those that could not be.
type Loaded = (Vec<Kept>, Option<(String, Vec<ChannelName>)>);

/// What the history has of the channels, or what they begin with. One that cannot be read keeps none of the others back.
/// How each is watched is not known here: no gap opens by itself before that is set.
pub(super) fn load(
    history: &dyn History,
    clock: &Clock,
    names: Vec<ChannelName>,
    discovered: Option<&Discovery>,
) -> Result<Loaded, HistoryError> {
    let mut loaded = Vec::with_capacity(names.len());
    let (mut new, mut begin, mut failed) = (Vec::new(), Vec::new(), None);
    for name in names {
        match history.checkpoint(&name).and_then(|kept| Ok((kept, history.standings(&name)?))) {
            Ok((Some(kept), standings)) => {
                let unwatched = kept.open_gaps.iter().any(|gap| gap.reason == GapReason::Unwatched);
                begin.extend(unwatched.then(|| name.clone()));
                let channel = Channel::resume(name, Duration::MAX, kept, clock.now());
                loaded.push(Kept { channel, standings });
            }
            Ok((None, _)) => new.push(name),
            Err(error) => failed.get_or_insert_with(|| (error.to_string(), Vec::new())).1.push(name),
        }
    }
    begin.extend(new.iter().cloned());
    if !begin.is_empty() {
        history.begin(&begin, clock.now())?;
    }
    for name in new {
        let Some(kept) = history.checkpoint(&name)? else { continue };
        let mut channel = Channel::begin(name, Duration::MAX, kept.began);
        // A discovery before adsum started may have found nobody there.
        kept.roster.complete().into_iter().for_each(|moment| channel.absent(moment));
        loaded.push(Kept { channel, standings: Vec::new() });
    }
    for Kept { channel, .. } in &mut loaded {
        if let Some(discovery) = discovered.filter(|discovery| discovery.found_nobody_in(&channel.name)) {
            channel.absent(discovery.moment);
        }
    }
    Ok((loaded, failed))
}

/// Calls `each` with every full gap that lasts.
pub(in crate::actors) fn each_open_gap(
    history: &dyn History,
    now: Time,
    mut each: impl FnMut(ChannelName, Gap),
) -> Result<(), HistoryError> {
    let mut after = None;
    loop {
        let open = history.gaps(None, (Some(now), None), after.as_ref(), GAPS)?;
        let more = open.len() >= GAPS;
        after = open.last().map(|(channel, gap)| (gap.from, channel.clone()));
        for (channel, gap) in open.into_iter().filter(|(_, gap)| gap.to.is_none() && !gap.users_only) {
            each(channel, gap);
        }
        if !more {
            return Ok(());
        }
    }
}

/// The channels that were watched when adsum ended, as long as nothing was observed of them since.
pub(super) fn watched_before(history: &dyn History, now: Time) -> Result<Vec<ChannelName>, HistoryError> {
    let mut names = Vec::new();
    each_open_gap(history, now, |channel, gap| {
        if gap.reason != GapReason::Unwatched {
            names.push(channel);
        }
    })?;
    Ok(names)
}

/// The unwatched channels in which somebody is, for all that the record knows, and that a pattern matches: discoveries will
/// not list them if they are empty by now, so they must be asked for by name until they are known to be.
pub(in crate::actors) fn left_behind(
    history: &dyn History,
    patterns: &[Pattern],
    now: Time,
) -> Result<Vec<ChannelName>, HistoryError> {
    let mut unwatched = Vec::new();
    each_open_gap(history, now, |channel, gap| {
        if gap.reason == GapReason::Unwatched && patterns.iter().any(|pattern| pattern.matches(&channel)) {
            unwatched.push(channel);
        }
    })?;
    let mut names = Vec::new();
    for name in unwatched {
        let query =
            VisitQuery { channel: Some(name.clone()), open: Some(true), limit: 1, ..Default::default() };
        if !history.visits(&query)?.is_empty() {
            names.push(name);
        }
    }
    Ok(names)
}
