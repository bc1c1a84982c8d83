//! Retries happen by the caller's policy only.

use std::time::Duration;

use adsum::pubnub::{Client, ClientConfig, RetryPolicy};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{OK, answering, config, sent};

/// Fails twice, then answers.
async fn recovering(status: u16) -> MockServer {
    let server = answering(200, OK).await;
    let failure = ResponseTemplate::new(status).insert_header("Retry-After", "0");
    Mock::given(any()).respond_with(failure).up_to_n_times(2).with_priority(1).mount(&server).await;
    server
}

fn persistent(server: &MockServer, attempts: u32) -> Client {
    let retry = RetryPolicy::Exponential {
        attempts,
        min_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(2),
    };
    Client::new(ClientConfig { retry, ..config(server.uri()) }).unwrap()
}

#[tokio::test]
async fn a_policy_asks_again_until_the_answer_comes_each_time_with_a_new_request_id() {
    let server = recovering(503).await;
    persistent(&server, 3).leave().channels(["c"]).execute().await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let lines: std::collections::HashSet<_> = requests.iter().map(|request| request.url.query()).collect();
    assert_eq!((requests.len(), lines.len()), (3, 3));
}

#[tokio::test]
async fn attempts_bound_the_requests() {
    let server = recovering(429).await;
    let error = persistent(&server, 2).leave().channels(["c"]).execute().await.unwrap_err();
    assert_eq!((error.status(), sent(&server).await.len()), (Some(429), 2));
}

#[tokio::test]
async fn what_cannot_pass_is_asked_once() {
    let server = recovering(403).await;
    persistent(&server, 3).leave().channels(["c"]).execute().await.unwrap_err();
    assert_eq!(sent(&server).await.len(), 1);
}

#[tokio::test]
async fn without_a_policy_every_failure_is_one_request() {
    let server = recovering(503).await;
    super::client(&server).leave().channels(["c"]).execute().await.unwrap_err();
    assert_eq!(sent(&server).await.len(), 1);
}

#[tokio::test]
async fn calls_may_run_on_any_thread() {
    let server = answering(200, OK).await;
    let client = super::client(&server);
    tokio::spawn(client.leave().channels(["c"]).execute()).await.unwrap().unwrap();
    tokio::spawn(client.here_now().channels(["c"]).execute()).await.unwrap().unwrap_err();
}
