#![allow(clippy::needless_pass_by_value, reason = "json! reads best where it is given away")]

use rstest::rstest;
use serde_json::json;

use super::rule::FAULTS;
use super::*;
use crate::origin::clock::Moment;
use crate::origin::name::Name;

const NOW: Moment = Moment::from_micros(1_000_000);

fn faults(value: &Value) -> Faults {
    Faults::read(value).unwrap()
}

/// What is wrong, as `key = value: allowed`.
fn wrong(value: &Value) -> Vec<String> {
    Faults::read(value).unwrap_err().iter().map(ToString::to_string).collect()
}

fn here_now(channels: &[Name]) -> Request<'_> {
    Request { kind: RequestKind::HereNow, channels, about_others: false }
}

fn names(all: &[&str]) -> Vec<Name> {
    all.iter().map(|&name| name.into()).collect()
}

/// Which of many requests are hit.
fn hits(rules: &Value, requests: usize) -> Vec<bool> {
    let in_force = InForce::new(faults(rules), NOW);
    let channels = names(&["c"]);
    (0..requests).map(|_| !in_force.hit(here_now(&channels), NOW).is_empty()).collect()
}

#[test]
fn every_fault_is_read_by_its_name_and_told_as_it_was_read() {
    for (name, fault) in FAULTS {
        let given = match fault {
            Fault::Latency { .. } => json!({"fault": name, "delay": "0s"}),
            _ => json!({ "fault": name }),
        };
        let read = faults(&json!({ "rule": [given] }));
        assert_eq!(read.rules[0].fault, fault, "{name}");
        let told = serde_json::to_value(&read).unwrap();
        assert_eq!(told["rule"][0]["fault"], name);
        assert_eq!(faults(&told), read, "{name}: what is told can be put again");
    }
}

#[test]
fn every_key_of_a_rule_is_told_as_it_was_given() {
    let given = json!({"seed": 7, "rule": [
        {"fault": "latency", "delay": "300ms", "jitter": "1m", "probability": 0.25, "channels": ["a", "room.*"],
         "requests": ["here_now", "subscribe"], "after": "1s", "for": "1m30s"},
        {"fault": "drip", "piece": 1, "pause": "1ms", "probability": 1.0, "requests": ["time"], "after": "0s"},
        {"fault": "error", "status": 599, "probability": 0.0, "requests": ["time"], "after": "0s"},
        {"fault": "throttle", "retry_after": "1h", "probability": 1.0, "requests": ["time"], "after": "0s"},
        {"fault": "html", "status": 200, "probability": 1.0, "requests": ["time"], "after": "0s"},
        {"fault": "bad_id", "id": "null", "probability": 1.0, "requests": ["here_now"], "after": "0s"},
        {"fault": "cut_list", "limit": 0, "probability": 1.0, "requests": ["here_now"], "after": "0s"},
    ]});
    assert_eq!(serde_json::to_value(faults(&given)).unwrap(), given);
}

#[test]
fn everything_that_is_wrong_is_found_at_once_with_its_key_its_value_and_what_is_allowed() {
    let found = wrong(&json!({"sed": 7, "seed": -1, "rule": [
        {"fault": "error", "status": 404, "limit": 3},
        {"probability": 2, "whatever": true},
        {"fault": "quake", "channels": ["a,b", 5], "requests": ["everything"]},
        {"fault": "latency", "delay": "1w", "after": 3, "for": "0s"},
        {"fault": "latency"},
        "drop",
    ]}));
    let all = "latency, silence, drip, error, throttle, forbid, html, drop, outage, reset, cut_transfer, cut_json, \
               broken_json, invalid_utf8, wrong_totals, low_occupancy, extra_ids, repeated_id, bad_id, no_list, \
               cut_list, moved";
    let requests = "here_now, global_here_now, where_now, get_state, groups, set_state, heartbeat, leave, \
                    subscribe, change_group, time";
    let span = "a duration such as \"5s\", \"1m30s\", \"250ms\" or \"365d\"";
    assert_eq!(
        found,
        [
            "seed = -1: must be a whole number from 0 to 9007199254740991".to_owned(),
            "rule[0].status = 404: must be a whole number from 500 to 599".to_owned(),
            "rule[0].limit: unknown key; known here are fault, status, probability, channels, requests, after, for"
                .to_owned(),
            "rule[1].fault: must be set".to_owned(),
            "rule[1].probability = 2: must be a number from 0 to 1".to_owned(),
            format!("rule[2].fault = \"quake\": must be one of {all}"),
            "rule[2].channels[0] = \"a,b\": must not contain ','".to_owned(),
            "rule[2].channels[1] = 5: must be a channel name or a pattern with `*`".to_owned(),
            format!("rule[2].requests[0] = \"everything\": must be one of {requests}"),
            format!("rule[3].delay = \"1w\": must be {span} from 0s to 10m"),
            format!("rule[3].after = 3: must be {span} from 0s to 1d"),
            format!("rule[3].for = \"0s\": must be {span} from 1ms to 1d"),
            "rule[4].delay: must be set".to_owned(),
            "rule[5] = \"drop\": must be an object".to_owned(),
            "sed: unknown key; known here are seed, rule".to_owned(),
        ]
    );
}

#[rstest]
#[case(json!([]), "must be an object")]
#[case(json!({"rule": {"fault": "drop"}}), "rule: must be a list of at most 100 objects")]
#[case(json!({"rule": [{"fault": "drop", "channels": []}]}), "rule[0].channels = []: must be a list of 1 to 1000 texts")]
#[case(json!({"rule": [{"fault": "drop", "channels": "a"}]}), "rule[0].channels = \"a\": must be a list of 1 to 1000 texts")]
#[case(json!({"rule": [{"fault": "drop", "requests": []}]}), "rule[0].requests = []: must be a list of 1 to 11 texts")]
#[case(json!({"rule": [{"fault": "drop", "probability": "high"}]}), "rule[0].probability = \"high\": must be a number from 0 to 1")]
#[case(json!({"rule": [{"fault": "throttle", "retry_after": "1500ms"}]}), "rule[0].retry_after = \"1500ms\": must be a duration of whole seconds from \"0s\" to \"1h\"")]
#[case(json!({"rule": [{"fault": "cut_list", "requests": ["where_now"]}]}), "rule[0].requests[0] = \"where_now\": must be here_now or global_here_now: no other has lists of users")]
#[case(json!({"rule": [{"fault": "bad_id", "id": "x"}]}), "rule[0].id = \"x\": must be one of empty, number, null")]
fn what_is_no_list_of_rules_is_refused(#[case] value: Value, #[case] found: &str) {
    assert_eq!(wrong(&value).first().map(String::as_str), Some(found));
}

#[test]
fn limits_hold_at_the_limit_and_not_above() {
    let rules = |count: usize| json!({"rule": vec![json!({"fault": "drop"}); count]});
    assert_eq!(faults(&rules(MOST_RULES)).rules.len(), MOST_RULES);
    assert_eq!(wrong(&rules(MOST_RULES + 1)), ["rule = 101 of them: must be a list of at most 100 objects"]);
    let channels = |count: usize| json!({"rule": [{"fault": "drop", "channels": vec!["c"; count]}]});
    faults(&channels(MOST_CHANNELS));
    assert_eq!(wrong(&channels(MOST_CHANNELS + 1)).len(), 1);
    let rule = |key: &str, value: Value| {
        let fault = match key {
            "piece" => "drip",
            "limit" => "cut_list",
            "retry_after" => "throttle",
            "delay" => "latency",
            _ => "drop",
        };
        Faults::read(&json!({"rule": [{"fault": fault, key: value}]})).is_ok()
    };
    for (key, most, too_much) in [
        ("piece", json!(MOST_PIECE), json!(MOST_PIECE + 1)),
        ("limit", json!(1_000_000), json!(1_000_001)),
        ("retry_after", json!("1h"), json!("1h1s")),
        ("delay", json!("10m"), json!("10m1ms")),
        ("after", json!("1d"), json!("1d1ms")),
        ("for", json!("1d"), json!("1d1ms")),
        ("probability", json!(1), json!(1.000_001)),
    ] {
        assert!(rule(key, most.clone()), "{key} = {most}");
        assert!(!rule(key, too_much.clone()), "{key} = {too_much}");
    }
    assert!(Faults::read(&json!({"seed": LARGEST_SEED})).is_ok());
    assert!(Faults::read(&json!({"seed": LARGEST_SEED + 1})).is_err());
}

#[test]
fn a_long_value_is_cut_in_the_finding() {
    let found = wrong(&json!({"rule": [{"fault": "x".repeat(10_000)}]}));
    assert!(found[0].chars().count() < 500, "{}", found[0].len());
}

#[test]
fn the_same_seed_gives_the_same_faults_and_another_seed_gives_others() {
    let rules = |seed: u64| json!({"seed": seed, "rule": [{"fault": "drop", "probability": 0.5}]});
    assert_eq!(hits(&rules(7), 64), hits(&rules(7), 64));
    assert_ne!(hits(&rules(7), 64), hits(&rules(8), 64));
}

#[test]
fn what_a_rule_does_not_concern_does_not_change_what_it_does() {
    let rules = json!({"seed": 7, "rule": [
        {"fault": "drop", "probability": 0.5, "channels": ["c"]},
        {"fault": "reset", "probability": 0.5, "channels": ["d"]},
    ]});
    let (alone, between) = (InForce::new(faults(&rules), NOW), InForce::new(faults(&rules), NOW));
    let (c, d) = (names(&["c"]), names(&["d"]));
    for n in 0..64 {
        for _ in 0..n % 3 {
            between.hit(here_now(&d), NOW);
            between.hit(Request { kind: RequestKind::Heartbeat, ..here_now(&c) }, NOW);
        }
        let of = |in_force: &InForce| in_force.hit(here_now(&c), NOW).len();
        assert_eq!(of(&alone), of(&between), "request {n}");
    }
}

#[test]
fn about_as_many_requests_are_hit_as_the_probability_says() {
    let rule = |probability: f64| json!({"fault": "latency", "delay": "1s", "probability": probability});
    for seed in 0..10 {
        let rules = json!({"seed": seed, "rule": [rule(0.0), rule(0.2), rule(1.0), rule(0.2), rule(0.5)]});
        let in_force = InForce::new(faults(&rules), NOW);
        for _ in 0..10_000 {
            in_force.hit(here_now(&[]), NOW);
        }
        let told = serde_json::to_value(in_force.tell()).unwrap();
        let applied: Vec<u64> = serde_json::from_value(told["applied"].clone()).unwrap();
        assert_eq!((applied[0], applied[2]), (0, 10_000));
        for (count, expected) in [(applied[1], 2_000), (applied[3], 2_000), (applied[4], 5_000)] {
            assert!(count.abs_diff(expected) < 250, "seed {seed}: {applied:?}");
        }
    }
}

#[test]
fn without_a_seed_one_is_drawn_and_told_and_gives_the_same_again() {
    let rules = json!({"rule": [{"fault": "drop", "probability": 0.5}]});
    let drawn = InForce::new(faults(&rules), NOW);
    let told = serde_json::to_value(drawn.tell()).unwrap();
    let seed = told["seed"].as_u64().unwrap();
    assert!(seed <= LARGEST_SEED);
    assert_eq!(told["applied"], json!([0]));
    let again = InForce::new(faults(&json!({"seed": seed, "rule": rules["rule"]})), NOW);
    let channels = names(&["c"]);
    for _ in 0..64 {
        assert_eq!(drawn.hit(here_now(&channels), NOW).len(), again.hit(here_now(&channels), NOW).len());
    }
}

#[test]
fn a_rule_begins_and_ends_when_it_says() {
    let in_force =
        InForce::new(faults(&json!({"rule": [{"fault": "outage", "after": "10s", "for": "60s"}]})), NOW);
    let channels = names(&["c"]);
    let is_on = |seconds: u64| {
        !in_force.hit(here_now(&channels), NOW.after(std::time::Duration::from_secs(seconds))).is_empty()
    };
    assert_eq!([0, 9, 10, 69, 70, 1_000].map(is_on), [false, false, true, true, false, false]);
    let began = NOW.after(std::time::Duration::from_secs(1_000));
    in_force.replace(faults(&json!({"rule": [{"fault": "outage", "for": "60s"}]})), began);
    assert!(is_on(1_059) && !is_on(1_060), "the time of new rules begins when they come");
}

#[test]
fn a_rule_concerns_the_requests_and_channels_it_names() {
    let kinds = |rule: Value| {
        let in_force = InForce::new(faults(&json!({ "rule": [rule] })), NOW);
        move |kind, channels: &[&str], about_others| {
            let channels = names(channels);
            !in_force.hit(Request { kind, channels: &channels, about_others }, NOW).is_empty()
        }
    };
    let reads = kinds(json!({"fault": "drop"}));
    assert!(reads(RequestKind::HereNow, &["c"], false) && reads(RequestKind::WhereNow, &[], false));
    assert!(!reads(RequestKind::Heartbeat, &["c"], false) && !reads(RequestKind::Subscribe, &["c"], false));
    let all = kinds(json!({"fault": "outage"}));
    assert!(all(RequestKind::Heartbeat, &["c"], false) && all(RequestKind::Time, &[], false));
    let some =
        kinds(json!({"fault": "drop", "channels": ["a", "room.*"], "requests": ["here_now", "heartbeat"]}));
    assert!(
        some(RequestKind::HereNow, &["x", "room.1"], false) && some(RequestKind::Heartbeat, &["a"], false)
    );
    assert!(!some(RequestKind::HereNow, &["b", "room"], false), "no channel of its own");
    assert!(!some(RequestKind::GetState, &["a"], false), "no request of its own");
    assert!(!some(RequestKind::HereNow, &[], true), "an answer about others is not its own");
    let lists = kinds(json!({"fault": "cut_list", "channels": ["a"]}));
    assert!(lists(RequestKind::GlobalHereNow, &[], true), "but its lists may be in it");
    assert!(!lists(RequestKind::GetState, &["a"], false), "that has no lists");
}

/// An answer after one fault about lists; a flat one is about channel `a`.
fn changed(rule: Value, mut answer: Value) -> Value {
    let in_force = InForce::new(faults(&json!({"seed": 1, "rule": [rule]})), NOW);
    let channels = names(&["a"]);
    let mut blows = in_force.hit(Request { about_others: true, ..here_now(&channels) }, NOW);
    change_lists(&mut answer, "a", &mut blows);
    answer
}

fn flat(occupancy: u64, uuids: Value) -> Value {
    json!({"message": "OK", "occupancy": occupancy, "service": "Presence", "status": 200, "uuids": uuids})
}

#[rstest]
#[case(json!({"fault": "low_occupancy"}), flat(2, json!(["x", "y", "z"])))]
#[case(json!({"fault": "extra_ids"}), flat(3, json!(["x", "y", "z", "nobody-1"])))]
#[case(json!({"fault": "repeated_id"}), flat(3, json!(["x", "y", "x"])))]
#[case(json!({"fault": "bad_id"}), flat(3, json!(["x", "y", ""])))]
#[case(json!({"fault": "bad_id", "id": "number"}), flat(3, json!(["x", "y", 5])))]
#[case(json!({"fault": "bad_id", "id": "null"}), flat(3, json!(["x", "y", null])))]
#[case(json!({"fault": "cut_list", "limit": 1}), flat(3, json!(["x"])))]
#[case(json!({"fault": "cut_list", "limit": 9}), flat(3, json!(["x", "y", "z"])))]
#[case(json!({"fault": "wrong_totals"}), flat(3, json!(["x", "y", "z"])))]
#[case(json!({"fault": "cut_list", "limit": 1, "channels": ["b"]}), flat(3, json!(["x", "y", "z"])))]
fn a_fault_changes_a_flat_answer_in_one_way(#[case] rule: Value, #[case] expected: Value) {
    assert_eq!(changed(rule, flat(3, json!(["x", "y", "z"]))), expected);
}

#[test]
fn a_list_that_is_missing_is_missing() {
    let answer = changed(json!({"fault": "no_list"}), flat(1, json!(["x"])));
    assert_eq!(answer, json!({"message": "OK", "occupancy": 1, "service": "Presence", "status": 200}));
}

#[test]
fn occupants_with_states_stay_objects() {
    let with_states = flat(2, json!([{"uuid": "x", "state": {"a": 1}}, {"uuid": "y"}]));
    let list = |rule| changed(rule, with_states.clone())["uuids"].clone();
    assert_eq!(list(json!({"fault": "bad_id"})), json!([{"uuid": "x", "state": {"a": 1}}, {"uuid": ""}]));
    assert_eq!(list(json!({"fault": "extra_ids"}))[2], json!({"uuid": "nobody-1"}));
}

#[test]
fn an_answer_without_lists_keeps_its_counts() {
    let counts = json!({"message": "OK", "occupancy": 3, "service": "Presence", "status": 200});
    for (name, fault) in FAULTS.into_iter().filter(|(_, fault)| fault.changes_lists()) {
        assert_eq!(changed(json!({ "fault": name }), counts.clone()), counts, "{fault:?}");
    }
}

#[test]
fn lists_are_cut_at_random_below_their_length() {
    let lengths: std::collections::BTreeSet<usize> = (0..64)
        .map(|seed| {
            let rules = faults(&json!({"seed": seed, "rule": [{"fault": "cut_list"}]}));
            let channels = names(&["a"]);
            let mut blows = InForce::new(rules, NOW).hit(here_now(&channels), NOW);
            let mut answer = flat(3, json!(["x", "y", "z"]));
            change_lists(&mut answer, "a", &mut blows);
            answer["uuids"].as_array().unwrap().len()
        })
        .collect();
    assert_eq!(lengths, [0, 1, 2].into());
}

fn several() -> Value {
    json!({"message": "OK", "service": "Presence", "status": 200, "payload": {
        "channels": {"a": {"occupancy": 2, "uuids": ["x", "y"]}, "b": {"occupancy": 1, "uuids": ["z"]}},
        "total_channels": 2, "total_occupancy": 3,
    }})
}

#[test]
fn in_an_answer_about_several_channels_only_those_of_the_rule_are_changed_and_totals_still_add_up() {
    let mut expected = several();
    expected["payload"]["channels"]["a"]["occupancy"] = 1.into();
    expected["payload"]["total_occupancy"] = 2.into();
    assert_eq!(changed(json!({"fault": "low_occupancy", "channels": ["a"]}), several()), expected);
}

#[test]
fn totals_that_do_not_add_up_are_one_of_both() {
    let totals = |seed: u64| {
        let rules = faults(&json!({"seed": seed, "rule": [{"fault": "wrong_totals"}]}));
        let channels = names(&["a", "b"]);
        let mut blows = InForce::new(rules, NOW).hit(here_now(&channels), NOW);
        let mut answer = several();
        change_lists(&mut answer, "a", &mut blows);
        let payload = answer["payload"].clone();
        (payload["total_channels"].as_u64().unwrap(), payload["total_occupancy"].as_u64().unwrap())
    };
    let seen: std::collections::BTreeSet<(u64, u64)> = (0..16).map(totals).collect();
    assert_eq!(seen, [(2, 4), (3, 3)].into());
}

#[rstest]
#[case(r#"{"message":"OK","uuids":["x"]}"#)]
#[case("[17579698584063570]")]
#[case("{}")]
fn a_text_that_was_spoilt_is_no_json_wherever_it_was_spoilt(#[case] text: &str) {
    for seed in 0..64 {
        let mut chance = fastrand::Rng::with_seed(seed);
        for fault in [Fault::CutJson, Fault::BrokenJson, Fault::InvalidUtf8] {
            let spoilt = spoil(fault, text.as_bytes().to_vec(), &mut chance);
            assert!(serde_json::from_slice::<Value>(&spoilt).is_err(), "{fault:?}: {spoilt:?}");
            assert_eq!(std::str::from_utf8(&spoilt).is_err(), fault == Fault::InvalidUtf8);
            assert_eq!(spoilt.len() < text.len(), fault == Fault::CutJson);
        }
        assert_eq!(spoil(Fault::Silence, text.as_bytes().to_vec(), &mut chance), text.as_bytes());
    }
}

#[test]
fn the_documents_name_every_fault() {
    let (defaults, docs) = (include_str!("../../../config/default.toml"), include_str!("mod.rs"));
    for (name, _) in FAULTS {
        assert!(defaults.contains(&format!("\"{name}\"")), "{name}");
        assert!(docs.contains(&format!("//! | `{name}` |")), "{name}");
    }
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(&format!("There are {} faults", FAULTS.len())));
}
