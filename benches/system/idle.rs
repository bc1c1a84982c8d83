//! Memory: of channels in which nobody is, and of users who are there. And, as they are there: how long a start takes.

use std::time::{Duration, Instant};

use anyhow::bail;

use super::crowd::{Crowd, USER_BYTES};
use super::daemon::{Daemon, Watch, folder};
use super::origin::Origin;
use super::setting;
use super::table::{Table, mib, number, time};

const INTERVAL: Duration = Duration::from_secs(10);

pub(crate) fn run() -> anyhow::Result<()> {
    let channels = setting::number("BENCH_IDLE_CHANNELS", 100_000) as usize;
    let (rooms, users) = (setting::number("BENCH_ROOMS", 10_000) as usize, 100);
    let present = rooms * users;
    let nothing = resident(Crowd::still(1, 0))?;
    let idle = resident(Crowd::still(channels, 0))?;
    let empty = resident(Crowd::still(rooms, 0))?;
    let full = full(Crowd::still(rooms, users))?;

    let mut table = Table::new("Memory (resident) and start", &["channels", "users", "resident", "each"]);
    let per_channel = idle.saturating_sub(nothing) as f64 / channels as f64;
    let per_user = |full: u64| full.saturating_sub(empty) as f64 / present as f64 - USER_BYTES as f64;
    let row = |table: &mut Table, channels: usize, users: usize, resident: u64, each: String| {
        table.row([number(channels as u64), number(users as u64), mib(resident), each]);
    };
    row(&mut table, 1, 0, nothing, String::new());
    row(&mut table, channels, 0, idle, format!("{per_channel:.0} bytes a channel"));
    row(&mut table, rooms, 0, empty, String::new());
    let each = |resident| format!("{:.0} bytes a user beyond {USER_BYTES} of the name", per_user(resident));
    row(&mut table, rooms, present, full.first, each(full.first));
    row(&mut table, rooms, present, full.again, format!("{}, after a restart", each(full.again)));
    table.figure("at most 2 KiB per idle channel", &format!("{per_channel:.0} bytes"), per_channel <= 2048.0);
    let user = per_user(full.first).max(per_user(full.again));
    table.figure("at most 96 bytes per user beyond the name", &format!("{user:.0} bytes"), user <= 96.0);
    let what = format!("a start with {} open visits takes at most 3 s", number(present as u64));
    let found = format!("ready after {}, all channels there after {}", time(full.ready), time(full.start));
    table.figure(&what, &found, full.start <= Duration::from_secs(3));
    table.print();
    Ok(())
}

/// What a daemon occupies that has observed all channels three times.
fn resident(crowd: Crowd) -> anyhow::Result<u64> {
    let folder = folder()?;
    let origin = Origin::start(crowd)?;
    let (mut daemon, _) = Daemon::start(folder.path(), &watch(&origin, crowd))?;
    daemon.wait_for_polls(3 * crowd.channels as u64)?;
    daemon.process.resident()
}

struct Full {
    first: u64,
    again: u64,
    /// Until it says that it is ready, and until it has all its channels.
    ready: Duration,
    start: Duration,
}

/// The same with users, who are all new to it at first, and known after a restart.
fn full(crowd: Crowd) -> anyhow::Result<Full> {
    let (folder, present) = (folder()?, crowd.channels * crowd.users);
    let origin = Origin::start(crowd)?;
    let watch = watch(&origin, crowd);
    let (mut daemon, _) = Daemon::start(folder.path(), &watch)?;
    daemon.wait_for_users(crowd)?;
    let polls = daemon.api.counted("adsum_channel_polls_total")?;
    daemon.wait_for_polls(polls + 3 * crowd.channels as u64)?;
    let first = daemon.process.resident()?;
    let told = daemon.api.counted("adsum_events_total")?;
    daemon.end_with(told)?;
    let (mut daemon, ready) = Daemon::start(folder.path(), &watch)?;
    let since = Instant::now();
    daemon.wait_for_channels(crowd.channels)?;
    let start = ready + since.elapsed();
    daemon.wait_for_polls(3 * crowd.channels as u64)?;
    let again = daemon.process.resident()?;
    match daemon.api.counted("adsum_events_total")? {
        0 if told == present as u64 => Ok(Full { first, again, ready, start }),
        more => {
            bail!("{present} users were there; adsum told of {told} at first and of {more} after a restart")
        }
    }
}

fn watch(origin: &Origin, crowd: Crowd) -> Watch {
    Watch {
        origin: origin.url.clone(),
        channels: crowd.channels,
        batch: 100,
        interval: INTERVAL,
        by_pattern: false,
    }
}
