//! Slack and Discord: what is sent.

use adsum::notify::{Body, Message, Notifier};
use serde_json::{Value, json};

use crate::receiver::{Got, Receiver, answer};
use crate::world::{alert, alerts, blind, deliver, discord, firing, joined, message, resolved, slack};

async fn sent(message: &Message, notifier: impl Fn(&str) -> Box<dyn Notifier>) -> Got {
    let receiver = Receiver::new(vec![answer("200 OK", "", "ok")]);
    deliver(notifier(&receiver.url()).as_ref(), message).await.unwrap();
    receiver.got().remove(0)
}

pub(crate) async fn to_slack(message: &Message) -> Value {
    let got = sent(message, |url| Box::new(slack(url))).await;
    assert_eq!(got.header("content-type"), "application/json");
    got.json()
}

pub(crate) async fn to_discord(message: &Message) -> Value {
    let got = sent(message, |url| Box::new(discord(url))).await;
    assert_eq!(got.path, "/hook?key=s3cret&wait=true");
    got.json()
}

#[tokio::test]
async fn slack_gets_a_header_and_a_text_a_person_can_act_on() {
    insta::assert_json_snapshot!(to_slack(&firing()).await, @r#"
    {
      "blocks": [
        {
          "text": {
            "emoji": false,
            "text": "firing: crowded (warning), lobby",
            "type": "plain_text"
          },
          "type": "header"
        },
        {
          "text": {
            "text": "`lobby`: occupancy above 200, 240 there.\nBegan between 2026-11-24 14:03:02 and 14:03:08 UTC, as PubNub knew it.\n<https://adsum.example/v1/channels/lobby?a=1&amp;b=2|Now and since>",
            "type": "mrkdwn",
            "verbatim": true
          },
          "type": "section"
        }
      ],
      "text": "firing: crowded (warning), lobby",
      "unfurl_links": false,
      "unfurl_media": false
    }
    "#);
}

#[tokio::test]
async fn discord_gets_a_line_and_an_embed_and_mentions_nobody() {
    insta::assert_json_snapshot!(to_discord(&firing()).await, @r#"
    {
      "allowed_mentions": {
        "parse": []
      },
      "content": "firing: crowded (warning), lobby",
      "embeds": [
        {
          "color": 14233637,
          "description": "**lobby**: occupancy above 200, 240 there.\nBegan between 2026\\-11\\-24 14\\:03\\:02 and 14\\:03\\:08 UTC, as PubNub knew it.\n[Now and since](<https://adsum.example/v1/channels/lobby?a=1&b=2>)",
          "timestamp": "2026-11-24T14:03:08.000Z"
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn every_kind_of_message_has_its_words() {
    let still = message(Body::Repeated(alerts(vec![alert("lobby")])));
    for (message, title) in [
        (firing(), "firing: crowded (warning), lobby"),
        (blind(), "firing: crowded (warning), lobby"),
        (still, "still firing: crowded (warning), lobby"),
        (resolved(), "resolved: crowded (warning), lobby"),
        (joined("lobby", "ada"), "ada joined lobby"),
    ] {
        let body = to_slack(&message).await;
        assert_eq!((&body["text"], &body["blocks"][0]["text"]["text"]), (&json!(title), &json!(title)));
    }
}

#[tokio::test]
async fn a_large_group_fits_into_what_each_service_takes() {
    let names = (0..250).map(|n| format!("{n}{}", "<`*@".repeat(250)));
    let group = alerts(names.map(|name| alert(&name)).collect());
    let message = message(Body::Firing(group));
    let body = to_slack(&message).await;
    let blocks = body["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50);
    let texts: Vec<&str> = blocks[1..].iter().map(|block| block["text"]["text"].as_str().unwrap()).collect();
    assert!(texts.iter().all(|text| text.encode_utf16().count() <= 3000));
    assert!(texts.join("\n").ends_with("And 240 more."));
    let body = to_discord(&message).await;
    assert!(body["embeds"][0]["description"].as_str().unwrap().encode_utf16().count() <= 4096);
    assert!(body["content"].as_str().unwrap().encode_utf16().count() <= 2000);
}
