//! Alerts: what the daemon is told of them, what its record says became of them, and what a receiver was told.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::process::quoted;
use crate::receiver::{Got, Receiver};
use crate::record::{Api, Window, rfc3339, until};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What follows in the section `server`: a base of links that outlasts the daemon's address, the receiver as the notifier
/// `hook`, and rules.
pub(crate) fn configuration(hook: &Receiver, rules: &[String]) -> String {
    format!(
        "public_url = \"http://adsum.test\"\n[[notifier]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{}\"\n\
         secret = \"{SECRET}\"\nallow_private = true\n{}",
        hook.url(),
        rules.concat()
    )
}

/// A rule that tells the receiver.
pub(crate) fn rule(name: &str, channel: &str, more: &str) -> String {
    format!("[[alert]]\nname = \"{name}\"\nchannels = [{}]\nnotify = [\"hook\"]\n{more}\n", quoted(channel))
}

/// A change of an alert, as it is recorded.
#[derive(Debug, Clone, Deserialize)]
#[allow(clippy::struct_field_names, reason = "as in the answer")]
pub(crate) struct Change {
    pub(crate) alert_id: String,
    pub(crate) rule: String,
    pub(crate) channel: String,
    pub(crate) change: String,
    #[serde(deserialize_with = "rfc3339")]
    pub(crate) at: Timestamp,
    pub(crate) since: Window,
    pub(crate) why: Option<String>,
    pub(crate) ended: Option<Window>,
    pub(crate) occupancy: Option<u32>,
    pub(crate) muted: Option<i64>,
    pub(crate) condition: Value,
}

impl Change {
    /// Whether somebody was to be told of it.
    pub(crate) fn is_told(&self) -> bool {
        self.muted.is_none() && matches!(self.change.as_str(), "firing" | "repeated" | "resolved")
    }
}

/// Every change there is, in the order of the record.
pub(crate) async fn changes(api: &Api) -> Vec<Change> {
    api.all("/v1/alerts/history").await
}

/// Waits until nothing is left to be delivered; all deliveries.
pub(crate) async fn delivered(api: &Api) -> Vec<Value> {
    until("nothing is left to be delivered", async || {
        let pending: Value = api.get("/v1/deliveries?status=pending").await;
        pending["items"].as_array().unwrap().is_empty()
    })
    .await;
    api.all("/v1/deliveries").await
}

/// What a receiver was told of one alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Told {
    pub(crate) delivery: String,
    pub(crate) rule: String,
    pub(crate) channel: String,
    pub(crate) alert_id: String,
    /// As in the record.
    pub(crate) change: String,
}

/// What requests told, one alert after the other, each as often as it was told.
pub(crate) fn told(got: &[Got]) -> Vec<Told> {
    got.iter().flat_map(told_by).collect()
}

fn told_by(got: &Got) -> Vec<Told> {
    let event = got.json();
    let data = &event["data"];
    let repeated = data["repeated"].as_bool().unwrap();
    let change = match (event["type"].as_str().unwrap(), repeated) {
        ("adsum.alert.firing", false) => "firing",
        ("adsum.alert.firing", true) => "repeated",
        ("adsum.alert.resolved", false) => "resolved",
        other => panic!("{other:?}"),
    };
    assert_eq!(event["id"], json!(got.id()));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let alerts = data["alerts"].as_array().unwrap().iter();
    alerts
        .map(|alert| Told {
            delivery: got.id().to_owned(),
            rule: text(&data["rule"]),
            channel: text(&alert["channel"]),
            alert_id: text(&alert["alert_id"]),
            change: change.to_owned(),
        })
        .collect()
}

/// What a receiver got is what was due by the record: everything, in order, at least once, nothing else; and what came
/// more than once came with the same id and words.
pub(crate) fn arrived_as_recorded(changes: &[Change], got: &[Got]) {
    let mut bodies = BTreeMap::new();
    for got in got {
        assert!(got.is_signed(SECRET), "{got:?}");
        assert_eq!(bodies.entry(got.id()).or_insert(&got.body), &&got.body, "one id, two messages");
    }
    let mut due: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.is_told()) {
        let place = (change.rule.clone(), change.channel.clone());
        due.entry(place).or_default().push((change.alert_id.clone(), change.change.clone()));
    }
    // Also what was refused came in order: the next is not sent before the one before it was taken.
    assert_eq!(in_order(told(got)), due, "all requests");
    let taken: Vec<_> = got.iter().filter(|got| got.taken).cloned().collect();
    assert_eq!(in_order(told(&taken)), due, "what was taken");
}

type Place = (String, String);

/// What was told of each place, without what was told again.
fn in_order(told: Vec<Told>) -> BTreeMap<Place, Vec<(String, String)>> {
    let mut places: BTreeMap<Place, Vec<Told>> = BTreeMap::new();
    for told in told {
        let place = (told.rule.clone(), told.channel.clone());
        let before = places.entry(place).or_default();
        if before.last() != Some(&told) {
            before.push(told);
        }
    }
    let without_deliveries = |(place, told): (Place, Vec<Told>)| {
        let ids: BTreeSet<_> = told.iter().map(|told| &told.delivery).collect();
        assert_eq!(ids.len(), told.len(), "told again with another id, or after what came later: {told:#?}");
        (place, told.into_iter().map(|told| (told.alert_id, told.change)).collect())
    };
    places.into_iter().map(without_deliveries).collect()
}
