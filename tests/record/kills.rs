//! `kill -9` at random moments: nothing that was ever visible is lost, changed or repeated.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::crowd::{Crowd, HOSTILE, Pace, seed};
use crate::judge::Judge;
use crate::process::{PATIENCE, Process, Settings, start_daemon, start_origin};
use crate::proxy::Proxy;
use crate::record::{Api, Event, Gap, List, Visit, presence_path, until};
use crate::truth::occupants;
use crate::wire::Span;

const CHANNELS: [&str; 5] = ["one", "two / 2", "three%33", "4 🦀", "\u{202e}\u{1b}[5m"];
const KILLS: usize = 12;
const INTERVAL: Duration = Duration::from_millis(200);

/// Events by id, as their JSON was read.
type Texts = Arc<Mutex<BTreeMap<u64, String>>>;

#[tokio::test]
async fn kill_9_loses_changes_and_repeats_nothing_that_was_visible() {
    let mut rng = Rng::with_seed(seed());
    let folder = tempfile::tempdir().unwrap();
    let (_origin, origin) = start_origin(folder.path(), "0s");
    let proxy = Proxy::start(&origin).await;
    let mut settings = Settings::new(&proxy.address, &CHANNELS, "200ms", "0s");
    // Polls may be late on a busy machine; here only crashes shall make gaps.
    settings.gap_after = Some("30s");
    let lives: Vec<_> = (0..KILLS).map(|_| Duration::from_millis(rng.u64(100..3000))).collect();
    let crowd = Crowd::new(&origin, lives.iter().sum::<Duration>() + Duration::from_secs(4));

    let (tell, address) = watch::channel((0, None));
    let witness = Witness::new(address);
    let mut watching = JoinSet::new();
    watching.spawn(witness.clone().follow());
    watching.spawn(witness.clone().read(rng.fork()));

    let mut daemon = start(&settings, folder.path(), &tell).await;
    tell.borrow().1.clone().unwrap().settled(SignedDuration::ZERO).await;
    until("the stream is open", async || witness.last_id.lock().unwrap().is_some()).await;
    let mut scripts = users(&crowd, &mut rng);
    let mut kills = Vec::new();
    for life in lives {
        tokio::time::sleep(life).await;
        let from = Timestamp::now();
        daemon.kill();
        kills.push(Span { from, to: Timestamp::now() });
        daemon = start_soon(&settings, folder.path(), &tell);
    }
    while let Some(script) = scripts.join_next().await {
        script.expect("scripts do not fail");
    }
    until("the last daemon serves", async || tell.borrow().1.is_some()).await;
    let api = tell.borrow().1.clone().unwrap();
    api.ready().await;
    api.settled(SignedDuration::ZERO).await;
    let events: Vec<Box<RawValue>> = api.all("/v1/events").await;
    let parsed: Vec<Event> = events.iter().map(|event| serde_json::from_str(event.get()).unwrap()).collect();
    until("the stream has caught up", async || {
        *witness.last_id.lock().unwrap() == parsed.last().map(|event| event.id)
    })
    .await;
    watching.shutdown().await;

    let last = parsed.iter().zip(events).map(|(event, text)| (event.id, text.get().to_owned())).collect();
    witness.is_borne_out(&last);
    let here = crowd.wire.here().await;
    until("occupants are those of the origin", async || occupants(&api).await == here).await;
    let tally = crowd.tally.lock().unwrap().clone();
    let judge = Judge {
        tally: &tally,
        polls: &proxy.polls,
        cache: SignedDuration::ZERO,
        seen_by: None,
        exempt: crowd.spoilt.lock().unwrap().clone(),
    };
    let visits: Vec<Visit> = api.all("/v1/visits").await;
    let (verdict, wrong) = judge.judge(&parsed, &visits);
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let count: usize = verdict.values().map(Vec::len).sum();
    assert!(count >= 50, "only {count} visits: too little to lose");
    witness.gaps_tell_of_kills(&api, &kills).await;
    witness.answers_still_hold(&api).await;
}

/// Starts the daemon and waits until it serves.
async fn start(
    settings: &Settings,
    folder: &std::path::Path,
    tell: &watch::Sender<(usize, Option<Api>)>,
) -> Process {
    let daemon = start_soon(settings, folder, tell);
    until("the daemon serves", async || tell.borrow().1.is_some()).await;
    tell.borrow().1.clone().unwrap().ready().await;
    daemon
}

/// Starts the daemon; its address is told when it serves, if it lives so long.
fn start_soon(
    settings: &Settings,
    folder: &std::path::Path,
    tell: &watch::Sender<(usize, Option<Api>)>,
) -> Process {
    let life = tell.borrow().0 + 1;
    tell.send_replace((life, None));
    let daemon = start_daemon(folder, settings);
    let (lines, tell) = (daemon.lines(), tell.clone());
    std::thread::spawn(move || {
        let Some(address) = lines.address(PATIENCE) else { return };
        // A line that was printed just before the kill may be read after it.
        tell.send_if_modified(|(now, api)| {
            let current = *now == life;
            *api = if current { Some(Api::new(&address)) } else { api.take() };
            current
        });
    });
    daemon
}

fn users(crowd: &Crowd, rng: &mut Rng) -> JoinSet<()> {
    let channels: Vec<_> = CHANNELS.iter().map(|&name| name.to_owned()).collect();
    let second = Duration::from_secs(1);
    let mut scripts = JoinSet::new();
    for number in 0..18 {
        let user = crowd.user(format!("{number}{}", HOSTILE[number % HOSTILE.len()]), rng);
        match number {
            0..4 => drop(scripts.spawn(user.regular(
                channels.clone(),
                Pace { interval: INTERVAL, long: second },
                false,
            ))),
            _ => drop(scripts.spawn(user.wander(channels.clone(), second, (0.2, 2.0), (0.1, 1.0)))),
        }
    }
    scripts
}

/// A definite answer about a channel, a user and a moment: yes or no.
type Definite = (String, String, Timestamp, String);

/// Remembers everything a daemon ever showed.
#[derive(Clone)]
struct Witness {
    address: watch::Receiver<(usize, Option<Api>)>,
    streamed: Texts,
    last_id: Arc<Mutex<Option<u64>>>,
    read: Texts,
    gaps: Arc<Mutex<Vec<Gap>>>,
    answers: Arc<Mutex<Vec<Definite>>>,
}

impl Witness {
    fn new(address: watch::Receiver<(usize, Option<Api>)>) -> Self {
        Self {
            address,
            streamed: Texts::default(),
            last_id: Arc::default(),
            read: Texts::default(),
            gaps: Arc::default(),
            answers: Arc::default(),
        }
    }

    /// A daemon that serves, or served a moment ago.
    async fn api(&mut self) -> Api {
        self.address.wait_for(|(_, api)| api.is_some()).await.unwrap().1.clone().unwrap()
    }

    /// Follows the stream from daemon to daemon.
    async fn follow(mut self) {
        loop {
            let api = self.api().await;
            let last = self.last_id.lock().unwrap().map(|id| id.to_string());
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
            self.streamed.lock().unwrap().insert(id, data.to_owned());
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
            let before = self.read.lock().unwrap().insert(id, text.get().to_owned());
            assert_eq!(before, None, "{id} came twice");
            self.ask(api, &channel, &user, rng).await?;
        }
        let page: List<Gap> = api.try_get("/v1/gaps?limit=1000").await?;
        let closed = page.items.into_iter().filter(|gap| gap.to.is_some()).collect();
        *self.gaps.lock().unwrap() = closed;
        Some(())
    }

    /// Asks where a user was a moment ago, and remembers what is definite.
    async fn ask(&self, api: &Api, channel: &str, user: &str, rng: &mut Rng) -> Option<()> {
        #[derive(Deserialize)]
        struct Answer {
            present: String,
        }
        let at = Timestamp::now() - SignedDuration::from_millis(rng.i64(50..2500));
        let Answer { present } = api.try_get(&presence_path(channel, user, Some(at))).await?;
        if present != "unknown" {
            self.answers.lock().unwrap().push((channel.to_owned(), user.to_owned(), at, present));
        }
        Some(())
    }

    /// All that was read or streamed is what the record says in the end, to the byte; the stream left nothing out.
    fn is_borne_out(&self, last: &BTreeMap<u64, String>) {
        let (read, streamed) = (self.read.lock().unwrap(), self.streamed.lock().unwrap());
        assert!(
            read.len() >= 50 && streamed.len() >= 50,
            "too little was seen: {} and {}",
            read.len(),
            streamed.len()
        );
        for (id, text) in read.iter() {
            assert_eq!(last.get(id), Some(text), "event {id} was changed or lost");
        }
        assert_eq!(&*streamed, last, "the stream is not what is recorded");
    }

    /// Every kill lies in one gap of each channel and every such gap holds a kill; what was seen closed stays so.
    async fn gaps_tell_of_kills(&self, api: &Api, kills: &[Span]) {
        let gaps: Vec<Gap> = api.all("/v1/gaps").await;
        for seen in self.gaps.lock().unwrap().iter() {
            assert!(gaps.contains(seen), "{seen:?} was closed, but now gaps are {gaps:#?}");
        }
        for channel in CHANNELS {
            let gaps: Vec<_> = gaps.iter().filter(|gap| gap.channel == channel).collect();
            for gap in &gaps {
                assert_eq!((gap.reason.as_str(), gap.users_only), ("crashed", false), "{gap:?}");
                let span =
                    Span { from: gap.from, to: gap.to.unwrap_or_else(|| panic!("still open: {gap:?}")) };
                assert!(kills.iter().any(|kill| span.meets(*kill)), "nothing crashed in {gap:?}: {kills:?}");
            }
            for kill in kills {
                // The end of a gap is rounded up to a millisecond.
                let holds = |gap: &&&Gap| gap.from <= kill.to && gap.to.is_some_and(|to| kill.to < to);
                let count = gaps.iter().filter(holds).count();
                assert_eq!(count, 1, "{kill:?} in {channel:?} has {count} gaps: {gaps:#?}");
            }
            // Two gaps may share the one observation between them: its question begins the later, its answer ends the former.
            for pair in gaps.windows(2) {
                assert!(
                    pair[0].from < pair[1].from && pair[0].to < pair[1].to,
                    "{pair:?} are not one after the other"
                );
            }
            assert!(gaps.len() >= 3, "hardly a life in which {channel:?} was observed: {gaps:?}");
        }
    }

    /// What was once answered with yes or no is never answered with the contrary.
    async fn answers_still_hold(&self, api: &Api) {
        let answers = self.answers.lock().unwrap().clone();
        assert!(answers.len() >= 50, "only {} answers", answers.len());
        let mut unknown = 0;
        for (channel, user, at, before) in &answers {
            let now = api.presence(channel, user, Some(*at)).await;
            let same = now["present"] == before.as_str();
            assert!(
                same || now["present"] == "unknown",
                "{user:?} in {channel:?} at {at}: was {before}, is {now}"
            );
            unknown += usize::from(!same);
        }
        eprintln!("{} answers were definite, {unknown} of them are unknown now", answers.len());
    }
}
