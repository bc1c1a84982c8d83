//! The stream of events, as text of server-sent events (WHATWG HTML section 9.2).
//!
//! A feed reads the history up to its end, then goes on with what is broadcast after each commit. It subscribed to the
//! broadcast before it read, so nothing is lost between the two, and it skips what it had already, so nothing comes
//! twice. A reader that falls so far behind that the broadcast has moved on is led back through the history.
//!
//! A feed makes text only when it is asked for more, and never more than [`MAX_CHUNK_BYTES`] and one event at once: a
//! reader that does not read costs nothing but its seat.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::bodies::event::EventBody;
use crate::actors::handle::{Adsum, AskError, Page};
use crate::domain::event::{EventId, Recorded};
use crate::history::EventQuery;

/// How often a silent stream says that it is alive (SPEC section 3).
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

/// A chunk of text ends with the event that reaches this length.
pub(crate) const MAX_CHUNK_BYTES: usize = 16 * 1024;

/// How many events are read from the history at once.
const PAGE: usize = 100;

/// Where events are read from.
pub(crate) trait Source {
    /// One page of them.
    async fn page(&self, query: EventQuery) -> Result<Page<Recorded, EventId>, AskError>;
}

/// Who listens for a channel or user that was never seen waits for it: there is nothing wrong with that.
impl Source for Adsum {
    async fn page(&self, query: EventQuery) -> Result<Page<Recorded, EventId>, AskError> {
        match self.events(query).await {
            Err(AskError::UnknownChannel(_) | AskError::UnknownUser(_)) => {
                Ok(Page { items: Vec::new(), next: None, coverage: None })
            }
            page => page,
        }
    }
}

/// What keeps a feed going, and ends it.
pub(crate) struct Seat {
    /// Turns true when the server stops.
    pub(crate) stopping: watch::Receiver<bool>,
    /// One of the streams that are allowed; given back when the feed is dropped.
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

/// One reader's stream of events.
pub(crate) struct Feed<S> {
    source: S,
    live: Receiver<Arc<[Recorded]>>,
    /// Which events; `after` is how far the feed has come.
    query: EventQuery,
    /// Whether there may be more in the history.
    behind: bool,
    /// What was received and not yet written, the next one first.
    received: Option<(Arc<[Recorded]>, usize)>,
    /// The last id written.
    said: Option<EventId>,
    heartbeat: tokio::time::Interval,
    seat: Seat,
}

impl<S: Source> Feed<S> {
    /// Goes on after `query.after`: through the history if that lies `behind`, otherwise with what comes.
    pub(crate) fn new(
        source: S,
        live: Receiver<Arc<[Recorded]>>,
        query: EventQuery,
        behind: bool,
        seat: Seat,
    ) -> Self {
        let mut heartbeat = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let query = EventQuery { limit: PAGE, ..query };
        Self { source, live, query, behind, received: None, said: None, heartbeat, seat }
    }

    /// The next piece of text; `None` at the end. The first one tells where the feed begins, so that a reader who
    /// loses the connection before the first event can go on from there.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        if self.said.is_none() {
            self.said = Some(self.query.after);
            return Some(format!("id: {}\n\n", self.query.after).into());
        }
        loop {
            if *self.seat.stopping.borrow() {
                return None;
            }
            let text = if self.behind { self.read().await? } else { self.listen().await? };
            if !text.is_empty() {
                self.heartbeat.reset();
                return Some(text.into());
            }
        }
    }

    /// One page of the history. An error ends the feed: the reader asks again from the last id it has, and hears then
    /// what is wrong.
    async fn read(&mut self) -> Option<String> {
        let page = self.source.page(self.query.clone()).await;
        let page = page.inspect_err(|error| tracing::debug!(%error, "a stream ends")).ok()?;
        self.behind = page.next.is_some();
        let mut text = String::new();
        for event in &page.items {
            self.write(&mut text, event);
        }
        if let Some(next) = page.next {
            self.query.after = self.query.after.max(next);
        }
        Some(text)
    }

    /// What comes next: events, a heartbeat, or the end.
    async fn listen(&mut self) -> Option<String> {
        if let Some(text) = self.drain() {
            return Some(text);
        }
        let heard = tokio::select! {
            batch = self.live.recv() => Some(batch),
            _ = self.heartbeat.tick() => None,
            _ = self.seat.stopping.changed() => return None,
        };
        match heard {
            None => return Some(self.alive()),
            Some(Ok(batch)) => self.received = Some((batch, 0)),
            Some(Err(RecvError::Lagged(_))) => self.behind = true,
            Some(Err(RecvError::Closed)) => return None,
        }
        Some(String::new())
    }

    /// Text of what was received, up to the length of a chunk; `None` if nothing is left.
    fn drain(&mut self) -> Option<String> {
        let (batch, mut at) = self.received.take()?;
        let mut text = String::new();
        while let Some(event) = batch.get(at) {
            at += 1;
            if self.wants(event) {
                self.write(&mut text, event);
            }
            self.query.after = self.query.after.max(event.id);
            if text.len() >= MAX_CHUNK_BYTES {
                self.received = Some((batch, at));
                break;
            }
        }
        Some(text)
    }

    fn wants(&self, event: &Recorded) -> bool {
        let query = &self.query;
        query.channel.as_ref().is_none_or(|channel| *channel == event.channel)
            && query.user.as_ref().is_none_or(|user| *user == event.user)
            && (query.kinds.is_empty() || query.kinds.contains(&event.kind))
    }

    fn write(&mut self, text: &mut String, event: &Recorded) {
        if event.id <= self.query.after {
            return;
        }
        self.query.after = event.id;
        let Some(body) = EventBody::of(event) else { return };
        self.said = Some(event.id);
        // Compact JSON has no line breaks, and neither writing to a text nor texts and numbers as JSON can fail.
        let data = serde_json::to_string(&body).unwrap_or_default();
        let _ = write!(text, "id: {}\nevent: {}\ndata: {data}\n\n", event.id, event.kind.as_str());
    }

    /// A comment; with it how far the feed has come, if that is past the last event written: the reader of a rare
    /// channel then need not resume from an id that is no longer kept.
    fn alive(&mut self) -> String {
        if self.said == Some(self.query.after) {
            return ": alive\n\n".to_owned();
        }
        self.said = Some(self.query.after);
        format!(": alive\nid: {}\n\n", self.query.after)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::broadcast;

    use super::*;
    use crate::domain::event::EventKind;
    use crate::domain::names::{ChannelName, UserId};
    use crate::domain::state::{Shown, State};
    use crate::domain::time::{Time, Window};

    fn event(id: EventId, channel: &str, kind: EventKind) -> Recorded {
        Recorded {
            id,
            channel: ChannelName::new(channel).unwrap(),
            seq: 1,
            user: UserId::new("ada").unwrap(),
            kind,
            window: Window { not_before: None, not_after: Time::from_micros(1_500) },
            occupancy: 1,
            state: Shown::Value(State::new(serde_json::json!("a\nb"))),
        }
    }

    /// A history that grows, and tells of it.
    #[derive(Clone)]
    struct Record(Arc<Mutex<Vec<Recorded>>>, broadcast::Sender<Arc<[Recorded]>>);

    impl Record {
        fn new(capacity: usize) -> Self {
            Self(Arc::default(), broadcast::channel(capacity).0)
        }

        fn commit(&self, events: Vec<Recorded>) {
            self.0.lock().unwrap().extend(events.iter().cloned());
            let _ = self.1.send(events.into());
        }

        fn feed(&self, after: EventId, behind: bool) -> (Feed<Self>, watch::Sender<bool>) {
            let (stop, stopping) = watch::channel(false);
            let query = EventQuery { after, ..EventQuery::default() };
            let seat = Seat { stopping, _permit: None };
            (Feed::new(self.clone(), self.1.subscribe(), query, behind, seat), stop)
        }
    }

    impl Source for Record {
        async fn page(&self, query: EventQuery) -> Result<Page<Recorded, EventId>, AskError> {
            let kept = self.0.lock().unwrap();
            let mut items: Vec<Recorded> = kept
                .iter()
                .filter(|event| event.id > query.after && event.kind != EventKind::Settled)
                .take(query.limit + 1)
                .cloned()
                .collect();
            let more = items.len() > query.limit;
            items.truncate(query.limit);
            let next = items.last().filter(|_| more).map(|event| event.id);
            Ok(Page { items, next, coverage: None })
        }
    }

    /// Reads ids of events until the one given.
    async fn ids(feed: &mut Feed<Record>, until: EventId) -> Vec<EventId> {
        let mut ids = Vec::new();
        while ids.last() != Some(&until) {
            let text = String::from_utf8(feed.next().await.unwrap().to_vec()).unwrap();
            let lines = text.split("\n\n").filter(|event| event.contains("\ndata: "));
            let id = |event: &str| event.lines().next().unwrap().strip_prefix("id: ").unwrap().parse();
            ids.extend(lines.map(|event| -> EventId { id(event).unwrap() }));
        }
        ids
    }

    fn joins(ids: std::ops::RangeInclusive<EventId>) -> Vec<Recorded> {
        ids.map(|id| event(id, "lobby", EventKind::Join)).collect()
    }

    #[tokio::test]
    async fn a_stream_begins_with_the_id_it_goes_on_from_and_writes_one_line_of_json_for_each_event() {
        let record = Record::new(8);
        let (mut feed, _stop) = record.feed(6, false);
        assert_eq!(feed.next().await.unwrap(), "id: 6\n\n");
        record.commit(joins(7..=7));
        assert_eq!(
            feed.next().await.unwrap(),
            "id: 7\nevent: join\ndata: {\"id\":7,\"channel\":\"lobby\",\"user\":\"ada\",\"kind\":\"join\",\
             \"not_before\":null,\"not_after\":\"1970-01-01T00:00:00.002Z\",\"occupancy\":1,\"state\":\"a\\nb\"}\n\n"
        );
    }

    #[tokio::test]
    async fn a_resumed_stream_has_every_event_once_however_history_and_broadcast_overlap() {
        let record = Record::new(1000);
        record.commit(joins(1..=250));
        let (mut feed, _stop) = record.feed(3, true);
        // Committed after the feed subscribed and before it read: they come both ways.
        record.commit(joins(251..=260));
        feed.next().await.unwrap();
        let mut seen = ids(&mut feed, 103).await;
        record.commit(joins(261..=270));
        seen.extend(ids(&mut feed, 270).await);
        assert_eq!(seen, (4..=270).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_reader_that_fell_behind_is_led_back_through_the_history() {
        let record = Record::new(2);
        let (mut feed, _stop) = record.feed(0, false);
        for id in 1..=50 {
            record.commit(joins(id..=id));
        }
        assert_eq!(ids(&mut feed, 50).await, (1..=50).collect::<Vec<_>>());
        record.commit(joins(51..=51));
        assert_eq!(ids(&mut feed, 51).await, [51]);
    }

    #[tokio::test]
    async fn a_large_commit_comes_in_small_chunks() {
        let record = Record::new(4);
        let (mut feed, _stop) = record.feed(0, false);
        record.commit(joins(1..=2000));
        let (mut chunks, mut longest) = (0, 0);
        feed.next().await.unwrap();
        while feed.query.after < 2000 {
            let text = feed.next().await.unwrap();
            (chunks, longest) = (chunks + 1, longest.max(text.len()));
        }
        assert!(chunks > 10 && longest < MAX_CHUNK_BYTES + 1024, "{chunks} chunks, the longest of {longest}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_says_that_it_is_alive_and_how_far_it_has_come() {
        let record = Record::new(4);
        let (mut feed, _stop) = record.feed(0, false);
        feed.query.channel = Some(ChannelName::new("lobby").unwrap());
        feed.next().await.unwrap();
        let began = Instant::now();
        assert_eq!(feed.next().await.unwrap(), ": alive\n\n");
        assert_eq!(began.elapsed(), HEARTBEAT);
        record.commit(vec![event(1, "elsewhere", EventKind::Join), event(2, "lobby", EventKind::Settled)]);
        assert_eq!(feed.next().await.unwrap(), ": alive\nid: 2\n\n");
        assert_eq!(feed.next().await.unwrap(), ": alive\n\n");
    }

    #[tokio::test]
    async fn a_stream_ends_at_once_when_the_server_stops() {
        let record = Record::new(4);
        let (mut feed, stop) = record.feed(0, false);
        feed.next().await.unwrap();
        let (end, ()) = tokio::join!(feed.next(), async {
            stop.send_replace(true);
        });
        assert_eq!(end, None);
    }
}
