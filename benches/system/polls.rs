//! What a poll of a channel costs: adsum, receiving alone, the plain loop and PubNub's Python SDK, side by side.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::crowd::Crowd;
use super::daemon::{Daemon, Watch, folder, rows};
use super::loops::Taken;
use super::origin::Origin;
use super::process::Process;
use super::setting;
use super::table::{Table, number, time};

/// Between the first events and the measuring.
const SETTLE: Duration = Duration::from_secs(5);

/// How late an event may be recorded and still be counted at either end.
const LATE: Duration = Duration::from_secs(3);

/// Channels, each asked for once a second.
struct Pace {
    daemon: usize,
    loops: usize,
    batch: usize,
    users: usize,
}

pub(crate) fn still() -> anyhow::Result<()> {
    let pace = pace();
    compare("nobody moving", Crowd::still(pace.daemon, pace.users), &pace, |table, costs| {
        let [daemon, discard, _, sdk] = costs;
        table.figure("at least 20 times less than the SDK loop", &times(sdk / daemon), sdk / daemon >= 20.0);
        table.figure("at most 1.5 times receiving alone", &times(daemon / discard), daemon / discard <= 1.5);
    })
}

pub(crate) fn moving() -> anyhow::Result<()> {
    let pace = pace();
    compare(
        "1 % leaving or joining per second",
        Crowd::moving(pace.daemon, pace.users),
        &pace,
        |table, costs| {
            let [daemon, _, plain, sdk] = costs;
            table.figure(
                "at least 8 times less than the SDK loop",
                &times(sdk / daemon),
                sdk / daemon >= 8.0,
            );
            table.figure(
                "at least 2 times less than the plain loop",
                &times(plain / daemon),
                plain / daemon >= 2.0,
            );
        },
    )
}

fn times(times: f64) -> String {
    format!("{times:.2} times")
}

fn pace() -> Pace {
    Pace {
        daemon: setting::number("BENCH_PACE", 50_000) as usize,
        loops: setting::number("BENCH_LOOPS_PACE", 5_000) as usize,
        batch: 50,
        users: 20,
    }
}

/// One that polls: its name, how many channels it was to poll a second, and what it did.
struct Measured {
    name: &'static str,
    pace: usize,
    records: bool,
    before: Seen,
    after: Seen,
}

/// What it had counted, and what the origin had served it, at the same moment.
#[derive(Clone, Copy)]
struct Seen {
    taken: Taken,
    served: u64,
}

impl Measured {
    fn seconds(&self) -> f64 {
        self.after.taken.at.duration_since(self.before.taken.at).as_secs_f64()
    }

    fn polls(&self) -> u64 {
        self.after.taken.polls - self.before.taken.polls
    }

    fn events(&self) -> u64 {
        self.after.taken.events - self.before.taken.events
    }

    fn cpu(&self) -> f64 {
        self.after.taken.cpu.saturating_sub(self.before.taken.cpu).as_secs_f64()
    }

    /// Processor time per poll, in µs.
    fn cost(&self) -> f64 {
        self.cpu() * 1e6 / self.polls().max(1) as f64
    }

    /// The share of the pace that was kept.
    fn kept(&self) -> f64 {
        self.polls() as f64 / self.seconds() / self.pace as f64
    }
}

fn compare(
    title: &str,
    crowd: Crowd,
    pace: &Pace,
    figures: impl FnOnce(&mut Table, [f64; 4]),
) -> anyhow::Result<()> {
    let folder = folder()?;
    let mut origin = Origin::start(crowd)?;
    let watch = Watch {
        origin: origin.url.clone(),
        channels: pace.daemon,
        batch: pace.batch,
        interval: Duration::from_secs(1),
        by_pattern: false,
    };
    let (mut daemon, _) = Daemon::start(folder.path(), &watch)?;
    daemon.wait_for_users(crowd)?;
    let mut loops = Loops::start(&origin.url, pace, folder.path())?;
    std::thread::sleep(SETTLE);

    let (since, commits_before, origin_before) = (Instant::now(), daemon.commits()?, origin.process.cpu()?);
    let before = look(&mut origin, &mut daemon, &mut loops)?;
    std::thread::sleep(setting::window());
    let after = look(&mut origin, &mut daemon, &mut loops)?;
    let (seconds, origin_after) = (since.elapsed().as_secs_f64(), origin.process.cpu()?);
    let (commits, committing) = daemon.commits()?;
    let (commits, committing) = (commits - commits_before.0, committing - commits_before.1);
    let told = daemon.api.counted("adsum_events_total")?;

    let whom = [
        ("adsum", pace.daemon, true),
        ("receive and discard", pace.daemon, false),
        ("plain Rust loop", pace.loops, true),
        ("Python SDK loop", pace.loops, true),
    ];
    let measured: Vec<Measured> = whom
        .into_iter()
        .zip(before.into_iter().zip(after))
        .map(|((name, pace, records), (before, after))| Measured { name, pace, records, before, after })
        .collect();
    for one in &measured {
        check(one, crowd).with_context(|| {
            format!("adsum made {commits:.0} commits in {seconds:.0} s, which took {committing:.1} s")
        })?;
    }
    daemon.end_with(told)?;
    loops.end()?;

    let mut table = Table::new(
        format!(
            "CPU per channel-poll, {title}: {} users a channel, batches of {}, {seconds:.0} s",
            pace.users, pace.batch
        ),
        &["who", "channels/s asked", "channels/s done", "core", "µs per channel-poll", "events/s"],
    );
    for one in &measured {
        table.row([
            one.name.to_owned(),
            number(one.pace as u64),
            number((one.polls() as f64 / one.seconds()) as u64),
            format!("{:.1} %", one.cpu() / one.seconds() * 100.0),
            format!("{:.2}", one.cost()),
            number((one.events() as f64 / one.seconds()) as u64),
        ]);
    }
    let [adsum, discard, plain, sdk] = &measured[..] else { bail!("not four") };
    figures(&mut table, [adsum, discard, plain, sdk].map(Measured::cost));
    table.figure("full pace kept (99 %)", &format!("{:.1} %", adsum.kept() * 100.0), adsum.kept() >= 0.99);
    let origin_core = origin_after.saturating_sub(origin_before).as_secs_f64() / seconds * 100.0;
    table.note(format!("the lean origin, for all of them: {origin_core:.1} % of a core"));
    if commits > 0.0 {
        let mean = Duration::from_secs_f64(committing / commits);
        table.note(format!(
            "adsum's commits: {:.1} a second of {} in the mean",
            commits / seconds,
            time(mean)
        ));
    }
    table.print();
    Ok(())
}

/// Each one's counts and the origin's about it, one right after the other: an API that is slow to answer is no difference.
fn look(origin: &mut Origin, daemon: &mut Daemon, loops: &mut Loops) -> anyhow::Result<[Seen; 4]> {
    let mut seen = |taken, key| anyhow::Ok(Seen { taken, served: origin.served(key)?.polls });
    let events = daemon.api.counted("adsum_events_total")?;
    let polls = daemon.api.metric("adsum_channel_polls_total", "complete")? as u64;
    let adsum = Taken { polls, events, cpu: daemon.process.cpu()?, at: Instant::now() };
    Ok([
        seen(adsum, "adsum")?,
        seen(Taken::of(&mut loops.discard)?, "discard")?,
        seen(Taken::of(&mut loops.plain)?, "plain")?,
        seen(Taken::of(&mut loops.sdk)?, "sdk")?,
    ])
}

/// What it says it polled is what the origin served it, but for what was under way at either end: each batch once at most.
/// If it records, it found as many events as the crowd made, but for those at either end.
fn check(one: &Measured, crowd: Crowd) -> anyhow::Result<()> {
    let (served, counted) = (one.after.served - one.before.served, one.polls());
    if served.abs_diff(counted) > one.pace as u64 {
        bail!("{} counted {counted} polls, the origin served it {served}", one.name);
    }
    if counted < one.pace as u64 {
        bail!("{} polled {counted} channels, not even all once", one.name);
    }
    let a_second = crowd.changes * one.pace as f64;
    let expected = a_second * one.seconds();
    // A poll may be late, and so may its commit.
    if one.records && (one.events() as f64 - expected).abs() > a_second * LATE.as_secs_f64() {
        bail!("{} found {} events, {expected:.0} happened", one.name, one.events());
    }
    Ok(())
}

struct Loops {
    discard: Process,
    plain: Process,
    sdk: Process,
    files: [PathBuf; 2],
}

impl Loops {
    /// Starts the three and waits until each has seen everything twice.
    fn start(origin: &str, pace: &Pace, folder: &Path) -> anyhow::Result<Self> {
        let files = ["plain.db", "sdk.db"].map(|name| folder.join(name));
        let words = |channels: usize, file: &Path| {
            [origin.to_owned(), channels.to_string(), pace.batch.to_string(), file.display().to_string()]
        };
        let [plain, sdk] = &files;
        let mut loops = Self {
            discard: Process::role("discard", &words(pace.daemon, Path::new("")))?,
            plain: Process::role("plain", &words(pace.loops, plain))?,
            sdk: Process::start("the Python SDK loop", &mut python(&words(pace.loops, sdk))?)?,
            files,
        };
        for (process, channels) in
            [(&mut loops.discard, pace.daemon), (&mut loops.plain, pace.loops), (&mut loops.sdk, pace.loops)]
        {
            wait_for_polls(process, channels as u64 * 2)?;
        }
        Ok(loops)
    }

    /// Ends them, and checks that their files have the events that they counted.
    fn end(mut self) -> anyhow::Result<()> {
        let told = [Taken::of(&mut self.plain)?.events, Taken::of(&mut self.sdk)?.events];
        drop((self.discard, self.plain, self.sdk));
        for (file, told) in self.files.iter().zip(told) {
            let rows = rows(file, "events")?;
            if rows < told {
                bail!("{} has {rows} rows of {told}", file.display());
            }
        }
        Ok(())
    }
}

fn wait_for_polls(process: &mut Process, polls: u64) -> anyhow::Result<()> {
    let since = Instant::now();
    while Taken::of(process)?.polls < polls {
        if since.elapsed() > super::daemon::PATIENCE {
            bail!("{} does not get round", process.name);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// The interpreter with the SDK, as `make sdk` left it.
fn python(words: &[String]) -> anyhow::Result<Command> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sdk = std::env::var_os("ADSUM_SDK").map_or_else(|| root.join("target/sdk"), PathBuf::from);
    let python = sdk.join("python");
    python.is_file().then_some(()).with_context(|| format!("no {}: run `make sdk`", python.display()))?;
    let mut command = Command::new(python);
    command.arg(root.join("benches/system/sdk_loop.py")).args(words);
    Ok(command)
}
