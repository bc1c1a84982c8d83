//! What the record says of a moment: was this user in this channel then? Yes, no, or unknown and why (SPEC section 3).

use serde::Serialize;

use super::gap::{Gap, GapReason};
use super::time::{Moment, Time, Window};
use super::visit::Visit;

/// Whether a user was there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Present {
    /// Observations on both sides list the user.
    Yes,
    /// Complete observations on both sides do not list the user.
    No,
    /// The record does not prove either.
    Unknown,
}

/// Why an answer is unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The user came or left in a window that holds the moment.
    Window,
    /// The channel was not observed then.
    Gap,
    /// Its occupancy was observed then, its users were not.
    Partial,
    /// No later observation has settled the moment yet.
    Unsettled,
    /// The channel was not watched then.
    NotWatched,
    /// The record of that time is no longer kept.
    Expired,
}

/// What an answer rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ground {
    /// A visit that holds the moment, or may.
    Visit(Box<Visit>),
    /// A gap that covers the moment.
    Gap(Gap),
    /// Nothing but observations that do not list the user.
    Absence,
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Whether the user was there.
    pub present: Present,
    /// Why that is unknown; `None` with yes and no.
    pub code: Option<Code>,
    /// The same in one plain sentence.
    pub because: String,
    /// What it rests on.
    pub ground: Ground,
}

/// Up to when and since when a channel is observed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Observed {
    /// When its watch first began.
    pub began: Time,
    /// When its first good observation had arrived.
    pub since: Option<Time>,
    /// When its first complete observation had arrived.
    pub complete_since: Option<Time>,
    /// The last good observation.
    pub last: Option<Moment>,
    /// The last complete observation.
    pub last_complete: Option<Moment>,
}

impl Answer {
    fn unknown(code: Code, because: String, ground: Ground) -> Self {
        Self { present: Present::Unknown, code: Some(code), because, ground }
    }

    fn yes(because: String, visit: &Visit) -> Self {
        Self { present: Present::Yes, code: None, because, ground: Ground::Visit(Box::new(visit.clone())) }
    }

    /// No, resting on observations that do not list the user.
    pub fn no(because: String) -> Self {
        Self { present: Present::No, code: None, because, ground: Ground::Absence }
    }
}

/// Whether a user was in a channel at `at`. `channel` is `None` if it is in no record; `visits` are the user's there
/// that touch `at`, `gaps` the channel's that cover it. What ended before `kept_since` is forgotten, whole channels too.
pub fn presence(
    channel: Option<&Observed>,
    visits: &[Visit],
    gaps: &[Gap],
    kept_since: Option<Time>,
    at: Time,
) -> Answer {
    if let Some(kept) = kept_since.filter(|kept| at < *kept) {
        let because = format!("the record of what was before {kept} is no longer kept");
        return Answer::unknown(Code::Expired, because, Ground::Absence);
    }
    let Some(channel) = channel else {
        let because = "the channel was not watched then".to_owned();
        return Answer::unknown(Code::NotWatched, because, Ground::Absence);
    };
    unobserved(channel, gaps, at)
        .or_else(|| visits.iter().find_map(|visit| by_visit(visit, at)))
        .unwrap_or_else(|| absence(channel, at))
}

/// Unknown, where the channel's users were not observed at `at` at all.
fn unobserved(channel: &Observed, gaps: &[Gap], at: Time) -> Option<Answer> {
    if at < channel.began {
        let because = format!("the channel was not watched before {}", channel.began.ceil_ms());
        return Some(Answer::unknown(Code::NotWatched, because, Ground::Absence));
    }
    let full = gaps.iter().find(|gap| !gap.users_only && gap.covers(at));
    let Some(gap) = full.or_else(|| gaps.iter().find(|gap| gap.covers(at))) else {
        return not_yet_observed(channel, at);
    };
    let (code, because) = match (gap.reason, gap.users_only) {
        (GapReason::Unwatched, _) => (Code::NotWatched, "the channel was not watched then".to_owned()),
        (reason, false) => {
            let reason = reason.as_str();
            (Code::Gap, format!("the channel was not observed {} ({reason})", span(gap)))
        }
        (reason, true) => {
            let reason = reason.as_str();
            (
                Code::Partial,
                format!("only the occupancy was observed {}, not the users ({reason})", span(gap)),
            )
        }
    };
    Some(Answer::unknown(code, because, Ground::Gap(*gap)))
}

fn not_yet_observed(channel: &Observed, at: Time) -> Option<Answer> {
    let (code, because) = match channel.since {
        Some(since) if since <= at => return None,
        Some(since) => (Code::NotWatched, format!("the channel was first observed at {}", since.ceil_ms())),
        None => (Code::Unsettled, "the channel has not been observed yet".to_owned()),
    };
    Some(Answer::unknown(code, because, Ground::Absence))
}

fn span(gap: &Gap) -> String {
    match gap.to {
        Some(to) => format!("from {} to {}", gap.from, to.ceil_ms()),
        None => format!("since {}", gap.from),
    }
}

/// Yes where the visit is proven to hold `at`; unknown where it may.
fn by_visit(visit: &Visit, at: Time) -> Option<Answer> {
    let (from, to) = visit.proven();
    if from <= at && at <= visit.proven_until() {
        return Some(Answer::yes(
            format!("observations list the user from {} to {to}", from.ceil_ms()),
            visit,
        ));
    }
    let within =
        |window: Window| window.contains(at) && window.not_before != Some(at) && at != window.not_after;
    let ground = || Ground::Visit(Box::new(visit.clone()));
    if visit.joined.not_before.is_some() && within(visit.joined) {
        let because = format!("the user joined {}", describe(visit.joined));
        return Some(Answer::unknown(Code::Window, because, ground()));
    }
    let left = visit.left.filter(|left| within(*left))?;
    Some(Answer::unknown(Code::Window, format!("the user left {}", describe(left)), ground()))
}

fn describe(window: Window) -> String {
    let to = window.not_after.ceil_ms();
    window.not_before.map_or_else(|| format!("not after {to}"), |from| format!("between {from} and {to}"))
}

/// No visit holds `at`: no, where complete observations lie on both sides.
fn absence(channel: &Observed, at: Time) -> Answer {
    let unknown = |code, because| Answer::unknown(code, because, Ground::Absence);
    let settled = |moment: Option<Moment>| moment.is_some_and(|moment| at <= moment.earliest);
    if settled(channel.last_complete) && channel.complete_since.is_some_and(|since| since <= at) {
        return Answer::no("complete observations before and after do not list the user".to_owned());
    }
    if settled(channel.last) {
        return unknown(Code::Partial, "no complete list on both sides of that moment was seen".to_owned());
    }
    let until = channel.last.map_or(channel.began, |last| last.earliest);
    unknown(
        Code::Unsettled,
        format!("the channel is settled until {until}; ask again after the next observation"),
    )
}

/// Whether a user is in a channel as of its last good observation, which is the question without a moment. `visit` is
/// the user's that lasts.
pub fn presence_now(channel: Option<&Observed>, visit: Option<&Visit>) -> Answer {
    let Some(channel) = channel else {
        let because = "the channel has not been observed".to_owned();
        return Answer::unknown(Code::NotWatched, because, Ground::Absence);
    };
    let Some(last) = channel.last else {
        let because =
            "the channel has not been observed yet; ask again after the first observation".to_owned();
        return Answer::unknown(Code::Unsettled, because, Ground::Absence);
    };
    let unknown = |ground| {
        let because = "the last observation was not complete and does not list the user".to_owned();
        Answer::unknown(Code::Partial, because, ground)
    };
    match visit {
        Some(visit) if visit.listed_until >= last.earliest => {
            Answer::yes("the last observation lists the user".to_owned(), visit)
        }
        Some(visit) => unknown(Ground::Visit(Box::new(visit.clone()))),
        None if channel.last_complete == Some(last) => {
            Answer::no("the last observation is complete and does not list the user".to_owned())
        }
        None => unknown(Ground::Absence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::names::{ChannelName, UserId};
    use crate::domain::observation::tests::moment;
    use crate::domain::state::Shown;

    fn time(seconds: i64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn visit(joined: (Option<i64>, i64), left: Option<(i64, i64)>, listed_until: i64) -> Visit {
        Visit {
            channel: ChannelName::new("lobby").unwrap(),
            opened: 1,
            user: UserId::new("ada").unwrap(),
            joined: Window { not_before: joined.0.map(time), not_after: time(joined.1) },
            left: left.map(|(from, to)| Window { not_before: Some(time(from)), not_after: time(to) }),
            listed_until: time(listed_until),
            state: Shown::Unknown,
            state_since: None,
        }
    }

    /// Watched since 5, observed and complete since 10, last observed at 90 to 91.
    fn observed() -> Observed {
        let last = Some(moment(90_000_000, 91_000_000));
        Observed {
            began: time(5),
            since: Some(time(10)),
            complete_since: Some(time(10)),
            last,
            last_complete: last,
        }
    }

    fn asked(visits: &[Visit], gaps: &[Gap], at: i64) -> (Present, Option<Code>) {
        let answer = presence(Some(&observed()), visits, gaps, None, time(at));
        (answer.present, answer.code)
    }

    #[test]
    fn yes_is_said_only_between_observations_that_list_the_user() {
        let visits = [visit((Some(20), 25), Some((60, 65)), 60)];
        for (at, expected) in [
            (19, (Present::No, None)),
            (20, (Present::No, None)),
            (22, (Present::Unknown, Some(Code::Window))),
            (25, (Present::Yes, None)),
            (60, (Present::Yes, None)),
            (61, (Present::Unknown, Some(Code::Window))),
            (65, (Present::No, None)),
            (90, (Present::No, None)),
            (92, (Present::Unknown, Some(Code::Unsettled))),
            (7, (Present::Unknown, Some(Code::NotWatched))),
            (1, (Present::Unknown, Some(Code::NotWatched))),
        ] {
            assert_eq!(asked(&visits, &[], at), expected, "at {at}");
        }
    }

    #[test]
    fn a_visit_that_lasts_is_yes_only_up_to_where_it_is_settled() {
        let visits = [visit((None, 10), None, 90)];
        assert_eq!(asked(&visits, &[], 50), (Present::Yes, None));
        assert_eq!(asked(&visits, &[], 91), (Present::Unknown, Some(Code::Unsettled)));
    }

    #[test]
    fn nothing_is_known_in_a_gap_whatever_lies_around_it() {
        let visits = [visit((Some(20), 25), Some((60, 65)), 60)];
        let gap = Gap::open(time(40), GapReason::Timeout).closed(time(50));
        let partial = Gap { users_only: true, reason: GapReason::Truncated, ..gap };
        assert_eq!(asked(&visits, &[gap], 45), (Present::Unknown, Some(Code::Gap)));
        assert_eq!(asked(&visits, &[partial], 45), (Present::Unknown, Some(Code::Partial)));
        assert_eq!(asked(&visits, &[gap, partial], 40), (Present::Yes, None), "the gap begins after 40");
        assert_eq!(asked(&visits, &[gap, partial], 50), (Present::Yes, None), "and ends before 50");
        let unwatched = Gap { reason: GapReason::Unwatched, ..gap };
        assert_eq!(asked(&[], &[unwatched], 45), (Present::Unknown, Some(Code::NotWatched)));
    }

    #[test]
    fn what_is_no_longer_kept_is_unknown() {
        let code =
            |channel: Option<&Observed>, at| presence(channel, &[], &[], Some(time(30)), time(at)).code;
        assert_eq!(code(Some(&observed()), 29), Some(Code::Expired));
        assert_eq!(code(Some(&observed()), 30), None);
        assert_eq!(code(None, 29), Some(Code::Expired), "the channel may be forgotten as a whole");
        assert_eq!(code(None, 30), Some(Code::NotWatched));
    }

    #[test]
    fn the_question_without_a_moment_is_about_the_last_observation() {
        let channel = observed();
        let now = |visit: Option<&Visit>| presence_now(Some(&channel), visit).present;
        assert_eq!(now(Some(&visit((Some(90), 91), None, 90))), Present::Yes, "even if it just joined");
        assert_eq!(now(None), Present::No);
        assert_eq!(now(Some(&visit((None, 10), None, 80))), Present::Unknown, "not in the cut list");
        let cut = Observed { last: Some(moment(95_000_000, 96_000_000)), ..channel };
        assert_eq!(presence_now(Some(&cut), None).present, Present::Unknown, "the last list was cut");
        let only_cut = Observed { last_complete: None, ..cut };
        let seen = visit((None, 96), None, 95);
        assert_eq!(
            presence_now(Some(&only_cut), Some(&seen)).present,
            Present::Yes,
            "no list was ever whole"
        );
        assert_eq!(presence_now(Some(&only_cut), None).code, Some(Code::Partial));
        let new = Observed { last: None, ..only_cut };
        assert_eq!(presence_now(Some(&new), None).code, Some(Code::Unsettled));
        assert_eq!(presence_now(None, None).code, Some(Code::NotWatched));
    }
}
