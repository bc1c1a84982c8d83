//! The plain loop in Rust: reqwest, `serde_json` to owned strings, differences of `HashSet`s, one insert per event in one
//! transaction per answer.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use serde::Deserialize;

use super::loops::{Counts, Job, poll};

#[derive(Deserialize)]
struct Body {
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    channels: HashMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    uuids: HashSet<String>,
}

struct Kept {
    rosters: HashMap<String, HashSet<String>>,
    database: Connection,
}

pub(crate) fn run(words: &[String]) -> anyhow::Result<()> {
    let job = Job::read(words)?;
    let database = open(Path::new(&job.file))?;
    let kept = Rc::new(RefCell::new(Kept { rosters: HashMap::new(), database }));
    let counts = Arc::new(Counts::default());
    poll(&job, "plain", &counts, move |response, counts| {
        let kept = Rc::clone(&kept);
        async move {
            let body: Body = serde_json::from_slice(&response.bytes().await?)?;
            let events = kept.borrow_mut().take(body)?;
            counts.events.fetch_add(events, Ordering::Relaxed);
            Ok(())
        }
    })
}

/// As the SDK loop does.
fn open(path: &Path) -> anyhow::Result<Connection> {
    let database = Connection::open(path)?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE events (id INTEGER PRIMARY KEY, channel TEXT, user TEXT, kind TEXT, at REAL);",
    )?;
    Ok(database)
}

impl Kept {
    fn take(&mut self, body: Body) -> anyhow::Result<u64> {
        let at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        let mut events = 0;
        let Self { rosters, database } = self;
        let mut tx = None;
        for (channel, Entry { uuids }) in body.payload.channels {
            let before = rosters.entry(channel.clone()).or_default();
            let left = before.difference(&uuids).map(|user| (user, "leave"));
            let joined = uuids.difference(before).map(|user| (user, "join"));
            for (user, kind) in left.chain(joined) {
                if tx.is_none() {
                    tx = Some(database.unchecked_transaction()?);
                }
                let mut insert = database
                    .prepare_cached("INSERT INTO events (channel, user, kind, at) VALUES (?, ?, ?, ?)")?;
                insert.execute((&channel, user, kind, at))?;
                events += 1;
            }
            *before = uuids;
        }
        tx.map(rusqlite::Transaction::commit).transpose()?;
        Ok(events)
    }
}
