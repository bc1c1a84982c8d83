//! What is older than is kept goes, and nothing else.

use adsum::domain::gap::{Gap, GapReason};
use adsum::history::{EventQuery, VisitQuery};
use proptest::prelude::*;

use crate::given::{ada, arrival, departure, extended, fresh, lobby, moment, open, time};
use crate::lists::{at, instant};
use crate::record::assert_same_roster;
use crate::world::{
    CHANNELS, Step, World, all_events, all_gaps, all_visits, channel_name, happenings, in_order, sorted,
    user_id,
};

#[test]
fn an_id_is_never_used_again_even_if_the_newest_event_expired() {
    let folder = tempfile::tempdir().unwrap();
    let history = open(&folder);
    history.begin(&[lobby()], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1), departure(&lobby(), &ada(), 2)]).unwrap();
    assert!(!history.expire(time(i64::MAX), 100).unwrap());
    assert_eq!(history.event_ids().unwrap(), (2, 2));
    assert!(!history.knows_user(&ada()).unwrap());
    drop(history);
    let history = open(&folder);
    assert_eq!(history.commit(&[arrival(&lobby(), &ada(), 3)]).unwrap()[0].id, 3);
    assert_eq!(history.kept_since().unwrap(), Some(time(i64::MAX)));
}

#[test]
fn nothing_is_said_to_be_forgotten_before_anything_is() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap();
    assert!(!history.expire(time(5), 100).unwrap());
    assert_eq!((history.kept_since().unwrap(), history.event_ids().unwrap()), (None, (1, 0)));
}

#[test]
fn a_channel_unwatched_for_longer_than_is_kept_forgets_its_roster() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    history.begin(&[channel_name(1)], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1), arrival(&channel_name(1), &user_id(1), 1)]).unwrap();
    let mut unwatched = extended(&lobby(), moment(2_000_000, 2_001_000));
    unwatched.changes.gaps = vec![Gap::open(time(2_000_000), GapReason::Unwatched)];
    history.commit(&[unwatched]).unwrap();
    assert!(!history.expire(time(2_000_000), 100).unwrap());
    assert!(history.checkpoint(&lobby()).unwrap().is_some(), "not yet");
    let mut calls = 0;
    while history.expire(time(2_000_001), 2).unwrap() {
        calls += 1;
    }
    assert!((1..9).contains(&calls), "a few rows at a time: {calls}");
    assert!(history.checkpoint(&lobby()).unwrap().is_none());
    assert!(!history.knows_user(&ada()).unwrap());
    assert_eq!(history.channels(None, 9).unwrap(), [channel_name(1)]);
    assert!(history.knows_user(&user_id(1)).unwrap());
    history.begin(&[lobby()], time(9)).unwrap();
    assert_eq!(history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap()[0].id, 3, "it may come again");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_expires_is_gone_and_the_rest_stays(mut happenings in happenings(), before in instant(), limit in 4usize..40) {
        // A channel whose watch ended is forgotten as a whole: another test.
        happenings.retain(|(_, _, step)| !matches!(step, Step::Restart(GapReason::Unwatched)));
        let (_folder, history) = fresh();
        let mut world = World::after(history.as_ref(), &happenings);
        let before = at(&world, before);
        let kept_visits = in_order(&all_visits(history.as_ref(), &VisitQuery::default(), 50));
        let kept_visits: Vec<_> =
            kept_visits.into_iter().filter(|visit| visit.left.is_none_or(|left| left.not_after >= before)).collect();
        let mut calls = 0;
        while history.expire(before, limit).unwrap() {
            calls += 1;
            prop_assert!(calls < 1000);
        }
        let (newest, expired) = history.event_ids().unwrap();
        prop_assert_eq!(newest, world.recorded.last().map_or(0, |event| event.id));
        let over = world.recorded.iter().take_while(|event| event.window.not_after < before).count();
        prop_assert_eq!(usize::try_from(expired).unwrap(), over);
        prop_assert_eq!(&all_events(history.as_ref(), &EventQuery::default(), 9), &world.recorded[over..]);
        prop_assert_eq!(in_order(&all_visits(history.as_ref(), &VisitQuery::default(), 50)), kept_visits.clone());
        world.gaps.retain(|(_, gap)| gap.to.is_none_or(|to| to >= before));
        prop_assert_eq!(sorted(all_gaps(history.as_ref(), None, (None, None), 9)), sorted(world.gaps.clone()));
        for index in 0..CHANNELS {
            let all = std::mem::take(&mut world.runs[index]);
            let last = all.last().copied();
            world.runs[index] =
                all.into_iter().filter(|run| run.last.latest >= before || Some(*run) == last).collect();
            prop_assert_eq!(
                &history.runs(&channel_name(index), time(i64::MIN), time(i64::MAX)).unwrap(), &world.runs[index]
            );
            let kept = history.checkpoint(&channel_name(index)).unwrap().unwrap();
            assert_same_roster(&kept.roster, world.channels[index].roster());
            // Every filter still finds what is left.
            let query = EventQuery { channel: Some(channel_name(index)), ..EventQuery::default() };
            let left = world.recorded[over..].iter().filter(|event| event.channel == channel_name(index));
            prop_assert_eq!(all_events(history.as_ref(), &query, 2), left.cloned().collect::<Vec<_>>());
        }
        for user in (0..5).map(user_id) {
            let left = world.recorded[over..].iter().any(|event| event.user == user)
                || kept_visits.iter().any(|visit| visit.user == user);
            prop_assert_eq!(history.knows_user(&user).unwrap(), left);
        }
        world.reload(0);
        world.live(&happenings);
        prop_assert!(world.recorded.windows(2).all(|pair| pair[0].id < pair[1].id), "no id is used again");
    }
}
