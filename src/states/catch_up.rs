//! Taking over events. Each page of them and the checkpoint after it are written in one batch, so the folder is always
//! at some event of its history, also after a crash.

use hashbrown::HashMap;
use sled::Batch;

use super::forget::forget;
use super::record::{CHECKPOINT_KEY, Checkpoint, Entry, key, read, write};
use super::{Result, States};
use crate::domain::event::{EventId, EventKind, Recorded};
use crate::domain::state::Shown;
use crate::domain::time::Time;
use crate::domain::visit::Visit;
use crate::history::{EventQuery, History, VisitCursor, VisitQuery};

/// See [`States::catch_up`].
pub(super) fn catch_up(states: &States, history: &dyn History, page: usize) -> Result<usize> {
    let (newest, expired) = history.event_ids()?;
    let kept = checkpoint(states)?.filter(|kept| kept.history == history.id());
    let mut after = match kept {
        // Nothing between was forgotten.
        Some(kept) if (expired..=newest).contains(&kept.event) => kept.event,
        _ => begin_anew(states, history, expired, page)?,
    };
    let mut taken = 0;
    loop {
        let events = history.events(&EventQuery { after, limit: page, ..EventQuery::default() })?;
        let Some(last) = events.last() else { break };
        after = last.id;
        taken += events.len();
        apply(states, history.id(), &events)?;
    }
    forget(states, history, page)?;
    Ok(taken)
}

fn checkpoint(states: &States) -> Result<Option<Checkpoint>> {
    let kept = states.db.get(CHECKPOINT_KEY).map_err(|error| states.failed(error))?;
    kept.map(|bytes| read(&bytes).map_err(|reason| states.damaged(reason))).transpose()
}

/// Forgets everything, and gives the event to go on after.
fn begin_anew(states: &States, history: &dyn History, expired: EventId, page: usize) -> Result<EventId> {
    states.clear()?;
    if let Some(kept_since) = history.kept_since()? {
        take_visits(states, history, kept_since, page)?;
    }
    Changes::new(states).write(Some(&Checkpoint { history: history.id().to_owned(), event: expired }))?;
    Ok(expired)
}

/// Takes over the visits that began before the history is whole, those that are over too: the events that tell of their
/// states may have been forgotten. The events that are kept come on top.
fn take_visits(states: &States, history: &dyn History, kept_since: Time, page: usize) -> Result<()> {
    let mut query = VisitQuery { limit: page, ..VisitQuery::default() };
    loop {
        // In order of `joined.not_after`.
        let mut visits = history.visits(&query)?;
        visits.retain(|visit| visit.joined.not_after < kept_since);
        let mut changes = Changes::new(states);
        for visit in &visits {
            changes.visit(visit)?;
        }
        changes.write(None)?;
        let Some(last) = visits.into_iter().next_back() else { return Ok(()) };
        query.after =
            Some(VisitCursor { joined: last.joined.not_after, channel: last.channel, opened: last.opened });
    }
}

fn apply(states: &States, history: &str, events: &[Recorded]) -> Result<()> {
    let mut changes = Changes::new(states);
    for event in events {
        changes.event(event)?;
    }
    let Some(last) = events.last() else { return Ok(()) };
    changes.write(Some(&Checkpoint { history: history.to_owned(), event: last.id }))
}

/// Entries that change, to be written at once.
struct Changes<'a> {
    states: &'a States,
    entries: HashMap<Vec<u8>, Entry>,
}

impl<'a> Changes<'a> {
    fn new(states: &'a States) -> Self {
        Self { states, entries: HashMap::new() }
    }

    fn event(&mut self, event: &Recorded) -> Result<()> {
        let key = key(&event.user, &event.channel);
        match event.kind {
            // It repeats the state that is known, and does not say since when.
            EventKind::Leave => self.present(key, false),
            _ => self.take(key, &event.state, event.window.not_after, true),
        }
    }

    /// A visit with its last state.
    fn visit(&mut self, visit: &Visit) -> Result<()> {
        let observed_at = visit.state_since.unwrap_or(visit.joined).not_after;
        self.take(key(&visit.user, &visit.channel), &visit.state, observed_at, visit.left.is_none())
    }

    /// A known state replaces the last one. An unknown one does not: then only the presence changes, if there is an
    /// entry at all.
    fn take(&mut self, key: Vec<u8>, state: &Shown, observed_at: Time, present: bool) -> Result<()> {
        match Entry::new(state, observed_at, present) {
            Some(entry) => {
                self.entries.insert(key, entry);
                Ok(())
            }
            None => self.present(key, present),
        }
    }

    fn present(&mut self, key: Vec<u8>, present: bool) -> Result<()> {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.present = present;
            return Ok(());
        }
        let kept = self.states.db.get(&key).map_err(|error| self.states.failed(error))?;
        if let Some(bytes) = kept {
            let mut entry: Entry = read(&bytes).map_err(|reason| self.states.damaged(reason))?;
            entry.present = present;
            self.entries.insert(key, entry);
        }
        Ok(())
    }

    fn write(self, checkpoint: Option<&Checkpoint>) -> Result<()> {
        let mut batch = Batch::default();
        for (key, entry) in self.entries {
            batch.insert(key, write(&entry).map_err(|reason| self.states.damaged(reason))?);
        }
        if let Some(checkpoint) = checkpoint {
            batch.insert(CHECKPOINT_KEY, write(checkpoint).map_err(|reason| self.states.damaged(reason))?);
        }
        self.states.db.apply_batch(batch).map_err(|error| self.states.failed(error))
    }
}
