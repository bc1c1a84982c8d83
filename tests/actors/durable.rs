//! What the recorder owes to listeners and to the truth when commits fail.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::Actor as _;
use adsum::actors::clock::Clock;
use adsum::actors::live::Registry;
use adsum::actors::recorder::{Recorder, RecorderParts, record};
use adsum::actors::seat::{Obituary, Seat};
use adsum::actors::supervisor::Child;
use adsum::domain::answer::Present;
use adsum::domain::channel::Changes;
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::time::Time;
use adsum::history::sqlite::Sqlite;
use adsum::history::{Entry, History, MAX_COMMIT_ROWS};
use tokio::sync::{broadcast, mpsc, watch};

use crate::flaky::{Faults, Flaky};
use crate::watching;
use crate::world::channel;

fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

#[actix::test]
async fn an_event_that_was_committed_but_whose_commit_was_lost_is_told_to_listeners_too() {
    let world = watching(&["lobby"]).await;
    world.source.join("lobby", "ada");
    world.pass(12.0).await;
    let mut heard = world.adsum.subscribe();
    world.faults.panic_after.store(true, Ordering::SeqCst);
    world.source.join("lobby", "bob");
    world.pass(40.0).await;
    assert!(!world.faults.panic_after.load(Ordering::SeqCst), "it did panic");
    let told = heard.try_recv().expect("though nothing else happened");
    let told: Vec<_> = told.iter().map(|event| (event.id, event.user.as_str())).collect();
    assert_eq!(told, [(2, "bob")]);
    world.source.join("lobby", "cleo");
    world.pass(12.0).await;
    assert_eq!(heard.try_recv().unwrap()[0].id, 3);
    assert!(heard.try_recv().is_err(), "nothing twice");
}

/// An absence that was seen and could not be recorded was once covered up by the next look.
#[actix::test]
async fn who_was_seen_to_be_gone_while_the_history_could_not_be_written_is_not_said_to_have_stayed() {
    let world = watching(&["lobby"]).await;
    world.source.join("lobby", "ada");
    world.pass(12.0).await;
    world.faults.unavailable.store(true, Ordering::SeqCst);
    world.source.leave("lobby", "ada");
    world.pass(6.0).await;
    let absent = world.adsum.now();
    world.source.join("lobby", "ada");
    world.pass(6.0).await;
    world.faults.unavailable.store(false, Ordering::SeqCst);
    world.pass(20.0).await;
    let gaps = world.adsum.gaps(Some(&channel("lobby")), None, None, None, 10).await.unwrap().items;
    assert!(
        matches!(&gaps[..], [(_, gap)] if gap.reason == GapReason::HistoryUnavailable && gap.covers(absent)),
        "{gaps:?}"
    );
}

/// The same where the commit was lost, and the channel was loaded again.
#[actix::test]
async fn who_was_seen_to_be_gone_in_a_commit_that_was_lost_is_not_said_to_have_stayed() {
    let world = watching(&["lobby"]).await;
    world.source.join("lobby", "ada");
    world.pass(12.0).await;
    world.faults.panic_before.store(true, Ordering::SeqCst);
    world.source.leave("lobby", "ada");
    world.pass(6.0).await;
    assert!(!world.faults.panic_before.load(Ordering::SeqCst), "it did panic");
    let absent = world.adsum.now();
    world.source.join("lobby", "ada");
    world.pass(20.0).await;
    let answer = world.adsum.presence(&channel("lobby"), &user("ada"), Some(absent)).await.unwrap();
    assert_eq!(answer.answer.present, Present::Unknown, "{:?}", world.events().await);
}

/// Gaps did not count, so the end of an outage was one commit, however many channels it was for.
#[actix::test]
async fn the_gaps_of_many_channels_are_not_one_commit() {
    const CHANNELS: usize = MAX_COMMIT_ROWS * 6 / 5;
    let folder = crate::memory::folder();
    let (faults, began) = (Arc::<Faults>::default(), Time::from_micros(0));
    let inner = Box::new(Sqlite::open(&folder.path().join("history.db")).unwrap());
    let history: Arc<dyn History> = Arc::new(Flaky { inner, faults: Arc::clone(&faults) });
    let names: Vec<ChannelName> = (0..CHANNELS).map(|n| channel(&format!("room.{n}"))).collect();
    history.begin(&names, began).unwrap();
    let parts = RecorderParts {
        history: Arc::clone(&history),
        registry: Registry::default(),
        clock: Clock::starting_at(began),
        mark_every: Duration::from_secs(3600),
        retain: Duration::from_secs(86_400),
        newest: None,
        committed: broadcast::Sender::new(16),
        told: Arc::default(),
        keeper: Seat::default(),
        health: Arc::new(watch::Sender::new(None)),
    };
    let (recorder, deaths) = (Seat::default(), mpsc::unbounded_channel().0);
    recorder.put(Recorder::new(parts, Obituary::new(Child::Recorder, deaths)).start());
    let commits = names.into_iter().map(|channel| {
        let gaps = vec![Gap::open(began, GapReason::Timeout)];
        record(&recorder, Entry::new(channel, Changes { gaps, ..Changes::default() }))
    });
    let done = futures_util::future::join_all(commits).await;
    assert!(done.iter().all(Result::is_ok));
    let commits = faults.commits.lock();
    assert_eq!(commits.iter().map(|(channels, _)| channels).sum::<usize>(), CHANNELS);
    assert!(commits.iter().all(|(channels, gaps)| channels + gaps <= MAX_COMMIT_ROWS), "{commits:?}");
    assert!(commits.len() < 20, "few are many: {commits:?}");
}
