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
    insta::assert_snapshot!(serde_json::to_string(&firing()).unwrap(), @"");
    insta::assert_snapshot!(serde_json::to_string(&joined("lobby", "ada")).unwrap(), @"");
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
