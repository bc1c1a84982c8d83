//! Silences and maintenance windows.

use std::time::Duration;

use adsum::domain::alert::{
    Condition, MAX_SILENCE, Matcher, OnGap, Rule, RuleName, Severity, Silence, SilenceError,
};
use adsum::domain::names::ChannelName;
use adsum::domain::time::Time;
use adsum::domain::watch::Target;
use rstest::rstest;

fn at(seconds: u64) -> Time {
    Time::default().plus(Duration::from_secs(seconds))
}

fn rule() -> Rule {
    Rule {
        name: RuleName::new("crowded").unwrap(),
        channels: Vec::new(),
        condition: Condition::Unobserved,
        hold_for: Duration::ZERO,
        keep_firing_for: Duration::ZERO,
        on_gap: OnGap::Keep,
        severity: Severity::Warning,
        notify: Vec::new(),
        repeat_every: None,
        send_resolved: true,
    }
}

const EVERYTHING: Matcher = Matcher { rule: None, channel: None, severity: None };

fn matcher(rule: Option<&str>, channel: Option<&str>, severity: Option<Severity>) -> Matcher {
    Matcher {
        rule: rule.map(|name| RuleName::new(name).unwrap()),
        channel: channel.map(|target| Target::new(target).unwrap()),
        severity,
    }
}

#[rstest]
#[case(Some("crowded"), None, None, true)]
#[case(Some("other"), None, None, false)]
#[case(None, Some("room.*"), None, true)]
#[case(None, Some("room.2"), None, false)]
#[case(None, None, Some(Severity::Warning), true)]
#[case(None, None, Some(Severity::Critical), false)]
#[case(Some("crowded"), Some("room.*"), Some(Severity::Critical), false)]
#[case(Some("crowded"), Some("*"), Some(Severity::Warning), true)]
fn a_silence_is_for_what_matches_all_that_it_gives(
    #[case] name: Option<&str>,
    #[case] channel: Option<&str>,
    #[case] severity: Option<Severity>,
    #[case] expected: bool,
) {
    let silence = Silence::new(matcher(name, channel, severity), at(0), at(9), "ada", "works").unwrap();
    assert_eq!(silence.mutes(&rule(), &ChannelName::new("room.1").unwrap(), at(5)), expected);
}

#[test]
fn a_maintenance_window_mutes_from_its_beginning_until_just_before_its_end() {
    let silence = Silence::new(matcher(None, Some("*"), None), at(10), at(20), "ada", "works").unwrap();
    let mutes = |seconds| silence.mutes(&rule(), &ChannelName::new("lobby").unwrap(), at(seconds));
    assert_eq!([9, 10, 19, 20].map(mutes), [false, true, true, false]);
    let ended = silence.clone().ended(at(15)).unwrap();
    assert_eq!((ended.from(), ended.until()), (at(10), at(15)));
    assert_eq!(silence.clone().ended(at(30)).unwrap().until(), at(20), "it was over");
    assert_eq!(silence.ended(at(10)), None, "it had not begun");
}

#[test]
fn a_silence_that_says_too_little_or_lasts_too_long_is_refused() {
    let all = || matcher(None, Some("*"), None);
    let new = |matcher, until, author: &str, reason: &str| {
        Silence::new(matcher, at(10), until, author, reason).err()
    };
    assert_eq!(new(EVERYTHING, at(20), "ada", "works"), Some(SilenceError::Everything));
    assert_eq!(new(all(), at(10), "ada", "works"), Some(SilenceError::Backwards));
    assert_eq!(new(all(), at(11).plus(MAX_SILENCE), "ada", "works"), Some(SilenceError::TooLong));
    assert_eq!(new(all(), at(10).plus(MAX_SILENCE), "ada", "works"), None);
    for wrong in ["", "  ", &"x".repeat(201)] {
        assert_eq!(new(all(), at(20), wrong, "works"), Some(SilenceError::Author), "{wrong:?}");
    }
    for wrong in ["", "\n", &"x".repeat(2_001)] {
        assert_eq!(new(all(), at(20), "ada", wrong), Some(SilenceError::Reason), "{wrong:?}");
    }
}
