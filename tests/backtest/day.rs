//! A whole day.

use std::time::Duration;

use adsum::domain::alert::{Condition, OnGap, Rule};
use adsum::domain::names::{ChannelName, UserId};
use adsum::history::sqlite::{ReadOnly, Sqlite};

use crate::agreement::backtest;
use crate::days::{ADA, Happening, Poll, ms};
use crate::live::Daemon;
use crate::rules::plain;

/// Channels, and polls of them in a day: every 5 s.
const CHANNELS: usize = 20;
const POLLS: usize = 17_280;

/// The same day each time.
const SEED: u64 = 24;

fn rules() -> Vec<Rule> {
    let secs = Duration::from_secs;
    let above = Condition::OccupancyAbove { bound: 20, clear_below: 18 };
    let ada = || UserId::new(ADA).unwrap();
    vec![
        Rule { hold_for: secs(30), keep_firing_for: secs(60), ..plain(above.clone()) },
        Rule { on_gap: OnGap::Resolve, repeat_every: Some(secs(600)), ..plain(above) },
        Rule { hold_for: secs(120), ..plain(Condition::OccupancyBelow { bound: 3, clear_above: 4 }) },
        Rule { hold_for: secs(60), ..plain(Condition::UserPresent { user: ada() }) },
        Rule { hold_for: secs(90), on_gap: OnGap::Fire, ..plain(Condition::UserAbsent { user: ada() }) },
        Rule { hold_for: secs(300), repeat_every: Some(secs(900)), ..plain(Condition::Unobserved) },
    ]
}

/// A crowd that wanders, and ada, who comes and goes.
#[derive(Clone, Copy)]
struct Room {
    others: u8,
    ada: bool,
}

impl Room {
    fn poll(&mut self, chance: &mut fastrand::Rng, blind: bool) -> Poll {
        if chance.u8(..100) < 6 {
            self.others =
                if chance.bool() { self.others.saturating_sub(2) } else { (self.others + 2).min(40) };
        }
        if chance.u8(..) == 0 {
            self.ada = !self.ada;
        }
        if blind || chance.u16(..500) == 0 {
            return Poll::Nothing;
        }
        Poll::Whole { others: self.others, ada: self.ada }
    }
}

#[test]
fn a_day_of_twenty_channels_comes_out_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let names: Vec<ChannelName> =
        (0..CHANNELS).map(|n| ChannelName::new(&format!("room.{n}")).unwrap()).collect();
    let rules = rules();
    let mut daemon = Daemon::start(Sqlite::open(&path).unwrap(), &names, &rules);
    let mut chance = fastrand::Rng::with_seed(SEED);
    let mut rooms = [Room { others: 10, ada: true }; CHANNELS];
    for poll in 0..POLLS {
        // Everything fails for ten minutes, twice; every third room for an hour.
        let all = (3_000..3_120).contains(&poll) || (9_000..9_120).contains(&poll);
        let some = (12_000..12_720).contains(&poll);
        let polls: Vec<Poll> = rooms
            .iter_mut()
            .enumerate()
            .map(|(n, room)| room.poll(&mut chance, all || some && n % 3 == 0))
            .collect();
        daemon.polls(ms(chance.u16(4_500..5_000)), ms(chance.u16(20..400)), &polls);
        match poll {
            5_000 => daemon.live(&[Happening::Restart { crashed: false, down: 40_000 }]),
            // While some rooms are not observed.
            7_000 | 12_300 => daemon.live(&[Happening::Restart { crashed: true, down: 90_000 }]),
            _ if poll % 12 == 0 => daemon.live(&[Happening::Mark]),
            _ => {}
        }
    }
    daemon.live(&[Happening::Mark]);
    let mut file = ReadOnly::open(&path).unwrap();
    let mut fired = vec![0; rules.len()];
    for (place, name) in names.iter().enumerate() {
        for (number, rule) in rules.iter().enumerate() {
            let found = backtest(&mut file, rule, name, daemon.now);
            let live = daemon.transitions(place, number);
            let agrees = found.agrees(live);
            assert!(agrees.is_ok(), "{name}, rule {number}: {}", agrees.unwrap_err());
            fired[number] += found.outcome.fired.min;
            // In an outage of everything nothing proves that adsum ran, and it may matter by whose clock it is due.
            let clock = rule.on_gap == OnGap::Fire || rule.condition == Condition::Unobserved;
            assert!(clock || found.is_certain(), "{name}, rule {number}: {:#?}", found.outcome.spells);
            assert!(found.outcome.coverage.share() > 0.9, "{name}: {:?}", found.outcome.coverage);
        }
    }
    // Of the last, only the room that others were observed beside is certain.
    assert!(fired.iter().take(5).all(|fired| *fired >= 20), "{fired:?}");
    assert_eq!(fired[5], 7, "every third room of twenty, in the hour in which the others were observed");
}
