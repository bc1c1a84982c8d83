use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const START: Moment = Moment::from_micros(1_700_000_000_000_000);
const TIMEOUT: Duration = Duration::from_mins(5);

fn at(seconds: u64) -> Moment {
    START.after(Duration::from_secs(seconds))
}

fn names(all: &[&str]) -> Vec<Name> {
    all.iter().map(|&name| name.into()).collect()
}

fn state(json: &str) -> State {
    State::parse(json).unwrap()
}

fn world() -> World {
    World::new(TIMEOUT, Limits::default())
}

fn arrive(
    world: &mut World,
    now: Moment,
    user: &str,
    channels: &[&str],
    timeout: Option<u64>,
) -> Vec<String> {
    let (channels, states) = (names(channels), HashMap::new());
    let arrival =
        Arrival { user, channels: &channels, timeout: timeout.map(Duration::from_secs), states: &states };
    told(&world.arrive(now, arrival).unwrap())
}

fn told(changes: &[Change]) -> Vec<String> {
    changes.iter().map(tell).collect()
}

fn tell(change: &Change) -> String {
    let Change { channel, user, kind, occupancy, .. } = change;
    let what = match kind {
        ChangeKind::Join => "join".to_owned(),
        ChangeKind::Leave => "leave".to_owned(),
        ChangeKind::Timeout => "timeout".to_owned(),
        ChangeKind::StateChange(state) => format!("state {}", state.json()),
    };
    format!("{channel} {user} {what} {occupancy}")
}

fn occupants(world: &World, channel: &str) -> Vec<String> {
    world.occupants(channel).map(|(user, _)| user.to_string()).collect()
}

#[test]
fn the_first_sign_of_a_user_is_a_join_and_the_next_is_not() {
    let mut world = world();
    assert_eq!(arrive(&mut world, at(0), "u", &["a", "b"], None), ["a u join 1", "b u join 1"]);
    assert_eq!(arrive(&mut world, at(1), "u", &["a", "c"], None), ["c u join 1"]);
    assert_eq!(arrive(&mut world, at(2), "v", &["a"], None), ["a v join 2"]);
    assert_eq!(occupants(&world, "a"), ["u", "v"]);
    assert_eq!(world.where_is("u").map(|c| &**c).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn a_user_times_out_exactly_its_timeout_after_it_was_last_heard_of() {
    let mut world = world();
    arrive(&mut world, at(0), "u", &["c"], Some(8));
    arrive(&mut world, at(5), "u", &["c"], None);
    assert_eq!(told(&world.expire(at(12))), [] as [String; 0]);
    let changes = world.expire(at(20));
    assert_eq!(changes[0].at, at(13));
    assert_eq!(told(&changes), ["c u timeout 0"]);
    assert!(world.is_empty());
    assert_eq!(world.next_alarm(), None);
}

#[test]
fn timeouts_come_in_the_order_of_the_deadlines() {
    let mut world = world();
    arrive(&mut world, at(0), "late", &["c"], Some(30));
    arrive(&mut world, at(0), "put off", &["c"], Some(10));
    arrive(&mut world, at(0), "early", &["c"], Some(20));
    arrive(&mut world, at(5), "put off", &["c"], Some(20));
    assert_eq!(told(&world.expire(at(99))), ["c early timeout 2", "c put off timeout 1", "c late timeout 0"]);
}

#[test]
fn a_shorter_timeout_counts_from_the_heartbeat_that_asks_for_it() {
    let mut world = world();
    arrive(&mut world, at(0), "u", &["c"], Some(86_400));
    arrive(&mut world, at(1), "u", &["c"], Some(2));
    assert_eq!(world.next_alarm(), Some(at(3)));
    assert_eq!(told(&world.expire(at(3))), ["c u timeout 0"]);
}

#[test]
fn who_names_no_timeout_gets_the_default_and_keeps_one_named_before() {
    let mut world = world();
    arrive(&mut world, at(0), "default", &["c"], None);
    arrive(&mut world, at(0), "named", &["c"], Some(20));
    arrive(&mut world, at(10), "named", &["c"], None);
    assert_eq!(told(&world.expire(at(30))), ["c named timeout 1"]);
    assert_eq!(told(&world.expire(at(299))), [] as [String; 0]);
    assert_eq!(told(&world.expire(at(300))), ["c default timeout 0"]);
}

#[test]
fn a_held_user_stays_and_its_timeout_counts_from_the_release() {
    let mut world = world();
    arrive(&mut world, at(0), "u", &["c"], Some(20));
    let first = world.hold("u", &names(&["c", "elsewhere"]));
    let second = world.hold("u", &names(&["c"]));
    assert_eq!(first.len(), 1);
    assert_eq!(told(&world.expire(at(100))), [] as [String; 0]);
    world.release(at(100), first);
    assert_eq!(told(&world.expire(at(200))), [] as [String; 0]);
    world.release(at(200), second);
    assert_eq!(told(&world.expire(at(219))), [] as [String; 0]);
    assert_eq!(told(&world.expire(at(220))), ["c u timeout 0"]);
}

#[test]
fn a_hold_of_an_earlier_stay_says_nothing_about_a_later_one() {
    let mut world = world();
    arrive(&mut world, at(0), "u", &["c"], Some(20));
    let old = world.hold("u", &names(&["c"]));
    assert_eq!(told(&world.leave(at(1), "u", &names(&["c"]))), ["c u leave 0"]);
    world.release(at(2), old.clone());
    assert_eq!(world.occupancy("c"), 0);
    arrive(&mut world, at(3), "u", &["c"], Some(20));
    world.release(at(10), old);
    assert_eq!(told(&world.expire(at(23))), ["c u timeout 0"]);
}

#[test]
fn leaving_where_one_is_not_changes_nothing() {
    let mut world = world();
    arrive(&mut world, at(0), "u", &["c"], None);
    assert_eq!(told(&world.leave(at(1), "v", &names(&["c"]))), [] as [String; 0]);
    assert_eq!(told(&world.leave(at(1), "u", &names(&["d", "c"]))), ["c u leave 0"]);
    assert_eq!(told(&world.leave(at(1), "u", &names(&["c"]))), [] as [String; 0]);
    assert_eq!(world.where_is("u").count(), 0);
}

#[test]
fn who_comes_again_is_last_in_the_order_of_joining() {
    let mut world = world();
    for user in ["a", "b", "c"] {
        arrive(&mut world, at(0), user, &["x"], None);
    }
    world.leave(at(1), "a", &names(&["x"]));
    arrive(&mut world, at(2), "a", &["x"], None);
    assert_eq!(occupants(&world, "x"), ["b", "c", "a"]);
}

#[test]
fn a_state_replaces_the_one_before_and_dies_with_the_stay() {
    let mut world = world();
    let c = names(&["c"]);
    arrive(&mut world, at(0), "u", &["c"], Some(20));
    let set = |world: &mut World, json| told(&world.set_state(at(1), "u", &c, &state(json)).unwrap());
    assert_eq!(set(&mut world, r#"{"a":1,"b":2}"#), [r#"c u state {"a":1,"b":2} 1"#]);
    assert_eq!(set(&mut world, r#"{"a":3}"#), [r#"c u state {"a":3} 1"#]);
    assert_eq!(set(&mut world, r#"{ "a": 3 }"#), [] as [String; 0], "the same again is no change");
    assert_eq!(world.state("c", "u").unwrap().json(), r#"{"a":3}"#);
    world.leave(at(2), "u", &c);
    assert!(world.state("c", "u").is_none());
    arrive(&mut world, at(3), "u", &["c"], Some(20));
    assert!(world.state("c", "u").is_none());
    set(&mut world, r#"{"a":4}"#);
    world.expire(at(99));
    assert!(world.state("c", "u").is_none());
    assert_eq!(world.state_bytes, 0);
}

#[test]
fn a_state_set_beforehand_waits_for_its_user() {
    let mut world = world();
    let c = names(&["c"]);
    assert_eq!(told(&world.set_state(at(0), "u", &c, &state(r#"{"a":1}"#)).unwrap()), [] as [String; 0]);
    assert_eq!(world.state("c", "u").unwrap().json(), r#"{"a":1}"#);
    assert_eq!(world.occupancy("c"), 0);
    assert_eq!(arrive(&mut world, at(1), "u", &["c"], None), ["c u join 1"]);
    let (_, seated) = world.occupants("c").next().unwrap();
    assert_eq!(seated.unwrap().json(), r#"{"a":1}"#);

    world.set_state(at(2), "v", &c, &state("{}")).unwrap();
    world.leave(at(3), "v", &c);
    assert!(world.state("c", "v").is_none(), "a leave forgets it");
}

#[test]
fn a_heartbeat_sets_states_but_repeats_are_no_change() {
    let mut world = world();
    let channels = names(&["c"]);
    let mut beat = |json| {
        let states = HashMap::from([("c".into(), state(json)), ("elsewhere".into(), state("{}"))]);
        let arrival = Arrival { user: "u", channels: &channels, timeout: None, states: &states };
        told(&world.arrive(at(0), arrival).unwrap())
    };
    assert_eq!(beat(r#"{"a":1,"b":2}"#), ["c u join 1", r#"c u state {"a":1,"b":2} 1"#]);
    assert_eq!(beat(r#"{"b":2, "a":1}"#), [] as [String; 0]);
    assert_eq!(beat(r#"{"a":2}"#), [r#"c u state {"a":2} 1"#]);
}

#[test]
fn groups_stand_for_their_channels() {
    let mut world = world();
    world.groups_mut().add(&"g".into(), &names(&["b", "a"])).unwrap();
    world.groups_mut().add(&"h".into(), &names(&["c"])).unwrap();
    let resolved = world.resolve(&names(&["c", "z"]), &names(&["g", "h", "none"])).unwrap();
    assert_eq!(resolved, names(&["c", "z", "a", "b"]));
    world.groups_mut().remove("g", &names(&["a", "none"]));
    world.groups_mut().delete("h");
    assert_eq!(world.resolve(&[], &names(&["g", "h"])).unwrap(), names(&["b"]));
    world.groups_mut().remove("g", &names(&["b"]));
    assert_eq!(world.groups().names().count(), 0);
    assert!(world.is_empty());
}

#[test]
fn what_would_go_over_a_limit_is_refused_and_changes_nothing() {
    let limits = Limits {
        occupants: 2,
        state_bytes: 10,
        unseated_states: 2,
        groups: 1,
        group_channels: 2,
        request_channels: 3,
    };
    let mut world = World::new(TIMEOUT, limits);
    arrive(&mut world, at(0), "u", &["a"], None);
    let (channels, states) = (names(&["a", "b", "c"]), HashMap::new());
    let arrival = Arrival { user: "u", channels: &channels, timeout: None, states: &states };
    assert_eq!(world.arrive(at(0), arrival).unwrap_err(), Full::Occupants);
    assert_eq!(world.where_is("u").count(), 1);
    assert_eq!(arrive(&mut world, at(0), "u", &["a", "b"], None), ["b u join 1"]);

    assert_eq!(world.set_state(at(0), "u", &channels, &state(r#"{"a":1}"#)).unwrap_err(), Full::State);
    world.set_state(at(0), "u", &channels[..1], &state(r#"{"a":1}"#)).unwrap();
    let states = HashMap::from([("b".into(), state(r#"{"a":1}"#))]);
    let arrival = Arrival { user: "u", channels: &channels[..2], timeout: None, states: &states };
    assert_eq!(world.arrive(at(0), arrival).unwrap_err(), Full::State);

    for user in ["x", "y", "z"] {
        world.set_state(at(0), user, &channels[..1], &state("{}")).unwrap();
    }
    assert!(world.state("a", "x").is_none(), "the state set longest ago gives way");
    assert!(world.state("a", "y").is_some() && world.state("a", "z").is_some());

    let group = Name::from("g");
    let groups = world.groups_mut();
    assert_eq!(groups.add(&group, &channels), Err(GroupRefusal::TooManyChannels));
    groups.add(&group, &channels[..2]).unwrap();
    assert_eq!(groups.add(&"h".into(), &channels[..1]), Err(GroupRefusal::TooManyGroups));
    assert_eq!(world.resolve(&names(&["x", "y"]), &[group]).unwrap_err(), Full::Channels);
}

#[test]
fn a_hundred_thousand_users_over_ten_thousand_channels_come_and_time_out_without_strain() {
    let started = Instant::now();
    let mut world = world();
    let channels: Vec<Name> = (0..10_000).map(|n| format!("channel-{n}").into()).collect();
    let states = HashMap::new();
    for beat in 0..2_u64 {
        for n in 0..100_000 {
            let (user, channel) = (format!("user-{n}"), &channels[n % channels.len()..=n % channels.len()]);
            let arrival = Arrival { user: &user, channels: channel, timeout: None, states: &states };
            assert_eq!(world.arrive(at(beat * 60), arrival).unwrap().len(), usize::from(beat == 0));
        }
    }
    assert_eq!(world.occupancy("channel-77"), 10);
    assert_eq!(world.expire(at(359)).len(), 0);
    assert_eq!(world.expire(at(360)).len(), 100_000);
    assert!(world.is_empty() && world.alarms.is_empty() && world.whereabouts.is_empty());
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

/// What a client may do, and time passing.
#[derive(Debug, Clone)]
enum Act {
    Arrive { user: &'static str, channels: Vec<&'static str>, timeout: Option<u64> },
    Leave { user: &'static str, channel: &'static str },
    SetState { user: &'static str, channel: &'static str },
    Hold { user: &'static str, channel: &'static str },
    Release,
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let user = select(vec!["u", "v", "w"]);
    let channel = select(vec!["a", "b"]);
    let act = prop_oneof![
        4 => (user.clone(), vec(channel.clone(), 1..3), proptest::option::of(1..30_u64))
            .prop_map(|(user, channels, timeout)| Act::Arrive { user, channels, timeout }),
        2 => (user.clone(), channel.clone()).prop_map(|(user, channel)| Act::Leave { user, channel }),
        1 => (user.clone(), channel.clone()).prop_map(|(user, channel)| Act::SetState { user, channel }),
        1 => (user, channel).prop_map(|(user, channel)| Act::Hold { user, channel }),
        1 => Just(Act::Release),
        3 => (0..20_u64).prop_map(Act::Wait),
    ];
    vec(act, 0..60)
}

/// The plainest model there is: a map of stays, scanned.
#[derive(Debug, Default)]
struct Model {
    stays: BTreeMap<(&'static str, &'static str), Stay>,
    held: Vec<(&'static str, &'static str, u64)>,
    stay: u64,
}

#[derive(Debug)]
struct Stay {
    number: u64,
    heard: u64,
    timeout: u64,
}

impl Model {
    fn is_held(&self, channel: &str, user: &str, number: u64) -> bool {
        self.held.iter().any(|(c, u, n)| (*c, *u, *n) == (channel, user, number))
    }

    fn expire(&mut self, now: u64) {
        let gone: Vec<_> = self
            .stays
            .iter()
            .filter(|((c, u), stay)| stay.heard + stay.timeout <= now && !self.is_held(c, u, stay.number))
            .map(|(key, _)| *key)
            .collect();
        for key in gone {
            self.stays.remove(&key);
        }
    }
}

proptest! {
    #[test]
    fn the_world_agrees_with_the_plainest_model_and_its_changes_tell_the_whole_story(acts in acts()) {
        let (mut world, mut model, mut holds, mut now) = (world(), Model::default(), Vec::new(), 0);
        let mut replayed: BTreeSet<(String, String)> = BTreeSet::new();
        for act in acts {
            let mut changes = world.expire(at(now));
            model.expire(now);
            match act {
                Act::Arrive { user, channels, timeout } => {
                    let named = names(&channels);
                    let arrival = Arrival {
                        user,
                        channels: &named,
                        timeout: timeout.map(Duration::from_secs),
                        states: &HashMap::new(),
                    };
                    changes.extend(world.arrive(at(now), arrival).unwrap());
                    for channel in channels {
                        model.stay += 1;
                        let new = Stay { number: model.stay, heard: now, timeout: 300 };
                        let stay = model.stays.entry((channel, user)).or_insert(new);
                        stay.heard = now;
                        stay.timeout = timeout.unwrap_or(stay.timeout);
                    }
                }
                Act::Leave { user, channel } => {
                    changes.extend(world.leave(at(now), user, &names(&[channel])));
                    model.stays.remove(&(channel, user));
                }
                Act::SetState { user, channel } => {
                    let set = world.set_state(at(now), user, &names(&[channel]), &state("{}")).unwrap();
                    prop_assert!(set.len() <= usize::from(model.stays.contains_key(&(channel, user))));
                    changes.extend(set);
                }
                Act::Hold { user, channel } => {
                    holds.extend(world.hold(user, &names(&[channel])));
                    if let Some(stay) = model.stays.get(&(channel, user)) {
                        model.held.push((channel, user, stay.number));
                    }
                }
                Act::Release => {
                    world.release(at(now), std::mem::take(&mut holds));
                    for (channel, user, number) in std::mem::take(&mut model.held) {
                        if let Some(stay) = model.stays.get_mut(&(channel, user)).filter(|s| s.number == number) {
                            stay.heard = now;
                        }
                    }
                }
                Act::Wait(seconds) => now += seconds,
            }
            for change in &changes {
                let place = (change.channel.to_string(), change.user.to_string());
                // Joins and goings alternate, and nobody's state changes who is not there.
                match change.kind {
                    ChangeKind::Join => prop_assert!(replayed.insert(place)),
                    ChangeKind::Leave | ChangeKind::Timeout => prop_assert!(replayed.remove(&place)),
                    ChangeKind::StateChange(_) => prop_assert!(replayed.contains(&place)),
                }
                prop_assert!(change.at <= at(now));
            }
            let expected: BTreeSet<_> = model.stays.keys().map(|(c, u)| ((*c).to_owned(), (*u).to_owned())).collect();
            prop_assert_eq!(&replayed, &expected);
            let listed: BTreeSet<_> = ["a", "b"]
                .iter()
                .flat_map(|c| occupants(&world, c).into_iter().map(move |u| ((*c).to_owned(), u)))
                .collect();
            prop_assert_eq!(&listed, &expected);
            let whereabouts: BTreeSet<_> = ["u", "v", "w"]
                .iter()
                .flat_map(|u| world.where_is(u).map(move |c| (c.to_string(), (*u).to_owned())))
                .collect();
            prop_assert_eq!(&whereabouts, &expected);
            prop_assert_eq!(world.occupants, expected.len());
            prop_assert!(world.alarms.len() <= expected.len(), "at most one alarm each");
        }
    }
}
