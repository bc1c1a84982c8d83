//! Every list holds what it should, each item once, in order.

use std::collections::BTreeSet;

use adsum::domain::event::{EventKind, Recorded};
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::time::{Time, Window};
use adsum::domain::visit::Visit;
use adsum::history::{EventQuery, StateAt, VisitQuery};
use proptest::prelude::*;

use crate::given::{ada, arrival, fresh, lobby, time};
use crate::world::{
    CHANNELS, World, all_events, all_gaps, all_visits, channel_name, happenings, in_order, in_span, sorted,
    user_id,
};

/// A channel and a user or any, and a span.
#[derive(Clone, Debug)]
struct Part {
    channel: Option<ChannelName>,
    user: Option<UserId>,
    from: Option<Instant>,
    to: Option<Instant>,
    page: usize,
}

/// Which of the times that something began or ended at, and how long after it; bounds are where mistakes are made.
pub(crate) type Instant = (proptest::sample::Index, i64);

fn part() -> impl Strategy<Value = Part> {
    let instant = || proptest::option::weighted(0.7, instant());
    let channel = proptest::option::of((0..CHANNELS).prop_map(channel_name));
    let user = proptest::option::of((0u8..5).prop_map(user_id));
    (channel, user, instant(), instant(), 1usize..5).prop_map(|(channel, user, from, to, page)| Part {
        channel,
        user,
        from,
        to,
        page,
    })
}

pub(crate) fn instant() -> impl Strategy<Value = Instant> {
    (any::<proptest::sample::Index>(), -1i64..=1)
}

pub(crate) fn at(world: &World<'_>, (index, after): Instant) -> Time {
    let windows = world.recorded.iter().flat_map(|e| [e.window.not_before, Some(e.window.not_after)]);
    let gaps = world.gaps.iter().flat_map(|(_, gap)| [Some(gap.from), gap.to]);
    let runs = world.runs.iter().flatten().flat_map(|run| [run.first, run.last]);
    let runs = runs.flat_map(|moment| [Some(moment.earliest), Some(moment.latest)]);
    let times: Vec<Time> = windows.chain(gaps).chain(runs).flatten().chain([world.now]).collect();
    time(times[index.index(times.len())].as_micros() + after)
}

fn kinds() -> impl Strategy<Value = Vec<EventKind>> {
    proptest::sample::subsequence(
        vec![EventKind::Join, EventKind::Leave, EventKind::State, EventKind::Present, EventKind::Settled],
        0..=5,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn events_are_found_by_any_filter_and_each_is_on_one_page(
        happenings in happenings(), parts in proptest::collection::vec((part(), kinds(), 0i64..20), 12),
    ) {
        let (_folder, history) = fresh();
        let world = World::after(history.as_ref(), &happenings);
        for (part, kinds, after_id) in parts {
            let Part { channel, user, from, to, page } = part;
            let (from, to) = (from.map(|from| at(&world, from)), to.map(|to| at(&world, to)));
            let expected: Vec<_> = world.recorded.iter().filter(|event| {
                event.id > after_id
                    && channel.as_ref().is_none_or(|channel| event.channel == *channel)
                    && user.as_ref().is_none_or(|user| event.user == *user)
                    && (kinds.is_empty() || kinds.contains(&event.kind))
                    && in_span(event.window, (from, to))
            }).cloned().collect();
            let query = EventQuery { channel, user, kinds, from, to, after: after_id, limit: 0 };
            prop_assert_eq!(all_events(history.as_ref(), &query, page), expected);
        }
    }

    #[test]
    fn visits_are_found_by_any_filter_and_each_is_on_one_page(
        happenings in happenings(),
        parts in proptest::collection::vec((part(), proptest::option::of(any::<bool>())), 12),
    ) {
        let (_folder, history) = fresh();
        let world = World::after(history.as_ref(), &happenings);
        for (part, open) in parts {
            let Part { channel, user, from, to, page } = part;
            let (from, to) = (from.map(|from| at(&world, from)), to.map(|to| at(&world, to)));
            let expected: Vec<_> = world.visits().into_iter().filter(|visit| {
                channel.as_ref().is_none_or(|channel| visit.channel == *channel)
                    && user.as_ref().is_none_or(|user| visit.user == *user)
                    && open.is_none_or(|open| visit.left.is_none() == open)
                    && visit.touches(from.unwrap_or(time(i64::MIN)), to.unwrap_or(time(i64::MAX)))
            }).collect();
            let query = VisitQuery { channel, user, from, to, open, after: None, limit: 0 };
            let visits = all_visits(history.as_ref(), &query, page);
            prop_assert!(visits.windows(2).all(|pair| pair[0].joined.not_after <= pair[1].joined.not_after));
            let names = |visits: &[Visit]| -> Vec<_> {
                in_order(visits).into_iter().map(|visit| (visit.channel, visit.opened, visit.user)).collect()
            };
            prop_assert_eq!(names(&visits), names(&expected));
        }
    }

    #[test]
    fn gaps_are_found_by_any_filter_and_each_is_on_one_page(
        happenings in happenings(), parts in proptest::collection::vec(part(), 12),
    ) {
        let (_folder, history) = fresh();
        let world = World::after(history.as_ref(), &happenings);
        for part in parts {
            let Part { channel, from, to, page, .. } = part;
            let (from, to) = (from.map(|from| at(&world, from)), to.map(|to| at(&world, to)));
            let expected: Vec<_> = world.gaps.iter().filter(|(name, gap)| {
                channel.as_ref().is_none_or(|channel| name == channel)
                    && from.is_none_or(|from| gap.to.is_none_or(|end| end >= from))
                    && to.is_none_or(|to| gap.from < to)
            }).cloned().collect();
            let gaps = all_gaps(history.as_ref(), channel.as_ref(), (from, to), page);
            prop_assert!(gaps.windows(2).all(|pair| pair[0].1.from <= pair[1].1.from));
            prop_assert_eq!(sorted(gaps), sorted(expected));
        }
    }

    #[test]
    fn runs_come_with_the_one_before_and_the_one_after(
        happenings in happenings(), spans in proptest::collection::vec((instant(), instant()), 12),
    ) {
        let (_folder, history) = fresh();
        let world = World::after(history.as_ref(), &happenings);
        for (from, to) in spans {
            let (from, to) = (at(&world, from), at(&world, to));
            let (from, to) = (from.min(to), from.max(to));
            for (index, runs) in world.runs.iter().enumerate() {
                let before = runs.iter().rposition(|run| run.last.latest < from).unwrap_or(0);
                let after = runs.iter().position(|run| run.first.earliest > to).map_or(runs.len(), |at| at + 1);
                prop_assert_eq!(history.runs(&channel_name(index), from, to).unwrap(), &runs[before..after]);
            }
        }
    }

    #[test]
    fn two_spans_that_meet_hold_what_one_over_both_does(happenings in happenings(), cuts in [instant(), instant(), instant()]) {
        let (_folder, history) = fresh();
        let world = World::after(history.as_ref(), &happenings);
        let mut cuts = cuts.map(|cut| Some(at(&world, cut)));
        cuts.sort();
        let [from, middle, to] = cuts;
        let events = |from, to| -> BTreeSet<_> {
            let query = EventQuery { from, to, ..EventQuery::default() };
            all_events(history.as_ref(), &query, 4).into_iter().map(|event| event.id).collect()
        };
        prop_assert_eq!(&events(from, middle) | &events(middle, to), events(from, to));
        let visits = |from, to| -> BTreeSet<_> {
            let query = VisitQuery { from, to, ..VisitQuery::default() };
            all_visits(history.as_ref(), &query, 4).into_iter().map(|v| (v.channel, v.opened)).collect()
        };
        prop_assert_eq!(&visits(from, middle) | &visits(middle, to), visits(from, to));
        let gaps = |from, to| -> BTreeSet<_> {
            all_gaps(history.as_ref(), None, (from, to), 4).into_iter().map(|(c, g)| (c, g.from, g.users_only)).collect()
        };
        prop_assert_eq!(&gaps(from, middle) | &gaps(middle, to), gaps(from, to));
    }

    #[test]
    fn the_state_of_a_visit_is_the_last_that_had_settled(happenings in happenings(), instants in proptest::collection::vec(instant(), 12)) {
        let (_folder, history) = fresh();
        let world = World::after(history.as_ref(), &happenings);
        for instant in instants {
            let at = at(&world, instant);
            for visit in all_visits(history.as_ref(), &VisitQuery::default(), 100) {
                let last = world.recorded.iter().rfind(|event| {
                    event.channel == visit.channel
                        && event.user == visit.user
                        && event.seq >= visit.opened
                        && visit.left.is_none_or(|left| event.window.not_after < left.not_after)
                        && event.window.not_after <= at
                        && event.state.is_known()
                });
                let expected = last.map_or(StateAt::default(), |event| {
                    StateAt { state: event.state.clone(), since: Some(event.window) }
                });
                prop_assert_eq!(history.state_at(&visit, at).unwrap(), expected);
            }
        }
    }
}

#[test]
fn lists_over_many_events_are_whole_wherever_they_begin_and_end() {
    assert_lists_of_many(|_, left| left.min(700));
}

/// 1,024 is how many events an adapter may keep together.
#[test]
fn lists_over_many_events_are_whole_when_commits_end_where_blocks_do() {
    assert_lists_of_many(|done, left| {
        let place = (done + 8) % 1024;
        if place < 16 || left < 8 { 1 } else { (1024 - place).min(left - 7) }
    });
}

/// `size` says how many events the next commit takes, after how many and of how many that are left.
fn assert_lists_of_many(size: impl Fn(usize, usize) -> usize) {
    let (_folder, history) = fresh();
    let channels = [channel_name(0), channel_name(1)];
    for channel in &channels {
        history.begin(std::slice::from_ref(channel), time(0)).unwrap();
    }
    let mut entries = Vec::new();
    for n in 1..=2495 {
        let user = UserId::new(&n.to_string()).unwrap();
        entries.push(arrival(&channels[0], &user, n));
        // The other channel's are committed long after, and now and then: ids do not follow the time.
        if n % 5 == 0 {
            let mut late = arrival(&channels[1], &user, n / 5);
            let not_after = time(i64::try_from(n).unwrap().saturating_sub(700).max(1) * 1_000_000);
            late.changes.events[0].window = Window { not_before: None, not_after };
            entries.push(late);
        }
    }
    let mut recorded: Vec<Recorded> = Vec::new();
    while let Some(rest) = entries.get(recorded.len()..).filter(|rest| !rest.is_empty()) {
        recorded.extend(history.commit(&rest[..size(recorded.len(), rest.len())]).unwrap());
    }
    assert_eq!(recorded.len(), entries.len());
    let check = |kept: &[Recorded]| {
        for step in 0..170 {
            let (from, to) = (Some(time(step * 15_000_000)), Some(time((step + 1) * 15_000_000)));
            let query = EventQuery { from, to, ..EventQuery::default() };
            let of = |channel: &ChannelName| EventQuery { channel: Some(channel.clone()), ..query.clone() };
            let expected: Vec<_> = kept.iter().filter(|e| in_span(e.window, (from, to))).cloned().collect();
            assert!(all_events(history.as_ref(), &query, 100) == expected, "step {step}");
            for channel in &channels {
                let of_channel: Vec<_> = expected.iter().filter(|e| e.channel == *channel).cloned().collect();
                assert!(
                    all_events(history.as_ref(), &of(channel), 7) == of_channel,
                    "step {step} of {channel:?}"
                );
            }
        }
        assert!(all_events(history.as_ref(), &EventQuery::default(), 1000) == kept);
    };
    check(&recorded);
    while history.expire(time(600_000_000), 500).unwrap() {}
    let expired = usize::try_from(history.event_ids().unwrap().1).unwrap();
    assert_eq!(expired, recorded.iter().take_while(|e| e.window.not_after < time(600_000_000)).count());
    assert!(expired > 0);
    check(&recorded[expired..]);
}

#[test]
fn channels_are_listed_in_order_of_name() {
    let (_folder, history) = fresh();
    for index in 0..CHANNELS {
        history.begin(&[channel_name(index)], time(0)).unwrap();
    }
    let mut expected: Vec<_> = (0..CHANNELS).map(channel_name).collect();
    expected.sort();
    let mut listed: Vec<ChannelName> = Vec::new();
    while let Some(name) = history.channels(listed.last(), 1).unwrap().pop() {
        listed.push(name);
    }
    assert_eq!(listed, expected);
}

#[test]
fn names_that_are_not_in_the_record_have_nothing() {
    let (_folder, history) = fresh();
    let query = EventQuery { user: Some(ada()), limit: 9, ..EventQuery::default() };
    assert_eq!(history.events(&query).unwrap(), []);
    assert_eq!(
        history.visits(&VisitQuery { channel: Some(lobby()), limit: 9, ..VisitQuery::default() }).unwrap(),
        []
    );
    assert_eq!(history.gaps(Some(&lobby()), (None, None), None, 9).unwrap(), []);
    assert_eq!(history.runs(&lobby(), time(0), time(1)).unwrap(), []);
    assert!(!history.knows_user(&ada()).unwrap());
    assert_eq!(history.event_ids().unwrap(), (0, 0));
}
