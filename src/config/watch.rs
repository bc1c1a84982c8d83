//! `[watch]`: which channels are observed, how often, and what is asked about them.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::names::{self, is_pattern, matches};
use super::pubnub::Limits;
use super::section::Section;
use super::{budget, duration};

const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_hours(24);
const GAP_AFTER: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_hours(30 * 24);

/// A channel is in a gap after so many intervals without a good observation, unless `gap_after` is set.
const GAP_AFTER_INTERVALS: u32 = 3;

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Channel names, and patterns with `*`, in the order given, none twice.
    pub channels: Vec<String>,
    /// Channel groups whose channels are watched.
    pub groups: Vec<String>,
    /// How often patterns look for new channels and groups are listed.
    pub discover_interval: Duration,
    /// How channels are watched that no rule matches.
    pub base: Watching,
    /// Exceptions; the first that matches a channel counts.
    pub rules: Vec<Rule>,
}

/// How one channel is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watching {
    /// How often it is observed.
    pub interval: Duration,
    /// After how long without a good observation it is in a gap.
    pub gap_after: Duration,
    /// Whether the users' states are asked for. Never without user ids.
    pub include_state: bool,
    /// Whether user ids are asked for.
    pub include_uuids: bool,
}

/// How the channels are watched that match one of its names or patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Names and patterns.
    pub channels: Vec<String>,
    /// What holds for them.
    pub watching: Watching,
}

impl Watch {
    /// How a channel is watched: by the first rule that matches it, else as `[watch]` says.
    pub fn watching(&self, channel: &str) -> Watching {
        let covers = |rule: &&Rule| rule.channels.iter().any(|pattern| matches(pattern, channel));
        self.rules.iter().find(covers).map_or(self.base, |rule| rule.watching)
    }

    /// The channels given by name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.channels.iter().map(String::as_str).filter(|name| !is_pattern(name))
    }

    /// The patterns.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.channels.iter().map(String::as_str).filter(|name| is_pattern(name))
    }
}

pub(super) fn read(mut section: Section<'_>, limits: Limits) -> Option<Watch> {
    let channels = section.list("channels", names::CHANNEL, names::channel);
    let groups = section.list("groups", names::GROUP, names::group);
    let discover_interval = section.duration("discover_interval", &INTERVAL);
    not_below_cache_ttl(&section, "discover_interval", discover_interval, limits);
    let base = read_watching(&mut section, None, None, limits);
    let gap_after = base.map(|base| base.gap_after).filter(|_| section.has("gap_after"));
    let rules: Vec<_> =
        section.sections("rule").into_iter().map(|rule| read_rule(rule, base, gap_after, limits)).collect();
    // Only now: whatever is wrong has a finding already.
    let watch = (|| {
        Some(Watch {
            channels: once_each(channels?),
            groups: once_each(groups?),
            discover_interval: discover_interval?,
            base: base?,
            rules: rules.into_iter().collect::<Option<_>>()?,
        })
    })();
    if let Some(watch) = &watch {
        budget::check(&section, watch, limits);
    }
    section.finish();
    watch
}

fn read_rule(
    mut section: Section<'_>,
    base: Option<Watching>,
    base_gap_after: Option<Duration>,
    limits: Limits,
) -> Option<Rule> {
    let channels = section.list("channels", names::CHANNEL, names::channel);
    if channels.as_ref().is_some_and(Vec::is_empty) || !section.has("channels") {
        section.refuse("channels", "must name the channels the rule is for".to_owned());
    }
    let watching = read_watching(&mut section, base, base_gap_after, limits);
    section.finish();
    Some(Rule { channels: once_each(channels?), watching: watching? })
}

/// The four keys a rule may set as well. What a rule does not set is as in `base`; `base_gap_after` is what `[watch]`
/// itself sets, and holds for a rule whose interval is not longer.
fn read_watching(
    section: &mut Section<'_>,
    base: Option<Watching>,
    base_gap_after: Option<Duration>,
    limits: Limits,
) -> Option<Watching> {
    let interval = section.duration("interval", &INTERVAL);
    not_below_cache_ttl(section, "interval", interval, limits);
    let interval = interval.or(base.map(|base| base.interval));
    let gap_after = section.duration("gap_after", &GAP_AFTER);
    if let (Some(interval), Some(gap_after)) = (interval, gap_after)
        && gap_after < interval
    {
        let allowed = format!("must be at least one interval ({})", duration::text(interval));
        section.refuse("gap_after", allowed);
    }
    let include_state = section.boolean("include_state").or(base.map(|base| base.include_state));
    let include_uuids = section.boolean("include_uuids").or(base.map(|base| base.include_uuids));
    let interval = interval?;
    let gap_after = gap_after
        .or(base_gap_after.filter(|gap_after| *gap_after >= interval))
        .unwrap_or(interval * GAP_AFTER_INTERVALS);
    let include_uuids = include_uuids?;
    Some(Watching { interval, gap_after, include_state: include_state? && include_uuids, include_uuids })
}

/// SPEC.md section 2, "Order": two observations could not be told apart in time.
fn not_below_cache_ttl(section: &Section<'_>, key: &str, interval: Option<Duration>, limits: Limits) {
    if let (Some(interval), Some(cache_ttl)) = (interval, limits.cache_ttl)
        && interval < cache_ttl
    {
        let allowed = format!("must not be shorter than pubnub.cache_ttl ({})", duration::text(cache_ttl));
        section.refuse(key, allowed);
    }
}

fn once_each(names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}
