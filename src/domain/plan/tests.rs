use super::*;

const SECOND: i64 = 1_000_000;

fn time(seconds: i64) -> Time {
    Time::from_micros(seconds * SECOND)
}

fn name(text: &str) -> ChannelName {
    ChannelName::new(text).unwrap()
}

fn policy() -> Policy {
    Policy {
        interval: Duration::from_secs(5),
        gap_after: Duration::from_secs(15),
        include_state: true,
        include_uuids: true,
    }
}

/// A plan that watches `c000` to `c<channels - 1>` since second 0.
fn plan(channels: usize, per_request: usize) -> Plan {
    let limits =
        Limits { channels: per_request, address: 30_000, users: 20_000, cache_ttl: Duration::from_secs(3) };
    let mut plan = Plan::new(limits, time(0));
    for n in 0..channels {
        plan.watch(&name(&format!("c{n:03}")), policy(), time(0), time(0));
    }
    plan
}

fn sizes(asks: &[Ask]) -> Vec<usize> {
    asks.iter().map(|ask| ask.channels.len()).collect()
}

/// Every request is answered well, at once.
fn answer(plan: &mut Plan, asks: &[Ask], now: Time) {
    for channel in asks.iter().flat_map(|ask| &ask.channels) {
        plan.answered(channel, now, now, 1, false);
    }
}

#[test]
fn channels_are_asked_for_together_and_evenly_over_the_interval() {
    let mut plan = plan(400, 100);
    let mut asked = Vec::new();
    let mut now = time(0);
    while now < time(50) {
        let asks = plan.due(now);
        answer(&mut plan, &asks, now);
        asked.extend(asks.iter().map(|ask| (now, ask.channels.len())));
        now = plan.next_due().unwrap();
    }
    let steady: Vec<_> = asked.iter().filter(|(at, _)| *at >= time(10)).collect();
    assert!(steady.iter().all(|(_, channels)| *channels == 100), "{steady:?}");
    assert_eq!(steady.len(), 4 * 8, "four requests an interval");
    let widest = steady.windows(2).map(|pair| pair[1].0.since(pair[0].0)).max().unwrap();
    assert!(widest <= Duration::from_secs(2), "{widest:?}");
}

#[test]
fn a_channel_is_asked_for_once_at_a_time_and_not_before_the_cache_is_younger_than_its_last_answer() {
    let mut plan = plan(1, 100);
    assert_eq!(sizes(&plan.due(time(0))), [1]);
    assert_eq!(plan.due(time(100)), [], "a request is under way");
    plan.answered(&name("c000"), time(100), time(104), 1, false);
    assert_eq!(plan.next_due(), Some(time(107)));
    plan.due(time(107));
    plan.answered(&name("c000"), time(107), time(107), 1, true);
    assert_eq!(plan.next_due(), None, "its commit is in flight");
    plan.release(&name("c000"), time(109), time(110));
    assert_eq!(plan.next_due(), Some(time(110)));
}

#[test]
fn a_bad_channel_is_found_by_halving_and_stays_alone() {
    let mut plan = plan(100, 100);
    let bad = name("c042");
    let mut requests = 0;
    let mut now = time(0);
    for _ in 0..20 {
        let asks = plan.due(now);
        requests += asks.len();
        for ask in asks {
            if ask.channels.contains(&bad) {
                plan.failed(&ask, &Failure::Answer, now, 0.0);
            } else {
                answer(&mut plan, &[ask], now);
            }
        }
        if plan.next_due().unwrap() > now {
            break;
        }
    }
    assert!(requests <= 15, "{requests} requests");
    now = time(6);
    let mut asks = sizes(&plan.due(now));
    asks.sort_unstable();
    assert_eq!(asks, [1, 99], "the others are together again");
}

#[test]
fn channels_that_the_service_refuses_are_taken_out_and_tried_alone_later_and_later() {
    let mut plan = plan(10, 100);
    let ask = plan.due(time(0)).remove(0);
    plan.failed(&ask, &Failure::Channels(vec![name("c003"), name("elsewhere")]), time(0), 0.0);
    let asks = plan.due(time(0));
    assert_eq!(sizes(&asks), [9], "the others at once");
    answer(&mut plan, &asks, time(0));
    let due = |plan: &mut Plan, at| {
        let asks = plan.due(at);
        asks.into_iter().find(|ask| ask.channels == [name("c003")])
    };
    let ask = due(&mut plan, time(5)).expect("after one interval");
    plan.failed(&ask, &Failure::Channels(vec![name("c003")]), time(5), 0.0);
    assert_eq!(due(&mut plan, time(14)), None);
    assert!(due(&mut plan, time(15)).is_some(), "after two more");
}

#[test]
fn while_the_key_is_in_trouble_one_request_probes_and_the_others_wait() {
    let mut plan = plan(300, 100);
    let asks = plan.due(time(5));
    assert_eq!(sizes(&asks), [100, 100, 100]);
    for ask in &asks {
        plan.failed(ask, &Failure::Key { retry_after: Some(Duration::from_secs(30)) }, time(5), 0.0);
    }
    assert_eq!(plan.next_due(), Some(time(35)), "Retry-After is obeyed");
    assert_eq!(plan.due(time(34)), []);
    let probe = plan.due(time(35));
    assert_eq!(sizes(&probe), [100]);
    assert_eq!(plan.due(time(36)), [], "the others wait for it");
    plan.failed(&probe[0], &Failure::Service { retry_after: None }, time(36), 0.0);
    assert_eq!(plan.next_due(), Some(time(46)), "it found out nothing: the second failure");
    let probe = plan.due(time(46));
    plan.key_works(&probe[0]);
    answer(&mut plan, &probe, time(46));
    assert_eq!(sizes(&plan.due(time(46))), [100, 100]);
}

#[test]
fn a_request_holds_no_more_than_its_limits() {
    let limits = Limits { channels: 100, address: 100, users: 50, cache_ttl: Duration::ZERO };
    let mut plan = Plan::new(limits, time(0));
    for n in 0..6 {
        plan.watch(&name(&format!("é{n}")), policy(), time(0), time(0));
    }
    assert_eq!(sizes(&plan.due(time(0))), [6]);
    for n in 0..6 {
        plan.answered(&name(&format!("é{n}")), time(0), time(0), 20, false);
    }
    assert_eq!(sizes(&plan.due(time(9))), [2, 2, 2], "twenty users each");
    plan.watch(&name(&"long".repeat(22)), policy(), time(9), time(9));
    plan.watch(&name("b"), policy(), time(9), time(9));
    plan.watch(&name("c"), policy(), time(9), time(9));
    plan.watch(&name(&"LONG".repeat(22)), policy(), time(9), time(9));
    assert_eq!(sizes(&plan.due(time(9))), [3, 1], "88 bytes of address and more");
}

#[test]
fn what_comes_of_a_request_is_nothing_to_a_channel_no_longer_watched() {
    let mut plan = plan(2, 100);
    let ask = plan.due(time(0)).remove(0);
    plan.unwatch(&name("c001"));
    plan.failed(&ask, &Failure::Service { retry_after: None }, time(0), 0.0);
    plan.answered(&name("c001"), time(0), time(0), 1, false);
    plan.release(&name("c001"), time(0), time(0));
    assert_eq!(plan.due(time(100)).remove(0).channels, [name("c000")]);
}

#[test]
fn a_service_that_asks_to_be_left_alone_is_for_an_hour_at_most() {
    let mut plan = plan(1, 100);
    let ask = plan.due(time(0)).remove(0);
    plan.failed(&ask, &Failure::Service { retry_after: Some(Duration::from_secs(30)) }, time(0), 0.0);
    assert_eq!(plan.next_due(), Some(time(30)));
    let ask = plan.due(time(30)).remove(0);
    plan.failed(&ask, &Failure::Key { retry_after: Some(Duration::MAX) }, time(30), 0.0);
    assert_eq!(plan.next_due(), Some(time(30).plus(MAX_RETRY_AFTER)));
}

#[test]
fn a_changed_policy_changes_nothing_about_what_is_under_way() {
    let mut plan = plan(1, 100);
    plan.due(time(0));
    let slower = Policy { interval: Duration::from_secs(60), ..policy() };
    plan.watch(&name("c000"), slower, time(1), time(1));
    assert_eq!(plan.next_due(), None, "a request is under way");
    plan.answered(&name("c000"), time(0), time(2), 1, true);
    plan.watch(&name("c000"), policy(), time(3), time(3));
    assert_eq!(plan.next_due(), None, "a commit is under way");
    plan.release(&name("c000"), time(4), time(5));
    assert_eq!(plan.next_due(), Some(time(5)));
}

#[test]
fn rubbish_in_every_answer_sets_no_channel_apart_for_long() {
    let mut plan = plan(100, 100);
    for second in 0..200 {
        for ask in plan.due(time(second)) {
            plan.failed(&ask, &Failure::Answer, time(second), 0.0);
        }
    }
    for second in 200..300 {
        let asks = plan.due(time(second));
        answer(&mut plan, &asks, time(second));
    }
    let asks: Vec<_> = (300..305).flat_map(|second| plan.due(time(second))).collect();
    assert_eq!(sizes(&asks), [100], "they are asked for together again");
}

#[test]
fn a_channel_for_which_the_service_fails_each_time_is_found_and_the_others_are_asked_for_without_it() {
    let mut plan = plan(100, 100);
    let mut good = BTreeSet::new();
    for second in 0..120 {
        for ask in plan.due(time(second)) {
            if ask.channels.contains(&name("c042")) {
                plan.failed(&ask, &Failure::Service { retry_after: None }, time(second), 0.0);
            } else {
                answer(&mut plan, std::slice::from_ref(&ask), time(second));
                good.extend(ask.channels);
            }
        }
    }
    assert_eq!(good.len(), 99, "all but one are observed");
    let asks: Vec<_> = (120..180).flat_map(|second| plan.due(time(second))).collect();
    assert!(asks.iter().any(|ask| ask.channels == [name("c042")]), "it is still asked for, alone");
}

#[test]
fn an_outage_makes_at_most_twice_the_requests_and_leaves_no_trace() {
    let mut plan = plan(400, 100);
    for second in 0..600 {
        for ask in plan.due(time(second)) {
            assert!(ask.channels.len() >= 50, "{}", ask.channels.len());
            plan.failed(&ask, &Failure::Service { retry_after: None }, time(second), 0.0);
        }
    }
    for second in 600..700 {
        let asks = plan.due(time(second));
        answer(&mut plan, &asks, time(second));
    }
    let asks: Vec<_> = (700..705).flat_map(|second| plan.due(time(second))).collect();
    assert_eq!(sizes(&asks), [100; 4]);
}
