//! Answers about moments against the truth.

use adsum::domain::answer::{Code, Ground, Present};
use adsum::domain::gap::GapReason;

use crate::lives::Past;
use crate::plan::{Act, SECOND};
use crate::record::Asked;

/// An answer of yes (no) is wrong only about an absence (stay) that is no longer than the resolution it gives.
pub(super) fn yes_and_no_are_wrong_only_about_what_is_too_short(past: &Past) -> Vec<String> {
    let wrong = past.record.asked.iter().filter(|asked| {
        let (there, from, to) = past.world.truth.stretch(&asked.channel, &asked.user, asked.at);
        let right = match asked.answer.answer.present {
            Present::Yes => there,
            Present::No => !there,
            Present::Unknown => true,
        };
        let lasted = past.scale.shown(to).since(past.scale.shown(from));
        !right && asked.answer.resolution.is_none_or(|resolution| lasted > resolution)
    });
    wrong.map(|asked| describe(past, asked)).collect()
}

fn describe(past: &Past, asked: &Asked) -> String {
    let Asked { channel, user, at, answer } = asked;
    let (there, from, to) = past.world.truth.stretch(channel, user, *at);
    let shown = past.scale.shown(*at);
    format!("{user} in {channel} at {at} ({shown:?}): there={there} from {from} to {to}, but {answer:?}")
}

/// `unknown` says why, and it is so.
pub(super) fn unknown_has_a_reason(past: &Past) -> Vec<String> {
    let unknown = past.record.asked.iter().filter(|asked| asked.answer.answer.present == Present::Unknown);
    unknown.filter(|asked| !justified(past, asked)).map(|asked| describe(past, asked)).collect()
}

fn justified(past: &Past, asked: &Asked) -> bool {
    let at = past.scale.shown(asked.at);
    let answer = &asked.answer.answer;
    let recorded = |wanted: &adsum::domain::gap::Gap| {
        past.record.gaps_of(&asked.channel).any(|gap| gap == wanted && gap.covers(at))
    };
    match (answer.code, &answer.ground) {
        (Some(Code::Window), Ground::Visit(visit)) => {
            visit.joined.contains(at) || visit.left.is_some_and(|left| left.contains(at))
        }
        (Some(Code::Gap), Ground::Gap(gap)) => !gap.users_only && recorded(gap),
        (Some(Code::Partial), Ground::Gap(gap)) => gap.users_only && recorded(gap),
        // Before the first complete list.
        (Some(Code::Partial | Code::NotWatched), Ground::Absence) => complete_before(past, asked).is_none(),
        (Some(Code::NotWatched), Ground::Gap(gap)) => gap.reason == GapReason::Unwatched && recorded(gap),
        // A channel that is polled all the time is settled up to shortly before the end.
        (Some(Code::Unsettled), _) => {
            let plan = &past.world.plan;
            asked.at > past.record.read_at - plan.interval - plan.discover_interval - 8 * SECOND
        }
        _ => false,
    }
}

/// The last complete list of the channel that had certainly been taken before the moment. What could not be committed, or
/// was lost in a crash, was not taken.
fn complete_before(past: &Past, asked: &Asked) -> Option<i64> {
    if past.world.plan.acts.iter().any(|(_, act)| act.concerns_commits() || matches!(act, Act::Crash(_))) {
        return None;
    }
    let good = past.good(&asked.channel);
    let complete =
        good.filter(|(exchange, told)| told.complete && told.named && exchange.received < asked.at);
    complete.map(|(exchange, _)| exchange.received).last()
}

/// What was yes once is not no now, nor the other way round.
pub(super) fn settled_answers_never_turn(past: &Past) -> Vec<String> {
    let turned = past.answers.iter().zip(&past.asked_again).filter(|(then, now)| {
        now.answer.present != Present::Unknown && now.answer.present != then.answer.answer.present
    });
    turned.map(|(then, now)| format!("{then:?} is now {now:?}")).collect()
}

/// Where nobody came or went around a moment, the occupancy that is answered holds the true one.
pub(super) fn occupancies_hold_the_true_one(past: &Past) -> Vec<String> {
    let mut broken = Vec::new();
    for (channel, at, bounds) in &past.record.occupancies {
        let Some(bounds) = bounds else { continue };
        let truth = u32::try_from(past.world.truth.here(channel, *at).len()).unwrap();
        let around = 60 * SECOND;
        let still = past.world.truth.stands_still(channel, at - around, at + around);
        if still && !(bounds.min..=bounds.max).contains(&truth) {
            broken.push(format!("{truth} were in {channel} at {at}, but {bounds:?}"));
        }
    }
    broken
}
