//! A lean origin: it answers here-now for a [`Crowd`] and nothing else, from lists that were written beforehand. The
//! embedded origin of adsum keeps users one by one, which costs more than what is to be measured.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::crowd::{Crowd, USER_BYTES, channel_name, channel_number, user_name};
use super::process::Process;

/// A user in a list: quoted, with a comma.
const ENTRY_BYTES: usize = USER_BYTES + 3;

/// Longer than any request here.
const MAX_HEAD: usize = 256 * 1024;

/// An origin in a process of its own.
pub(crate) struct Origin {
    pub(crate) process: Process,
    pub(crate) url: String,
}

/// What a client was served, told apart by the subscribe key it asks with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Served {
    pub(crate) requests: u64,
    pub(crate) polls: u64,
    pub(crate) bytes: u64,
}

impl Origin {
    pub(crate) fn start(crowd: Crowd) -> anyhow::Result<Self> {
        let mut process = Process::role("origin", &crowd.words())?;
        let port: u16 = process.line()?.trim().parse().context("the origin told no port")?;
        Ok(Self { process, url: format!("http://127.0.0.1:{port}") })
    }

    pub(crate) fn served(&mut self, key: &str) -> anyhow::Result<Served> {
        let line = self.process.ask(key)?;
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [requests, polls, bytes] = numbers[..] else { anyhow::bail!("the origin counted {line:?}") };
        Ok(Served { requests, polls, bytes })
    }
}

struct Service {
    crowd: Crowd,
    since: Instant,
    /// Each channel's list.
    lists: Vec<Vec<u8>>,
    served: RefCell<BTreeMap<String, Served>>,
}

/// Serves for ever; each line on stdin is a key, answered with what it was served.
pub(crate) fn serve(words: &[String]) -> anyhow::Result<()> {
    let crowd = Crowd::read(words)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let lists = (0..crowd.channels).map(|channel| list(crowd, channel)).collect();
        let served = RefCell::default();
        let service = Rc::new(Service { crowd, since: Instant::now(), lists, served });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?.port());
        let mut keys = super::process::lines_of_stdin();
        loop {
            tokio::select! {
                connection = listener.accept() => {
                    let (connection, service) = (connection?.0, Rc::clone(&service));
                    connection.set_nodelay(true)?;
                    tokio::task::spawn_local(async move {
                        // A client that hangs up is no matter here.
                        let _ = service.converse(connection).await;
                    });
                }
                key = keys.recv() => {
                    let Some(key) = key else { return Ok(()) };
                    let Served { requests, polls, bytes } = service.served.borrow().get(&key).copied().unwrap_or_default();
                    println!("{requests} {polls} {bytes}");
                }
            }
        }
    })
}

fn list(crowd: Crowd, channel: usize) -> Vec<u8> {
    let mut list = Vec::with_capacity(crowd.users * ENTRY_BYTES);
    for slot in 0..crowd.users {
        let _ = write!(list, "\"{}\",", user_name(channel, slot));
    }
    list
}

impl Service {
    async fn converse(&self, mut connection: TcpStream) -> anyhow::Result<()> {
        let (mut head, mut answer) = (Vec::new(), Vec::new());
        loop {
            head.clear();
            while !head.ends_with(b"\r\n\r\n") {
                let more = connection.read_buf(&mut head).await?;
                if more == 0 || head.len() > MAX_HEAD {
                    return Ok(());
                }
            }
            let target = std::str::from_utf8(&head)?.split(' ').nth(1).context("no request")?;
            answer.clear();
            self.answer(target, &mut answer)?;
            connection.write_all(&answer).await?;
        }
    }

    fn answer(&self, target: &str, answer: &mut Vec<u8>) -> anyhow::Result<()> {
        let rest = target.strip_prefix("/v2/presence/sub-key/").context("not here-now")?;
        let Some((key, rest)) = rest.split_once("/channel/") else { return self.discovery(answer) };
        let names = rest.split_once('?').map_or(rest, |(names, _)| names).replace("%2C", ",");
        let names: Vec<&str> = names.split(',').collect();
        let mut body = Vec::with_capacity(names.len() * (self.crowd.users * ENTRY_BYTES + 64) + 256);
        if let [name] = names[..] {
            body.extend_from_slice(br#"{"status":200,"message":"OK","service":"Presence","#);
            self.entry(name, &mut body)?;
            body.push(b'}');
        } else {
            self.many(&names, &mut body)?;
        }
        respond(&body, answer)?;
        let mut served = self.served.borrow_mut();
        if !served.contains_key(key) {
            served.insert(key.to_owned(), Served::default());
        }
        if let Some(served) = served.get_mut(key) {
            served.requests += 1;
            served.polls += names.len() as u64;
            served.bytes += answer.len() as u64;
        }
        Ok(())
    }

    /// All channels and how many are in each, without users: what adsum asks for to find channels.
    fn discovery(&self, answer: &mut Vec<u8>) -> anyhow::Result<()> {
        let mut body = Vec::from(br#"{"status":200,"message":"OK","payload":{"channels":{"#);
        let (channels, users) = (self.crowd.channels, self.crowd.users);
        for channel in 0..channels {
            let comma = if channel == 0 { "" } else { "," };
            write!(body, "{comma}\"{}\":{{\"occupancy\":{users}}}", channel_name(channel))?;
        }
        let total = channels * users;
        write!(body, r#"}},"total_channels":{channels},"total_occupancy":{total}}},"service":"Presence"}}"#)?;
        respond(&body, answer)
    }

    /// Empty channels are left out, as `PubNub` does.
    fn many(&self, names: &[&str], body: &mut Vec<u8>) -> anyhow::Result<()> {
        body.extend_from_slice(br#"{"status":200,"message":"OK","payload":{"channels":{"#);
        let (mut channels, mut occupancy) = (0, 0);
        for name in names.iter().filter(|_| self.crowd.users > 0) {
            write!(body, "{}\"{name}\":{{", if channels == 0 { "" } else { "," })?;
            occupancy += self.entry(name, body)?;
            body.push(b'}');
            channels += 1;
        }
        write!(
            body,
            r#"}},"total_channels":{channels},"total_occupancy":{occupancy}}},"service":"Presence"}}"#
        )?;
        Ok(())
    }

    /// The two fields of a channel; gives its occupancy.
    fn entry(&self, name: &str, body: &mut Vec<u8>) -> anyhow::Result<usize> {
        let channel = channel_number(name).filter(|channel| *channel < self.crowd.channels);
        let channel = channel.with_context(|| format!("no such channel: {name}"))?;
        let list = self.lists.get(channel).context("no list")?;
        let missing = self.crowd.missing(channel, self.elapsed());
        let occupancy = self.crowd.users - usize::from(missing.is_some());
        write!(body, r#""occupancy":{occupancy},"uuids":["#)?;
        let cut = missing.unwrap_or(self.crowd.users) * ENTRY_BYTES;
        let (before, after) = list.split_at(cut);
        body.extend_from_slice(before);
        body.extend_from_slice(after.get(ENTRY_BYTES..).unwrap_or_default());
        if occupancy > 0 {
            body.pop();
        }
        body.push(b']');
        Ok(occupancy)
    }

    fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}

fn respond(body: &[u8], answer: &mut Vec<u8>) -> anyhow::Result<()> {
    let length = body.len();
    write!(answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n")?;
    answer.extend_from_slice(body);
    Ok(())
}
