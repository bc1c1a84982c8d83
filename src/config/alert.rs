//! `[[alert]]`: the rules.

use std::collections::HashSet;
use std::hash::Hash;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::section::Section;
use super::watch::{CHANNEL, Watch, once_each};
use crate::domain::alert::{Condition, NotifierName, OnGap, Rule, RuleName, Severity};
use crate::domain::names::UserId;
use crate::domain::watch::{Policies, Target};

/// How long a condition must hold, or be clear.
const FOR: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(30 * 24);

/// How often a firing alert is told again.
const REPEAT_EVERY: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_hours(30 * 24);

/// More than this many are never there, as far as can be counted.
const MOST: u32 = u32::MAX;

/// Most channels and patterns that one rule names.
const MAX_CHANNELS: usize = 1_000;

/// Most notifiers that one rule tells.
const MAX_NOTIFY: usize = 20;

const CONDITIONS: [&str; 5] =
    ["occupancy_above", "occupancy_below", "user_present", "user_absent", "unobserved"];

/// What rules are held against.
pub(super) struct Known<'a> {
    /// The names of all notifiers, also of those that something else is wrong with.
    pub(super) notifiers: &'a HashSet<NotifierName>,
    /// `None` where it is wrong.
    pub(super) watch: Option<&'a Watch>,
}

pub(super) fn read(
    mut section: Section<'_>,
    taken: &mut HashSet<RuleName>,
    known: &Known<'_>,
) -> Option<Rule> {
    let name = read_name(&mut section, taken, RuleName::new);
    let channels = read_channels(&mut section, known.watch);
    let condition = read_condition(&mut section);
    if let (Some(condition), Some(channels), Some(watch)) = (&condition, &channels, known.watch) {
        without_users(&section, condition, channels, watch);
    }
    let hold_for = section.duration("for", &FOR);
    let keep_firing_for = section.duration("keep_firing_for", &FOR);
    let on_gap = section.choice("on_gap", &OnGap::ALL, OnGap::as_str);
    if condition == Some(Condition::Unobserved) && section.has("on_gap") {
        section.refuse("on_gap", "a gap is what unobserved looks for: leave it out".to_owned());
    }
    let severity = section.choice("severity", &Severity::ALL, Severity::as_str);
    let notify = read_notify(&mut section, known.notifiers);
    let repeat_every = section.duration("repeat_every", &REPEAT_EVERY);
    let send_resolved = section.boolean("send_resolved");
    section.finish();
    Some(Rule {
        name: name?,
        channels: channels?,
        condition: condition?,
        hold_for: hold_for.unwrap_or_default(),
        keep_firing_for: keep_firing_for.unwrap_or_default(),
        on_gap: on_gap.unwrap_or_default(),
        severity: severity.unwrap_or_default(),
        notify: notify?,
        repeat_every,
        send_resolved: send_resolved.unwrap_or(true),
    })
}

/// The name of a rule or notifier, which no other has. What is wrong from here on is told with it.
pub(super) fn read_name<N: Clone + Eq + Hash + ToString, E: ToString>(
    section: &mut Section<'_>,
    taken: &mut HashSet<N>,
    new: impl Fn(&str) -> Result<N, E>,
) -> Option<N> {
    if !section.has("name") {
        section.refuse("name", "must be set".to_owned());
    }
    let allowed = new("").err().map(|error| error.to_string()).unwrap_or_default();
    let allowed = allowed.strip_prefix("must be ").unwrap_or(&allowed);
    let name = section.text("name", allowed, |text| new(text).ok())?;
    if !taken.insert(name.clone()) {
        section.refuse("name", "must not be the name of another as well".to_owned());
    }
    section.called(&name.to_string());
    Some(name)
}

fn read_channels(section: &mut Section<'_>, watch: Option<&Watch>) -> Option<Vec<Target>> {
    let channels = section.list("channels", CHANNEL, Target::new);
    if channels.as_ref().is_some_and(Vec::is_empty) || !section.has("channels") {
        section.refuse("channels", "must name the channels the rule is for".to_owned());
        return None;
    }
    let channels = once_each(channels?);
    if channels.len() > MAX_CHANNELS {
        section.refuse("channels", format!("must not name more than {MAX_CHANNELS}"));
    }
    for lost in watch.into_iter().flat_map(|watch| lost(&channels, watch)) {
        let lost = lost.as_str();
        section.refuse(
            "channels",
            format!("{lost:?} matches nothing that watch.channels or a [[watch.rule]] names"),
        );
    }
    Some(channels)
}

/// Those of a rule's channels and patterns that can match nothing. What groups hold nobody knows yet; a configuration that
/// names no channels leaves all of them to the API, and one that names some can say with a `[[watch.rule]]` how others are
/// watched that the API adds. What the API has added does not count here: its `DELETE` must not make the next start fail.
fn lost<'a>(channels: &'a [Target], watch: &Watch) -> Vec<&'a Target> {
    if !watch.groups.is_empty() || watch.channels.is_empty() {
        return Vec::new();
    }
    let rules = watch.policies.rules.iter().flat_map(|rule| &rule.channels);
    let named: Vec<&Target> = watch.channels.iter().chain(rules).collect();
    channels.iter().filter(|target| !named.iter().any(|named| meet(target, named))).collect()
}

/// Whether some channel is meant by both. Of two patterns that is so if one's beginning (up to its first `*`) begins with
/// the other's, and one's end ends with the other's: whatever stands between them, both have a `*` to take it.
fn meet(one: &Target, other: &Target) -> bool {
    let (one, other) = match (one, other) {
        (Target::Channel(name), target) | (target, Target::Channel(name)) => return target.matches(name),
        (Target::Pattern(one), Target::Pattern(other)) => (one.as_str(), other.as_str()),
    };
    let begin = |text: &'_ str| text.split('*').next().unwrap_or_default().to_owned();
    let end = |text: &'_ str| text.rsplit('*').next().unwrap_or_default().to_owned();
    let (begins, ends) = ([begin(one), begin(other)], [end(one), end(other)]);
    let [one, other] = &begins;
    let together = one.starts_with(other.as_str()) || other.starts_with(one.as_str());
    let [one, other] = &ends;
    together && (one.ends_with(other.as_str()) || other.ends_with(one.as_str()))
}

fn read_condition(section: &mut Section<'_>) -> Option<Condition> {
    let above = section.number("occupancy_above", &(0..=MOST - 1));
    let below = section.number("occupancy_below", &(1..=MOST));
    let user = "a user id: a text of 1 to 1024 bytes";
    let present = section.text("user_present", user, |text| UserId::new(text).ok());
    let absent = section.text("user_absent", user, |text| UserId::new(text).ok());
    let unobserved = section.boolean("unobserved");
    let clear_below = section.number("clear_below", &(1..=MOST));
    let clear_above = section.number("clear_above", &(0..=MOST - 1));
    if unobserved == Some(false) {
        section.refuse("unobserved", "must be true, or left out".to_owned());
    }
    let given: Vec<&str> = CONDITIONS.into_iter().filter(|key| section.has(key)).collect();
    let [kind] = given.as_slice() else {
        match given.split_first() {
            None => section
                .refuse("name", format!("the rule needs a condition, one of {}", CONDITIONS.join(", "))),
            Some((first, more)) => {
                for key in more {
                    section.refuse(key, format!("a rule has one condition, and {first} is set"));
                }
            }
        }
        return None;
    };
    for (clear, condition) in [("clear_below", "occupancy_above"), ("clear_above", "occupancy_below")] {
        if section.has(clear) && condition != *kind {
            section.refuse(clear, format!("goes with {condition}, not with {kind}"));
        }
    }
    let condition = match *kind {
        "occupancy_above" => above_with(section, above?, clear_below),
        "occupancy_below" => below_with(section, below?, clear_above),
        "user_present" => Condition::UserPresent { user: present? },
        "user_absent" => Condition::UserAbsent { user: absent? },
        _ => Condition::Unobserved,
    };
    Some(condition)
}

fn above_with(section: &Section<'_>, bound: u32, clear_below: Option<u32>) -> Condition {
    let least = bound.saturating_add(1);
    if clear_below.is_some_and(|clear| clear > least) {
        section.refuse(
            "clear_below",
            format!("must be at most {least}: with more than {bound} the alert fires"),
        );
    }
    Condition::OccupancyAbove { bound, clear_below: clear_below.unwrap_or(least) }
}

fn below_with(section: &Section<'_>, bound: u32, clear_above: Option<u32>) -> Condition {
    let most = bound.saturating_sub(1);
    if clear_above.is_some_and(|clear| clear < most) {
        section.refuse(
            "clear_above",
            format!("must be at least {most}: with fewer than {bound} the alert fires"),
        );
    }
    Condition::OccupancyBelow { bound, clear_above: clear_above.unwrap_or(most) }
}

/// A rule about a user is of no use where users are not looked at.
fn without_users(section: &Section<'_>, condition: &Condition, channels: &[Target], watch: &Watch) {
    if condition.user().is_none() {
        return;
    }
    for target in channels.iter().filter(|target| is_blind(target, &watch.policies)) {
        let why = format!(
            "of {:?} no user ids are asked for (include_uuids), and {} needs them",
            target.as_str(),
            condition.kind()
        );
        section.refuse("channels", why);
    }
}

/// Whether of no channel that is meant user ids are asked for: by no policy that may be the one of such a channel.
fn is_blind(target: &Target, policies: &Policies) -> bool {
    for rule in policies.rules.iter().filter(|rule| rule.channels.iter().any(|of| meet(of, target))) {
        if rule.policy.include_uuids {
            return false;
        }
        if rule.channels.iter().any(|of| of == target || of.as_str() == "*") || target.channel().is_some() {
            // No later one counts.
            return true;
        }
    }
    !policies.default.include_uuids
}

fn read_notify(section: &mut Section<'_>, known: &HashSet<NotifierName>) -> Option<Vec<NotifierName>> {
    let given = section.has("notify");
    // Asked for even where it is not given: a key that is misspelt is told which there are.
    let notify = section.list("notify", "the name of a notifier", |text| {
        let name = NotifierName::new(text).ok().filter(|name| known.contains(name));
        name.ok_or_else(|| match names(known) {
            names if names.is_empty() => "there is no [[notifier]]".to_owned(),
            names => format!("must be the name of a [[notifier]]: {names}"),
        })
    });
    let notify = once_each(if given { notify? } else { Vec::new() });
    if notify.len() > MAX_NOTIFY {
        section.refuse("notify", format!("must not name more than {MAX_NOTIFY}"));
    }
    Some(notify)
}

fn names(known: &HashSet<NotifierName>) -> String {
    let mut names: Vec<&str> = known.iter().map(NotifierName::as_str).collect();
    names.sort_unstable();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::names::ChannelName;

    #[test]
    fn two_patterns_meet_if_some_channel_is_meant_by_both() {
        for (one, other, expected) in [
            ("lobby", "lobby", true),
            ("lobby", "room.*", false),
            ("room.1", "room.*", true),
            ("room.*", "*.vip", true),
            ("room.*", "rooms*", false),
            ("a*b", "*c", false),
            ("a*b*c", "ax*bc", true),
            ("*", "anything", true),
        ] {
            let target = |text| Target::new(text).unwrap();
            assert_eq!(meet(&target(one), &target(other)), expected, "{one} {other}");
            assert_eq!(meet(&target(other), &target(one)), expected, "{other} {one}");
        }
    }

    proptest! {
        #[test]
        fn patterns_that_both_match_a_channel_meet(one in "[ab*]{1,6}", other in "[ab*]{1,6}", channel in "[ab]{1,6}") {
            let (one, other) = (Target::new(&one).unwrap(), Target::new(&other).unwrap());
            let channel = ChannelName::new(&channel).unwrap();
            prop_assert!(!(one.matches(&channel) && other.matches(&channel)) || meet(&one, &other));
        }
    }
}
