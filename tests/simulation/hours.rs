//! Longer times, each with one kind of trouble.

use adsum::domain::event::EventKind;
use adsum::domain::gap::GapReason;

use crate::laws;
use crate::lives::{Past, live};
use crate::plan::{Plan, SECOND};

fn seed() -> u64 {
    std::env::var("ADSUM_TEST_SEED").map_or(1, |seed| seed.parse().unwrap())
}

fn abides_by_the_laws(past: &Past) {
    let broken = laws::broken(past);
    let few: Vec<&str> = broken.iter().take(5).map(String::as_str).collect();
    assert!(broken.is_empty(), "{} are broken:\n{}", broken.len(), few.join("\n"));
}

/// How many are of a kind.
fn count(past: &Past, kind: EventKind) -> usize {
    past.record.events.iter().filter(|event| event.kind == kind).count()
}

#[test]
fn an_hour_of_200_channels_in_which_a_fifth_of_all_requests_fails_has_no_false_event() {
    let past = live(Plan::bad_hour(seed()));
    let failed = past.log.iter().filter(|exchange| exchange.result.is_err()).count();
    let cut = past.log.iter().flat_map(|exchange| exchange.result.iter().flatten());
    let cut = cut.filter(|told| !told.complete).count();
    println!(
        "{} requests, {failed} failed, {cut} lists were cut; {} joins, {} leaves, {} states, {} presents, {} gaps",
        past.log.len(),
        count(&past, EventKind::Join),
        count(&past, EventKind::Leave),
        count(&past, EventKind::State),
        count(&past, EventKind::Present),
        past.record.gaps.len(),
    );
    assert!(failed * 100 / past.log.len() >= 15, "{failed} of {} failed", past.log.len());
    assert!(cut > 100 && count(&past, EventKind::Leave) > 1000);
    abides_by_the_laws(&past);
}

#[test]
fn an_outage_of_a_minute_is_one_gap_a_channel_and_what_happened_meanwhile_spans_it() {
    let past = live(Plan::outage(seed()));
    abides_by_the_laws(&past);
    let (from, to) = (past.scale.shown(100 * SECOND), past.scale.shown(160 * SECOND));
    for (channel, _) in &past.world.plan.channels {
        let gaps: Vec<_> = past.record.gaps_of(channel).filter(|gap| !gap.users_only).collect();
        let [gap] = gaps[..] else { panic!("{channel} has {gaps:?}") };
        assert_eq!(gap.reason, GapReason::Unreachable, "{channel}");
        assert!(gap.from < from && gap.to.is_some_and(|end| end > to), "{channel}: {gap:?}");
    }
    let during = |at: &i64| (110 * SECOND..150 * SECOND).contains(at);
    let changes = past.world.truth.stays.values().flatten().flat_map(|stay| [stay.from, stay.to]);
    assert!(changes.filter(during).count() > 10, "something happens meanwhile");
    for event in past.record.events.iter().filter(|event| event.kind != EventKind::Settled) {
        let seen = event.window.not_after;
        assert!(seen < from || to < seen, "nothing was seen in the outage: {event:?}");
        if let Some(not_before) = event.window.not_before.filter(|at| *at < to && seen > to) {
            assert!(not_before < from, "what happened meanwhile has a window that spans it: {event:?}");
        }
    }
}
