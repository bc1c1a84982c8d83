//! The stream of events.

use reqwest::{Method, Response};
use serde_json::Value;

use crate::server::{PATIENCE, Server};

/// How many come at once.
const CROWD: usize = 1500;

/// One reader's stream.
struct Reader {
    response: Response,
    text: String,
}

impl Reader {
    async fn open(server: &Server, path: &str, last: Option<&str>) -> Self {
        let request = server.request(Method::GET, path);
        let request = last.into_iter().fold(request, |request, id| request.header("Last-Event-ID", id));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next block of lines; `None` at the end of the stream.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let chunk =
                actix_web::rt::time::timeout(PATIENCE, self.response.chunk()).await.unwrap().ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next events: id and `kind user`.
    async fn events(&mut self, count: usize) -> Vec<(String, String)> {
        let mut events = Vec::new();
        while events.len() < count {
            let block = self.block().await.unwrap();
            let field =
                |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            let Some(data) = field("data: ") else { continue };
            let event: Value = serde_json::from_str(&data).unwrap();
            let (id, kind) = (field("id: ").unwrap(), field("event: ").unwrap());
            assert_eq!((event["id"].to_string(), event["kind"].as_str()), (id.clone(), Some(kind.as_str())));
            events.push((id, format!("{kind} {}", event["user"].as_str().unwrap())));
        }
        events
    }
}

fn texts(events: &[(String, String)]) -> Vec<&str> {
    events.iter().map(|(_, text)| text.as_str()).collect()
}

#[actix_web::test]
async fn a_stream_opens_with_the_newest_id_and_tells_what_happens_from_then_on() {
    let server = Server::start().await;
    server.observed("lobby").await;
    server.joined("lobby", &["before"]).await;
    let newest = server.adsum.newest_event().await.unwrap();
    let mut reader = Reader::open(&server, "/v1/stream", None).await;
    assert_eq!(reader.block().await.unwrap(), format!("id: {newest}"));
    server.joined("lobby", &["ada"]).await;
    server.leave("lobby", "ada");
    assert_eq!(texts(&reader.events(2).await), ["join ada", "leave ada"]);
}

#[actix_web::test]
async fn a_resumed_stream_goes_on_without_loss_or_repeat() {
    let server = Server::start().await;
    server.observed("lobby").await;
    let mut reader = Reader::open(&server, "/v1/stream", None).await;
    server.joined("lobby", &["a", "b"]).await;
    let first = reader.events(2).await;
    drop(reader);
    server.joined("lobby", &["c", "d"]).await;
    let mut by_header = Reader::open(&server, "/v1/stream", Some(&first[1].0)).await;
    assert_eq!(by_header.block().await.unwrap(), format!("id: {}", first[1].0));
    let mut by_parameter = Reader::open(&server, &format!("/v1/stream?after={}", first[0].0), None).await;
    server.joined("lobby", &["e"]).await;
    assert_eq!(texts(&by_header.events(3).await), ["join c", "join d", "join e"]);
    assert_eq!(texts(&by_parameter.events(4).await), ["join b", "join c", "join d", "join e"]);
}

#[actix_web::test]
async fn a_stream_tells_only_what_was_asked_for() {
    let server = Server::start_with(&["lobby", "office"], &[]).await;
    server.observed("lobby").await;
    server.observed("office").await;
    let mut of_channel = Reader::open(&server, "/v1/stream?channel=office", None).await;
    let mut of_user = Reader::open(&server, "/v1/stream?user=bob", None).await;
    let mut of_kind = Reader::open(&server, "/v1/stream?kind=leave,state", None).await;
    server.joined("lobby", &["ada", "bob"]).await;
    server.joined("office", &["cid"]).await;
    server.leave("lobby", "ada");
    assert_eq!(texts(&of_channel.events(1).await), ["join cid"]);
    assert_eq!(texts(&of_user.events(1).await), ["join bob"]);
    assert_eq!(texts(&of_kind.events(1).await), ["leave ada"]);
}

#[actix_web::test]
async fn who_is_not_yet_known_can_be_waited_for_and_resumed() {
    let server = Server::start().await;
    server.observed("lobby").await;
    server.joined("lobby", &["ada"]).await;
    let mut reader = Reader::open(&server, "/v1/stream?user=bob", Some("0")).await;
    assert_eq!(reader.block().await.unwrap(), "id: 0");
    server.joined("lobby", &["bob"]).await;
    assert_eq!(texts(&reader.events(1).await), ["join bob"]);
}

#[actix_web::test]
async fn a_reader_that_does_not_read_for_a_while_loses_nothing() {
    let server = Server::start().await;
    server.observed("lobby").await;
    let mut live = Reader::open(&server, "/v1/stream", None).await;
    // More than the sockets between the two can hold.
    let state = Some(Value::String("x".repeat(8000)));
    for number in 0..CROWD {
        server.enter("lobby", &format!("user {number:04}"), state.clone());
    }
    server.json_until("/v1/channels/lobby", |channel| channel["occupancy"] == CROWD).await;
    let mut resumed = Reader::open(&server, "/v1/stream", Some("0")).await;
    for reader in [&mut live, &mut resumed] {
        let mut users: Vec<String> = reader.events(CROWD).await.into_iter().map(|(_, text)| text).collect();
        users.sort();
        let expected: Vec<String> = (0..CROWD).map(|number| format!("join user {number:04}")).collect();
        assert_eq!(users, expected);
    }
}

#[actix_web::test]
async fn stopping_ends_open_streams_at_once() {
    let server = Server::start().await;
    server.observed("lobby").await;
    let mut reader = Reader::open(&server, "/v1/stream", None).await;
    reader.block().await.unwrap();
    let began = std::time::Instant::now();
    server.handle.stop();
    assert_eq!(reader.block().await, None);
    server.running.await.unwrap().unwrap();
    assert!(began.elapsed() < std::time::Duration::from_secs(3), "{:?}", began.elapsed());
}
