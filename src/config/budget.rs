//! How many requests a configuration needs, as far as it is known before the first answer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::duration;
use super::pubnub::Limits;
use super::section::Section;
use super::watch::Watch;
use crate::domain::watch::Policy;

/// Channels that can be asked for in the same requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    /// How often, and what is asked.
    pub policy: Policy,
    /// How many named channels.
    pub channels: usize,
    /// In how many requests each time.
    pub requests: usize,
}

/// What a watch costs, without what patterns and groups will turn out to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// The polls of the named channels.
    pub classes: Vec<Class>,
    /// Requests each `discover_interval`: one for all patterns together, one for each group.
    pub discoveries: usize,
    /// How often those are sent.
    pub discover_interval: Duration,
}

impl Budget {
    /// Counts what `watch` needs with so many channels in a request.
    pub fn of(watch: &Watch, channels_per_request: u32) -> Self {
        let mut counts: BTreeMap<(Duration, bool, bool), (Policy, usize)> = BTreeMap::new();
        for name in watch.names() {
            let policy = watch.policies.of(name);
            let class = (policy.interval, policy.include_state, policy.include_uuids);
            counts.entry(class).or_insert((policy, 0)).1 += 1;
        }
        let per_request = usize::try_from(channels_per_request).unwrap_or(usize::MAX).max(1);
        let classes = counts
            .into_values()
            .map(|(policy, channels)| Class { policy, channels, requests: channels.div_ceil(per_request) })
            .collect();
        let discoveries = usize::from(watch.patterns().next().is_some()) + watch.groups.len();
        Self { classes, discoveries, discover_interval: watch.discover_interval }
    }

    /// Requests per second that polling the named channels needs.
    pub fn polls_per_second(&self) -> f64 {
        self.classes.iter().map(Class::per_second).sum()
    }

    /// Requests per second that discovery and listing groups need.
    pub fn discoveries_per_second(&self) -> f64 {
        per_second(self.discoveries, self.discover_interval)
    }

    /// Requests per second in all.
    pub fn per_second(&self) -> f64 {
        self.polls_per_second() + self.discoveries_per_second()
    }
}

impl Class {
    /// Requests per second that polling these channels needs.
    pub fn per_second(&self) -> f64 {
        per_second(self.requests, self.policy.interval)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn per_second(requests: usize, interval: Duration) -> f64 {
    if requests == 0 { 0.0 } else { requests as f64 / interval.as_secs_f64() }
}

/// Refuses a watch that needs more than `max_requests_per_second`, with the interval that fits.
pub(super) fn check(section: &Section<'_>, watch: &Watch, limits: Limits) {
    let (Some(max), Some(channels_per_request)) =
        (limits.max_requests_per_second, limits.channels_per_request)
    else {
        return;
    };
    let budget = Budget::of(watch, channels_per_request);
    let max = f64::from(max);
    if budget.per_second() <= max {
        return;
    }
    let need = format!(
        "needs {:.1} requests per second, pubnub.max_requests_per_second allows {max}",
        budget.per_second()
    );
    let left = max - budget.discoveries_per_second();
    if left <= 0.0 {
        let fits = fitting(watch.discover_interval, budget.discoveries_per_second() / max);
        let advice = format!(
            "{need}; discovery alone would fit with {} or longer, polls come on top",
            duration::text(fits)
        );
        section.refuse("discover_interval", advice);
        return;
    }
    // Rules keep their intervals if `watch.interval` alone can make it fit.
    let base_interval = watch.policies.default.interval;
    let base: f64 = budget
        .classes
        .iter()
        .filter(|class| class.policy.interval == base_interval)
        .map(Class::per_second)
        .sum();
    let others = budget.polls_per_second() - base;
    let advice = if base > 0.0 && others < left {
        let fits = fitting(base_interval, base / (left - others));
        format!("{need}; it fits with {} or longer", duration::text(fits))
    } else {
        // Up to the next hundredth: rounded down it would not fit.
        let factor = (budget.polls_per_second() / left * 100.0).ceil() / 100.0;
        let fits = fitting(base_interval, factor);
        format!(
            "{need}; it fits with every interval {factor:.2} times as long, this one {}",
            duration::text(fits)
        )
    };
    section.refuse("interval", advice);
}

/// An interval so many times as long, up to the next tenth of a second.
fn fitting(interval: Duration, factor: f64) -> Duration {
    let tenths = (interval.as_secs_f64() * factor * 10.0).ceil();
    Duration::try_from_secs_f64(tenths / 10.0).unwrap_or(Duration::MAX)
}
