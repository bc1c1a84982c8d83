//! A raw TCP server that answers what a test wants, also what is no HTTP.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the daemon asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// Who is in these channels; where the page begins, if a page is asked for.
    HereNow { channels: Vec<String>, offset: Option<usize> },
    /// Who is anywhere.
    Everywhere,
    /// Which channels a group has.
    Group(String),
}

/// What it gets. The connection is closed afterwards.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These bytes, and then others again and again, with pauses, until the daemon has had enough.
    Endless { begin: Vec<u8>, again: Vec<u8>, pause: Duration },
    /// Nothing, for longer than the daemon waits.
    Silence,
}

type Behaviour = dyn Fn(&Question) -> Reply + Send + Sync;

/// A running origin.
pub(crate) struct Origin {
    pub(crate) address: String,
    behaviour: Arc<Mutex<Arc<Behaviour>>>,
    asked: Arc<Mutex<Vec<Question>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Origin {
    pub(crate) async fn start(behaviour: impl Fn(&Question) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let behaviour: Arc<Mutex<Arc<Behaviour>>> = Arc::new(Mutex::new(Arc::new(behaviour)));
        let asked = Arc::<Mutex<Vec<Question>>>::default();
        let (current, log) = (Arc::clone(&behaviour), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (current, log) = (Arc::clone(&current), Arc::clone(&log));
                tokio::spawn(async move {
                    // A client that goes away is what many of these answers are made for.
                    let _ = serve(client, &current, &log).await;
                });
            }
        });
        Self { address, behaviour, asked, task }
    }

    /// Behaves differently from now on.
    pub(crate) fn behave(&self, behaviour: impl Fn(&Question) -> Reply + Send + Sync + 'static) {
        *self.behaviour.lock().unwrap() = Arc::new(behaviour);
    }

    /// How often it was asked this so far.
    pub(crate) fn count(&self, asked: impl Fn(&Question) -> bool) -> usize {
        self.asked.lock().unwrap().iter().filter(|question| asked(question)).count()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut client: TcpStream,
    behaviour: &Mutex<Arc<Behaviour>>,
    asked: &Mutex<Vec<Question>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if client.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let question = question(&head);
    asked.lock().unwrap().push(question.clone());
    let behaviour = Arc::clone(&behaviour.lock().unwrap());
    let reply = tokio::task::spawn_blocking(move || behaviour(&question)).await.unwrap();
    match reply {
        Reply::Bytes(bytes) => client.write_all(&bytes).await?,
        Reply::Silence => tokio::time::sleep(Duration::from_secs(60)).await,
        Reply::Endless { begin, again, pause } => {
            client.write_all(&begin).await?;
            loop {
                client.write_all(&again).await?;
                tokio::time::sleep(pause).await;
            }
        }
    }
    client.shutdown().await
}

fn question(head: &[u8]) -> Question {
    let text = std::str::from_utf8(head).unwrap();
    let target = text.split(' ').nth(1).unwrap();
    let (path, query) = target.split_once('?').unwrap();
    let decoded = |name: &str| percent_decode_str(name).decode_utf8_lossy().into_owned();
    let offset = query.split('&').find_map(|pair| pair.strip_prefix("offset=")?.parse().ok());
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "v2", "presence", "sub-key", _, "channel", names] => {
            Question::HereNow { channels: names.split(',').map(decoded).collect(), offset }
        }
        ["", "v2", "presence", "sub-key", _] => Question::Everywhere,
        [.., "channel-group", group] => Question::Group(decoded(group)),
        _ => panic!("a request of another kind: {target}"),
    }
}
