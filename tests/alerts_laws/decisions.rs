//! What was decided where the specification leaves room, one by one.

use std::time::Duration;

use adsum::domain::alert::{
    AlertId, AlertState, Change, Condition, Input, Listing, OnGap, Rule, RuleName, Severity, Sighting,
    Transition, Why, step,
};
use adsum::domain::channel::Channel;
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::observation::{Observation, Occupant};
use adsum::domain::state::Shown;
use adsum::domain::time::{Moment, Time, Window};
use adsum::domain::watch::Target;
use rstest::rstest;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(seconds: u64) -> Time {
    Time::default().plus(secs(seconds))
}

fn window(not_before: u64, not_after: u64) -> Window {
    Window { not_before: Some(at(not_before)), not_after: at(not_after) }
}

fn rule(condition: Condition) -> Rule {
    Rule {
        name: RuleName::new("crowded").unwrap(),
        channels: vec![Target::new("room.*").unwrap()],
        condition,
        hold_for: Duration::ZERO,
        keep_firing_for: Duration::ZERO,
        on_gap: OnGap::Keep,
        severity: Severity::Warning,
        notify: Vec::new(),
        repeat_every: None,
        send_resolved: true,
    }
}

fn above(bound: u32) -> Rule {
    rule(Condition::OccupancyAbove { bound, clear_below: bound + 1 })
}

fn ada() -> UserId {
    UserId::new("ada").unwrap()
}

/// One alert, told what happens.
struct Alert {
    rule: Rule,
    state: AlertState,
    before: Option<Sighting>,
    ids: u128,
}

impl Alert {
    fn of(rule: Rule) -> Self {
        Self { rule, state: AlertState::Inactive, before: None, ids: 0 }
    }

    fn hears(&mut self, input: Input) -> Vec<Transition> {
        self.ids += 1;
        let (state, transitions) =
            step(&self.rule, self.state, &input, AlertId::new(uuid::Uuid::from_u128(self.ids)));
        self.state = state;
        transitions
    }

    /// Asked at `seconds`, answered a second later, by a service with a cache of 3 s.
    fn sees(&mut self, seconds: u64, occupancy: u32, user: Listing, partial: Option<Gap>) -> Vec<Transition> {
        let moment = Moment::of_request(at(seconds), at(seconds + 1), secs(3));
        let seen = Sighting { moment, occupancy, user };
        let before = self.before.replace(seen);
        self.hears(Input::Observed { seen, before, partial })
    }

    fn counts(&mut self, seconds: u64, occupancy: u32) -> Vec<Transition> {
        self.sees(seconds, occupancy, Listing::Unknown, None)
    }

    fn blind(&mut self, from: u64, reason: GapReason, now: u64) -> Vec<Transition> {
        self.hears(Input::Gap { gap: Gap::open(at(from), reason), at: at(now) })
    }
}

fn changes(transitions: &[Transition]) -> Vec<&'static str> {
    transitions.iter().map(|transition| transition.change.as_str()).collect()
}

fn why(transitions: &[Transition]) -> Vec<Why> {
    let why = |transition: &Transition| match transition.change {
        Change::Inactive(end) | Change::Resolved(end) => Some(end.why),
        _ => None,
    };
    transitions.iter().filter_map(why).collect()
}

#[test]
fn the_life_of_an_alert_carries_windows_and_what_a_message_needs() {
    let mut alert = Alert::of(Rule {
        hold_for: secs(10),
        keep_firing_for: secs(5),
        repeat_every: Some(secs(30)),
        ..rule(Condition::OccupancyAbove { bound: 200, clear_below: 180 })
    });
    assert_eq!(alert.counts(100, 150), []);
    let pending = alert.counts(105, 201);
    assert_eq!(changes(&pending), ["pending"]);
    assert_eq!(pending[0].since, window(97, 106), "from when 150 were seen to when 201 were");
    assert_eq!(alert.state.due(&alert.rule).observation, Some(at(116)));
    assert_eq!(alert.counts(115, 230), [], "112 is not 10 s after 106");
    let firing = alert.counts(119, 240);
    assert_eq!(changes(&firing), ["firing"], "116 is");
    assert_eq!((firing[0].occupancy, firing[0].at, firing[0].since), (Some(240), at(120), window(97, 106)));
    assert_eq!(alert.hears(Input::Time(at(149))), []);
    let repeated = alert.hears(Input::Time(at(150)));
    assert_eq!((changes(&repeated), repeated[0].occupancy), (vec!["repeated"], Some(240)));
    assert_eq!(alert.counts(155, 190), [], "within the band");
    assert_eq!(alert.counts(160, 179), [], "clear, not yet for 5 s");
    assert_eq!(alert.counts(164, 170), []);
    let resolved = alert.counts(169, 160);
    let Change::Resolved(end) = resolved[0].change else { panic!("{resolved:?}") };
    assert_eq!((end.why, end.ended), (Why::Cleared, Some(window(152, 161))), "from 190 to 179");
    let ids: Vec<AlertId> =
        [&pending, &firing, &repeated, &resolved].iter().map(|transitions| transitions[0].alert).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(alert.state, AlertState::Inactive);
}

#[rstest]
#[case(OnGap::Keep, &[], &[])]
#[case(OnGap::Resolve, &[], &["resolved"])]
#[case(OnGap::Fire, &["firing"], &[])]
fn a_blind_channel_follows_on_gap(
    #[case] on_gap: OnGap,
    #[case] while_quiet: &[&str],
    #[case] while_firing: &[&str],
) {
    let rule = Rule { on_gap, ..above(5) };
    let mut quiet = Alert::of(rule.clone());
    quiet.counts(100, 1);
    assert_eq!(changes(&quiet.blind(97, GapReason::Timeout, 116)), while_quiet);
    let mut firing = Alert::of(rule);
    assert_eq!(changes(&firing.counts(100, 6)), ["firing"]);
    let told = firing.blind(97, GapReason::Timeout, 116);
    assert_eq!(changes(&told), while_firing);
    assert!(why(&told).iter().all(|why| *why == Why::Gap));
}

#[test]
fn with_on_gap_fire_a_pending_alert_begins_anew_with_the_gap() {
    let mut alert = Alert::of(Rule { on_gap: OnGap::Fire, hold_for: secs(60), ..above(5) });
    alert.counts(100, 6);
    let told = alert.blind(97, GapReason::Timeout, 116);
    assert_eq!(changes(&told), ["inactive", "pending"]);
    assert_ne!(told[0].alert, told[1].alert);
    assert_eq!(alert.hears(Input::Time(at(156))), []);
    let firing = alert.hears(Input::Time(at(157)));
    assert_eq!((changes(&firing), firing[0].gap), (vec!["firing"], Some(GapReason::Timeout)));
    // It is observed again, and crowded: the alert fires on, until somebody sees it clear.
    assert_eq!(alert.counts(200, 6), []);
    assert_eq!(changes(&alert.counts(205, 5)), ["resolved"]);
}

#[rstest]
#[case(GapReason::Stopped)]
#[case(GapReason::Crashed)]
fn a_restart_resolves_and_fires_nothing(
    #[case] reason: GapReason,
    #[values(OnGap::Keep, OnGap::Fire, OnGap::Resolve)] on_gap: OnGap,
) {
    let mut firing = Alert::of(Rule { on_gap, ..above(5) });
    firing.counts(100, 6);
    let mut quiet = Alert::of(Rule { on_gap, ..above(5) });
    quiet.counts(100, 1);
    let mut unobserved = Alert::of(rule(Condition::Unobserved));
    unobserved.counts(100, 1);
    for alert in [&mut firing, &mut quiet, &mut unobserved] {
        let told =
            [alert.blind(97, reason, 110), alert.hears(Input::Resumed { down_since: at(110), at: at(500) })];
        assert_eq!(told.concat(), []);
    }
    assert_eq!(
        (firing.counts(501, 6), quiet.counts(501, 1), unobserved.counts(501, 1)),
        (vec![], vec![], vec![])
    );
}

#[test]
fn a_channel_still_unobserved_after_a_restart_counts_from_there() {
    let mut alert = Alert::of(Rule { hold_for: secs(30), ..rule(Condition::Unobserved) });
    alert.blind(97, GapReason::Stopped, 110);
    let [stopped, follows] =
        Gap::open(at(97), GapReason::Stopped).followed_by(at(500), GapReason::Unreachable);
    alert.hears(Input::Resumed { down_since: at(110), at: at(500) });
    assert_eq!(alert.hears(Input::Gap { gap: stopped, at: at(516) }), []);
    assert_eq!(changes(&alert.hears(Input::Gap { gap: follows, at: at(516) })), ["pending"]);
    assert_eq!(alert.state.due(&alert.rule).clock, Some(at(530)));
}

#[test]
fn unobserved_does_not_count_what_adsum_was_down() {
    let mut alert = Alert::of(Rule { hold_for: secs(60), ..rule(Condition::Unobserved) });
    assert_eq!(changes(&alert.blind(100, GapReason::Timeout, 116)), ["pending"]);
    alert.hears(Input::Resumed { down_since: at(120), at: at(1000) });
    assert_eq!(alert.hears(Input::Time(at(1039))), []);
    let firing = alert.hears(Input::Time(at(1040)));
    assert_eq!((changes(&firing), firing[0].since), (vec!["firing"], window(100, 100)));
    let resolved = alert.counts(1050, 3);
    let Change::Resolved(end) = resolved[0].change else { panic!("{resolved:?}") };
    assert_eq!(end.ended, Some(window(1047, 1051)), "observed again when the answer was true");
}

#[test]
fn of_the_time_that_adsum_was_down_only_what_lies_in_the_gap_does_not_count() {
    let mut alert = Alert::of(Rule { hold_for: secs(60), ..rule(Condition::Unobserved) });
    alert.blind(100, GapReason::Timeout, 116);
    alert.hears(Input::Resumed { down_since: at(40), at: at(130) });
    assert_eq!(alert.state.due(&alert.rule).clock, Some(at(190)));
}

#[test]
fn a_gap_that_was_recorded_only_when_it_was_over_is_told_all_the_same() {
    let mut alert = Alert::of(Rule { hold_for: secs(20), ..rule(Condition::Unobserved) });
    let short = Gap::open(at(100), GapReason::Timeout).closed(at(119));
    assert_eq!(changes(&alert.hears(Input::Gap { gap: short, at: at(119) })), ["pending"]);
    assert_eq!(changes(&alert.counts(118, 1)), ["inactive"]);
    let long = Gap::open(at(200), GapReason::Timeout).closed(at(221));
    assert_eq!(changes(&alert.hears(Input::Gap { gap: long, at: at(221) })), ["pending", "firing"]);
    assert_eq!(changes(&alert.counts(220, 1)), ["resolved"]);
}

#[test]
fn the_end_of_a_watch_and_of_a_rule_end_the_alert_and_say_why() {
    let unwatched = Input::Gap { gap: Gap::open(at(200), GapReason::Unwatched), at: at(200) };
    let ended = |why| Input::Ended { at: at(200), why };
    for (input, expected) in [
        (unwatched, Why::Unwatched),
        (ended(Why::RuleChanged), Why::RuleChanged),
        (ended(Why::RuleRemoved), Why::RuleRemoved),
    ] {
        let mut firing = Alert::of(above(5));
        firing.counts(100, 6);
        let told = firing.hears(input);
        assert_eq!((changes(&told), why(&told)), (vec!["resolved"], vec![expected]));
        let mut pending = Alert::of(Rule { hold_for: secs(60), ..above(5) });
        pending.counts(100, 6);
        let told = pending.hears(input);
        assert_eq!((changes(&told), why(&told)), (vec!["inactive"], vec![expected]));
        assert_eq!(pending.hears(input), [], "it has ended");
    }
}

#[test]
fn only_what_a_rule_decides_by_is_in_its_terms() {
    let rule = above(5);
    let told = Rule {
        severity: Severity::Critical,
        repeat_every: Some(secs(60)),
        send_resolved: false,
        channels: Vec::new(),
        ..rule.clone()
    };
    assert_eq!(rule.terms(), told.terms());
    for edited in [
        above(6),
        Rule { hold_for: secs(1), ..rule.clone() },
        Rule { keep_firing_for: secs(1), ..rule.clone() },
        Rule { on_gap: OnGap::Fire, ..rule.clone() },
        Rule { condition: Condition::OccupancyAbove { bound: 5, clear_below: 5 }, ..rule.clone() },
    ] {
        assert_ne!(rule.terms(), edited.terms());
    }
}

#[test]
fn only_a_complete_list_says_that_a_user_is_absent() {
    let mut alert = Alert::of(rule(Condition::UserAbsent { user: ada() }));
    assert_eq!(alert.sees(100, 3, Listing::Listed, None), []);
    assert_eq!(alert.sees(105, 3, Listing::Unknown, None), []);
    let firing = alert.sees(110, 3, Listing::NotListed, None);
    assert_eq!((changes(&firing), firing[0].occupancy), (vec!["firing"], None));
    assert_eq!(
        alert.sees(115, 3, Listing::Unknown, None),
        [],
        "nor does a cut one say that the user is back"
    );
    assert_eq!(changes(&alert.sees(120, 3, Listing::Listed, None)), ["resolved"]);
}

#[test]
fn a_cut_list_without_the_user_ends_the_count_of_for() {
    let mut alert = Alert::of(Rule { hold_for: secs(10), ..rule(Condition::UserPresent { user: ada() }) });
    alert.sees(100, 3, Listing::Listed, None);
    let told = alert.sees(105, 3, Listing::Unknown, None);
    assert_eq!((changes(&told), why(&told)), (vec!["inactive"], vec![Why::Unproven]));
    assert_eq!(changes(&alert.sees(110, 3, Listing::Listed, None)), ["pending"]);
}

#[test]
fn a_partial_gap_is_a_gap_for_a_user_whom_the_list_does_not_tell_of() {
    let gap = Some(Gap::open_partial(at(97), GapReason::Truncated));
    let rule = Rule { on_gap: OnGap::Resolve, ..rule(Condition::UserPresent { user: ada() }) };
    let mut listed = Alert::of(rule.clone());
    listed.sees(100, 3, Listing::Listed, None);
    assert_eq!(listed.sees(120, 3, Listing::Listed, gap), [], "the list is cut, and the user in it");
    let told = listed.sees(125, 3, Listing::Unknown, gap);
    assert_eq!((changes(&told), why(&told)), (vec!["resolved"], vec![Why::Gap]));
    let fire = Rule { on_gap: OnGap::Fire, hold_for: secs(60), ..listed.rule.clone() };
    let mut unseen = Alert::of(fire);
    assert_eq!(changes(&unseen.sees(125, 3, Listing::Unknown, gap)), ["pending"]);
    assert_eq!(unseen.state.due(&unseen.rule).clock, Some(at(186)), "since the first list that did not tell");
    let mut crowd = Alert::of(Rule { on_gap: OnGap::Resolve, ..above(2) });
    crowd.sees(100, 3, Listing::Unknown, None);
    assert_eq!(crowd.sees(120, 3, Listing::Unknown, gap), [], "occupancy is seen in partial gaps too");
}

#[test]
fn after_a_gap_nothing_says_since_when_it_holds_if_it_held_before_too() {
    let mut alert = Alert::of(Rule { hold_for: secs(10), ..above(5) });
    alert.counts(100, 6);
    alert.blind(97, GapReason::Timeout, 116);
    let pending = alert.counts(200, 7);
    assert_eq!(pending[0].since, Window { not_before: None, not_after: at(201) });
}

#[test]
fn within_the_band_an_alert_neither_fires_nor_is_resolved() {
    let condition = Condition::OccupancyBelow { bound: 3, clear_above: 6 };
    let mut alert = Alert::of(rule(condition));
    for (seconds, occupancy) in [(100, 5), (105, 3), (110, 6)] {
        assert_eq!(alert.counts(seconds, occupancy), [], "{occupancy}");
    }
    assert_eq!(changes(&alert.counts(115, 2)), ["firing"]);
    for (seconds, occupancy) in [(120, 5), (125, 3), (130, 6), (135, 2)] {
        assert_eq!(alert.counts(seconds, occupancy), [], "{occupancy}");
    }
    assert_eq!(changes(&alert.counts(140, 7)), ["resolved"]);
}

/// Histories keep these texts: a new version must read what an old one wrote.
#[test]
fn states_are_stored_in_a_form_that_does_not_change() {
    let id = "00000000-0000-0000-0000-000000000001";
    let mut alert = Alert::of(Rule { hold_for: secs(10), keep_firing_for: secs(60), ..above(5) });
    assert_eq!(alert.state.to_json(), r#"{"state":"inactive"}"#);
    alert.counts(100, 6);
    let pending = format!(
        r#"{{"state":"pending","id":"{id}","since":[null,101000000],"ground":{{"observed":{{"first":[97000000,101000000]}}}}}}"#
    );
    assert_eq!(alert.state.to_json(), pending);
    alert.counts(120, 6);
    alert.counts(125, 1);
    let firing = format!(
        "{}{}",
        format_args!(r#"{{"state":"firing","id":"{id}","since":[null,101000000],"fired":121000000,"#),
        r#""told":121000000,"occupancy":1,"gap":null,"clear":{"first":[122000000,126000000],"ended":[117000000,126000000]}}"#,
    );
    assert_eq!(alert.state.to_json(), firing);
    let mut blind = Alert::of(Rule { hold_for: secs(60), ..rule(Condition::Unobserved) });
    blind.blind(100, GapReason::Timeout, 116);
    let in_gap = format!(
        "{}{}",
        format_args!(r#"{{"state":"pending","id":"{id}","since":[100000000,100000000],"#),
        r#""ground":{"gap":{"from":100000000,"down":0,"resumed":null,"reason":"timeout"}}}"#,
    );
    assert_eq!(blind.state.to_json(), in_gap);
    for text in [pending, firing, in_gap] {
        assert_eq!(AlertState::from_json(&text).unwrap().to_json(), text);
    }
    for wrong in ["", "{}", r#"{"state":"odd"}"#, r#"{"state":"pending","id":"x"}"#] {
        assert!(AlertState::from_json(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_rule_is_for_the_channels_it_names() {
    let names = |name: &str| above(5).names(&ChannelName::new(name).unwrap());
    assert!(names("room.1") && !names("lobby"));
}

#[test]
fn a_new_rule_begins_with_what_was_seen_last() {
    let mut channel = Channel::begin(ChannelName::new("room.1").unwrap(), secs(15), at(90));
    let first = |rule: &Rule, channel: &Channel, now| {
        let mut alert = Alert::of(rule.clone());
        let input = Input::of_new_rule(&rule.condition, channel, at(now));
        changes(&input.map_or(Vec::new(), |input| alert.hears(input)))
    };
    let crowd = above(5);
    let present = rule(Condition::UserPresent { user: ada() });
    let absent = rule(Condition::UserAbsent { user: ada() });
    let unobserved = rule(Condition::Unobserved);
    let fire: &[&str] = &["firing"];
    let nothing: &[&str] = &[];
    assert_eq!(first(&crowd, &channel, 95), nothing, "nothing was seen");
    // Six, and five of them listed, ada too.
    let listed = ["ada", "b", "c", "d", "e"]
        .map(|user| Occupant { user: UserId::new(user).unwrap(), state: Shown::Unknown });
    for (seconds, listed, occupancy) in [(100, Some(listed.to_vec()), 6), (105, None, 6)] {
        let moment = Moment::of_request(at(seconds), at(seconds + 1), secs(3));
        let seen = Observation::new(moment, occupancy, listed.clone()).unwrap();
        let committed = channel.observe(&seen).unwrap().unwrap();
        channel.apply(&seen, &committed);
        assert_eq!(first(&crowd, &channel, seconds + 1), fire);
        let told = if listed.is_some() { fire } else { nothing };
        assert_eq!(first(&present, &channel, seconds + 1), told, "the last list does not tell");
        assert_eq!(first(&absent, &channel, seconds + 1), nothing);
    }
    assert_eq!(first(&crowd, &channel, 122), nothing, "not observed any more");
    assert_eq!(first(&unobserved, &channel, 122), nothing, "that is heard of when it is recorded");
    channel.take_gaps(&channel.overdue(at(122)).unwrap().gaps);
    assert_eq!(first(&unobserved, &channel, 122), fire);
}
