//! Merged visits in pages are the visits merged at once.

use std::collections::BTreeMap;
use std::time::Duration;

use adsum::actors::handle::{AskError, MAX_LOOKED_AT, VisitItem};
use adsum::domain::channel::Changes;
use adsum::domain::event::{Event, EventKind};
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::state::Shown;
use adsum::domain::time::{Time, Window};
use adsum::domain::visit::Visit;
use adsum::history::{Entry, HistoryError, MAX_JOINED, VisitQuery};

use crate::world::{FakeSource, World, channel, settings, user};

/// Every page of a list.
async fn pages(world: &World, query: VisitQuery, merged: Option<Duration>, limit: usize) -> Vec<VisitItem> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let query = VisitQuery { after, limit, ..query.clone() };
        let page = world.adsum.visits(query, merged).await.unwrap();
        assert!(page.items.len() <= limit);
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}

/// What tells a visit apart, merged or not.
fn told(visit: &Visit) -> (String, String, u64, Window, Option<Window>) {
    let (channel, user) = (visit.channel.as_str().to_owned(), visit.user.as_str().to_owned());
    (channel, user, visit.opened, visit.joined, visit.left)
}

/// Joins consecutive visits of one user in one channel whose absence between them was `at_most` this long, whatever
/// the truth within the windows. The visits are given in order of time for each user and channel.
fn merge(visits: Vec<Visit>, at_most: Duration) -> Vec<Visit> {
    let mut merged: Vec<Visit> = Vec::with_capacity(visits.len());
    let mut last: BTreeMap<(ChannelName, UserId), usize> = BTreeMap::new();
    for visit in visits {
        let key = (visit.channel.clone(), visit.user.clone());
        let before = last.get(&key).and_then(|&index| merged.get_mut(index));
        match before {
            Some(before) if before.longest_absence(&visit).is_some_and(|absence| absence <= at_most) => {
                *before = before.clone().joined_with(visit);
            }
            _ => {
                last.insert(key, merged.len());
                merged.push(visit);
            }
        }
    }
    merged
}

#[actix::test]
async fn the_pages_of_merged_visits_are_the_visits_merged_at_once() {
    let mut chance = fastrand::Rng::with_seed(7);
    let world = World::start(settings(&["lobby", "hall"]), FakeSource::default()).await;
    let began = world.adsum.now();
    for _ in 0..300 {
        let (room, who) = (["lobby", "hall"][chance.usize(..2)], ["ada", "bob", "cleo"][chance.usize(..3)]);
        if chance.bool() {
            world.source.join(room, who);
        } else {
            world.source.change(|s| {
                s.channels.entry(room.to_owned()).or_default().remove(who);
            });
        }
        world.pass(chance.f64() * 15.0).await;
    }
    let somewhen = |chance: &mut fastrand::Rng| began.plus(Duration::from_secs_f64(chance.f64() * 2000.0));
    for case in 0..150 {
        let (one, other) = (somewhen(&mut chance), somewhen(&mut chance));
        let query = VisitQuery {
            channel: chance.bool().then(|| channel("lobby")),
            user: chance.bool().then(|| user("ada")),
            from: chance.bool().then(|| one.min(other)),
            to: chance.bool().then(|| one.max(other)),
            open: [None, None, Some(true), Some(false)][chance.usize(..4)],
            ..VisitQuery::default()
        };
        let at_most = Duration::from_secs(chance.u64(..60));
        let all = pages(&world, query.clone(), None, 1000).await;
        let whole = merge(all.iter().map(|item| item.visit.clone()).collect(), at_most);
        let found = pages(&world, query.clone(), Some(at_most), chance.usize(1..6)).await;
        let found_visits: Vec<_> = found.iter().map(|item| told(&item.visit)).collect();
        assert_eq!(
            found_visits,
            whole.iter().map(told).collect::<Vec<_>>(),
            "case {case}: {query:?}, {at_most:?}"
        );
        let proven = |items: &[VisitItem]| items.iter().map(|item| item.length.min).sum::<Duration>();
        assert_eq!(proven(&found), proven(&all), "an absence is not proven time");
        assert!(all.len() < 10 || at_most < Duration::from_secs(30) || whole.len() < all.len());
    }
}

/// A user who was there from one second to the next, `count` times in a row.
fn flaps(name: &str, count: u64) -> Vec<Entry> {
    let time = |second: u64| Time::from_micros(1_000_000).plus(Duration::from_secs(second));
    let event = |seq: u64| Event {
        seq,
        user: user(name),
        kind: if seq % 2 == 1 { EventKind::Join } else { EventKind::Leave },
        window: Window { not_before: Some(time(seq)), not_after: time(seq + 1) },
        occupancy: 0,
        state: Shown::Unknown,
    };
    let entry = |events: Vec<Event>| Entry::new(channel(name), Changes { events, ..Changes::default() });
    let events: Vec<Event> = (1..=2 * count).map(event).collect();
    events.chunks(5000).map(|events| entry(events.to_vec())).collect()
}

#[actix::test]
async fn somebody_who_flaps_all_day_is_one_visit_and_hides_nobody() {
    let world = World::start(settings(&[]), FakeSource::default()).await;
    let many = MAX_LOOKED_AT as u64 + 100;
    for (name, count) in [("ada", many), ("bob", 3), ("cleo", many), ("dan", 1)] {
        world.history.begin(&[channel(name)], Time::from_micros(0)).unwrap();
        for entry in flaps(name, count) {
            world.history.commit(&[entry]).unwrap();
        }
    }
    let found = pages(&world, VisitQuery::default(), Some(Duration::from_secs(5)), 100).await;
    let names: Vec<_> = found.iter().map(|item| item.visit.user.as_str()).collect();
    assert_eq!(names, ["ada", "bob", "cleo", "dan"]);
    let ada = found.first().unwrap();
    assert_eq!(ada.length.min, Duration::ZERO);
    assert_eq!(ada.length.max, Some(Duration::from_secs(2 * many)));
}

/// One merged visit was read to its end, however many visits that took.
#[actix::test]
async fn more_visits_than_are_joined_to_one_are_no_answer_and_a_shorter_span_of_them_is() {
    let world = World::start(settings(&[]), FakeSource::default()).await;
    world.history.begin(&[channel("ada")], Time::from_micros(0)).unwrap();
    for entry in flaps("ada", MAX_JOINED as u64 + 1) {
        world.history.commit(&[entry]).unwrap();
    }
    let joined = Some(Duration::from_secs(5));
    let query = VisitQuery { limit: 10, ..VisitQuery::default() };
    let refused = world.adsum.visits(query.clone(), joined).await;
    assert!(
        matches!(&refused, Err(AskError::History(HistoryError::TooManyJoined { user, .. })) if user.as_str() == "ada"),
        "{refused:?}"
    );
    let to = Some(Time::from_micros(1_000_000).plus(Duration::from_secs(2 * MAX_JOINED as u64)));
    let all = world.adsum.visits(VisitQuery { to, ..query }, joined).await.unwrap().items;
    assert_eq!(all.len(), 1);
}
