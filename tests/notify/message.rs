//! Messages as the outbox keeps them.

use adsum::domain::time::{Time, Window};
use adsum::notify::{Alert, Body, Message};
use proptest::prelude::*;

use crate::world::{alert, alerts, blind, firing, joined, message, resolved};

fn back(message: &Message) -> Message {
    serde_json::from_str(&serde_json::to_string(message).unwrap()).unwrap()
}

#[test]
fn a_stored_message_comes_back_the_same() {
    let repeated = message(Body::Repeated(alerts(vec![alert("a"), alert("b")])));
    for message in [firing(), resolved(), blind(), repeated, joined("lobby", "ada")] {
        assert_eq!(back(&message), message);
    }
}

#[test]
fn the_stored_form_is_the_one_that_older_outboxes_hold() {
    insta::assert_snapshot!(serde_json::to_string(&firing()).unwrap(), @r#"{"delivery":"0b9e-delivery_1","at":1795528988000000,"kind":"firing","rule":"crowded","severity":"warning","alerts":[{"alert_id":"5bd0a1c2-0000-4000-8000-000000000001","channel":"lobby","condition":"occupancy above 200","value":240,"bound":200,"user":null,"since":{"not_before":1795528982500000,"not_after":1795528987250000},"ended":null,"gap":null,"because":null,"link":"https://adsum.example/v1/channels/lobby?a=1&b=2"}],"more":0}"#);
    insta::assert_snapshot!(serde_json::to_string(&joined("lobby", "ada")).unwrap(), @r#"{"delivery":"0b9e-delivery_1","at":1795528988000000,"kind":"event","id":41,"event":"join","channel":"lobby","user":"ada","window":{"not_before":null,"not_after":1795528987250000},"occupancy":7,"state":{"mood":"ok"},"link":"https://adsum.example/v1/presence"}"#);
}

proptest! {
    #[test]
    fn times_are_kept_to_the_microsecond(at in any::<i64>(), from in any::<Option<i64>>(), to in any::<i64>(), channel in ".{0,40}") {
        let since = Window { not_before: from.map(Time::from_micros), not_after: Time::from_micros(to) };
        let alert = Alert { since, ended: Some(since), ..alert(&channel) };
        let message = Message { at: Time::from_micros(at), ..message(Body::Firing(alerts(vec![alert]))) };
        prop_assert_eq!(back(&message), message);
    }
}
