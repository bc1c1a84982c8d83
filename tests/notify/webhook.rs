//! The body of a webhook: CloudEvents 1.0.

use adsum::domain::event::EventKind;
use adsum::notify::{Alert, Body, HttpSettings, Message, SettingsError, Texts, Webhook};
use reqwest::header::HeaderName;
use rstest::rstest;
use serde_json::{Value, json};

use crate::receiver::{Got, Receiver};
use crate::world::{SECRET, alert, alerts, blind, deliver, firing, http, joined, message, resolved, webhook};

async fn sent(message: &Message) -> Got {
    let receiver = Receiver::answering("200 OK");
    deliver(&webhook(&http(&receiver.url())), message).await.unwrap();
    receiver.got().remove(0)
}

#[tokio::test]
async fn a_firing_alert_is_a_cloud_event_with_all_that_is_known() {
    let got = sent(&firing()).await;
    assert_eq!(got.path, "/hook?key=s3cret");
    assert_eq!(got.header("content-type"), "application/cloudevents+json");
    assert_eq!(got.header("webhook-id"), "0b9e-delivery_1");
    assert!(got.header("user-agent").starts_with("adsum/"));
    insta::assert_json_snapshot!(got.json(), @r#"
    {
      "data": {
        "alert_id": "5bd0a1c2-0000-4000-8000-000000000001",
        "alerts": [
          {
            "alert_id": "5bd0a1c2-0000-4000-8000-000000000001",
            "because": null,
            "bound": 200,
            "channel": "lobby",
            "condition": "occupancy above 200",
            "ended": null,
            "gap": null,
            "link": "https://adsum.example/v1/channels/lobby?a=1&b=2",
            "observed": true,
            "since": {
              "not_after": "2026-11-24T14:03:07.250Z",
              "not_before": "2026-11-24T14:03:02.500Z"
            },
            "user": null,
            "value": 240
          }
        ],
        "repeated": false,
        "rule": "crowded",
        "severity": "warning",
        "text": "\"lobby\": occupancy above 200, 240 there.\nBegan between 2026-11-24 14:03:02 and 14:03:08 UTC, as PubNub knew it.\nNow and since: https://adsum.example/v1/channels/lobby?a=1&b=2",
        "title": "firing: crowded (warning), lobby"
      },
      "datacontenttype": "application/json",
      "id": "0b9e-delivery_1",
      "source": "urn:adsum:test",
      "specversion": "1.0",
      "subject": "lobby",
      "time": "2026-11-24T14:03:08.000Z",
      "type": "adsum.alert.firing"
    }
    "#);
}

#[tokio::test]
async fn a_resolved_alert_says_when_it_ended() {
    let event = sent(&resolved()).await.json();
    assert_eq!(event["type"], "adsum.alert.resolved");
    assert_eq!(
        event["data"]["alerts"][0]["ended"],
        json!({"not_before": "2026-11-24T23:59:58.000Z", "not_after": "2026-11-25T00:00:01.000Z"})
    );
    assert!(
        event["data"]["text"]
            .as_str()
            .unwrap()
            .contains("Ended between 2026-11-24 23:59:58 and 2026-11-25 00:00:01 UTC.")
    );
}

#[tokio::test]
async fn an_alert_of_a_channel_that_is_not_seen_now_says_so() {
    let event = sent(&blind()).await.json();
    let alert = &event["data"]["alerts"][0];
    assert_eq!(alert["observed"], false);
    assert_eq!(alert["gap"], json!({"reason": "timeout", "since": "2026-11-24T14:05:00.000Z"}));
    let text = event["data"]["text"].as_str().unwrap();
    assert!(text.contains("not observed since 2026-11-24 14:05:00 UTC (timeout)"), "{text}");
}

#[tokio::test]
async fn a_group_is_one_event_that_lists_its_alerts() {
    let names: Vec<String> = (0..40).map(|n| format!("id-{n}")).collect();
    let group = alerts(names.iter().map(|id| Alert { alert_id: id.clone(), ..alert(id) }).collect());
    for (body, kind, repeated) in [
        (Body::Firing(group.clone()), "adsum.alert.firing", false),
        (Body::Repeated(group.clone()), "adsum.alert.firing", true),
        (Body::Resolved(group), "adsum.alert.resolved", false),
    ] {
        let event = sent(&message(body)).await.json();
        assert_eq!((&event["type"], &event["data"]["repeated"]), (&json!(kind), &json!(repeated)));
        assert_eq!(event["data"].get("alert_id"), None);
        assert_eq!(event.get("subject"), None);
        let ids: Vec<&Value> =
            event["data"]["alerts"].as_array().unwrap().iter().map(|a| &a["alert_id"]).collect();
        assert_eq!(json!(ids), json!(names), "a program hears of each");
        assert!(event["data"]["title"].as_str().unwrap().ends_with("crowded (warning), 40 channels"));
        assert!(event["data"]["text"].as_str().unwrap().ends_with("And 30 more."));
    }
}

#[tokio::test]
async fn a_presence_event_is_sent_as_the_api_answers_it() {
    for kind in EventKind::PUBLIC {
        let mut message = joined("lobby", "ada");
        if let Body::Event(event) = &mut message.body {
            event.kind = kind;
        }
        let event = sent(&message).await.json();
        assert_eq!(event["type"], format!("adsum.presence.{}", kind.as_str()));
        assert_eq!(event["subject"], "lobby");
        let data = &event["data"];
        assert_eq!((&data["kind"], &data["user"], &data["id"]), (&json!(kind), &json!("ada"), &json!(41)));
        assert_eq!(
            (&data["not_before"], &data["not_after"]),
            (&Value::Null, &json!("2026-11-24T14:03:07.250Z"))
        );
        assert_eq!((&data["occupancy"], &data["state"]), (&json!(7), &json!({"mood": "ok"})));
    }
}

#[tokio::test]
async fn an_id_that_would_forge_a_signature_or_a_header_is_not_sent() {
    let receiver = Receiver::answering("200 OK");
    let notifier = webhook(&http(&receiver.url()));
    for id in ["", "a.1", "a\r\nx: y", "a b", "é"] {
        let message = Message { delivery: id.to_owned(), ..firing() };
        let refused = deliver(&notifier, &message).await.unwrap_err();
        assert_eq!(refused.remedy, adsum::notify::Remedy::Fail);
    }
    assert_eq!(receiver.connections(), 0);
}

/// A webhook that sends these headers as well.
fn with_headers(url: &str, headers: &[(&str, &str)]) -> Result<Webhook, SettingsError> {
    let header = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), (*value).into());
    let settings = HttpSettings { headers: headers.iter().map(header).collect(), ..http(url) };
    assert!(!format!("{settings:?}").contains("t0p"), "secrets stay secret");
    Webhook::new(&settings, &[SECRET.into()], "urn:adsum:test", &Texts::default())
}

#[tokio::test]
async fn headers_of_the_users_own_are_sent_beside_ours() {
    let receiver = Receiver::answering("200 OK");
    let given = [("authorization", "Bearer t0p"), ("x-team", "ops"), ("user-agent", "ours")];
    deliver(&with_headers(&receiver.url(), &given).unwrap(), &firing()).await.unwrap();
    let got = receiver.got().remove(0);
    for (name, value) in given {
        assert_eq!(got.header(name), value);
    }
    assert_eq!(got.header("content-type"), "application/cloudevents+json");
}

#[rstest]
#[case("webhook-id", "x")]
#[case("webhook-signature", "v1,x")]
#[case("adsum-attempt", "1")]
#[case("content-type", "text/plain")]
#[case("content-length", "1")]
#[case("transfer-encoding", "chunked")]
#[case("host", "elsewhere.example")]
#[case("connection", "upgrade")]
#[case("x-team", "a\r\nwebhook-id: x")]
fn headers_that_are_ours_or_none_are_refused(#[case] name: &str, #[case] value: &str) {
    let refused = with_headers("http://127.0.0.1:1/x", &[(name, value)]).err().unwrap();
    assert!(matches!(&refused, SettingsError::BadHeader { name: found } if found == name), "{refused}");
}
