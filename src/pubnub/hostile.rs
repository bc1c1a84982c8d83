//! Answers nobody should send: whatever the bytes, a call ends in a value that holds or an error that says why.

mod mutated;
mod tree;

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::client::{Client, ClientConfig, understand};
use super::shown::MAX_EXCERPT;
use super::transport::Answer;
use super::{Error, HereNow, HereNowResult, channel_groups, heartbeat, time, where_now};

static CLIENT: LazyLock<Client> = LazyLock::new(|| Client::new(ClientConfig::new("sub-k", "me")).unwrap());

/// The longest error: a message of the service and the names it gives, in characters.
const MAX_ERROR: usize = 2_500;

fn asked() -> [HereNow; 4] {
    let one = CLIENT.here_now().channels(["a"]);
    let two = CLIENT.here_now().channels(["a", "b"]);
    [CLIENT.here_now(), one.clone().channel_groups(["g"]), one, two]
}

fn answer(http_status: u16, body: &[u8]) -> Answer {
    Answer { http_status, retry_after: None, body: body.to_owned() }
}

/// What holds of every result, whatever was answered.
fn assert_sound(result: &HereNowResult) {
    assert_eq!(result.total_channels, u64::try_from(result.channels.len()).unwrap());
    assert_eq!(result.total_occupancy, result.channels.iter().map(|channel| channel.occupancy).sum::<u64>());
    for channel in &result.channels {
        let occupants = channel.occupants.as_deref().unwrap_or_default();
        assert!(u64::try_from(occupants.len()).unwrap() <= channel.occupancy);
        assert!(occupants.iter().all(|occupant| !occupant.uuid.is_empty()));
    }
}

/// Every parser on one body.
fn parse_all(http_status: u16, body: &[u8]) {
    let answer = answer(http_status, body);
    let mut errors: Vec<Error> = Vec::new();
    for request in asked() {
        match understand(&answer, |text| request.parse(text)) {
            Ok(result) => assert_sound(&result),
            Err(error) => errors.push(error),
        }
    }
    let states = CLIENT.get_state().channels(["a"]);
    errors.extend(understand(&answer, |text| states.parse(text)).err());
    errors.extend(understand(&answer, where_now::parse).err());
    errors.extend(understand(&answer, |text| channel_groups::parse(text, "g")).err());
    errors.extend(understand(&answer, time::parse).err());
    errors.extend(understand(&answer, heartbeat::acknowledged).err());
    for error in errors {
        let text = error.to_string();
        assert!(text.chars().all(|c| !c.is_control()), "{text:?}");
        assert!(text.chars().count() <= MAX_ERROR, "{text}");
        if let Error::BadAnswer { what } = error {
            assert!(what.chars().count() <= 300 + MAX_EXCERPT + 20, "{what}");
        }
    }
}

/// A JSON value that may look like a part of an answer.
fn json_like() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_u64..4).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof![Just(""), Just("a"), Just("b"), Just("OK")].prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    let keys = prop_oneof![
        Just("status"),
        Just("error"),
        Just("message"),
        Just("service"),
        Just("payload"),
        Just("channels"),
        Just("channel"),
        Just("channel-groups"),
        Just("total_channels"),
        Just("total_occupancy"),
        Just("occupancy"),
        Just("uuids"),
        Just("uuid"),
        Just("state"),
        Just("a"),
        Just("b"),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((keys.clone(), inner), 0..6).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(status in 100_u16..600, body in proptest::collection::vec(any::<u8>(), 0..400)) {
        parse_all(status, &body);
    }

    #[test]
    fn no_json_makes_a_parser_panic(body in json_like()) {
        parse_all(200, body.to_string().as_bytes());
        parse_all(403, body.to_string().as_bytes());
    }

    #[test]
    fn a_here_now_answer_with_anything_in_it_is_refused_or_sound(
        occupancy in json_like(), uuids in json_like(), total in 0_u64..3,
    ) {
        let entry = json!({"occupancy": occupancy, "uuids": uuids});
        let payload = json!({"channels": {"a": entry}, "total_channels": 1, "total_occupancy": total});
        parse_all(200, json!({"status": 200, "payload": payload}).to_string().as_bytes());
        parse_all(200, entry.to_string().as_bytes());
    }

    #[test]
    fn an_answer_cut_off_anywhere_is_refused(at in 0_usize..1000) {
        let whole = json!({"message": "OK", "payload": {"channels": {
            "a": {"occupancy": 2, "uuids": ["é", {"uuid": "u", "state": {"k": [1, 2.5, "x"]}}]},
            "b": {"occupancy": 1, "uuids": ["\u{202e}"]}}, "total_channels": 2, "total_occupancy": 3},
            "service": "Presence", "status": 200}).to_string();
        let cut = answer(200, &whole.as_bytes()[..at % whole.len()]);
        for request in asked() {
            let result = understand(&cut, |text| request.parse(text));
            prop_assert!(matches!(result, Err(Error::BadAnswer { .. })), "{:?}", result);
        }
    }
}

#[test]
fn json_nested_without_end_is_refused() {
    let body = format!(r#"{{"occupancy":1,"uuids":[{{"uuid":"u","state":{}"#, "[".repeat(1_000_000));
    parse_all(200, body.as_bytes());
    let [_, _, one, _] = asked();
    let closed = format!(
        r#"{{"occupancy":1,"uuids":[{{"uuid":"u","state":{}{}}}]}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let error = understand(&answer(200, closed.as_bytes()), |text| one.parse(text)).unwrap_err();
    assert!(error.to_string().contains("recursion limit"), "{error}");
}
