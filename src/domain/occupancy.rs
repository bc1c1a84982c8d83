//! How many were in a channel: runs of equal observations, and their sum over buckets of time.

use std::time::Duration;

use serde::Serialize;

use super::gap::Gap;
use super::observation::Grade;
use super::time::{Moment, Time};

/// Consecutive good observations, without a gap, that saw the same occupancy with the same grade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// The first of them.
    pub first: Moment,
    /// The last of them so far.
    pub last: Moment,
    /// The widest step between two consecutive observations, from the earliest instant of one to the latest of the
    /// next, the step into the run included.
    pub widest: Duration,
    /// How many were there.
    pub occupancy: u32,
    /// How much each observation saw.
    pub grade: Grade,
}

impl Run {
    /// A run of one observation; `before` is the observation before it, if no gap lies between.
    pub fn start(moment: Moment, before: Option<Moment>, occupancy: u32, grade: Grade) -> Self {
        let widest = before.map_or(Duration::ZERO, |before| moment.latest.since(before.earliest));
        Self { first: moment, last: moment, widest, occupancy, grade }
    }

    /// With one more equal observation.
    #[must_use]
    pub fn extended(self, moment: Moment) -> Self {
        let step = moment.latest.since(self.last.earliest);
        Self { last: moment, widest: self.widest.max(step), ..self }
    }
}

/// Between which figures the occupancy lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Bounds {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
}

/// The occupancy at `time`, from the runs around it in order of time and the full gaps that touch it: between the lowest
/// and the highest that was seen from the last observation certainly before `time` to the first certainly after it. In a
/// gap, or without an observation on both sides, nothing is known.
pub fn at(runs: &[Run], gaps: &[Gap], time: Time) -> Option<Bounds> {
    if gaps.iter().any(|gap| !gap.users_only && gap.covers(time)) {
        return None;
    }
    let before = runs.iter().rposition(|run| run.first.latest <= time)?;
    let after = runs.iter().position(|run| run.last.earliest >= time)?;
    let seen = runs.get(before..=after.max(before))?.iter().map(|run| run.occupancy);
    Some(Bounds { min: seen.clone().min()?, max: seen.max()? })
}

/// How short an absence or a stay may have gone unseen at `time`: the widest step between two complete observations
/// there, or, where there is none before or after it, from the first or to the last observation at all. The runs, in order
/// of time, reach back to a complete one before `time` and on to the next after it, where there are such. `None` where no
/// step is known.
pub fn resolution(runs: &[Run], time: Time) -> Option<Duration> {
    let complete = || runs.iter().filter(|run| run.grade == Grade::Complete);
    let before = complete().rfind(|run| run.first.latest <= time);
    let within = before.map_or(Duration::ZERO, |run| run.widest);
    let from = match before {
        Some(run) if time <= run.last.earliest => return (!within.is_zero()).then_some(within),
        Some(run) => run.last.earliest,
        None => runs.first()?.first.earliest,
    };
    let after = complete().find(|run| run.first.latest > time).map(|run| run.first.latest);
    let to = after.or_else(|| runs.last().map(|run| run.last.latest))?;
    let widest = within.max(to.since(from));
    (!widest.is_zero()).then_some(widest)
}

/// A bucket of time. Figures are `None` where nothing of it was observed.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Bucket {
    /// Where it begins.
    pub start: Time,
    /// The lowest occupancy there may have been in it.
    pub min: Option<u32>,
    /// The highest occupancy there may have been in it.
    pub max: Option<u32>,
    /// The mean over its observed time; between two observations the earlier one counts.
    pub mean: Option<f64>,
    /// The last occupancy seen in it.
    pub last: Option<u32>,
    /// The share of it that was observed, 0 to 1.
    pub observed: f64,
}

/// A stretch of observed time. Between two runs the occupancy lies between what they saw, and the earlier one counts for
/// the mean.
struct Stretch {
    from: Time,
    to: Time,
    low: u32,
    high: u32,
    counts: u32,
}

/// Sums `[from, to)` up in buckets of `step`, a millisecond at least (the last may be shorter), from the runs in order of
/// time that touch it. `settled_until` is up to when the channel is observed now.
pub fn buckets(
    runs: &[Run],
    gaps: &[Gap],
    settled_until: Time,
    from: Time,
    to: Time,
    step: Duration,
) -> Vec<Bucket> {
    let stretches = stretches(runs, gaps, settled_until);
    let mut rest = stretches.as_slice();
    let mut buckets = Vec::new();
    let mut start = from;
    while start < to {
        let end = start.plus(step.max(Duration::from_millis(1))).min(to);
        while rest.first().is_some_and(|stretch| stretch.to <= start) {
            rest = rest.get(1..).unwrap_or_default();
        }
        buckets.push(bucket(start, end, rest));
        start = end;
    }
    buckets
}

/// What was observed, in order of time, each run up to the first observation of the next or to the beginning of a gap.
fn stretches(runs: &[Run], gaps: &[Gap], settled_until: Time) -> Vec<Stretch> {
    let mut stretches = Vec::with_capacity(2 * runs.len());
    for (index, run) in runs.iter().enumerate() {
        let later = |gap: &&Gap| !gap.users_only && gap.to.is_none_or(|to| to > run.first.latest);
        let gap = gaps.iter().filter(later).map(|gap| gap.from).min();
        let end = gap.map_or(settled_until, |gap| gap.min(settled_until));
        let counts = run.occupancy;
        let mut push = |from: Time, to: Time, other: u32| {
            let (to, low, high) = (to.min(end), counts.min(other), counts.max(other));
            if from < to {
                stretches.push(Stretch { from, to, low, high, counts });
            }
        };
        let from = run.first.latest;
        match runs.get(index + 1) {
            Some(next) => {
                let proven = run.last.earliest.max(from);
                push(from, proven, counts);
                push(proven, next.first.latest, next.occupancy);
            }
            None => push(from, end, counts),
        }
    }
    stretches
}

fn bucket(start: Time, end: Time, stretches: &[Stretch]) -> Bucket {
    let mut bucket = Bucket { start, min: None, max: None, mean: None, last: None, observed: 0.0 };
    let (mut observed, mut sum) = (Duration::ZERO, 0.0);
    for stretch in stretches.iter().take_while(|stretch| stretch.from < end) {
        let share = stretch.to.min(end).since(stretch.from.max(start));
        if share.is_zero() {
            continue;
        }
        observed += share;
        sum += share.as_secs_f64() * f64::from(stretch.counts);
        bucket.min = Some(bucket.min.map_or(stretch.low, |min| min.min(stretch.low)));
        bucket.max = Some(bucket.max.map_or(stretch.high, |max| max.max(stretch.high)));
        bucket.last = Some(stretch.counts);
    }
    if !observed.is_zero() {
        bucket.mean = Some(sum / observed.as_secs_f64());
        bucket.observed = (observed.as_secs_f64() / end.since(start).as_secs_f64()).min(1.0);
    }
    bucket
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::gap::GapReason;
    use crate::domain::observation::tests::moment;

    fn run(first: i64, last: i64, occupancy: u32) -> Run {
        let (first, last) = (moment(first, first + 100_000), moment(last, last + 100_000));
        Run { first, last, widest: Duration::ZERO, occupancy, grade: Grade::Complete }
    }

    fn secs(seconds: f64) -> Time {
        Time::default().plus(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn between_two_runs_the_occupancy_lies_between_what_they_saw() {
        let runs = [run(0, 10_000_000, 3), run(12_000_000, 20_000_000, 7)];
        assert_eq!(at(&runs, &[], secs(5.0)), Some(Bounds { min: 3, max: 3 }));
        assert_eq!(at(&runs, &[], secs(11.0)), Some(Bounds { min: 3, max: 7 }));
        assert_eq!(at(&runs, &[], secs(15.0)), Some(Bounds { min: 7, max: 7 }));
        assert_eq!(at(&runs, &[], secs(25.0)), None, "not yet settled");
        assert_eq!(at(&runs, &[], secs(0.05)), None, "before the first answer");
        let gap = Gap::open(secs(10.0), GapReason::Timeout).closed(secs(12.1));
        assert_eq!(at(&runs, &[gap], secs(11.0)), None, "in a gap");
    }

    #[test]
    fn buckets_say_how_much_of_them_was_observed() {
        let runs = [run(0, 10_000_000, 4), run(30_000_000, 40_000_000, 8)];
        let gap = Gap::open(secs(10.0), GapReason::Timeout).closed(secs(30.1));
        let buckets = buckets(&runs, &[gap], secs(40.0), secs(0.0), secs(50.0), Duration::from_secs(10));
        let observed: Vec<f64> = buckets.iter().map(|b| (b.observed * 100.0).round()).collect();
        assert_eq!(observed, [99.0, 0.0, 0.0, 99.0, 0.0]);
        assert_eq!((buckets[0].min, buckets[0].mean), (Some(4), Some(4.0)));
        assert_eq!((buckets[1].min, buckets[1].last), (None, None));
        assert_eq!(buckets[3].last, Some(8));
    }
}
