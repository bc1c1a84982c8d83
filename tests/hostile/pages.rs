//! Lists in pages that do not end, repeat, or do not fit together.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::answers::{entry, flat, ok};
use crate::daemon::Daemon;
use crate::origin::{Origin, Question, Reply};

/// So many users are in one page.
const PAGE: usize = 1000;

/// What a daemon may take that is given pages without end, in MiB.
const PEAK_MIB: u64 = 250;

/// A page of a channel with an occupancy: the users `from`, `from + 1`, ….
fn page(occupancy: usize, from: usize, count: usize) -> Reply {
    let users: Vec<_> = (from..from + count).map(|n| format!("u{n}")).collect();
    listing(occupancy, &users)
}

fn listing(occupancy: usize, users: &[String]) -> Reply {
    ok(flat(&json!({"occupancy": occupancy, "uuids": users}).to_string()))
}

/// An origin whose channel "lobby" has ada, and every other channel pages.
async fn origin(pages: impl Fn(Option<usize>) -> Reply + Send + Sync + 'static) -> Origin {
    let lobby = || ok(flat(&entry(&["ada".to_owned()])));
    Origin::start(move |question| match question {
        Question::HereNow { channels, .. } if *channels == ["lobby"] => lobby(),
        Question::HereNow { offset, .. } => pages(*offset),
        _ => panic!("{question:?}"),
    })
    .await
}

/// A daemon that asks for each channel alone.
fn watch(origin: &Origin, channels: &str) -> Daemon {
    let watch = format!("channels = [{channels}]\ninterval = \"100ms\"\ninclude_state = false");
    Daemon::start(origin, "channels_per_request = 1", &watch)
}

/// Nothing but who was seen in the first page is recorded, and no join or leave: nothing was ever complete.
async fn first_page_only(daemon: &mut Daemon) {
    let events = daemon.events().await;
    assert!(
        events.iter().all(|event| event.starts_with("present u") && event.ends_with(" big")),
        "{events:?}"
    );
    assert!(events.len() <= PAGE, "{} are present", events.len());
    daemon.is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_repeat_are_a_list_cut_short() {
    // The same 1,500 users again and again; every page begins with the last user of the page before.
    let origin = origin(|offset| {
        let from = offset.unwrap_or(0);
        let users: Vec<_> = (from..from + PAGE).map(|n| format!("u{}", n % 1_500)).collect();
        listing(100_000, &users)
    })
    .await;
    let mut daemon = watch(&origin, "\"big\"");
    daemon.until("it is partial", async || daemon.channel("big").await["status"] == "partial").await;
    let asked = origin.count(|question| matches!(question, Question::HereNow { offset: Some(_), .. }));
    let good = daemon.channel("big").await["polls"]["truncated"].as_u64().unwrap();
    assert!((asked as u64) < 5 * (good + 2), "{asked} pages for {good} observations");
    first_page_only(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_come_between_pages_make_no_list_complete() {
    let more = AtomicUsize::new(0);
    let origin = origin(move |offset| {
        let occupancy = 2_500 + more.fetch_add(1, Ordering::Relaxed);
        page(occupancy, offset.unwrap_or(0), PAGE.min(occupancy - offset.unwrap_or(0)))
    })
    .await;
    let mut daemon = watch(&origin, "\"big\"");
    daemon.until("it is partial", async || daemon.channel("big").await["status"] == "partial").await;
    first_page_only(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_fit_together_are_one_complete_list() {
    let origin = origin(|offset| {
        let from = offset.unwrap_or(0);
        page(2_500, from, PAGE.min(2_500 - from))
    })
    .await;
    let daemon = watch(&origin, "\"big\"");
    daemon.until("it is complete", async || daemon.channel("big").await["complete"] == true).await;
    assert_eq!(daemon.present("big", "u2499").await, "yes");
    assert_eq!(daemon.present("big", "u2500").await, "no");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_larger_than_was_asked_for_or_without_a_list_are_bad_answers() {
    for (bad, says) in [
        (page(100_000, 0, 5_000), "a page lists 5000 user ids"),
        (ok(flat(r#"{"occupancy":100000}"#)), "has no list of users"),
    ] {
        let origin = origin(move |offset| match offset {
            None | Some(0) => page(100_000, 0, PAGE),
            Some(_) => bad.clone(),
        })
        .await;
        let mut daemon = watch(&origin, "\"big\"");
        daemon.until(says, async || daemon.log().contains(says)).await;
        daemon
            .until("it is a bad answer", async || {
                daemon.channel("big").await["polls"]["bad_answer"].as_u64() > Some(1)
            })
            .await;
        first_page_only(&mut daemon).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_without_end_keep_nobody_from_observing_the_others() {
    let origin = origin(|offset| page(4_000_000_000, offset.unwrap_or(0), PAGE)).await;
    let mut daemon = watch(&origin, "\"lobby\", \"big\"");
    daemon.tells("present ada lobby").await;
    let pages = |question: &Question| matches!(question, Question::HereNow { offset: Some(300_000..), .. });
    daemon.until("three hundred thousand users were listed", async || origin.count(pages) > 0).await;
    let lobby = daemon.channel("lobby").await;
    assert!(lobby["age_s"].as_f64() < Some(1.0), "{lobby}");
    daemon.is_sound().await;
    let peak = daemon.peak_mib();
    assert!(peak < PEAK_MIB, "it took {peak} MiB");
}
