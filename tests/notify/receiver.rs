//! An HTTP server that does to each connection what it is told, and counts what it got.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

/// What is done with a connection.
#[derive(Debug, Clone)]
pub(crate) enum Do {
    /// Reads the request and answers this.
    Answer(String),
    /// Reads the request and says nothing.
    Hang,
    /// Closes before it has read anything.
    Close,
    /// Answers this, before or after the request as it may, and closes without another word.
    Break(&'static str),
    /// Answers with a body that never ends.
    Endless(&'static str),
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) path: String,
    /// In lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

pub(crate) struct Receiver {
    port: u16,
    got: Arc<Mutex<Vec<Got>>>,
    connections: Arc<Mutex<usize>>,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found: Vec<_> = self.headers.iter().filter(|(known, _)| known == name).collect();
        assert_eq!(found.len(), 1, "{name} in {:?}", self.headers);
        &found[0].1
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Receiver {
    /// Does one after the other, the last one for ever.
    pub(crate) fn new(script: Vec<Do>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let connections: Arc<Mutex<usize>> = Arc::default();
        let (into, counted) = (Arc::clone(&got), Arc::clone(&connections));
        std::thread::spawn(move || {
            for (at, stream) in listener.incoming().enumerate() {
                *counted.lock().unwrap() += 1;
                let what = script.get(at).or(script.last()).unwrap().clone();
                let into = Arc::clone(&into);
                std::thread::spawn(move || serve(stream.unwrap(), &what, &into));
            }
        });
        Self { port, got, connections }
    }

    /// Answers every request with this status.
    pub(crate) fn answering(status: &str) -> Self {
        Self::new(vec![answer(status, "", "")])
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?key=s3cret", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

/// An answer with headers, each with its line end, and a body.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Do {
    let length = body.len();
    Do::Answer(format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

fn serve(mut stream: TcpStream, what: &Do, into: &Mutex<Vec<Got>>) {
    if matches!(what, Do::Close) {
        return;
    }
    let Some(got) = read(&mut stream) else { return };
    into.lock().unwrap().push(got);
    // The client may have gone; that is its business.
    match what {
        Do::Answer(text) => drop(stream.write_all(text.as_bytes())),
        Do::Break(text) => drop(stream.write_all(text.as_bytes())),
        Do::Hang => drop(stream.read(&mut [0; 1])),
        Do::Endless(text) => {
            let mut sent = stream.write_all(text.as_bytes());
            while sent.is_ok() {
                sent = stream.write_all(&[b'x'; 8192]);
            }
        }
        Do::Close => {}
    }
}

fn read(stream: &mut TcpStream) -> Option<Got> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        read_more(stream, &mut bytes)?;
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let first: Vec<&str> = lines.next().unwrap().split(' ').collect();
    assert_eq!((first[0], first[2]), ("POST", "HTTP/1.1"));
    let split = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    let mut got = Got { path: first[1].to_owned(), headers: lines.map(split).collect(), body: String::new() };
    let length: usize = got.header("content-length").parse().unwrap();
    while bytes.len() < end + 4 + length {
        read_more(stream, &mut bytes)?;
    }
    got.body = String::from_utf8(bytes[end + 4..].to_vec()).unwrap();
    Some(got)
}

fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 4096];
    let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
    bytes.extend_from_slice(&buffer[..read]);
    Some(())
}
