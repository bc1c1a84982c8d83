//! Forgetting the states that the history has forgotten: a bounded number of entries is looked at each time, and where to
//! go on is kept.

use std::time::Duration;

use sled::Batch;

use super::Result;
use super::folder::Folder;
use super::record::{self, CHECKPOINT_KEY, Checkpoint, Entry, FORGOTTEN_KEY, Forgotten, read, write};
use crate::domain::time::Time;
use crate::history::{History, VisitQuery};

/// How many visits are looked at for one state. Those of one user to one channel that touch an instant are two or three:
/// the one then and its neighbours, whose windows may overlap.
const TOUCHING: usize = 8;

/// A channel's roster is forgotten by the time its last observation was asked for, but a state is dated when the answer
/// had arrived, which is never so much later.
const SLACK: Duration = Duration::from_secs(3600);

/// Looks through the next `page` entries, if the history forgot something since all were looked at.
pub(super) fn forget(
    states: &Folder,
    history: &dyn History,
    page: usize,
    mut kept: Checkpoint,
) -> Result<()> {
    let Some(kept_since) = history.kept_since()? else { return Ok(()) };
    let all = record::all_entries();
    let (before, from) = match progress(states)? {
        Some(Forgotten { before, next: Some(next) }) => (Time::from_micros(before), next),
        Some(Forgotten { before, next: None }) if before >= kept_since.as_micros() => return Ok(()),
        _ => (kept_since, all.start),
    };
    let mut batch = Batch::default();
    let mut entries = states.db.range(from..all.end);
    for entry in entries.by_ref().take(page) {
        let (key, value) = entry.map_err(|error| states.failed(error))?;
        if is_forgotten(states, history, before, &key, &value)? {
            kept.sum.take(&key, &value);
            batch.remove(key);
        }
    }
    let next = entries.next().transpose().map_err(|error| states.failed(error))?;
    let next = next.map(|(key, _)| key.to_vec());
    let done = Forgotten { before: before.as_micros(), next };
    batch.insert(FORGOTTEN_KEY, write(&done).map_err(|reason| states.damaged(reason))?);
    batch.insert(CHECKPOINT_KEY, write(&kept).map_err(|reason| states.damaged(reason))?);
    states.db.apply_batch(batch).map_err(|error| states.failed(error))
}

fn progress(states: &Folder) -> Result<Option<Forgotten>> {
    let kept = states.db.get(FORGOTTEN_KEY).map_err(|error| states.failed(error))?;
    kept.map(|bytes| read(&bytes).map_err(|reason| states.damaged(reason))).transpose()
}

/// Whether the history keeps no visit any more that the state was seen in. What was observed since `before` is kept, so
/// it is asked about old states only.
fn is_forgotten(
    states: &Folder,
    history: &dyn History,
    before: Time,
    key: &[u8],
    value: &[u8],
) -> Result<bool> {
    let entry: Entry = read(value).map_err(|reason| states.damaged(reason))?;
    let at = entry.observed_at();
    if at >= before.plus(SLACK) {
        return Ok(false);
    }
    let (user, channel) = record::names(key).map_err(|reason| states.damaged(reason))?;
    let kept = history.visits(&VisitQuery {
        channel: Some(channel),
        user: Some(user),
        from: Some(at),
        to: Some(Time::from_micros(at.as_micros().saturating_add(1))),
        limit: TOUCHING,
        ..VisitQuery::default()
    })?;
    Ok(!kept.iter().any(|visit| visit.state.is_known()))
}
