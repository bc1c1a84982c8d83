//! Good answers, and what becomes of them when something about them is changed: either it still says what the result says, or
//! it is refused.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::tree::{Change, Tree, change};
use super::{CLIENT, answer, asked, parse_all};
use crate::pubnub::client::understand;
use crate::pubnub::{HereNow, HereNowResult, channel_groups, time, where_now};

/// Who is in each channel, with a state or without.
type People = BTreeMap<String, Vec<(String, Option<Value>)>>;

/// A here-now answer by its rules: every channel, its occupancy and the ids of its list.
type Listed = Vec<(String, u64, Option<Vec<String>>)>;

fn user() -> impl Strategy<Value = (String, Option<Value>)> {
    let state = json!({"mood": ["ok", 1, -2.5, null], "é": {"\u{202e}": "\n"}});
    ("[a-c]{1,2}|.{1,3}", proptest::option::of(Just(state)))
}

/// Some people in some of the channels "a" and "b".
fn people() -> impl Strategy<Value = People> {
    btree_map("[ab]", vec(user(), 1..4), 0..3)
}

fn entry(users: &[(String, Option<Value>)], form: u8) -> Value {
    let bare: Vec<_> = users.iter().map(|(user, _)| json!(user)).collect();
    let full = users.iter().map(|(user, state)| match state {
        Some(state) => json!({"uuid": user, "state": state}),
        None => json!({"uuid": user}),
    });
    match form % 4 {
        0 => json!({"occupancy": users.len()}),
        1 => json!({"occupancy": users.len(), "uuids": bare}),
        2 => json!({"occupancy": users.len(), "uuids": full.collect::<Vec<_>>()}),
        _ => json!({"occupancy": users.len() + 3, "uuids": bare}),
    }
}

/// A good answer about "a" alone, or about several channels.
fn here_now(people: &People, form: u8, flat: bool) -> Value {
    if flat {
        let mut answer = entry(people.get("a").map_or(&[], Vec::as_slice), form);
        answer["status"] = json!(200);
        answer["service"] = json!("Presence");
        return answer;
    }
    let channels: BTreeMap<_, _> = people.iter().map(|(name, users)| (name, entry(users, form))).collect();
    let total: u64 = channels.values().map(|entry| entry["occupancy"].as_u64().unwrap()).sum();
    json!({"status": 200, "message": "OK", "service": "Presence", "payload":
        {"total_channels": channels.len(), "total_occupancy": total, "channels": channels}})
}

/// What a here-now answer says, read by the rules of SPEC section 2 and by nothing else; `None` where it breaks one.
fn read(tree: &Tree, alone: bool, known: Option<&[&str]>) -> Option<Listed> {
    let read_entry = |name: &str, entry: &Tree| {
        let occupancy = entry.only("occupancy")?.number()?;
        let users = match entry {
            Tree::Object(entries) if entries.iter().any(|(key, _)| key == "uuids") => entry.only("uuids"),
            _ => None,
        };
        let user = |user: &Tree| user.name().or_else(|| user.only("uuid")?.name());
        let users = match users {
            Some(Tree::List(users)) => Some(users.iter().map(user).collect::<Option<Vec<_>>>()?),
            Some(Tree::Raw(null)) if null == "null" => None,
            Some(_) => return None,
            None => None,
        };
        let fits = users.as_ref().is_none_or(|users| users.len() as u64 <= occupancy);
        fits.then(|| (name.to_owned(), occupancy, users))
    };
    let null = |tree: &&Tree| **tree != Tree::Raw("null".to_owned());
    let Some(payload) = tree.only("payload").filter(null) else {
        return alone.then(|| read_entry("a", tree).map(|entry| vec![entry])).flatten();
    };
    let Tree::Object(channels) = payload.only("channels")? else { return None };
    let listed = channels.iter().map(|(name, entry)| read_entry(name, entry)).collect::<Option<Listed>>()?;
    let names: std::collections::BTreeSet<_> = listed.iter().map(|(name, ..)| name.as_str()).collect();
    let known = known.is_none_or(|known| names.iter().all(|name| known.contains(name)));
    let total: u128 = listed.iter().map(|(_, occupancy, _)| u128::from(*occupancy)).sum();
    let totals = payload.only("total_channels")?.number()? == listed.len() as u64
        && u128::from(payload.only("total_occupancy")?.number()?) == total;
    (known && totals && names.len() == listed.len() && !names.contains("")).then_some(listed)
}

fn listed(result: HereNowResult) -> Listed {
    let ids = |occupants: Vec<_>| {
        occupants.into_iter().map(|occupant: crate::pubnub::HereNowOccupant| occupant.uuid).collect()
    };
    let channels = result.channels.into_iter();
    channels.map(|channel| (channel.channel_name, channel.occupancy, channel.occupants.map(ids))).collect()
}

/// Each way to ask, and what it lets an answer be about.
fn ways() -> [(HereNow, bool, Option<&'static [&'static str]>); 4] {
    let [everywhere, group, one, two] = asked();
    [
        (everywhere, false, None),
        (group, false, None),
        (one, true, Some(&["a"])),
        (two, false, Some(&["a", "b"])),
    ]
}

/// A good answer of any other kind.
fn other() -> impl Strategy<Value = Value> {
    let names = vec("[a-c]|.{1,3}", 0..4);
    prop_oneof![
        names.clone().prop_map(|names| json!({"status": 200, "payload": {"channels": names}})),
        names.prop_map(
            |names| json!({"status": 200, "error": false, "payload": {"channels": names, "group": "g"}})
        ),
        Just(json!({"status": 200, "uuid": "me", "channel": "a", "payload": {"k": [1, {"x": "y"}]}})),
        Just(json!({"status": 200, "payload": {"channels": {"a": {"k": 1}}}})),
        Just(json!([17_579_698_584_063_570_u64])),
        Just(
            json!({"status": 403, "error": true, "message": "Forbidden", "payload": {"channels": ["a"], "channel-groups": [":g"]}})
        ),
        Just(json!({"error": {"message": "no", "source": "x", "details": []}, "status": 400})),
    ]
}

proptest! {
    #[test]
    fn a_good_answer_is_read_as_it_was_written(people in people(), form in any::<u8>(), flat in any::<bool>()) {
        let text = here_now(&people, form, flat).to_string();
        for (way, alone, known) in ways() {
            let expected = read(&Tree::read(&text), alone, known);
            let result = understand(&answer(200, text.as_bytes()), |text| way.parse(text)).ok().map(listed);
            prop_assert_eq!(result, expected, "{}", text);
        }
    }

    #[test]
    fn a_changed_answer_says_what_it_says_or_is_refused(
        people in people(), form in any::<u8>(), flat in any::<bool>(),
        changes in vec((any::<usize>(), change()), 1..4),
    ) {
        let mut tree = Tree::read(&here_now(&people, form, flat).to_string());
        for (node, change) in &changes {
            tree.change(*node, change);
        }
        let text = tree.write();
        parse_all(200, text.as_bytes());
        for (way, alone, known) in ways() {
            let result = understand(&answer(200, text.as_bytes()), |text| way.parse(text));
            if let Ok(result) = result {
                // What was changed may be broken JSON, or say something else in the same words.
                let tree = Tree::read(text.trim());
                prop_assert_eq!(Some(listed(result)), read(&tree, alone, known), "{}", text);
            }
        }
    }

    #[test]
    fn any_changed_answer_is_taken_or_refused_without_a_panic(
        answer in other(), changes in vec((any::<usize>(), change()), 0..4), status in prop_oneof![Just(200), 100_u16..600],
    ) {
        let mut tree = Tree::read(&answer.to_string());
        for (node, change) in &changes {
            tree.change(*node, change);
        }
        parse_all(status, tree.write().as_bytes());
    }

    #[test]
    fn changed_bytes_do_not_make_a_parser_panic(
        people in people(), form in any::<u8>(), flat in any::<bool>(), other in other(), of_others in any::<bool>(),
        changes in vec((any::<usize>(), 0_usize..4, vec(any::<u8>(), 0..4)), 1..6),
    ) {
        let good = if of_others { other } else { here_now(&people, form, flat) };
        let mut body = good.to_string().into_bytes();
        for (at, gone, new) in changes {
            let at = at % (body.len() + 1);
            body.splice(at..(at + gone).min(body.len()), new);
        }
        parse_all(200, &body);
    }

    #[test]
    fn no_answer_is_good_when_it_is_cut_anywhere(people in people(), form in any::<u8>(), flat in any::<bool>(), other in other()) {
        for whole in [here_now(&people, form, flat), other] {
            let whole = whole.to_string();
            for length in 0..whole.len() {
                let cut = answer(200, &whole.as_bytes()[..length]);
                let here_now = ways().iter().any(|(way, ..)| understand(&cut, |text| way.parse(text)).is_ok());
                let state = CLIENT.get_state().channels(["a"]);
                let others = understand(&cut, |text| state.parse(text)).is_ok()
                    || understand(&cut, where_now::parse).is_ok()
                    || understand(&cut, |text| channel_groups::parse(text, "g")).is_ok()
                    || understand(&cut, time::parse).is_ok();
                prop_assert!(!here_now && !others, "{}", whole.get(..length).unwrap_or_default());
            }
        }
    }
}

#[test]
fn a_change_changes_the_node_it_is_of() {
    let mut tree = Tree::read(r#"{"a":[1,{"b":2}]}"#);
    tree.change(2, &Change::Replace("x".to_owned()));
    assert_eq!(tree.write(), r#"{"a":[x,{"b":2}]}"#);
    tree.change(3, &Change::Repeat(0));
    assert_eq!(tree.write(), r#"{"a":[x,{"b":2,"b":2}]}"#);
    tree.change(0, &Change::Rename(0, "c".to_owned()));
    tree.change(1, &Change::Drop(1));
    assert_eq!(tree.write(), r#"{"c":[x]}"#);
}
