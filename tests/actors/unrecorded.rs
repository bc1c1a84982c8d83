//! A channel's actor alone: an observation that comes while another is committed is recorded after it, or told as a gap.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor as _, Addr};
use adsum::actors::channel::{ChannelActor, End, Observed};
use adsum::actors::clock::Clock;
use adsum::actors::live::Live;
use adsum::actors::recorder::{Recorder, RecorderParts};
use adsum::actors::seat::{Obituary, Seat};
use adsum::actors::supervisor::Child;
use adsum::domain::channel::Channel;
use adsum::domain::gap::GapReason;
use adsum::domain::observation::{Observation, Occupant};
use adsum::domain::state::Shown;
use adsum::domain::time::{Moment, Time};
use adsum::domain::watch::Policy;
use adsum::history::History;
use adsum::history::sqlite::Sqlite;
use tempfile::TempDir;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::world::{channel, judge, user};

fn seen(second: i64, users: &[&str]) -> Observation {
    let at = Time::from_micros(second * 1_000_000);
    let occupant = |id: &&str| Occupant { user: user(id), state: Shown::Empty };
    let moment = Moment { earliest: at, latest: at.plus(Duration::from_millis(1)) };
    Observation::new(moment, users.len() as u64, Some(users.iter().map(occupant).collect())).unwrap()
}

/// The actor of the lobby, and a recorder.
struct Lobby {
    live: Arc<Live>,
    actor: Addr<ChannelActor>,
    history: Arc<dyn History>,
    _folder: TempDir,
}

fn lobby() -> Lobby {
    let folder = crate::memory::folder();
    let history: Arc<dyn History> = Arc::new(Sqlite::open(&folder.path().join("history.db")).unwrap());
    let (name, began) = (channel("lobby"), Time::from_micros(0));
    history.begin(std::slice::from_ref(&name), began).unwrap();
    let (clock, deaths) = (Clock::starting_at(began), mpsc::unbounded_channel().0);
    let parts = RecorderParts {
        history: Arc::clone(&history),
        registry: adsum::actors::live::Registry::default(),
        clock: clock.clone(),
        mark_every: Duration::from_secs(3600),
        retain: Duration::from_secs(86_400),
        newest: None,
        committed: broadcast::Sender::new(16),
        told: Arc::default(),
        keeper: Seat::default(),
        health: Arc::new(watch::Sender::new(None)),
    };
    let recorder = Seat::default();
    recorder.put(Recorder::new(parts, Obituary::new(Child::Recorder, deaths.clone())).start());
    let gap_after = Duration::from_secs(15);
    let policy =
        Policy { interval: Duration::from_secs(5), gap_after, include_state: true, include_uuids: true };
    let live = Arc::new(Live::new(Channel::begin(name.clone(), gap_after, began), policy));
    let obituary = Obituary::new(Child::Channel(name), deaths);
    let actor =
        ChannelActor::new(Arc::clone(&live), judge(clock), recorder, Seat::default(), obituary).start();
    Lobby { live, actor, history, _folder: folder }
}

#[actix::test]
async fn an_observation_that_waits_when_its_actor_ends_without_a_gap_makes_one() {
    let lobby = lobby();
    lobby.actor.try_send(Observed(seen(1, &["ada"]))).unwrap();
    // The one before is being committed.
    lobby.actor.try_send(Observed(seen(2, &[]))).unwrap();
    let (done, ended) = oneshot::channel();
    lobby.actor.try_send(End { gap: None, done }).unwrap();
    ended.await.unwrap();
    assert_eq!(lobby.live.channel.read().last().unwrap().earliest, Time::from_micros(1_000_000));
    let changes = lobby.live.channel.read().observe(&seen(3, &["ada"])).unwrap();
    let gaps: Vec<_> = changes.unwrap().gaps.iter().map(|gap| (gap.reason, gap.from.as_micros())).collect();
    assert_eq!(gaps, [(GapReason::HistoryUnavailable, 1_000_000)], "nobody was there in between");
}

#[actix::test]
async fn an_observation_that_another_overtakes_while_it_waits_makes_a_gap() {
    let lobby = lobby();
    let last = seen(3, &["ada"]);
    for observation in [seen(1, &["ada"]), seen(2, &[]), last.clone()] {
        lobby.actor.try_send(Observed(observation)).unwrap();
    }
    let recorded = async {
        while lobby.live.channel.read().last() != Some(last.moment) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), recorded).await.unwrap();
    let gaps = lobby.history.gaps(Some(&channel("lobby")), (None, None), None, 10).unwrap();
    let gaps: Vec<_> = gaps.iter().map(|(_, gap)| (gap.reason, gap.from.as_micros())).collect();
    assert_eq!(gaps, [(GapReason::HistoryUnavailable, 1_000_000)], "nobody was there in between");
}
