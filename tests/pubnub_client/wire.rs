//! What happens on the socket: the raw request line, connections that break, bodies without end, secrets.

use std::time::Duration;

use adsum::pubnub::{Client, ClientConfig, Error};
use base64::Engine as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use wiremock::ResponseTemplate;

use super::{config, origin};

/// A server for one connection that gives these bytes for an answer and returns the request's head.
async fn raw(answer: impl Into<Vec<u8>>) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = answer.into();
    let served = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.unwrap());
        }
        socket.write_all(&answer).await.unwrap();
        String::from_utf8(head).unwrap()
    });
    (url, served)
}

fn http(head: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\n{head}\r\n{body}")
}

fn client(origin: &str) -> Client {
    Client::new(config(origin)).unwrap()
}

#[tokio::test]
async fn the_request_line_is_the_signed_path_byte_for_byte() {
    let (url, served) = raw(http("Content-Length: 29\r\n", r#"{"occupancy":1,"uuids":["a"]}"#)).await;
    client(&url).here_now().channels(["a/../b", "%2e%2e", "\\", "é|^`{}"]).execute().await.unwrap_err();
    let head = served.await.unwrap();
    let line = head.lines().next().unwrap();
    let path = "/v2/presence/sub-key/sub-k/channel/a%2F..%2Fb,%252e%252e,%5C,%C3%A9%7C%5E%60%7B%7D";
    assert!(line.starts_with(&format!("GET {path}?pnsdk=adsum%2F")) && line.ends_with(" HTTP/1.1"), "{line}");
    let head = head.to_ascii_lowercase();
    assert!(
        head.contains("\r\naccept-encoding: gzip\r\n") && head.contains("\r\nuser-agent: adsum/"),
        "{head}"
    );
}

#[tokio::test]
async fn a_connection_that_breaks_inside_the_body_is_a_bad_answer() {
    let (url, _) = raw(http("Content-Length: 1000\r\n", r#"{"occupancy":0,"#)).await;
    let error = client(&url).here_now().channels(["c"]).execute().await.unwrap_err();
    assert!(error.to_string().contains("cut off after 15 bytes"), "{error}");
    assert!(matches!(error, Error::BadAnswer { .. }));
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_is_unreachable() {
    let (url, _) = raw("").await;
    let error = client(&url).here_now().channels(["c"]).execute().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }) && error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable_with_its_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&url).here_now().execute().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn tls_to_a_server_without_tls_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let first = socket.read_u8().await.unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        first
    });
    let error = client(&url).here_now().execute().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(served.await.unwrap(), 22, "a TLS handshake was begun");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_a_timeout() {
    let late = ResponseTemplate::new(200).set_delay(Duration::from_mins(1));
    let server = origin(late).await;
    let after = Duration::from_millis(50);
    let client = Client::new(ClientConfig { request_timeout: after, ..config(server.uri()) }).unwrap();
    let error = client.here_now().execute().await.unwrap_err();
    assert_eq!(error, Error::Timeout { after });
    assert!(error.is_retryable());
}

/// 256 KiB of spaces.
const BOMB: &str = "H4sIAAAAAAACA+3BMQEAAADCoCrrn9LbDkABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAALwBNKAvkgAABAA=";

#[tokio::test]
async fn a_gzip_bomb_is_refused_at_the_limit_of_what_it_unpacks_to() {
    let bomb = base64::engine::general_purpose::STANDARD.decode(BOMB).unwrap();
    assert!(bomb.len() < 400);
    let template = ResponseTemplate::new(200).insert_header("Content-Encoding", "gzip").set_body_bytes(bomb);
    let server = origin(template).await;
    for (max_answer, expected) in [(256 * 1024 - 1, true), (256 * 1024, false)] {
        let client = Client::new(ClientConfig { max_answer, ..config(server.uri()) }).unwrap();
        let error = client.here_now().execute().await.unwrap_err();
        assert_eq!(error == Error::TooLarge { limit: max_answer }, expected, "{error:?}");
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_read() {
    let body = r#"{"occupancy":1,"uuids":["a"]}"#;
    for (max_answer, fits) in [(body.len(), true), (body.len() - 1, false)] {
        let server = super::answering(200, body).await;
        let client = Client::new(ClientConfig { max_answer, ..config(server.uri()) }).unwrap();
        let result = client.here_now().channels(["c"]).execute().await;
        assert_eq!(result.is_ok(), fits, "{result:?}");
    }
}

/// A client with every secret there is, and what of it may never show.
fn secretive(origin: &str) -> (Client, [&'static str; 2]) {
    let config = ClientConfig {
        publish_key: Some("pub-k".into()),
        secret_key: Some("sec-SECRET".into()),
        auth_token: Some("tok/SECRET".into()),
        ..config(origin)
    };
    assert!(!format!("{config:?}").contains("SECRET"));
    (Client::new(config).unwrap(), ["SECRET", "v2."])
}

#[tokio::test]
async fn no_error_shows_a_secret_even_if_the_service_repeats_it() {
    for (status, body) in [
        ("404 Not Found", r#"{"message":"Not found: '<uri>'","status":404}"#),
        ("404 Not Found", r#"{"message":"tok\/SECRET","status":404}"#),
        ("502 Bad Gateway", "<html><uri></html>"),
        ("200 OK", r#"{"occupancy":"<uri>"}"#),
        ("200 OK", r#"{"status":403,"service":"<uri>","payload":{"channels":["<uri>"]}}"#),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (client, secrets) = secretive(&format!("http://{}", listener.local_addr().unwrap()));
        let served = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let uri = head.split(' ').nth(1).unwrap().to_owned();
            assert!(uri.contains("tok%2FSECRET") && uri.contains("signature=v2."), "{uri}");
            let body = body.replace("<uri>", &uri);
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            socket.write_all(answer.as_bytes()).await.unwrap();
        });
        let ask = client.here_now().channels(["c"]);
        let asked = format!("{client:?} {ask:?}");
        let error = ask.execute().await.unwrap_err();
        served.await.unwrap();
        let said = format!("{error} {error:?} {asked}");
        assert!(secrets.iter().all(|secret| !said.contains(secret)), "{said}");
        assert!(said.contains("repeats a secret"), "{said}");
    }
}

#[tokio::test]
async fn no_network_error_shows_a_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, secrets) = secretive(&format!("http://{}", listener.local_addr().unwrap()));
    drop(listener);
    let refused = client.here_now().execute().await.unwrap_err();
    let (url, _) = raw(http("Content-Length: 1000\r\n", "{")).await;
    let cut = secretive(&url).0.here_now().execute().await.unwrap_err();
    let (url, _) = raw("SSH-2.0-OpenSSH\r\n\r\n").await;
    let no_http = secretive(&url).0.here_now().execute().await.unwrap_err();
    for error in [refused, cut, no_http] {
        let said = format!("{error} {error:?}");
        assert!(secrets.iter().all(|secret| !said.contains(secret)), "{said}");
    }
}
