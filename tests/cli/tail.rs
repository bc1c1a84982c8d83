//! Following the stream.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{header, header_exists, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::{assert_fit_for_a_terminal, run};

fn stream(text: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(text.to_owned(), "text/event-stream")
}

/// One connection after the other: each stream ends, the next goes on behind it; then the cursor has expired.
async fn three_streams() -> MockServer {
    let server = MockServer::start().await;
    let first = "id: 6\n\n: hello\n\nid: 7\ndata: {\"id\":7,\"kind\":\"join\",\"channel\":\"lobby\",\"user\":\"a\\u001bb\",\
                 \"occupancy\":2,\"not_before\":\"2026-11-24T14:03:05.120Z\",\"not_after\":\"2026-11-24T14:03:07.300Z\"}\n\n\
                 id: 8\ndata: {\"id\":8,\"half";
    let second = "id: 8\ndata: {\"id\":8,\"kind\":\"leave\",\"channel\":\"lobby\",\"user\":\"bob\",\"occupancy\":1,\
                  \"not_before\":\"2026-11-24T14:03:08.000Z\",\"not_after\":\"2026-11-24T14:03:09.000Z\"}\n\n";
    let expired = json!({"title": "Cursor expired", "status": 410, "code": "cursor_expired"});
    let route = || Mock::given(path("/v1/stream")).and(query_param("channel", "lobby"));
    Mock::given(path("/v1/stream"))
        .and(query_param_is_missing("channel"))
        .respond_with(ResponseTemplate::new(500))
        .mount(&server)
        .await;
    route().and(header("last-event-id", "7")).respond_with(stream(second)).expect(1).mount(&server).await;
    let gone = ResponseTemplate::new(410).set_body_raw(expired.to_string(), "application/problem+json");
    route().and(header("last-event-id", "8")).respond_with(gone).expect(1).mount(&server).await;
    route().and(header_exists("accept")).respond_with(stream(first)).expect(1).mount(&server).await;
    server
}

#[tokio::test]
async fn tail_goes_on_after_the_last_whole_event_when_the_connection_breaks() {
    let server = three_streams().await;
    let ended = run(&["tail", "--channel", "lobby", "--server", &server.uri()]);
    assert_eq!(ended.status, 1);
    assert_eq!(
        ended.stdout,
        "2026-11-24 14:03:05.120 … 14:03:07.300  join  lobby  a\\u{1b}b  occupancy 2\n\
         2026-11-24 14:03:08.000 … 14:03:09.000  leave  lobby  bob  occupancy 1\n"
    );
    assert!(ended.stderr.ends_with("error: Cursor expired (cursor_expired)\n"), "{}", ended.stderr);
}

/// Takes one connection and reads its request; the lines are in lower case.
fn request(listener: &TcpListener) -> (TcpStream, Vec<String>) {
    let (stream, _) = listener.accept().expect("a connection");
    let lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
    let lines = lines.map(|line| line.expect("a line").to_lowercase()).take_while(|line| !line.is_empty());
    let lines = lines.collect();
    (stream, lines)
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

#[test]
fn tail_goes_on_after_a_daemon_that_was_away_for_a_while() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut command = std::process::Command::new(cargo_bin("adsum"));
    command.args(["tail", "--json", "--server", &format!("http://{address}")]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    let mut printed = BufReader::new(child.stdout.take().expect("piped")).lines();
    let told = BufReader::new(child.stderr.take().expect("piped")).lines();

    let (mut stream, _) = request(&listener);
    drop(listener);
    stream.write_all(format!("{HEAD}id: 1\ndata: {{\"id\":1}}\n\n").as_bytes()).expect("written");
    drop(stream);
    assert_eq!(printed.next().expect("an event").expect("UTF-8"), "{\"id\":1}");
    // The first try found nobody there.
    assert!(
        told.map_while(Result::ok)
            .any(|line| line.starts_with("connection lost") && line.contains("refused")),
        "it gave up"
    );

    let listener = TcpListener::bind(address).expect("the same port");
    let (mut stream, lines) = request(&listener);
    assert!(lines.contains(&"last-event-id: 1".to_owned()), "{lines:?}");
    stream.write_all(format!("{HEAD}id: 2\ndata: {{\"id\":2}}\n\n").as_bytes()).expect("written");
    assert_eq!(printed.next().expect("an event").expect("UTF-8"), "{\"id\":2}");
    send("TERM", &child);
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}

#[tokio::test]
async fn tail_prints_a_line_of_json_for_each_event() {
    let server = three_streams().await;
    let ended = run(&["tail", "--channel", "lobby", "--json", "--server", &server.uri()]);
    assert_fit_for_a_terminal(&ended.stdout);
    let ids: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["id"].clone())
        .collect();
    assert_eq!(ids, [json!(7), json!(8)]);
}

#[test]
fn tail_says_at_once_that_nobody_answers() {
    let begun = Instant::now();
    let ended = run(&["tail", "--server", "http://127.0.0.1:1"]);
    assert_eq!(ended.status, 1);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

/// A server that opens one stream, sends one event and holds the connection; and `adsum tail` connected to it.
fn held_tail() -> (std::thread::JoinHandle<()>, Child) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let uri = format!("http://{}", listener.local_addr().expect("an address"));
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = BufReader::new(stream.try_clone().expect("a second handle")).lines();
        while request.next().is_some_and(|line| !line.expect("a line").is_empty()) {}
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nid: 1\ndata: {\"id\":1}\n\n";
        stream.write_all(answer.as_bytes()).expect("written");
        // Until the client goes.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut command = std::process::Command::new(cargo_bin("adsum"));
    let child =
        command.args(["tail", "--json", "--server", &uri]).stdout(Stdio::piped()).spawn().expect("runs");
    (server, child)
}

#[rstest]
fn a_signal_ends_tail_within_five_seconds(#[values("INT", "TERM")] signal: &str) {
    let (server, mut child) = held_tail();
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("an event");
    assert_eq!(line, "{\"id\":1}\n");
    let begun = Instant::now();
    let sent =
        std::process::Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    assert_eq!(child.wait().expect("ends").code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5));
    server.join().expect("the server ends with its client");
}

#[rstest]
fn a_signal_ends_a_command_that_waits_for_an_answer(#[values("INT", "TERM")] signal: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let uri = format!("http://{}", listener.local_addr().expect("an address"));
    let mut child = std::process::Command::new(cargo_bin("adsum"))
        .args(["channels", "--server", &uri])
        .spawn()
        .expect("runs");
    // Connected, and never answered.
    let _held = listener.accept().expect("a connection");
    let begun = Instant::now();
    send(signal, &child);
    assert!(!child.wait().expect("ends").success());
    assert!(begun.elapsed() < Duration::from_secs(5));
}

fn send(signal: &str, child: &Child) {
    let sent =
        std::process::Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}
