//! Remembers everything a daemon ever showed, from life to life, and holds the record to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::process::PATIENCE;
use crate::proxy::Polls;
use crate::record::{Api, Event, Gap, List, presence_path};
use crate::tally::Place;
use crate::wire::{Here, Span, encoded};

/// Events by id, as their JSON was read, and when.
type Texts = Arc<Mutex<BTreeMap<u64, (String, Timestamp)>>>;

/// A definite answer about a channel, a user and a moment: yes or no.
type Definite = (Place, Timestamp, String);

/// So many questions are asked at each look, and so many of those that had a definite answer again.
const ASKED: usize = 6;
const ASKED_AGAIN: usize = 3;

/// Remembers everything a daemon ever showed.
#[derive(Clone)]
pub(crate) struct Witness {
    address: watch::Receiver<(usize, Option<Api>)>,
    streamed: Texts,
    last_id: Arc<Mutex<Option<u64>>>,
    read: Texts,
    gaps: Arc<Mutex<Vec<Gap>>>,
    /// Where somebody ever was, and what was said of that.
    places: Arc<Mutex<BTreeSet<Place>>>,
    answers: Arc<Mutex<Vec<Definite>>>,
}

impl Witness {
    pub(crate) fn new(address: watch::Receiver<(usize, Option<Api>)>) -> Self {
        Self {
            address,
            streamed: Texts::default(),
            last_id: Arc::default(),
            read: Texts::default(),
            gaps: Arc::default(),
            places: Arc::default(),
            answers: Arc::default(),
        }
    }

    /// Watches until it is told to stop with [`stop`].
    pub(crate) fn watch(&self, rng: &mut Rng) -> JoinSet<()> {
        let mut watching = JoinSet::new();
        watching.spawn(self.clone().follow());
        watching.spawn(self.clone().read(rng.fork()));
        watching
    }

    /// The last event that the stream told of.
    pub(crate) fn last_id(&self) -> Option<u64> {
        *self.last_id.lock().unwrap()
    }

    /// A daemon that serves, or served a moment ago.
    async fn api(&mut self) -> Api {
        self.address.wait_for(|(_, api)| api.is_some()).await.unwrap().1.clone().unwrap()
    }

    /// Follows the stream from daemon to daemon.
    async fn follow(mut self) {
        loop {
            let api = self.api().await;
            let last = self.last_id().map(|id| id.to_string());
            let header = last.as_deref().map(|id| ("Last-Event-ID", id));
            if let Ok(answer) = api.open("/v1/stream", header.as_slice()).await
                && answer.status().as_u16() != 503
            {
                assert!(answer.status().is_success(), "{answer:?}");
                self.stream(answer).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Takes every whole event of one stream. What ends without its empty line was never sent.
    async fn stream(&self, mut answer: reqwest::Response) {
        let mut text = Vec::new();
        while let Ok(Some(chunk)) = answer.chunk().await {
            text.extend_from_slice(&chunk);
            while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
                let block = String::from_utf8(text.drain(..end + 2).collect()).unwrap();
                self.block(&block);
            }
        }
    }

    fn block(&self, block: &str) {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let Some(id) = field("id:") else {
            assert!(block.trim().is_empty() || block.starts_with(':'), "{block}");
            return;
        };
        let id: u64 = id.parse().unwrap();
        let mut last = self.last_id.lock().unwrap();
        if let Some(data) = field("data:") {
            assert!(last.is_none_or(|last| last < id), "after {last:?} the stream sent {block}");
            let event: Event = serde_json::from_str(data).unwrap();
            assert_eq!((event.id, Some(event.kind.as_str())), (id, field("event:")), "{block}");
            self.streamed.lock().unwrap().insert(id, (data.to_owned(), Timestamp::now()));
        } else {
            assert!(last.is_none_or(|last| last == id), "the stream opens with {id}, not with {last:?}");
        }
        *last = Some(id);
    }

    /// Reads events, gaps and answers as fast as they change.
    async fn read(mut self, mut rng: Rng) {
        loop {
            let api = self.api().await;
            self.look(&api, &mut rng).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// One look at everything; ends where the daemon does.
    async fn look(&self, api: &Api, rng: &mut Rng) -> Option<()> {
        let after = self.read.lock().unwrap().last_key_value().map(|(id, _)| format!("&after={id}"));
        let page: List<Box<RawValue>> =
            api.try_get(&format!("/v1/events?limit=1000{}", after.unwrap_or_default())).await?;
        for text in page.items {
            let Event { id, channel, user, .. } = serde_json::from_str(text.get()).unwrap();
            let seen = (text.get().to_owned(), Timestamp::now());
            let before = self.read.lock().unwrap().insert(id, seen);
            assert_eq!(before, None, "{id} came twice");
            self.places.lock().unwrap().insert((channel, user));
        }
        let places: Vec<Place> = self.places.lock().unwrap().iter().cloned().collect();
        for place in rng.choose_multiple(&places, ASKED) {
            self.ask(api, place, rng).await?;
        }
        let page: List<Gap> = api.try_get("/v1/gaps?limit=1000").await?;
        let closed = page.items.into_iter().filter(|gap| gap.to.is_some()).collect();
        *self.gaps.lock().unwrap() = closed;
        self.ask_again(api, rng).await
    }

    /// Asks where a user was a moment ago, and remembers what is definite.
    async fn ask(&self, api: &Api, place: &Place, rng: &mut Rng) -> Option<()> {
        let at = Timestamp::now() - SignedDuration::from_millis(rng.i64(50..2500));
        let Answer { present, .. } = Answer::to(api, place, at).await?;
        if present != "unknown" {
            self.answers.lock().unwrap().push((place.clone(), at, present));
        }
        Some(())
    }

    /// Asks for some definite answers again.
    async fn ask_again(&self, api: &Api, rng: &mut Rng) -> Option<()> {
        for _ in 0..ASKED_AGAIN {
            let Some((place, at, before)) = rng.choice(&*self.answers.lock().unwrap()).cloned() else {
                break;
            };
            let now = Answer::to(api, &place, at).await?;
            now.does_not_contradict(&before, &format!("{place:?} at {at}"));
        }
        Some(())
    }

    /// All that was read or streamed is what the record says in the end, to the byte; the stream left nothing out.
    pub(crate) fn is_borne_out(&self, last: &BTreeMap<u64, String>) {
        let texts = |texts: &Texts| -> BTreeMap<u64, String> {
            texts.lock().unwrap().iter().map(|(id, (text, _))| (*id, text.clone())).collect()
        };
        let (read, streamed) = (texts(&self.read), texts(&self.streamed));
        let counts = (read.len(), streamed.len());
        assert!(counts.0 >= 50 && counts.1 >= 50, "too little was seen: {counts:?}");
        for (id, text) in &read {
            assert_eq!(last.get(id), Some(text), "event {id} was changed or lost");
        }
        assert_eq!(&streamed, last, "the stream is not what is recorded");
    }

    /// How many events were committed before a kill, and told only after it.
    pub(crate) fn committed_but_not_told(&self, events: &[Event], kills: &[Span]) -> usize {
        let streamed = self.streamed.lock().unwrap();
        let across = |event: &&Event| {
            let told = streamed[&event.id].1;
            kills.iter().any(|kill| event.window.not_after < kill.from && kill.to < told)
        };
        events.iter().filter(across).count()
    }

    /// Every end lies in one gap of each channel and every gap holds one; what was seen closed stays so. Only where adsum
    /// was told to stop may a gap be a `stopped` one.
    pub(crate) async fn gaps_tell_of_ends(
        &self,
        api: &Api,
        (channels, polls): (&[&str], &Polls),
        ends: &[Span],
        stops: &[Span],
    ) {
        let gaps: Vec<Gap> = api.all("/v1/gaps").await;
        for seen in self.gaps.lock().unwrap().iter() {
            assert!(gaps.contains(seen), "{seen:?} was closed, but now gaps are {gaps:#?}");
        }
        for &channel in channels {
            let gaps: Vec<_> = gaps.iter().filter(|gap| gap.channel == channel).collect();
            for gap in &gaps {
                let causes = match gap.reason.as_str() {
                    "crashed" => ends,
                    "stopped" => stops,
                    other => panic!("{other}: {gap:?}"),
                };
                assert!(!gap.users_only, "{gap:?}");
                let span = span(gap);
                assert!(causes.iter().any(|end| span.meets(*end)), "nothing ended so in {gap:?}: {causes:?}");
            }
            for end in ends {
                // The end of a gap is rounded up to a millisecond.
                let holds = |gap: &&&Gap| gap.from <= end.to && gap.to.is_some_and(|to| end.to < to);
                let count = gaps.iter().filter(holds).count();
                assert_eq!(count, 1, "{end:?} in {channel:?} has {count} gaps: {gaps:#?}");
            }
            gaps.windows(2).for_each(|pair| follow(pair[0], pair[1], polls));
            assert!(gaps.len() >= 3, "hardly a life in which {channel:?} was observed: {gaps:?}");
        }
    }

    /// What was once answered with yes or no is never answered with the contrary; with unknown only where the record says
    /// that a crash took what was not yet marked.
    pub(crate) async fn answers_still_hold(&self, api: &Api) {
        let answers = self.answers.lock().unwrap().clone();
        assert!(answers.len() >= 50, "only {} answers", answers.len());
        let mut gaps: BTreeMap<String, Vec<Span>> = BTreeMap::new();
        for gap in api.all::<Gap>("/v1/gaps").await.iter().filter(|gap| gap.reason == "crashed") {
            gaps.entry(gap.channel.clone()).or_default().push(span(gap));
        }
        let mut unknown = BTreeMap::<String, usize>::new();
        for (place, at, before) in &answers {
            let now = Answer::to(api, place, *at).await.expect("it lives");
            now.does_not_contradict(before, &format!("{place:?} at {at}"));
            if now.present == "unknown" {
                let lost = gaps
                    .get(&place.0)
                    .is_some_and(|gaps| gaps.iter().any(|gap| gap.from <= *at && *at <= gap.to));
                assert!(lost, "{place:?} at {at} was {before}, is {now:?}, and nothing crashed: {gaps:#?}");
                *unknown.entry(now.code.unwrap_or_default()).or_default() += 1;
            }
        }
        eprintln!("{} answers were definite; unknown now: {unknown:?}", answers.len());
    }
}

/// Ends what [`Witness::watch`] began; what it found wrong fails the test.
pub(crate) async fn stop(mut watching: JoinSet<()>) {
    watching.abort_all();
    while let Some(ended) = watching.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// What is said of a user in a channel at a moment.
#[derive(Debug, Deserialize)]
struct Answer {
    present: String,
    code: Option<String>,
    because: Option<String>,
}

impl Answer {
    async fn to(api: &Api, (channel, user): &Place, at: Timestamp) -> Option<Self> {
        api.try_get(&presence_path(channel, user, Some(at))).await
    }

    fn does_not_contradict(&self, before: &str, of: &str) {
        match self.present.as_str() {
            "unknown" => assert!(self.code.is_some() && self.because.is_some(), "{of}: {self:?}"),
            now => assert_eq!(now, before, "{of}: {self:?}"),
        }
    }
}

fn span(gap: &Gap) -> Span {
    Span { from: gap.from, to: gap.to.unwrap_or_else(|| panic!("still open: {gap:?}")) }
}

/// Two gaps may share the one observation between them: its question begins the later, its answer ends the former.
fn follow(one: &Gap, next: &Gap, polls: &Polls) {
    assert!(one.from < next.from && one.to < next.to, "not one after the other: {one:?} {next:?}");
    let shared = Span { from: next.from, to: one.to.unwrap() };
    let inside = |from: Timestamp, to: Timestamp| shared.from <= from && to <= shared.to;
    let count = polls.of(&one.channel).iter().filter(|poll| inside(poll.span.from, poll.span.to)).count();
    // An observation is a question about many channels, and another where one is missing in the answer.
    assert!(count <= 2, "{count} polls lie in both: {one:?} {next:?}");
}

/// Who is where after all events, by the events alone.
pub(crate) fn replayed(events: &[Event]) -> BTreeMap<String, BTreeSet<String>> {
    let mut there: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Event { channel, user, kind, .. } in events {
        let users = there.entry(channel.clone()).or_default();
        match kind.as_str() {
            "leave" => assert!(users.remove(user), "{user:?} left {channel:?} and was not there"),
            "state" => assert!(users.contains(user), "a state of {user:?}, who is not in {channel:?}"),
            _ => assert!(users.insert(user.clone()), "{user:?} came to {channel:?} twice"),
        }
    }
    there.retain(|_, users| !users.is_empty());
    there
}

/// The known states are the last ones that the record tells: of those who are there as they are now, of the others as
/// they were at their leave. (Where states are asked for, no state means that there was none.) Gives how many there are.
pub(crate) async fn states_are_those_of_the_record(
    api: &Api,
    events: &[Event],
    here: &BTreeMap<String, Here>,
) -> usize {
    let mut compared = Err("nothing".to_owned());
    let deadline = Instant::now() + PATIENCE;
    // They follow the record at some distance.
    while compared.is_err() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
        compared = compare_states(api, events, here).await;
    }
    compared.unwrap_or_else(|difference| panic!("{difference}"))
}

async fn compare_states(api: &Api, events: &[Event], here: &BTreeMap<String, Here>) -> Result<usize, String> {
    let mut expected: BTreeMap<&str, BTreeMap<&str, (Value, bool)>> = BTreeMap::new();
    for Event { channel, user, state, .. } in events {
        let state = state.clone().unwrap_or_default();
        expected.entry(user).or_default().insert(channel, (state, false));
    }
    for (channel, users) in here {
        for (user, state) in users {
            expected.entry(user).or_default().insert(channel, (state.clone(), true));
        }
    }
    let mut count = 0;
    for (user, channels) in expected {
        let path = format!("/v1/users/{}/state", encoded(user));
        let known: Value = api.try_get(&path).await.ok_or("they are not answered")?;
        for (channel, (state, present)) in channels {
            let found = &known["channels"][channel];
            if found["state"] != state || found["present"] != json!(present) {
                return Err(format!(
                    "{user:?} in {channel:?} had {state}, present {present}; known is {known}"
                ));
            }
            count += 1;
        }
    }
    Ok(count)
}
