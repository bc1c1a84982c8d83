//! Signatures, by the reference library and the published vectors of Standard Webhooks.

use adsum::notify::{Body, Keys, SettingsError, Texts, Webhook};
use rstest::rstest;
use serde_json::json;

use crate::python::Script;
use crate::receiver::{Got, Receiver};
use crate::world::{SECRET, alert, alerts, blind, deliver, firing, http, joined, message, resolved};

const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDpbw7kTgGXSk=";
const WRONG: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The vector that the reference libraries share.
#[test]
fn the_published_vector_is_met() {
    let body = br#"{"test": 2432232314}"#;
    let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    for secret in [SECRET, SECRET.strip_prefix("whsec_").unwrap()] {
        let keys = Keys::new(&[secret.into()]).unwrap();
        assert_eq!(keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body), expected);
    }
}

#[tokio::test]
async fn the_reference_library_verifies_every_kind_of_message() {
    let receiver = Receiver::answering("204 No Content");
    let webhook = crate::world::webhook(&http(&receiver.url()));
    let group = message(Body::Repeated(alerts(vec![alert("lobby"), alert("zimmer\u{2028} ñ 𝄞 \"<&>")])));
    let messages = [firing(), resolved(), blind(), group, joined("lobby", "ada \u{0} \u{7f}")];
    for message in &messages {
        deliver(&webhook, message).await.unwrap();
    }
    let got = receiver.got();
    assert_eq!(got.len(), messages.len());
    for request in &got {
        assert_eq!(verified(request, SECRET), "ok");
        assert!(verified(request, WRONG).contains("No matching signature"));
        let mut changed = request.clone();
        changed.body = changed.body.replace("adsum.", "adsun.");
        assert!(verified(&changed, SECRET).contains("No matching signature"));
    }
}

#[tokio::test]
async fn while_a_secret_is_changed_the_old_and_the_new_one_verify() {
    let receiver = Receiver::answering("200 OK");
    let secrets = [OTHER.into(), SECRET.into()];
    let webhook = Webhook::new(&http(&receiver.url()), &secrets, "urn:a", &Texts::default()).unwrap();
    deliver(&webhook, &firing()).await.unwrap();
    let got = &receiver.got()[0];
    assert_eq!(got.header("webhook-signature").split(' ').count(), 2);
    assert_eq!([OTHER, SECRET].map(|secret| verified(got, secret)), ["ok", "ok"]);
    assert!(verified(got, WRONG).contains("No matching signature"));
}

#[rstest]
#[case("")]
#[case("whsec_")]
#[case("whsec_c2hvcnQ=")]
#[case("not base64 at all, but long enough")]
#[case(&"A".repeat(88))]
fn what_is_no_secret_is_refused_without_repeating_it(#[case] secret: &str) {
    let error = Keys::new(&[secret.into()]).err().unwrap();
    assert!(matches!(error, SettingsError::BadSecret));
    assert!(secret.is_empty() || secret == "whsec_" || !error.to_string().contains(secret));
}

#[test]
fn a_webhook_without_a_secret_is_refused() {
    let error = Webhook::new(&http("http://127.0.0.1:1"), &[], "urn:a", &Texts::default()).err().unwrap();
    assert_eq!(error.to_string(), "secrets must be 1 to 8, not 0");
}

fn verified(request: &Got, secret: &str) -> String {
    let script = Script::start("verify.py", &[]);
    let headers: serde_json::Map<String, serde_json::Value> =
        request.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    script.say(&json!({"secret": secret, "headers": headers, "body": request.body}).to_string());
    script.line()
}
