//! `kill -9` at any instant: nothing that was ever visible is lost, changed or repeated.

use std::collections::BTreeMap;
use std::time::Duration;

use adsum::history::sqlite::verify;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::crowd::{Crowd, HOSTILE, Pace, seed};
use crate::judge::Judge;
use crate::lives::{Death, End, Lives};
use crate::process::{PATIENCE, Process, Settings, start_origin};
use crate::proxy::Proxy;
use crate::record::{Api, Event, Visit, until};
use crate::truth::occupants;
use crate::wire::{Here, Span};
use crate::witness::{self, Witness, replayed, states_are_those_of_the_record};

const CHANNELS: [&str; 7] = ["one", "two / 2", "three%33", "4 🦀", "\u{202e}\u{1b}[5m", "quiet", "still"];
/// Of these, in so many people come and go; in the others they come once and stay.
const LIVELY: usize = 5;
/// So many daemons, each with a folder of its own, see the same users.
const FOLDERS: usize = 4;
/// How often the daemon of each folder is killed.
const DEATHS: usize = 42;
/// In all folders together it must have been killed so often, and so often of each kind: some stop by themselves first.
const KILLED: (usize, usize) = (100, 8);
const INTERVAL: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_hundred_kills_lose_change_and_repeat_nothing_that_was_visible() {
    let mut rng = Rng::with_seed(seed());
    let origin_folder = tempfile::tempdir().unwrap();
    let (_origin, origin) = start_origin(origin_folder.path(), "0s");
    let crowd = Crowd::new(&origin, PATIENCE * 10);
    let mut told = Vec::new();
    for _ in 0..FOLDERS {
        told.push(Told::begin(&origin, &mut rng).await);
    }
    let mut scripts = users(&crowd, &mut rng);
    let mut living = JoinSet::new();
    for folder in told {
        living.spawn(folder.live_and_die());
    }
    let told = living.join_all().await;
    crowd.dismiss();
    while let Some(script) = scripts.join_next().await {
        script.expect("scripts do not fail");
    }
    let here = crowd.wire.here().await;
    let (mut killed, mut untold, mut unborn) = (BTreeMap::<Death, usize>::new(), 0, 0);
    for folder in told {
        unborn += folder.lives.ends.iter().filter(|end| !end.served).count();
        folder
            .lives
            .killed()
            .into_iter()
            .for_each(|(death, count)| *killed.entry(death).or_default() += count);
        untold += folder.holds(&crowd, &here).await;
    }
    eprintln!("killed: {killed:?}, {unborn} of them before they served");
    eprintln!("{untold} events were committed before a kill and told after it");
    let (all, each) = KILLED;
    assert!(killed.values().sum::<usize>() >= all, "{killed:?}");
    assert!(Death::ALL.iter().all(|death| killed.get(death) >= Some(&each)), "{killed:?}");
    assert!(unborn >= each, "only {unborn} were killed before they served");
    assert!(untold > 0, "no kill came between a commit and its publication");
}

/// One folder, and what its daemons told.
struct Told {
    lives: Lives,
    daemon: Process,
    witness: Witness,
    watching: JoinSet<()>,
    proxy: Proxy,
    _folder: tempfile::TempDir,
}

impl Told {
    /// The first daemon, before anybody comes.
    async fn begin(origin: &str, rng: &mut Rng) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let proxy = Proxy::start(origin).await;
        let mut settings = Settings::new(&proxy.address, &CHANNELS, "200ms", "0s");
        // Polls may be late on a busy machine; here only ends shall make gaps.
        settings.gap_after = Some("60s");
        let address = watch::Sender::new((0, None));
        let witness = Witness::new(address.subscribe());
        let watching = witness.watch(rng);
        let path = folder.path().to_owned();
        let lives = Lives { folder: path, settings, address, rng: rng.fork(), ends: Vec::new() };
        let daemon = lives.start();
        let api = lives.serves().await;
        api.ready().await;
        api.settled(SignedDuration::ZERO).await;
        until("the stream is open", async || witness.last_id().is_some()).await;
        Self { lives, daemon, witness, watching, proxy, _folder: folder }
    }

    async fn live_and_die(mut self) -> Self {
        let from = Timestamp::now();
        self.daemon.kill();
        let span = Span { from, to: Timestamp::now() };
        self.lives.ends.push(End { span, death: Death::Anytime, killed: true, served: true });
        for death in Death::many(DEATHS, &mut self.lives.rng.fork()) {
            self.lives.live(death).await;
            keeps_the_laws(&self.lives).await;
        }
        self.daemon = self.lives.start();
        self
    }

    /// Everything that must hold in the end. Gives how many events were committed before a kill and told after it.
    async fn holds(self, crowd: &Crowd, here: &BTreeMap<String, Here>) -> usize {
        let api = self.lives.serves().await;
        api.ready().await;
        api.settled(SignedDuration::ZERO).await;
        keeps_the_laws(&self.lives).await;
        until("occupants are those of the origin", async || occupants(&api).await == *here).await;
        let events: Vec<Box<RawValue>> = api.all("/v1/events").await;
        let parsed: Vec<Event> =
            events.iter().map(|event| serde_json::from_str(event.get()).unwrap()).collect();
        let last = parsed.last().map(|event| event.id);
        until("the stream has caught up", async || self.witness.last_id() == last).await;
        witness::stop(self.watching).await;

        let texts =
            parsed.iter().zip(events).map(|(event, text)| (event.id, text.get().to_owned())).collect();
        self.witness.is_borne_out(&texts);
        is_true(crowd, &self.proxy, &api, &parsed).await;
        let roster =
            here.iter().map(|(name, users)| (name.clone(), users.keys().cloned().collect())).collect();
        assert_eq!(replayed(&parsed), roster, "the events do not give the roster");
        let states = states_are_those_of_the_record(&api, &parsed, here).await;
        assert!(states >= 20, "only {states} states: too little to lose");
        let ends: Vec<_> = self.lives.ends.iter().map(|end| end.span).collect();
        let stops = self.lives.ends.iter().filter(|end| end.death == Death::Stopping);
        let stops: Vec<_> = stops.map(|end| end.span).collect();
        self.witness.gaps_tell_of_ends(&api, (&CHANNELS, &self.proxy.polls), &ends, &stops).await;
        self.witness.answers_still_hold(&api).await;
        self.witness.committed_but_not_told(&parsed, &ends)
    }
}

/// The history keeps the laws, whatever a kill left of it, and while a daemon writes it.
async fn keeps_the_laws(lives: &Lives) {
    let history = lives.folder.join("data/history.db");
    let verified = tokio::task::spawn_blocking(move || verify(&history, &mut |_| ()).unwrap());
    let verified = verified.await.unwrap();
    assert!(verified.is_sound(), "{:#?}", verified.broken);
}

/// What is recorded is what happened.
async fn is_true(crowd: &Crowd, proxy: &Proxy, api: &Api, events: &[Event]) {
    let tally = crowd.tally.lock().unwrap().clone();
    let judge = Judge {
        whole: true,
        tally: &tally,
        polls: &proxy.polls,
        cache: SignedDuration::ZERO,
        seen_by: None,
        exempt: crowd.spoilt.lock().unwrap().clone(),
    };
    let visits: Vec<Visit> = api.all("/v1/visits").await;
    let (verdict, wrong) = judge.judge(events, &visits);
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let count: usize = verdict.values().map(Vec::len).sum();
    assert!(count >= 50, "only {count} visits: too little to lose");
}

fn users(crowd: &Crowd, rng: &mut Rng) -> JoinSet<()> {
    let all: Vec<_> = CHANNELS.iter().map(|&name| name.to_owned()).collect();
    let (channels, quiet) = all.split_at(LIVELY);
    let channels = channels.to_vec();
    let second = Duration::from_secs(1);
    let mut scripts = JoinSet::new();
    for (number, channel) in quiet.iter().cycle().take(6).enumerate() {
        let (user, channel) = (crowd.user(format!("stays {number}"), rng), channel.clone());
        scripts.spawn(async move { user.join(&channel).await });
    }
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
