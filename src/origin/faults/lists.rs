//! Faults in the lists and counts of a here-now answer.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::in_force::Blow;
use super::rule::{BadId, Fault};

/// Does to an answer what each blow about lists says. A flat answer is about the channel that was asked for.
pub(crate) fn change_lists(answer: &mut Value, asked: &str, blows: &mut [Blow]) {
    for blow in blows.iter_mut().filter(|blow| blow.fault.changes_lists()) {
        if let Some(payload) = answer.get_mut("payload").and_then(Value::as_object_mut) {
            change_payload(payload, blow);
        } else if let Some(entry) = answer.as_object_mut().filter(|_| blow.channels.contain(asked)) {
            change_entry(entry, blow.fault, &mut blow.chance);
        }
    }
}

fn change_payload(payload: &mut Map<String, Value>, blow: &mut Blow) {
    if blow.fault == Fault::WrongTotals {
        let total = if blow.chance.bool() { "total_channels" } else { "total_occupancy" };
        let wrong = number(payload, total) + 1;
        payload.insert(total.to_owned(), wrong.into());
        return;
    }
    let mut fewer = 0;
    if let Some(channels) = payload.get_mut("channels").and_then(Value::as_object_mut) {
        for (_, entry) in channels.iter_mut().filter(|(channel, _)| blow.channels.contain(channel)) {
            let Some(entry) = entry.as_object_mut() else { continue };
            let before = number(entry, "occupancy");
            change_entry(entry, blow.fault, &mut blow.chance);
            fewer += before.saturating_sub(number(entry, "occupancy"));
        }
    }
    // One thing is wrong at a time: the totals still add up.
    let total = number(payload, "total_occupancy").saturating_sub(fewer);
    payload.insert("total_occupancy".to_owned(), total.into());
}

fn change_entry(entry: &mut Map<String, Value>, fault: Fault, chance: &mut Rng) {
    let occupancy = number(entry, "occupancy");
    let Some(list) = entry.get_mut("uuids").and_then(Value::as_array_mut) else { return };
    match fault {
        Fault::CutList { limit: Some(limit) } => list.truncate(limit),
        Fault::CutList { limit: None } if !list.is_empty() => list.truncate(chance.usize(..list.len())),
        Fault::RepeatedId => {
            if let [first, .., last] = list.as_mut_slice() {
                last.clone_from(first);
            }
        }
        Fault::BadId { id } => {
            if let Some(last) = list.last_mut() {
                *last = like(last, id.into());
            }
        }
        Fault::ExtraIds => {
            let pattern = list.first().cloned().unwrap_or_default();
            let missing = occupancy.saturating_add(1).saturating_sub(length(list));
            list.extend((1..=missing).map(|n| like(&pattern, format!("nobody-{n}").into())));
        }
        Fault::LowOccupancy if !list.is_empty() => {
            let low = length(list).saturating_sub(1).min(occupancy);
            entry.insert("occupancy".to_owned(), low.into());
        }
        Fault::NoList => drop(entry.remove("uuids")),
        _ => {}
    }
}

impl From<BadId> for Value {
    fn from(id: BadId) -> Self {
        match id {
            BadId::Empty => "".into(),
            BadId::Number => 5.into(),
            BadId::Null => Self::Null,
        }
    }
}

/// An occupant as others in the list are written: an id, or an object with one.
fn like(other: &Value, id: Value) -> Value {
    if other.is_object() { json!({ "uuid": id }) } else { id }
}

fn length(list: &[Value]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

fn number(object: &Map<String, Value>, key: &str) -> u64 {
    object.get(key).and_then(Value::as_u64).unwrap_or(0)
}
