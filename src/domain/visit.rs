//! One user's stay in one channel.

use std::time::Duration;

use super::event::Seq;
use super::gap::Gap;
use super::names::{ChannelName, UserId};
use super::state::Shown;
use super::time::{Time, Window};

/// A user id's stay in a channel, from its join (or present) to its leave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Visit {
    /// Where.
    pub channel: ChannelName,
    /// The channel's number of the event that opened it. With the channel it names the visit.
    pub opened: Seq,
    /// Whose.
    pub user: UserId,
    /// When it began; `not_before` is `None` after `present`.
    pub joined: Window,
    /// When it ended; `None` while it lasts.
    pub left: Option<Window>,
    /// While it lasts: up to when the user is proven to be there.
    pub listed_until: Time,
    /// The last state known.
    pub state: Shown,
    /// When the user came to have it; `None` while it is unknown.
    pub state_since: Option<Window>,
}

/// How long a visit was: between `min`, the time proven, and `max`, the longest possible (`None`: nothing bounds it).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Length {
    /// Time proven.
    pub min: Duration,
    /// The longest possible.
    pub max: Option<Duration>,
}

impl Visit {
    /// Up to when the user is proven to have been there.
    pub fn proven_until(&self) -> Time {
        self.left.and_then(|left| left.not_before).unwrap_or(self.listed_until)
    }

    /// The span in which the user is proven to have been there, gaps aside. Empty spans begin where they end.
    pub fn proven(&self) -> (Time, Time) {
        (self.joined.not_after, self.proven_until().max(self.joined.not_after))
    }

    /// Whether the user may have been there at some time in `[from, to)`.
    pub fn touches(&self, from: Time, to: Time) -> bool {
        self.joined.not_before.is_none_or(|joined| joined < to)
            && self.left.is_none_or(|left| left.not_after >= from)
    }

    /// How long it was, up to `now` while it lasts. `gaps` are those of the channel, partial ones too; those that ended
    /// before `kept_since` are forgotten, so nothing before it is proven.
    pub fn length(&self, gaps: &[Gap], now: Time, kept_since: Option<Time>) -> Length {
        let end = self.left.map_or(now, |left| left.not_after);
        Length {
            min: proven_time(&[self.proven()], gaps, kept_since),
            max: self.joined.not_before.map(|joined| end.since(joined)),
        }
    }

    /// One visit of this and the user's next in the channel.
    #[must_use]
    pub fn joined_with(self, next: Self) -> Self {
        Self { channel: self.channel, opened: self.opened, user: self.user, joined: self.joined, ..next }
    }

    /// The longest possible absence between this visit and the user's next one; `None` if this one lasts, or nothing
    /// proves when the next began.
    pub fn longest_absence(&self, next: &Self) -> Option<Duration> {
        let left = self.left?;
        Some(next.joined.not_after.since(left.not_before.unwrap_or(self.listed_until)))
    }
}

/// How much time of these spans is proven, gaps aside: spans and gaps are in order of their beginnings, and no two spans
/// overlap. What lies before `kept_since` is not (see [`Visit::length`]).
pub fn proven_time(spans: &[(Time, Time)], gaps: &[Gap], kept_since: Option<Time>) -> Duration {
    let mut gaps = gaps.iter().peekable();
    let (mut near, mut total) = (Vec::new(), Duration::ZERO);
    for &(from, to) in spans {
        let from = kept_since.map_or(from, |kept| from.max(kept).min(to));
        near.retain(|gap: &Gap| gap.to.is_none_or(|end| end > from));
        near.extend(
            std::iter::from_fn(|| gaps.next_if(|gap| gap.from < to))
                .filter(|gap| gap.to.is_none_or(|end| end > from)),
        );
        total += to.since(from).saturating_sub(covered(&near, from, to));
    }
    total
}

/// How much of `[from, to)` the gaps cover, each instant once.
pub fn covered(gaps: &[Gap], from: Time, to: Time) -> Duration {
    let mut spans: Vec<(Time, Time)> = gaps
        .iter()
        .map(|gap| (gap.from.max(from), gap.to.unwrap_or(to).min(to)))
        .filter(|(start, end)| start < end)
        .collect();
    spans.sort_unstable();
    let mut total = Duration::ZERO;
    let mut reached = from;
    for (start, end) in spans {
        total += end.since(start.max(reached));
        reached = reached.max(end);
    }
    total
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::gap::GapReason;

    fn time(seconds: i64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn visit(joined: (i64, i64), left: Option<(i64, i64)>, listed_until: i64) -> Visit {
        let window = |(from, to)| Window { not_before: Some(time(from)), not_after: time(to) };
        Visit {
            channel: ChannelName::new("lobby").unwrap(),
            opened: 1,
            user: UserId::new("ada").unwrap(),
            joined: window(joined),
            left: left.map(window),
            listed_until: time(listed_until),
            state: Shown::Unknown,
            state_since: None,
        }
    }

    #[test]
    fn a_visit_is_as_long_as_proven_at_least_and_as_its_windows_at_most() {
        let gap = Gap::open(time(20), GapReason::Timeout).closed(time(30));
        let length = visit((0, 5), Some((60, 65)), 60).length(&[gap], time(100), None);
        assert_eq!(length, Length { min: Duration::from_secs(45), max: Some(Duration::from_secs(65)) });
        let open = visit((0, 5), None, 50).length(&[], time(52), None);
        assert_eq!(open, Length { min: Duration::from_secs(45), max: Some(Duration::from_secs(52)) });
        let old = visit((0, 5), None, 50).length(&[], time(52), Some(time(40)));
        assert_eq!(old.min, Duration::from_secs(10), "gaps before 40 are forgotten");
    }

    #[test]
    fn an_absence_is_as_long_as_the_windows_around_it_allow() {
        let next = visit((20, 25), Some((30, 35)), 30);
        assert_eq!(visit((0, 5), Some((10, 15)), 10).longest_absence(&next), Some(Duration::from_secs(15)));
        assert_eq!(visit((0, 5), None, 10).longest_absence(&next), None);
    }

    proptest! {
        #[test]
        fn covered_time_counts_each_instant_once(spans in proptest::collection::vec((0i64..50, 0i64..50), 0..8)) {
            let gaps: Vec<Gap> =
                spans.iter().map(|&(from, len)| Gap::open(time(from), GapReason::Timeout).closed(time(from + len))).collect();
            let by_second = (10..40).filter(|&s| gaps.iter().any(|g| g.from <= time(s) && g.to.unwrap() > time(s))).count();
            prop_assert_eq!(covered(&gaps, time(10), time(40)), Duration::from_secs(by_second as u64));
        }

        #[test]
        fn what_is_proven_of_many_spans_is_what_is_proven_of_each(
            ends in proptest::collection::btree_set(0i64..60, 0..12),
            mut gaps in proptest::collection::vec((0i64..60, proptest::option::of(0i64..20)), 0..8),
            kept in proptest::option::of(0i64..60),
        ) {
            gaps.sort_unstable();
            let gap = |&(from, len): &(i64, Option<i64>)| {
                let gap = Gap::open(time(from), GapReason::Timeout);
                len.map_or(gap, |len| gap.closed(time(from + len)))
            };
            let gaps: Vec<Gap> = gaps.iter().map(gap).collect();
            let ends: Vec<Time> = ends.into_iter().map(time).collect();
            let spans: Vec<_> = ends.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            let kept = kept.map(time);
            let each = spans.iter().map(|&(from, to)| {
                let from = kept.map_or(from, |kept| from.max(kept).min(to));
                to.since(from).saturating_sub(covered(&gaps, from, to))
            });
            prop_assert_eq!(proven_time(&spans, &gaps, kept), each.sum::<Duration>());
        }
    }
}
