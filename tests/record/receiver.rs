//! A real receiver of webhooks: an HTTP server in threads of its own, which is killed and started again on its port, and
//! keeps every request that it has read.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

/// Ports that no system gives away by itself: nobody may come to have the receiver's while it is dead.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// What the receiver does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Takes them.
    Takes,
    /// Takes them, and says nothing.
    TakesInSilence,
    /// Does not take them, and says nothing.
    Hangs,
    /// Does not take them, and answers this: a status, and headers, each with its line end.
    Refuses(&'static str),
}

/// A request that was read whole.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    /// In lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Whether the receiver took it.
    pub(crate) taken: bool,
}

/// The receiver; it is killed when it goes out of scope.
pub(crate) struct Receiver {
    port: u16,
    desk: Arc<Desk>,
    running: Option<JoinHandle<()>>,
}

/// What outlasts a kill.
struct Desk {
    mood: Mutex<Mood>,
    got: Mutex<Vec<Got>>,
    /// Every connection since it was last started; `None` while it is dead.
    connections: Mutex<Option<Vec<TcpStream>>>,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found: Vec<_> = self.headers.iter().filter(|(known, _)| known == name).collect();
        assert_eq!(found.len(), 1, "{name} in {:?}", self.headers);
        &found[0].1
    }

    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether it is signed with a secret, by Standard Webhooks.
    pub(crate) fn is_signed(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.{}", self.id(), self.header("webhook-timestamp"), self.body).as_bytes());
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.header("webhook-signature") == expected
    }
}

impl Receiver {
    /// One that takes everything.
    pub(crate) fn start() -> Self {
        let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let port = std::iter::repeat_with(|| fastrand::u16(PORTS)).find(free).unwrap();
        let desk = Desk { mood: Mood::Takes.into(), got: Mutex::default(), connections: Mutex::default() };
        let mut receiver = Self { port, desk: Arc::new(desk), running: None };
        receiver.start_again();
        receiver
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/alerts", self.port)
    }

    /// Starts it again after it was killed.
    pub(crate) fn start_again(&mut self) {
        assert!(self.running.is_none(), "it runs");
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        *self.desk.connections.lock().unwrap() = Some(Vec::new());
        let desk = Arc::clone(&self.desk);
        self.running = Some(std::thread::spawn(move || desk.listen(&listener)));
    }

    /// Nobody listens any more, and who was connected is cut off. To kill what is dead does nothing.
    pub(crate) fn kill(&mut self) {
        let Some(running) = self.running.take() else { return };
        for connection in self.desk.connections.lock().unwrap().take().unwrap() {
            // It may be closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
        // Wakes who waits for the next connection.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        running.join().unwrap();
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.desk.mood.lock().unwrap() = mood;
    }

    /// Every request, in the order in which they came.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.desk.got.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.desk.got.lock().unwrap().len()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Desk {
    fn listen(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            match &mut *self.connections.lock().unwrap() {
                Some(connections) => connections.push(stream.try_clone().unwrap()),
                None => return,
            }
            let desk = Arc::clone(self);
            std::thread::spawn(move || desk.serve(stream));
        }
    }

    fn serve(&self, mut stream: TcpStream) {
        let Some((headers, body)) = read(&mut stream) else { return };
        let mood = *self.mood.lock().unwrap();
        let taken = matches!(mood, Mood::Takes | Mood::TakesInSilence);
        self.got.lock().unwrap().push(Got { headers, body, taken });
        let head = match mood {
            Mood::Takes => "200 OK\r\n",
            Mood::Refuses(head) => head,
            Mood::TakesInSilence | Mood::Hangs => {
                // Until the other side goes, or this one is killed.
                let _ = stream.read(&mut [0; 1]);
                return;
            }
        };
        let answer = format!("HTTP/1.1 {head}content-length: 0\r\nconnection: close\r\n\r\n");
        // The client may be gone; that is what is tested.
        let _ = stream.write_all(answer.as_bytes());
    }
}

/// The headers and the body of a request that is whole.
fn read(stream: &mut TcpStream) -> Option<(Vec<(String, String)>, String)> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        read_more(stream, &mut bytes)?;
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    assert_eq!(lines.next(), Some("POST /alerts HTTP/1.1"));
    let split = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    let headers: Vec<_> = lines.map(split).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse::<usize>().unwrap();
    while bytes.len() < end + 4 + length {
        read_more(stream, &mut bytes)?;
    }
    Some((headers, String::from_utf8(bytes[end + 4..].to_vec()).unwrap()))
}

fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 4096];
    let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
    bytes.extend_from_slice(&buffer[..read]);
    Some(())
}
