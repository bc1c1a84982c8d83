//! The visits of a channel, beside what replaying its events gives.

use hashbrown::HashMap;
use rusqlite::{Row, Rows};

use super::audit::{About, Ahead, Audit, Span, is_ordered, time};
use super::channels::Channel;
use super::events::Event;
use super::law::Law;
use crate::domain::event::EventKind;
use crate::history::Result;

/// Of channel `?1`.
pub(super) const VISITS: &str = "SELECT opened, user_id, joined_from, joined_to, left_from, left_to, state, since_from, \
    since_to, listed_earliest, listed_latest, shown_earliest, shown_latest FROM visits WHERE channel_id = ?1 ORDER BY opened";

/// A visit's row.
struct Visit {
    opened: i64,
    user: i64,
    joined: Span,
    left: Span,
    state: Option<Box<str>>,
    since: Span,
    listed: Span,
    shown: Span,
}

fn visit(row: &Row<'_>) -> rusqlite::Result<Visit> {
    let span = |at| Ok::<_, rusqlite::Error>((row.get(at)?, row.get(at + 1)?));
    Ok(Visit {
        opened: row.get(0)?,
        user: row.get(1)?,
        joined: span(2)?,
        left: span(4)?,
        state: row.get(6)?,
        since: span(7)?,
        listed: span(9)?,
        shown: span(11)?,
    })
}

/// A visit that lasts, as far as the events are read.
struct Stay {
    opened: i64,
    /// The last state, and since when; `None` where no event that is kept tells of it.
    state: Option<(Option<Box<str>>, Span)>,
    /// The row; `None` where it may have expired.
    row: Option<Visit>,
}

/// Who is there, as far as the events are read.
pub(super) struct Replay<'s> {
    visits: Ahead<'s, Visit>,
    there: HashMap<i64, Stay>,
    /// Some events of the channel have expired.
    begins_late: bool,
    /// Visits that the first event's observation ended may have been ended by an event that has expired.
    first: Option<i64>,
}

impl<'s> Replay<'s> {
    pub(super) fn new(rows: Rows<'s>) -> Result<Self> {
        Ok(Self { visits: Ahead::new(rows, visit)?, there: HashMap::new(), begins_late: false, first: None })
    }

    /// How many are there.
    pub(super) fn there(&self) -> usize {
        self.there.len()
    }

    /// How many are there once all is read that was seen together.
    pub(super) fn settled(&mut self) -> usize {
        if let Some(first) = self.first.take() {
            let over =
                |stay: &Stay| stay.row.as_ref().and_then(|row| row.left.1).is_some_and(|left| left <= first);
            self.there.retain(|_, stay| stay.state.is_some() || !over(stay));
        }
        self.there.len()
    }

    /// Takes the visits that events opened which have expired. `first` is the number of the first event that is kept, and when
    /// it was seen.
    pub(super) fn carry(
        &mut self,
        audit: &mut Audit<'_>,
        channel: &Channel,
        first: Option<(i64, i64)>,
    ) -> Result<()> {
        let (first_seq, first_at) = first.unwrap_or((i64::MAX, i64::MAX));
        self.begins_late = first_seq > 1;
        self.first = first.map(|(_, at)| at);
        while let Some(row) = self.visits.take_if(|visit| visit.opened < first_seq)? {
            seen(audit, channel, &row);
            let about = channel.about().user(row.user);
            let arrived = row.joined.1.unwrap_or(i64::MAX);
            if !audit.meta.may_miss(arrived) && !channel.is_going || row.opened > channel.last_seq {
                audit.broken(Law::Visits, about, || format!("no event {} opened the visit", row.opened));
            }
            if let Some(left) = row.left.1.filter(|left| *left < first_at) {
                if !audit.meta.may_miss(left) && !channel.is_going {
                    audit.broken(Law::Visits, about, || {
                        format!("no event closed the visit of event {}, at {}", row.opened, time(left))
                    });
                }
                continue;
            }
            let stay = Stay { opened: row.opened, state: None, row: Some(row) };
            self.enter(audit, about, stay);
        }
        Ok(())
    }

    fn enter(&mut self, audit: &mut Audit<'_>, about: About<'_>, stay: Stay) {
        let (user, opened) = (about.user.unwrap_or(0), stay.opened);
        if let Some(before) = self.there.insert(user, stay) {
            audit.broken(Law::Roster, about, || {
                format!("event {opened} opens a visit while the one of event {} lasts", before.opened)
            });
        }
    }

    /// Takes an event.
    pub(super) fn hear(
        &mut self,
        audit: &mut Audit<'_>,
        channel: &Channel,
        kind: EventKind,
        event: &Event<'_>,
    ) -> Result<()> {
        match kind {
            EventKind::Join | EventKind::Present => self.arrives(audit, channel, event),
            EventKind::Leave => {
                self.leaves(audit, channel, event);
                Ok(())
            }
            EventKind::State | EventKind::Settled => {
                self.changes(audit, channel, kind, event);
                Ok(())
            }
        }
    }

    fn arrives(&mut self, audit: &mut Audit<'_>, channel: &Channel, event: &Event<'_>) -> Result<()> {
        let about = channel.about().user(event.user);
        let window = (event.not_before, Some(event.not_after));
        self.unopened(audit, channel, event.seq)?;
        let row = self.visits.take_if(|visit| visit.opened == event.seq)?;
        if let Some(row) = &row {
            seen(audit, channel, row);
            if row.user != event.user || row.joined != window {
                audit.broken(Law::Visits, about, || {
                    format!("the visit of event {} has another user or window than the event", event.seq)
                });
            }
        } else if !audit.meta.may_miss(event.not_after) && !channel.is_going {
            audit.broken(Law::Visits, about, || format!("there is no visit of event {}", event.seq));
        }
        let since = if event.state.is_some() { window } else { (None, None) };
        let state = Some((event.state.map(Box::from), since));
        self.enter(audit, about, Stay { opened: event.seq, state, row });
        Ok(())
    }

    /// Visits whose number is that of no arrival.
    fn unopened(&mut self, audit: &mut Audit<'_>, channel: &Channel, before: i64) -> Result<()> {
        while let Some(row) = self.visits.take_if(|visit| visit.opened < before)? {
            seen(audit, channel, &row);
            let exists = super::events::exists(audit, channel, row.opened)?;
            audit.broken(Law::Visits, channel.about().user(row.user), || {
                let why = if exists { "is no arrival" } else { "is not there" };
                format!("event {}, which should have opened a visit, {why}", row.opened)
            });
        }
        Ok(())
    }

    fn leaves(&mut self, audit: &mut Audit<'_>, channel: &Channel, event: &Event<'_>) {
        let about = channel.about().user(event.user);
        let Some(stay) = self.there.remove(&event.user) else {
            return self.absent(audit, channel, event);
        };
        let state = match &stay.state {
            Some((state, _)) => state.as_deref(),
            None => event.state,
        };
        if state != event.state {
            audit.broken(Law::Roster, about, || {
                format!("event {} tells of another last state than those before it", event.seq)
            });
        }
        match &stay.row {
            Some(row) if row.left != (event.not_before, Some(event.not_after)) => {
                audit.broken(Law::Visits, about, || {
                    format!(
                        "the visit of event {} was closed by event {}, but not then",
                        stay.opened, event.seq
                    )
                });
            }
            Some(row) if row.state.as_deref() != event.state => wrong_state(audit, about, stay.opened),
            Some(_) => agrees(audit, about, &stay),
            None if !audit.meta.may_miss(event.not_after) && !channel.is_going => {
                audit.broken(Law::Visits, about, || format!("there is no visit of event {}", stay.opened));
            }
            None => {}
        }
    }

    fn changes(&mut self, audit: &mut Audit<'_>, channel: &Channel, kind: EventKind, event: &Event<'_>) {
        let about = channel.about().user(event.user);
        let Some(stay) = self.there.get_mut(&event.user) else {
            return self.absent(audit, channel, event);
        };
        if let Some((before, _)) = &stay.state {
            let fits = match kind {
                EventKind::Settled => before.is_none(),
                _ => before.is_some() && before.as_deref() != event.state,
            };
            if !fits || event.state.is_none() {
                audit.broken(Law::Roster, about, || {
                    format!("event {} changes nothing that was known", event.seq)
                });
            }
        }
        stay.state = Some((event.state.map(Box::from), (event.not_before, Some(event.not_after))));
    }

    /// An event of somebody who is not there. Their visit may have expired before the event.
    fn absent(&self, audit: &mut Audit<'_>, channel: &Channel, event: &Event<'_>) {
        let expired = self.begins_late && audit.meta.may_miss(event.not_after);
        if !expired && !channel.is_going {
            audit.broken(Law::Roster, channel.about().user(event.user), || {
                format!("event {} is of somebody who is not there", event.seq)
            });
        }
    }

    /// All events are read: who is there now is who has a visit that lasts.
    pub(super) fn finish(mut self, audit: &mut Audit<'_>, channel: &Channel) -> Result<()> {
        self.unopened(audit, channel, i64::MAX)?;
        for (user, stay) in self.there.iter().filter(|_| !channel.is_going) {
            let about = channel.about().user(*user);
            match &stay.row {
                None => {
                    audit
                        .broken(Law::Visits, about, || format!("there is no visit of event {}", stay.opened));
                }
                Some(row) if row.left.1.is_some() => audit.broken(Law::Visits, about, || {
                    format!("no event closed the visit of event {}, which is over", stay.opened)
                }),
                Some(_) => agrees(audit, about, stay),
            }
        }
        Ok(())
    }
}

/// The row's state is the last that was told.
fn agrees(audit: &mut Audit<'_>, about: About<'_>, stay: &Stay) {
    let (Some(row), Some((state, since))) = (&stay.row, &stay.state) else { return };
    if row.state != *state || row.since != *since {
        wrong_state(audit, about, stay.opened);
    }
}

fn wrong_state(audit: &mut Audit<'_>, about: About<'_>, opened: i64) {
    audit.broken(Law::Roster, about, || {
        format!("the visit of event {opened} has another state, or since another time, than its events tell")
    });
}

/// What one visit says.
fn seen(audit: &mut Audit<'_>, channel: &Channel, visit: &Visit) {
    audit.row("channels");
    audit.counts.visits += 1;
    let Visit { opened, user, joined, left, since, listed, shown, .. } = visit;
    let about = channel.about().user(*user);
    if ![joined, left, since, listed, shown].into_iter().all(|span| is_ordered(*span)) {
        audit.broken(Law::Times, about, || {
            format!("a window of the visit of event {opened} ends before it begins")
        });
    }
    let over = left.1.is_some();
    if is_later(joined.1, left.1) || is_later(joined.0, left.0) {
        audit.broken(Law::Times, about, || format!("the visit of event {opened} ends before it begins"));
    }
    if is_later(joined.1, since.1) || over && is_later(since.1, left.1) {
        audit.broken(Law::Times, about, || {
            format!("the state of the visit of event {opened} is from another time")
        });
    }
    if left.0.is_some() != over || since.1.is_some() != visit.state.is_some() {
        audit.broken(Law::Values, about, || format!("the visit of event {opened} has half a window"));
    }
    if over && (listed.1.is_some() || shown.1.is_some()) {
        audit.broken(Law::Visits, about, || format!("the visit of event {opened} is over, and listed still"));
    }
}

fn is_later(one: Option<i64>, other: Option<i64>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one > other)
}
