//! What happens: polls of two channels that see them whole, cut, counted or not at all; restarts; marks.

use std::time::Duration;

use adsum::domain::names::UserId;
use adsum::domain::observation::{Observation, Occupant};
use adsum::domain::state::Shown;
use adsum::domain::time::Moment;
use proptest::prelude::*;

/// How many channels there are.
pub(crate) const CHANNELS: usize = 2;

/// Whom the rules about a user are about.
pub(crate) const ADA: &str = "ada";

/// What a poll sees of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Poll {
    Whole { others: u8, ada: bool },
    Cut { others: u8, ada: bool },
    Count(u8),
    Nothing,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening {
    /// Some milliseconds after the last thing all channels are asked for; the answers take a while.
    Polls { after: u16, takes: u16, polls: [Poll; CHANNELS] },
    /// adsum is down for some milliseconds.
    Restart { crashed: bool, down: u32 },
    /// What is unchanged is proven.
    Mark,
}

/// How much of the lists is seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lists {
    /// All of them, always.
    Whole,
    /// Some are cut, or nobody asks for them.
    Cut,
}

fn poll(lists: Lists) -> BoxedStrategy<Poll> {
    let whole = || (0..8_u8, any::<bool>()).prop_map(|(others, ada)| Poll::Whole { others, ada });
    match lists {
        Lists::Whole => prop_oneof![4 => whole(), 1 => Just(Poll::Nothing)].boxed(),
        Lists::Cut => prop_oneof![
            8 => whole(),
            2 => (0..8_u8, any::<bool>()).prop_map(|(others, ada)| Poll::Cut { others, ada }),
            1 => (0..8_u8).prop_map(Poll::Count),
            3 => Just(Poll::Nothing),
        ]
        .boxed(),
    }
}

/// The same polls several times, so that something lasts; now and then one fails.
fn stretch(lists: Lists) -> impl Strategy<Value = Vec<Happening>> {
    let times = proptest::collection::vec((4_000..6_500_u16, 0..900_u16, 0..12_u8), 1..10);
    let polls = ([poll(lists), poll(lists)], times).prop_map(|(polls, times)| {
        let one = |(after, takes, fails): (u16, u16, u8)| {
            let polls = if fails == 0 { [Poll::Nothing, polls[1]] } else { polls };
            Happening::Polls { after, takes, polls }
        };
        times.into_iter().map(one).collect()
    });
    let restart =
        (any::<bool>(), 0..90_000_u32).prop_map(|(crashed, down)| vec![Happening::Restart { crashed, down }]);
    prop_oneof![9 => polls, 1 => restart, 1 => Just(vec![Happening::Mark])]
}

pub(crate) fn days(lists: Lists) -> impl Strategy<Value = Vec<Happening>> {
    proptest::collection::vec(stretch(lists), 1..14).prop_map(|stretches| stretches.concat())
}

pub(crate) fn ms(milliseconds: impl Into<u64>) -> Duration {
    Duration::from_millis(milliseconds.into())
}

/// What the answer to a poll shows, if there is one.
pub(crate) fn observation(moment: Moment, poll: Poll) -> Option<Observation> {
    let list = |others: u8, ada: bool| -> Vec<Occupant> {
        let names = (0..others).map(|n| format!("user-{n}")).chain(ada.then(|| ADA.to_owned()));
        names.map(|name| Occupant { user: UserId::new(&name).unwrap(), state: Shown::Unknown }).collect()
    };
    let seen = match poll {
        Poll::Whole { others, ada } => {
            let listed = list(others, ada);
            Observation::new(moment, listed.len() as u64, Some(listed))
        }
        // The same occupancy whoever is listed: so cut lists may repeat and yet list others.
        Poll::Cut { others, ada } => Observation::new(moment, 12, Some(list(others, ada))),
        Poll::Count(count) => Observation::new(moment, u64::from(count), None),
        Poll::Nothing => return None,
    };
    Some(seen.unwrap())
}
