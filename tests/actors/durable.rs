//! What the recorder owes to listeners and to the truth when commits fail.

use std::sync::atomic::Ordering;

use adsum::domain::answer::Present;
use adsum::domain::gap::GapReason;
use adsum::domain::names::UserId;

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
