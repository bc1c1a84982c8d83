//! What a mark says of the channels in which nothing changes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::live::Registry;
use crate::domain::time::Moment;
use crate::history::Mark;

/// So many of the channels whose last observation is oldest are named in a mark, or this share of all; the others' is
/// proven by its floor.
const NAMED_IN_MARK: (usize, usize) = (1_000, 100);

/// What is proven of the channels that are observed now. The floor is chosen so that only few must be named.
pub(super) fn mark_of(registry: &Registry) -> Option<Mark> {
    let mut widest = Duration::ZERO;
    let (mut observed, mut others) = (Vec::new(), Vec::new());
    for live in registry.all() {
        let channel = live.channel.read();
        if let Some(run) = channel.run().filter(|_| !channel.in_gap()) {
            widest = widest.max(run.widest);
            observed.push((live.name.clone(), run.last));
        } else if live.committing.load(Ordering::Relaxed) {
            // It is about to be observed, at a time that this mark may be later than.
            others.push((live.name.clone(), None));
        }
    }
    observed.sort_unstable_by_key(|(_, last)| last.earliest);
    let (least, share) = NAMED_IN_MARK;
    let named = (observed.len() / share).max(least).min(observed.len().checked_sub(1)?);
    let unnamed = observed.get(named..)?.iter().map(|(_, last)| last.latest);
    let floor = Moment { earliest: observed.get(named)?.1.earliest, latest: unnamed.max()? };
    others.extend(observed.into_iter().take(named).map(|(channel, last)| (channel, Some(last))));
    Some(Mark { floor, others, widest })
}
