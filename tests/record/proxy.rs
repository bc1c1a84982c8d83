//! A proxy between the daemon and the origin: it changes nothing and remembers when which channel was asked for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::wire::Span;

/// One here-now request the daemon made, with its answer.
#[derive(Debug, Clone)]
pub(crate) struct Poll {
    /// The channels it names; none for the global form.
    pub(crate) channels: Vec<String>,
    /// From before the origin heard the question until its answer was here.
    pub(crate) span: Span,
    /// Whether it was answered with 200.
    pub(crate) good: bool,
}

/// What went through so far.
#[derive(Clone, Default)]
pub(crate) struct Polls(Arc<Mutex<Vec<Poll>>>);

impl Polls {
    /// The good answers that name a channel, in the order of their questions.
    pub(crate) fn of(&self, channel: &str) -> Vec<Poll> {
        let polls = self.0.lock().unwrap();
        let named = |poll: &&Poll| poll.good && poll.channels.iter().any(|name| name == channel);
        let mut found: Vec<_> = polls.iter().filter(named).cloned().collect();
        found.sort_by_key(|poll| poll.span.from);
        found
    }

    /// Notes a good poll of one channel.
    pub(crate) fn note(&self, channel: &str, span: Span) {
        self.0.lock().unwrap().push(Poll { channels: vec![channel.to_owned()], span, good: true });
    }

    /// How often it was asked for all channels and got an answer.
    pub(crate) fn discoveries(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|poll| poll.good && poll.channels.is_empty()).count()
    }
}

/// A running proxy.
pub(crate) struct Proxy {
    pub(crate) address: String,
    pub(crate) polls: Polls,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(origin: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (polls, origin) = (Polls::default(), origin.to_owned());
        let log = polls.clone();
        let task = tokio::spawn(async move {
            loop {
                // A failed accept is a client that is gone already.
                let Ok((client, _)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let Ok(server) = TcpStream::connect(&origin).await else { continue };
                tokio::spawn(connection(client, server, log.clone()));
            }
        });
        Self { address, polls, task }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries one connection. Requests have no body and wait for the answer to the one before.
async fn connection(mut client: TcpStream, mut server: TcpStream, polls: Polls) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    let mut head = Vec::new();
    let mut current = None;
    let mut fresh = false;
    loop {
        tokio::select! {
            count = client.read(&mut asked) => {
                let Ok(count @ 1..) = count else { break };
                let from = Timestamp::now();
                head.extend_from_slice(&asked[..count]);
                if head.ends_with(b"\r\n\r\n") {
                    current = channels(&head).map(|channels| begin(&polls, channels, from));
                    fresh = true;
                    head.clear();
                }
                if server.write_all(&asked[..count]).await.is_err() { break }
            }
            count = server.read(&mut answered) => {
                let Ok(count @ 1..) = count else { break };
                if let Some(index) = current {
                    let good = answered[..count].starts_with(b"HTTP/1.1 200");
                    let mut polls = polls.0.lock().unwrap();
                    let poll: &mut Poll = &mut polls[index];
                    poll.span.to = Timestamp::now();
                    poll.good = if fresh { good } else { poll.good };
                }
                fresh = false;
                if client.write_all(&answered[..count]).await.is_err() { break }
            }
        }
    }
}

/// Notes a question; its answer is bad until it comes.
fn begin(polls: &Polls, channels: Vec<String>, from: Timestamp) -> usize {
    let mut polls = polls.0.lock().unwrap();
    polls.push(Poll { channels, span: Span { from, to: from }, good: false });
    polls.len() - 1
}

/// The channels a here-now request names, if it is one.
fn channels(head: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(head).ok()?;
    let path = text.split(' ').nth(1)?.split('?').next()?;
    let decoded = |name: &str| percent_decode_str(name).decode_utf8_lossy().into_owned();
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "v2", "presence", _, _, "channel", names] => Some(names.split(',').map(decoded).collect()),
        ["", "v2", "presence", _, _] => Some(Vec::new()),
        _ => None,
    }
}
