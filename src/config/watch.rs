//! `[watch]`: which channels are observed, how often, and what is asked about them.

use std::collections::HashSet;
use std::hash::Hash;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::pubnub::Limits;
use super::section::Section;
use super::{budget, duration};
use crate::domain::names::{ChannelName, GroupName, Pattern};
use crate::domain::watch::{Policies, Policy, Rule, Target};

const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_hours(24);
const GAP_AFTER: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_hours(30 * 24);

/// A channel is in a gap after so many intervals without a good observation, unless `gap_after` is set.
const GAP_AFTER_INTERVALS: u32 = 3;

/// What the names in `channels` and `groups` are, for messages.
pub(super) const CHANNEL: &str = "a channel name or a pattern with `*`";
const GROUP: &str = "the name of a channel group";

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Channels, by name or pattern, in the order given, none twice.
    pub channels: Vec<Target>,
    /// Channel groups whose channels are watched, none twice.
    pub groups: Vec<GroupName>,
    /// How often patterns look for new channels and groups are listed.
    pub discover_interval: Duration,
    /// How channels are watched. No policy asks for states without user ids.
    pub policies: Policies,
}

impl Watch {
    /// The channels given by name.
    pub fn names(&self) -> impl Iterator<Item = &ChannelName> {
        self.channels.iter().filter_map(Target::channel)
    }

    /// The patterns.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.channels.iter().filter_map(|target| match target {
            Target::Pattern(pattern) => Some(pattern),
            Target::Channel(_) => None,
        })
    }
}

pub(super) fn read(mut section: Section<'_>, limits: Limits) -> Option<Watch> {
    let channels = section.list("channels", CHANNEL, Target::new);
    let groups = section.list("groups", GROUP, GroupName::new);
    let discover_interval = section.duration("discover_interval", &INTERVAL);
    not_below_cache_ttl(&section, "discover_interval", discover_interval, limits);
    let base = read_policy(&mut section, None, None, limits);
    let gap_after = base.map(|base| base.gap_after).filter(|_| section.has("gap_after"));
    let rules: Vec<_> =
        section.sections("rule").into_iter().map(|rule| read_rule(rule, base, gap_after, limits)).collect();
    // Only now: whatever is wrong has a finding already.
    let watch = (|| {
        Some(Watch {
            channels: once_each(channels?),
            groups: once_each(groups?),
            discover_interval: discover_interval?,
            policies: Policies { default: base?, rules: rules.into_iter().collect::<Option<_>>()? },
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
    base: Option<Policy>,
    base_gap_after: Option<Duration>,
    limits: Limits,
) -> Option<Rule> {
    let channels = section.list("channels", CHANNEL, Target::new);
    if channels.as_ref().is_some_and(Vec::is_empty) || !section.has("channels") {
        section.refuse("channels", "must name the channels the rule is for".to_owned());
    }
    let policy = read_policy(&mut section, base, base_gap_after, limits);
    section.finish();
    Some(Rule { channels: once_each(channels?), policy: policy? })
}

/// The four keys a rule may set as well. What a rule does not set is as in `base`; `base_gap_after` is what `[watch]`
/// itself sets, and holds for a rule whose interval is not longer.
fn read_policy(
    section: &mut Section<'_>,
    base: Option<Policy>,
    base_gap_after: Option<Duration>,
    limits: Limits,
) -> Option<Policy> {
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
    Some(Policy { interval, gap_after, include_state: include_state? && include_uuids, include_uuids })
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

pub(super) fn once_each<T: Clone + Eq + Hash>(names: Vec<T>) -> Vec<T> {
    let mut seen = HashSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}
