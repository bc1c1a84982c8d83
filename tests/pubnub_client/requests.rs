//! Requests, exactly as they are sent (PROTOCOL.md 1.1-1.3, 2, 5).

use std::sync::Arc;

use adsum::pubnub::{Client, ClientConfig, ConfigError, Error, MAX_URI, encoded_len};
use serde_json::json;

use super::{OK, answering, client, config, sent};

const COMMON: &str = "pnsdk=adsum%2F<version>&requestid=<uuid4>";

/// What the client built by `ask` sends, whatever it makes of the answer.
async fn line<F: Future>(ask: impl FnOnce(Client) -> F) -> String {
    let server = answering(200, OK).await;
    ask(client(&server)).await;
    let mut lines = sent(&server).await;
    assert_eq!(lines.len(), 1, "exactly one request");
    lines.remove(0).replace(COMMON, "<common>")
}

#[tokio::test]
async fn here_now_for_one_channel_sends_no_limit_of_its_own() {
    assert_eq!(
        line(|c| c.here_now().channels(["ch1"]).execute()).await,
        "/v2/presence/sub-key/sub-k/channel/ch1?<common>&uuid=my%20uuid%2F1"
    );
}

#[tokio::test]
async fn here_now_encodes_names_apart_and_leaves_the_commas() {
    assert_eq!(
        line(|c| c.here_now().channels(["ch1", "ch 2", "c/3", "a&b", "ch1"]).execute()).await,
        "/v2/presence/sub-key/sub-k/channel/ch1,ch%202,c%2F3,a%26b?<common>&uuid=my%20uuid%2F1"
    );
}

#[tokio::test]
async fn names_of_any_characters_are_sent_as_their_utf8_bytes() {
    assert_eq!(
        line(|c| c
            .here_now()
            .channels(["100%", "\"q\"'", "😀", "\u{202e}r", "\u{1b}[0m", "a+b", "...", "é"])
            .execute())
        .await,
        "/v2/presence/sub-key/sub-k/channel/100%25,%22q%22%27,%F0%9F%98%80,%E2%80%AEr,%1B%5B0m,a%2Bb,...,%C3%A9\
         ?<common>&uuid=my%20uuid%2F1"
    );
}

#[tokio::test]
async fn here_now_for_groups_only_asks_for_the_channel_comma() {
    assert_eq!(
        line(|c| c.here_now().channel_groups(["cg1", "cg 2"]).execute()).await,
        "/v2/presence/sub-key/sub-k/channel/,?channel-group=cg1%2Ccg%202&<common>&uuid=my%20uuid%2F1"
    );
}

#[tokio::test]
async fn here_now_sends_every_parameter_it_was_given() {
    let ask = |c: Client| {
        let ask =
            c.here_now().channels(["ch1"]).channel_groups(["cg1"]).include_state(true).include_uuids(false);
        ask.limit(0).offset(10).execute()
    };
    assert_eq!(
        line(ask).await,
        "/v2/presence/sub-key/sub-k/channel/ch1?channel-group=cg1&disable_uuids=1&limit=0&offset=10&<common>&state=1\
         &uuid=my%20uuid%2F1"
    );
}

#[tokio::test]
async fn here_now_without_channels_and_groups_is_global() {
    assert_eq!(
        line(|c| c.here_now().execute()).await,
        "/v2/presence/sub-key/sub-k?<common>&uuid=my%20uuid%2F1"
    );
}

#[tokio::test]
async fn where_now_asks_about_the_client_or_about_another() {
    assert_eq!(
        line(|c| c.where_now().execute()).await,
        "/v2/presence/sub-key/sub-k/uuid/my%20uuid%2F1?<common>&uuid=my%20uuid%2F1"
    );
    assert_eq!(
        line(|c| c.where_now().user_id("u é,").execute()).await,
        "/v2/presence/sub-key/sub-k/uuid/u%20%C3%A9%2C?<common>&uuid=my%20uuid%2F1"
    );
}

#[tokio::test]
async fn set_state_sends_the_object_in_the_query() {
    let ask = |c: Client| {
        let ask = c.set_state().channels(["ch1", "ch2"]).channel_groups(["cg1"]).user_id("other");
        ask.state(json!({"a": "b c"})).execute()
    };
    assert_eq!(
        line(ask).await,
        "/v2/presence/sub-key/sub-k/channel/ch1,ch2/uuid/other/data?channel-group=cg1&<common>\
         &state=%7B%22a%22%3A%22b%20c%22%7D&uuid=my%20uuid%2F1"
    );
}

#[tokio::test]
async fn get_state_asks_for_channels_and_groups() {
    assert_eq!(
        line(|c| c.get_state().channels(["ch1"]).execute()).await,
        "/v2/presence/sub-key/sub-k/channel/ch1/uuid/my%20uuid%2F1?<common>&uuid=my%20uuid%2F1"
    );
    assert_eq!(
        line(|c| c.get_state().channel_groups(["cg1"]).user_id("other").execute()).await,
        "/v2/presence/sub-key/sub-k/channel/,/uuid/other?channel-group=cg1&<common>&uuid=my%20uuid%2F1"
    );
}

#[tokio::test]
async fn heartbeat_sends_its_seconds_and_a_map_of_states() {
    assert_eq!(
        line(|c| c.heartbeat().channels(["ch1"]).execute()).await,
        "/v2/presence/sub-key/sub-k/channel/ch1/heartbeat?heartbeat=300&<common>&uuid=my%20uuid%2F1"
    );
    let ask = |c: Client| {
        let ask = c.heartbeat().channels(["ch1"]).channel_groups(["cg1"]).heartbeat(20).user_id("other");
        ask.state("ch1", json!({"a": 1})).execute()
    };
    assert_eq!(
        line(ask).await,
        "/v2/presence/sub-key/sub-k/channel/ch1/heartbeat?channel-group=cg1&heartbeat=20&<common>\
         &state=%7B%22ch1%22%3A%7B%22a%22%3A1%7D%7D&uuid=other"
    );
}

#[tokio::test]
async fn leave_names_channels_and_groups() {
    assert_eq!(
        line(|c| c.leave().channels(["ch1", "ch2"]).channel_groups(["cg1"]).user_id("other").execute()).await,
        "/v2/presence/sub-key/sub-k/channel/ch1,ch2/leave?channel-group=cg1&<common>&uuid=other"
    );
}

#[tokio::test]
async fn channel_groups_are_listed_changed_and_deleted() {
    let group = "/v1/channel-registration/sub-key/sub-k/channel-group/c%2Fg";
    assert_eq!(
        line(|c| c.list_channel_group("c/g").execute()).await,
        format!("{group}?<common>&uuid=my%20uuid%2F1")
    );
    assert_eq!(
        line(|c| c.add_channels_to_group("c/g").channels(["ch1", "ch2"]).execute()).await,
        format!("{group}?add=ch1%2Cch2&<common>&uuid=my%20uuid%2F1")
    );
    assert_eq!(
        line(|c| c.remove_channels_from_group("c/g").channels(["ch1"]).execute()).await,
        format!("{group}?pnsdk=adsum%2F<version>&remove=ch1&requestid=<uuid4>&uuid=my%20uuid%2F1")
    );
    assert_eq!(
        line(|c| c.delete_channel_group("c/g").execute()).await,
        format!("{group}/remove?<common>&uuid=my%20uuid%2F1")
    );
}

#[tokio::test]
async fn a_secret_key_and_a_token_are_sent_with_everything_but_time() {
    let server = answering(200, OK).await;
    let client = Client::new(ClientConfig {
        publish_key: Some("pub-k".into()),
        secret_key: Some("sec-k".into()),
        auth_token: Some("p0/tok+".into()),
        clock: Arc::new(|| 1_795_456_837),
        ..config(server.uri())
    })
    .unwrap();
    client.heartbeat().channels(["ch1"]).execute().await.unwrap();
    let _ = client.time().execute().await;

    let lines = sent(&server).await;
    let (signed, signature) = lines[0].split_once("&signature=v2.").unwrap();
    assert_eq!(
        signed,
        "/v2/presence/sub-key/sub-k/channel/ch1/heartbeat?auth=p0%2Ftok%2B&heartbeat=300&pnsdk=adsum%2F<version>\
         &requestid=<uuid4>&timestamp=1795456837&uuid=my%20uuid%2F1"
    );
    assert_eq!(signature.len(), 43, "256 bits in base64 without padding");
    assert_eq!(lines[1], "/time/0?pnsdk=adsum%2F<version>&requestid=<uuid4>&uuid=my%20uuid%2F1");
}

#[tokio::test]
async fn a_token_is_replaced_for_every_clone() {
    let server = answering(200, OK).await;
    let client = client(&server);
    let clone = client.clone();
    client.set_auth_token(Some("new".into()));
    clone.leave().channels(["c"]).execute().await.unwrap();
    client.set_auth_token(None);
    clone.leave().channels(["c"]).execute().await.unwrap();
    let lines = sent(&server).await;
    assert!(lines[0].contains("?auth=new&") && !lines[1].contains("auth="), "{lines:?}");
}

#[tokio::test]
async fn what_cannot_be_sent_as_it_is_is_refused_and_nothing_is_sent() {
    let server = answering(200, OK).await;
    let c = client(&server);
    let long: Vec<String> = (0..1000).map(|n| format!("{n:040}")).collect();
    let errors = [
        c.here_now().channels([".."]).execute().await.unwrap_err(),
        c.here_now().channels(["a,b"]).execute().await.unwrap_err(),
        c.here_now().channels([""]).execute().await.unwrap_err(),
        c.here_now().channel_groups(["a,b"]).execute().await.unwrap_err(),
        c.here_now().channels(long).execute().await.unwrap_err(),
        c.where_now().user_id(".").execute().await.unwrap_err(),
        c.set_state().channels(["c"]).execute().await.unwrap_err(),
        c.set_state().channels(["c"]).state(json!([1])).execute().await.unwrap_err(),
        c.set_state().state(json!({})).execute().await.unwrap_err(),
        c.get_state().execute().await.unwrap_err(),
        c.heartbeat().execute().await.unwrap_err(),
        c.heartbeat().channels(["c"]).user_id("").execute().await.unwrap_err(),
        c.heartbeat().channels(["c"]).state("c", 1).execute().await.unwrap_err(),
        c.leave().execute().await.unwrap_err(),
        c.list_channel_group("").execute().await.unwrap_err(),
        c.add_channels_to_group("g").execute().await.unwrap_err(),
        c.remove_channels_from_group("g").execute().await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::InvalidRequest { .. }), "{error:?}");
        assert!(!error.is_retryable() && !error.concerns_key() && error.status().is_none());
    }
    assert_eq!(sent(&server).await, [""; 0]);
}

#[tokio::test]
async fn a_batch_within_the_budget_is_sent_and_fills_the_uri() {
    let server = answering(200, OK).await;
    let client = client(&server);
    let mut left = client.channel_budget();
    let names = (0..).map(|n| format!("é{n:030}")).take_while(|name| {
        let length = encoded_len(name) + 1;
        left = left.saturating_sub(length);
        left > 0
    });
    let ask = client.here_now().channels(names).include_state(true).include_uuids(false);
    let error = ask.limit(1000).offset(u32::MAX).execute().await.unwrap_err();
    assert!(matches!(error, Error::BadAnswer { .. }), "sent, and not answered in kind: {error:?}");
    let length = sent(&server).await[0].len();
    assert!((MAX_URI - 200..=MAX_URI).contains(&length), "{length}");
}

#[test]
fn a_wrong_configuration_makes_no_client() {
    let refused = |config: ClientConfig| Client::new(config).unwrap_err();
    for origin in [
        "",
        "ps.pndsn.com",
        "ftp://h",
        "http://",
        "http://h/path",
        "http://h/?q",
        "http://u:pw@h",
        "http://h:99999",
    ] {
        let error = refused(config(origin));
        assert!(matches!(error, ConfigError::Origin { .. }), "{origin:?}");
        assert!(!format!("{error} {error:?}").contains("pw"));
    }
    assert_eq!(refused(ClientConfig::new("", "u")), ConfigError::SubscribeKey);
    assert_eq!(refused(ClientConfig::new("s", "")), ConfigError::UserId);
    let secret = |publish_key: Option<&str>, secret_key: &str| ClientConfig {
        publish_key: publish_key.map(Into::into),
        secret_key: Some(secret_key.into()),
        ..ClientConfig::new("s", "u")
    };
    assert_eq!(refused(secret(None, "sec")), ConfigError::PublishKey);
    assert_eq!(refused(secret(Some(""), "sec")), ConfigError::PublishKey);
    assert_eq!(refused(secret(Some("pub"), "")), ConfigError::SecretKey);
}

#[test]
fn an_http_origin_makes_a_client() {
    assert!(Client::new(config("http://127.0.0.1:8090")).is_ok());
}

/// reqwest refuses to build on a system without certificates, even where none would be used.
#[test]
fn an_http_origin_makes_a_client_on_a_system_without_certificates() {
    let mut same = std::process::Command::new(std::env::current_exe().unwrap());
    same.args(["--exact", "requests::an_http_origin_makes_a_client"]);
    let output = same.env("SSL_CERT_FILE", "/nowhere").env("SSL_CERT_DIR", "/nowhere").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn an_origin_may_end_in_a_slash_and_carry_a_port() {
    for origin in
        ["https://ps.pndsn.com", "https://ps.pndsn.com/", "http://127.0.0.1:8090", "http://[::1]:8090/"]
    {
        assert!(Client::new(config(origin)).is_ok(), "{origin}");
    }
}
