//! Marks, and what a crash leaves.

use std::time::Duration;

use adsum::domain::channel::Changes;
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::names::ChannelName;
use adsum::domain::observation::Grade;
use adsum::domain::occupancy::Run;
use adsum::domain::time::Moment;
use adsum::history::{Entry, History, Mark, VisitQuery};

use crate::given::{ada, arrival, extended, fresh, lobby, moment, time};
use crate::world::{CHANNELS, all_gaps, channel_name};

/// The observations that a mark stands for had arrived half a second after it begins.
fn up_to(earliest: i64) -> Moment {
    moment(earliest, earliest + 500_000)
}

#[test]
fn a_mark_proves_runs_up_to_its_floor_save_those_it_names() {
    let (_folder, history) = fresh();
    for index in 0..CHANNELS {
        history.begin(&[channel_name(index)], time(0)).unwrap();
        history.commit(&[arrival(&channel_name(index), &ada(), 1)]).unwrap();
    }
    let mut blind = extended(&channel_name(2), moment(1_000_000, 1_001_000));
    blind.changes.gaps = vec![Gap::open(time(1_000_000), GapReason::Timeout)];
    history.commit(&[blind]).unwrap();
    let others = vec![(channel_name(1), Some(moment(4_000_000, 4_001_000)))];
    let mark = Mark { floor: up_to(9_000_000), others, widest: Duration::from_secs(2) };
    history.mark(&mark).unwrap();
    let last = |index| history.channel(&channel_name(index)).unwrap().unwrap().run.unwrap();
    let expect = |stage: &str| {
        assert_eq!(last(0).last, up_to(9_000_000), "{stage}: not named");
        assert_eq!(last(0).widest, Duration::from_secs(2), "{stage}: how often it was looked at is kept");
        assert_eq!(last(1).last, moment(4_000_000, 4_001_000), "{stage}: named");
        assert_eq!(last(2).last, moment(1_000_000, 1_001_000), "{stage}: in a gap");
        assert_eq!(last(2).widest, Duration::ZERO);
        let complete = history.checkpoint(&channel_name(0)).unwrap().unwrap().roster.complete();
        assert_eq!(complete, Some(up_to(9_000_000)), "{stage}: everybody was seen again");
        let query = VisitQuery { channel: Some(channel_name(1)), limit: 9, ..VisitQuery::default() };
        assert_eq!(history.visits(&query).unwrap()[0].listed_until, time(4_000_000), "{stage}");
        assert_eq!(history.runs(&channel_name(0), time(5_000_000), time(6_000_000)).unwrap(), [last(0)]);
    };
    expect("running");
    assert_eq!(history.recover().unwrap(), 3);
    expect("after a crash");
    let gaps = all_gaps(history.as_ref(), None, (None, None), 9);
    let gaps: Vec<_> = gaps.iter().map(|(_, gap)| (gap.from.as_micros(), gap.reason, gap.to)).collect();
    assert_eq!(
        gaps,
        [
            (1_000_000, GapReason::Timeout, None),
            (4_000_000, GapReason::Crashed, None),
            (9_000_000, GapReason::Crashed, None)
        ]
    );
}

/// What the history holds of a channel's last run, while running and after a crash.
fn last_runs(history: &dyn History, channel: &ChannelName) -> [Option<Run>; 2] {
    let kept = || history.channel(channel).unwrap().unwrap().run;
    let running = kept();
    history.recover().unwrap();
    [running, kept()]
}

fn run(first: Moment, last: Moment) -> Run {
    Run { first, last, widest: Duration::ZERO, occupancy: 1, grade: Grade::Complete }
}

#[test]
fn a_mark_whose_floor_lies_within_the_last_observation_that_is_committed_lifts_nothing() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap();
    let seen = moment(1_000_000, 1_001_000);
    for floor in [999_999, 1_000_500, 1_000_999] {
        history.mark(&Mark { floor: up_to(floor), ..Mark::default() }).unwrap();
        assert_eq!(history.channel(&lobby()).unwrap().unwrap().run, Some(run(seen, seen)), "{floor}");
    }
    assert_eq!(last_runs(history.as_ref(), &lobby()), [Some(run(seen, seen)); 2]);
}

#[test]
fn a_mark_says_nothing_of_an_observation_that_was_under_way_when_it_was_taken() {
    for first in [moment(-20, -10), moment(0, 9)] {
        let (_folder, history) = fresh();
        history.begin(&[lobby()], time(-30)).unwrap();
        // Of other channels, observed at 5, taken at 8; this channel's answer arrives at 9.
        history.mark(&Mark { floor: up_to(5), ..Mark::default() }).unwrap();
        let seen = run(first, moment(0, 9));
        let changes = Changes { run: Some(seen), complete: Some(seen.last), ..Changes::default() };
        history.commit(&[Entry::new(lobby(), changes)]).unwrap();
        let complete = history.checkpoint(&lobby()).unwrap().unwrap().roster.complete();
        assert_eq!(complete, Some(moment(0, 9)));
        assert_eq!(last_runs(history.as_ref(), &lobby()), [Some(seen); 2]);
        let gaps = all_gaps(history.as_ref(), None, (None, None), 9);
        assert_eq!(gaps, [(lobby(), Gap::open(time(0), GapReason::Crashed))]);
    }
}

#[test]
fn a_channel_named_without_an_observation_is_proven_up_to_its_last_commit() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap();
    let others = vec![(lobby(), None)];
    history.mark(&Mark { floor: up_to(9_000_000), others, widest: Duration::from_secs(2) }).unwrap();
    let seen = moment(1_000_000, 1_001_000);
    assert_eq!(last_runs(history.as_ref(), &lobby()), [Some(run(seen, seen)); 2]);
}

#[test]
fn a_mark_is_about_the_last_run_only() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    let runs = [1, 2, 3].map(|n| moment(n * 1_000_000, n * 1_000_000 + 1000)).map(|seen| run(seen, seen));
    for run in runs {
        let changes = Changes { run: Some(run), ..Changes::default() };
        history.commit(&[Entry::new(lobby(), changes)]).unwrap();
    }
    history.mark(&Mark { floor: up_to(9_000_000), ..Mark::default() }).unwrap();
    assert_eq!(history.runs(&lobby(), time(0), time(1_000_000)).unwrap(), &runs[..2]);
    history.recover().unwrap();
    let kept = history.runs(&lobby(), time(0), time(i64::MAX)).unwrap();
    assert_eq!(&kept[..2], &runs[..2]);
    assert_eq!(kept[2].last, up_to(9_000_000));
}

#[test]
fn a_mark_of_an_earlier_start_proves_nothing() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap();
    let others = vec![(lobby(), Some(moment(2_000_000, 2_001_000)))];
    history.mark(&Mark { floor: up_to(9_000_000), others, ..Mark::default() }).unwrap();
    history.recover().unwrap();
    // The wall clock of the next start is behind.
    let again = moment(5_000_000, 5_001_000);
    let run = run(again, again);
    let gaps = vec![Gap::open(time(2_000_000), GapReason::Crashed).closed(again.latest)];
    let changes = Changes { run: Some(run), gaps, ..Changes::default() };
    history.commit(&[Entry::new(lobby(), changes)]).unwrap();
    assert_eq!(history.channel(&lobby()).unwrap().unwrap().run, Some(run));
    assert_eq!(history.recover().unwrap(), 1);
    let runs = history.runs(&lobby(), time(0), time(i64::MAX)).unwrap();
    assert_eq!(
        runs.iter().map(|run| run.last.earliest.as_micros()).collect::<Vec<_>>(),
        [2_000_000, 5_000_000]
    );
}

#[test]
fn a_channel_that_was_never_observed_is_in_a_gap_from_its_beginning_after_a_crash() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(7)).unwrap();
    assert_eq!(history.recover().unwrap(), 1);
    let kept = history.checkpoint(&lobby()).unwrap().unwrap();
    assert_eq!(kept.open_gaps, [Gap::open(time(7), GapReason::Crashed)]);
    assert_eq!((kept.began, kept.run), (time(7), None));
}

#[test]
fn the_newest_of_the_record_is_what_the_last_mark_proves() {
    let (_folder, history) = fresh();
    assert_eq!(history.newest().unwrap(), None);
    history.begin(&[lobby()], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap();
    assert!(history.newest().unwrap().unwrap() < time(3_600_000_000));
    history.mark(&Mark { floor: up_to(3_600_000_000), ..Mark::default() }).unwrap();
    assert_eq!(history.newest().unwrap(), Some(time(3_600_500_000)));
    history.recover().unwrap();
    assert_eq!(history.newest().unwrap(), Some(time(3_600_500_000)));
}
