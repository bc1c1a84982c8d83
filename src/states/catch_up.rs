//! Taking over events. Each page of them and the checkpoint after it are written in one batch, so the folder is always
//! at some event of its history, also after a crash.

use hashbrown::HashMap;
use sled::Batch;

use super::folder::Folder;
use super::forget::forget;
use super::record::{CHECKPOINT_KEY, Checkpoint, Entry, all_entries, key, print_of, read, write};
use super::sum::Sum;
use super::{Result, States};
use crate::domain::event::{EventId, EventKind, Recorded};
use crate::domain::state::Shown;
use crate::domain::time::Time;
use crate::domain::visit::Visit;
use crate::history::{EventQuery, History, VisitCursor, VisitQuery};

/// See [`States::catch_up`].
pub(super) fn catch_up(
    states: &States,
    folder: &Folder,
    history: &dyn History,
    page: usize,
) -> Result<usize> {
    let (newest, expired) = history.event_ids()?;
    let mut kept = match go_on_from(states, folder, history, (newest, expired))? {
        Ok(kept) => kept,
        Err(why) => {
            if newest > 0 || states.is_discarded() {
                states.tell_that_they_are_made_anew(why);
            }
            begin_anew(folder, history, expired, page)?
        }
    };
    let mut taken = 0;
    loop {
        let events =
            history.events(&EventQuery { after: kept.event, limit: page, ..EventQuery::default() })?;
        if events.is_empty() {
            break;
        }
        taken += events.len();
        apply(folder, &mut kept, &events)?;
    }
    forget(folder, history, page, kept)?;
    Ok(taken)
}

fn checkpoint(folder: &Folder) -> Result<Option<Checkpoint>> {
    let kept = folder.db.get(CHECKPOINT_KEY).map_err(|error| folder.failed(error))?;
    kept.map(|bytes| read(&bytes).map_err(|reason| folder.damaged(reason))).transpose()
}

/// The checkpoint, or why the entries cannot be gone on from.
fn go_on_from(
    states: &States,
    folder: &Folder,
    history: &dyn History,
    (newest, expired): (EventId, EventId),
) -> Result<std::result::Result<Checkpoint, &'static str>> {
    if states.is_discarded() {
        return Ok(Err("they are damaged"));
    }
    let Some(kept) = checkpoint(folder)? else { return Ok(Err("there are none")) };
    if kept.history != history.id() {
        return Ok(Err("they are of another history"));
    }
    if kept.event > newest {
        return Ok(Err("they are ahead of this history"));
    }
    if kept.event < expired {
        return Ok(Err("the events since then have expired"));
    }
    // Later nothing but this has written to the folder.
    if !states.is_whole() {
        if kept.event > expired && event_print(history, kept.event)? != Some(kept.print) {
            return Ok(Err("the history goes on differently"));
        }
        if sum(folder)? != kept.sum {
            return Ok(Err("some are lost or changed"));
        }
    }
    Ok(Ok(kept))
}

fn event_print(history: &dyn History, id: EventId) -> Result<Option<u64>> {
    let query = EventQuery { after: id.saturating_sub(1), limit: 1, ..EventQuery::default() };
    Ok(history.events(&query)?.first().filter(|event| event.id == id).map(print_of))
}

fn sum(folder: &Folder) -> Result<Sum> {
    let mut sum = Sum::default();
    for entry in folder.db.range(all_entries()) {
        let (key, value) = entry.map_err(|error| folder.failed(error))?;
        sum.add(&key, &value);
    }
    Ok(sum)
}

/// Forgets everything, and gives where to go on.
fn begin_anew(folder: &Folder, history: &dyn History, expired: EventId, page: usize) -> Result<Checkpoint> {
    folder.clear()?;
    let mut kept =
        Checkpoint { history: history.id().to_owned(), event: expired, print: 0, sum: Sum::default() };
    if let Some(kept_since) = history.kept_since()? {
        take_visits(folder, history, kept_since, page, &mut kept.sum)?;
    }
    Changes::new(folder).write_with(&mut kept)?;
    Ok(kept)
}

/// Takes over the visits that began before the history is whole, those that are over too: the events that tell of their
/// states may have been forgotten. The events that are kept come on top.
fn take_visits(
    folder: &Folder,
    history: &dyn History,
    kept_since: Time,
    page: usize,
    sum: &mut Sum,
) -> Result<()> {
    let mut query = VisitQuery { limit: page, ..VisitQuery::default() };
    loop {
        // In order of `joined.not_after`.
        let mut visits = history.visits(&query)?;
        visits.retain(|visit| visit.joined.not_after < kept_since);
        let mut changes = Changes::new(folder);
        for visit in &visits {
            changes.visit(visit)?;
        }
        changes.write(sum)?;
        let Some(last) = visits.into_iter().next_back() else { return Ok(()) };
        query.after =
            Some(VisitCursor { joined: last.joined.not_after, channel: last.channel, opened: last.opened });
    }
}

fn apply(folder: &Folder, kept: &mut Checkpoint, events: &[Recorded]) -> Result<()> {
    let mut changes = Changes::new(folder);
    for event in events {
        changes.event(event)?;
    }
    let Some(last) = events.last() else { return Ok(()) };
    (kept.event, kept.print) = (last.id, print_of(last));
    changes.write_with(kept)
}

/// Entries that change, to be written at once.
struct Changes<'a> {
    folder: &'a Folder,
    entries: HashMap<Vec<u8>, Entry>,
}

impl<'a> Changes<'a> {
    fn new(folder: &'a Folder) -> Self {
        Self { folder, entries: HashMap::new() }
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
        let kept = self.folder.db.get(&key).map_err(|error| self.folder.failed(error))?;
        if let Some(bytes) = kept {
            let mut entry: Entry = read(&bytes).map_err(|reason| self.folder.damaged(reason))?;
            entry.present = present;
            self.entries.insert(key, entry);
        }
        Ok(())
    }

    /// Together with the checkpoint that they lead to.
    fn write_with(self, kept: &mut Checkpoint) -> Result<()> {
        let folder = self.folder;
        let mut batch = self.batch(&mut kept.sum)?;
        batch.insert(CHECKPOINT_KEY, write(kept).map_err(|reason| folder.damaged(reason))?);
        folder.db.apply_batch(batch).map_err(|error| folder.failed(error))
    }

    /// Where there is no checkpoint yet.
    fn write(self, sum: &mut Sum) -> Result<()> {
        let folder = self.folder;
        let batch = self.batch(sum)?;
        folder.db.apply_batch(batch).map_err(|error| folder.failed(error))
    }

    fn batch(self, sum: &mut Sum) -> Result<Batch> {
        let mut batch = Batch::default();
        for (key, entry) in self.entries {
            let value = write(&entry).map_err(|reason| self.folder.damaged(reason))?;
            let before = self.folder.db.get(&key).map_err(|error| self.folder.failed(error))?;
            if let Some(before) = before {
                sum.take(&key, &before);
            }
            sum.add(&key, &value);
            batch.insert(key, value);
        }
        Ok(batch)
    }
}
