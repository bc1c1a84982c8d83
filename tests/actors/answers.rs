//! Every route gives the same answer about a moment, whatever happened: joins, leaves, cut lists, outages, restarts.

use std::collections::BTreeMap;
use std::time::Duration;

use adsum::domain::answer::{Present, presence};
use adsum::domain::gap::GapReason;
use adsum::domain::plan::Failure;
use adsum::domain::time::Time;
use adsum::domain::watch::Target;

use crate::world::{FakeSource, World, channel, settings, trouble, user};

const CHANNELS: [&str; 5] = ["lobby", "cut", "room.1", "room.2", "later"];
const USERS: [&str; 4] = ["ada", "bob", "cleo", "dan"];

/// Something happens.
async fn happen(world: World, chance: &mut fastrand::Rng) -> World {
    let (room, who) = (CHANNELS[chance.usize(..CHANNELS.len())], USERS[chance.usize(..USERS.len())]);
    match chance.u32(..20) {
        0..=7 => world.source.join(room, who),
        8..=13 => world.source.change(|s| {
            s.channels.entry(room.to_owned()).or_default().remove(who);
        }),
        14 => world.source.change(|s| s.cut = Some(2)),
        15 => world.source.change(|s| s.cut = None),
        16 => {
            let failure = Failure::Service { retry_after: None };
            world.source.change(|s| s.trouble = Some(trouble(GapReason::Timeout, failure)));
        }
        17 => world.source.change(|s| s.trouble = None),
        18 => {
            let later = Target::new("later").unwrap();
            if !world.adsum.watch(later.clone()).await.unwrap() {
                world.adsum.unwatch(&later).await.unwrap();
            }
        }
        _ => return world.restart(Duration::from_secs(chance.u64(..60))).await,
    }
    world
}

type Told = BTreeMap<(&'static str, &'static str), Present>;

/// What `/v1/presence` says of everybody everywhere.
async fn by_presence(world: &World, at: Option<Time>) -> Told {
    let mut told = Told::new();
    for room in CHANNELS {
        for who in USERS {
            let answer = world.adsum.presence(&channel(room), &user(who), at).await.unwrap();
            told.insert((room, who), answer.answer.present);
        }
    }
    told
}

/// The other routes list who was there, or may have been. Whoever they do not list was not there where the channel was
/// observed; where it was not, nothing is known.
async fn check(world: &World, at: Option<Time>, seed: u64) {
    let (told, rooms, users) = loop {
        let told = by_presence(world, at).await;
        let (mut rooms, mut users) = (Vec::new(), Vec::new());
        for room in CHANNELS {
            rooms.extend(
                world.adsum.occupants(&channel(room), at, None, 100).await.map(|listed| (room, listed)),
            );
        }
        for who in USERS {
            users.extend(world.adsum.user_channels(&user(who), at).await.map(|(_, listed)| (who, listed)));
        }
        // While it is asked about now, now goes on: then it is asked again.
        if at.is_some() || by_presence(world, at).await == told {
            break (told, rooms, users);
        }
    };
    for (room, listed) in rooms {
        for who in USERS {
            let item = listed.items.iter().find(|item| item.user == user(who)).map(|item| item.present);
            let otherwise = if listed.observed { Present::No } else { Present::Unknown };
            assert_eq!(
                item.unwrap_or(otherwise),
                told[&(room, who)],
                "seed {seed}: {who} in {room} at {at:?}"
            );
        }
    }
    for (who, listed) in users {
        for room in CHANNELS {
            let item = listed.iter().find(|item| item.channel == channel(room)).map(|item| item.present);
            let expected = told[&(room, who)];
            let agrees = item.map_or(expected != Present::Yes, |item| item == expected);
            assert!(agrees, "seed {seed}: {who} in {room} at {at:?}: {item:?}, not {expected:?}");
        }
    }
}

#[actix::test]
async fn every_route_gives_the_same_answer_about_a_moment_and_settled_ones_never_turn() {
    for seed in 0..24 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let source = FakeSource::default();
        source.join("lobby", "ada");
        let mut world = World::start(settings(&["lobby", "cut", "room.*"]), source).await;
        let mut settled: BTreeMap<Time, Told> = BTreeMap::new();
        for _ in 0..60 {
            world = happen(world, &mut chance).await;
            world.pass(chance.f64() * 12.0).await;
            check(&world, None, seed).await;
            let at = world.adsum.now().minus(Duration::from_secs_f64(chance.f64() * 100.0));
            check(&world, Some(at), seed).await;
            settled.insert(at, by_presence(&world, Some(at)).await);
        }
        world.pass(60.0).await;
        for (at, before) in settled {
            let after = by_presence(&world, Some(at)).await;
            for (key, before) in before.into_iter().filter(|(_, before)| *before != Present::Unknown) {
                assert_eq!(before, after[&key], "seed {seed}: {key:?} at {at:?} turned");
            }
        }
        world.adsum.stop().await;
        tokio::time::resume();
    }
    // An answer without any record is unknown, not no.
    assert_eq!(presence(None, &[], &[], None, Time::default()).present, Present::Unknown);
}
