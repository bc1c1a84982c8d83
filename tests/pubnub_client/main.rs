//! The Presence API client against an origin that says what each test wants: requests exactly as they are sent, answers and
//! failures as PROTOCOL.md documents them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail like tests")]

mod answers;
mod failures;
mod requests;
mod retries;
mod wire;

use adsum::pubnub::{Client, ClientConfig};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

const VERSION: &str = concat!("adsum%2F", env!("CARGO_PKG_VERSION"));

const OK: &str = r#"{"message":"OK","service":"Presence","status":200}"#;

/// An origin that gives this answer to everything.
async fn origin(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

/// An origin that answers everything with this body, as the Presence service would.
async fn answering(status: u16, body: &str) -> MockServer {
    origin(ResponseTemplate::new(status).set_body_raw(body, r#"text/javascript; charset="UTF-8""#)).await
}

fn config(origin: impl Into<String>) -> ClientConfig {
    ClientConfig { origin: origin.into(), ..ClientConfig::new("sub-k", "my uuid/1") }
}

fn client(server: &MockServer) -> Client {
    Client::new(config(server.uri())).unwrap()
}

/// The path and query of every request so far, as sent but for the random `requestid` and adsum's own version.
async fn sent(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let lines = requests.iter().map(|r| format!("{}?{}", r.url.path(), r.url.query().unwrap()));
    lines.map(|line| without_request_id(&line).replace(VERSION, "adsum%2F<version>")).collect()
}

/// `requestid=<uuid4>` for `requestid=` and a version 4 UUID; anything else stays as it is.
fn without_request_id(uri: &str) -> String {
    let (before, after) = uri.split_once("requestid=").unwrap();
    let (id, rest) = after.split_at(36);
    assert_eq!(id.as_bytes()[14], b'4', "{id} is no version 4 UUID");
    format!("{before}requestid=<uuid4>{rest}")
}
