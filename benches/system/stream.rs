//! From the last byte of an answer to the event at an SSE client, beside what the disk takes for one commit.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::daemon::{Daemon, Watch, folder};
use super::setting;
use super::table::{Table, number, quantile, time};

const CHANNELS: usize = 20;

/// Between two answers, each with somebody new.
const INTERVAL: Duration = Duration::from_millis(100);

/// When the last byte of the answer was handed over that showed a user first.
type Shown = Arc<Mutex<HashMap<String, Instant>>>;

pub(crate) fn run() -> anyhow::Result<()> {
    let folder = folder()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let shown = Shown::default();
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    let origin = format!("http://{}", listener.local_addr()?);
    runtime.spawn(serve(listener, Arc::clone(&shown)));
    let watch = Watch { origin, channels: CHANNELS, batch: CHANNELS, interval: INTERVAL, by_pattern: false };
    let (daemon, _) = Daemon::start(folder.path(), &watch)?;
    let url = format!("{}/v1/stream?kind=join", daemon.api.url);
    let mut times = runtime.block_on(listen(&url, &shown))?;
    let (commits, committing) = daemon.commits()?;
    let mean = committing / commits;
    let told = daemon.api.counted("adsum_events_total")?;
    daemon.end_with(told)?;
    let expected = (setting::window().as_secs_f64() / INTERVAL.as_secs_f64() * 0.8) as usize;
    if times.len() < expected {
        bail!("{} events came, at least {expected} were due", times.len());
    }
    let mut syncs = syncs(folder.path(), times.len())?;

    let mut table = Table::new(
        format!(
            "From an answer's last byte to the event at an SSE client, {} events",
            number(times.len() as u64)
        ),
        &["what", "median", "p99"],
    );
    let (median, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
    let (sync, sync99) = (quantile(&mut syncs, 0.5), quantile(&mut syncs, 0.99));
    table.row(["last byte to SSE client".to_owned(), time(median), time(p99)]);
    table.row([
        "write and sync of 16 KiB on the same disk, right after".to_owned(),
        time(sync),
        time(sync99),
    ]);
    table.note(format!("a commit took {} in the mean", time(Duration::from_secs_f64(mean))));
    let above = p99.saturating_sub(sync99);
    table.figure("p99 at most 25 ms above the sync's", &time(above), above <= Duration::from_millis(25));
    table.print();
    Ok(())
}

/// As many appends as there were events, each synced.
fn syncs(folder: &Path, count: usize) -> anyhow::Result<Vec<Duration>> {
    let mut file = File::create(folder.join("sync"))?;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count.min(500) {
        let since = Instant::now();
        file.write_all(&[7; 16 * 1024])?;
        file.sync_data()?;
        times.push(since.elapsed());
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(times)
}

/// Every answer has somebody in the first channel who was never there before, and nobody else.
async fn serve(listener: TcpListener, shown: Shown) -> anyhow::Result<()> {
    let answers = Arc::new(Mutex::new(0_u64));
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        tokio::spawn(converse(connection, Arc::clone(&shown), Arc::clone(&answers)));
    }
}

async fn converse(mut connection: TcpStream, shown: Shown, answers: Arc<Mutex<u64>>) -> anyhow::Result<()> {
    let mut head = Vec::new();
    loop {
        head.clear();
        while !head.ends_with(b"\r\n\r\n") {
            if connection.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let user = {
            let mut answers = answers.lock();
            *answers += 1;
            format!("guest-{answers}")
        };
        let asked = std::str::from_utf8(&head)?;
        let entry = format!(r#""occupancy":1,"uuids":["{user}"]"#);
        let first = super::crowd::channel_name(0);
        // A channel that is asked for alone has a flat answer.
        let body = if asked.contains(',') || asked.contains("%2C") {
            let channels =
                if asked.contains(&first) { format!(r#""{first}":{{{entry}}}"#) } else { String::new() };
            let count = usize::from(!channels.is_empty());
            format!(
                r#"{{"status":200,"message":"OK","payload":{{"channels":{{{channels}}},"total_channels":{count},"total_occupancy":{count}}},"service":"Presence"}}"#
            )
        } else {
            format!(r#"{{"status":200,"message":"OK","service":"Presence",{entry}}}"#)
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(answer.as_bytes()).await?;
        shown.lock().insert(user, Instant::now());
    }
}

/// How long each event took, for as long as is measured.
async fn listen(url: &str, shown: &Shown) -> anyhow::Result<Vec<Duration>> {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    let mut stream = client.get(url).send().await?.error_for_status()?;
    let until = tokio::time::Instant::now() + setting::window();
    let (mut text, mut times) = (String::new(), Vec::new());
    while let Ok(chunk) = tokio::time::timeout_at(until, stream.chunk()).await {
        let chunk = chunk?.context("the stream ended")?;
        let now = Instant::now();
        text.push_str(std::str::from_utf8(&chunk)?);
        while let Some((line, rest)) = text.split_once('\n') {
            let user = line.split(r#""user":""#).nth(1).and_then(|rest| rest.split('"').next());
            if let Some(user) = user {
                let at = shown.lock().get(user).copied();
                let at = at.with_context(|| format!("an event about {user}, whom nobody showed"))?;
                times.push(now.saturating_duration_since(at));
            }
            text = rest.to_owned();
        }
    }
    Ok(times)
}
