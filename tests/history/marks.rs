//! Marks, and what a crash leaves.

use std::time::Duration;

use adsum::domain::channel::Changes;
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::observation::Grade;
use adsum::domain::occupancy::Run;
use adsum::history::{Entry, Mark, VisitQuery};

use crate::given::{ada, arrival, extended, fresh, lobby, moment, time};
use crate::world::{CHANNELS, all_gaps, channel_name};

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
    let others = vec![(channel_name(1), moment(4_000_000, 4_001_000))];
    let mark = Mark { floor: time(9_000_000), others, widest: Duration::from_secs(2) };
    history.mark(&mark).unwrap();
    let last = |index| history.channel(&channel_name(index)).unwrap().unwrap().run.unwrap();
    let expect = |stage: &str| {
        assert_eq!(last(0).last, moment(9_000_000, 9_000_000), "{stage}: not named");
        assert_eq!(last(0).widest, Duration::from_secs(2), "{stage}: how often it was looked at is kept");
        assert_eq!(last(1).last, moment(4_000_000, 4_001_000), "{stage}: named");
        assert_eq!(last(2).last, moment(1_000_000, 1_001_000), "{stage}: in a gap");
        assert_eq!(last(2).widest, Duration::ZERO);
        let complete = history.checkpoint(&channel_name(0)).unwrap().unwrap().roster.complete();
        assert_eq!(complete, Some(moment(9_000_000, 9_000_000)), "{stage}: everybody was seen again");
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

#[test]
fn a_mark_within_the_last_observation_takes_nothing_back() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap();
    history.mark(&Mark { floor: time(1_000_500), ..Mark::default() }).unwrap();
    let last = || history.channel(&lobby()).unwrap().unwrap().run.unwrap().last;
    assert_eq!(last(), moment(1_000_500, 1_001_000));
    history.recover().unwrap();
    assert_eq!(last(), moment(1_000_500, 1_001_000));
}

#[test]
fn a_mark_is_about_the_last_run_only() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    let runs = [1, 2, 3].map(|n| {
        let seen = moment(n * 1_000_000, n * 1_000_000 + 1000);
        Run { first: seen, last: seen, widest: Duration::ZERO, occupancy: 0, grade: Grade::Complete }
    });
    for run in runs {
        let changes = Changes { run: Some(run), ..Changes::default() };
        history.commit(&[Entry { channel: lobby(), changes }]).unwrap();
    }
    history.mark(&Mark { floor: time(9_000_000), ..Mark::default() }).unwrap();
    assert_eq!(history.runs(&lobby(), time(0), time(1_000_000)).unwrap(), &runs[..2]);
    history.recover().unwrap();
    let kept = history.runs(&lobby(), time(0), time(i64::MAX)).unwrap();
    assert_eq!(&kept[..2], &runs[..2]);
    assert_eq!(kept[2].last, moment(9_000_000, 9_000_000));
}

#[test]
fn a_mark_of_an_earlier_start_proves_nothing() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap();
    let others = vec![(lobby(), moment(2_000_000, 2_001_000))];
    history.mark(&Mark { floor: time(9_000_000), others, ..Mark::default() }).unwrap();
    history.recover().unwrap();
    // The wall clock of the next start is behind.
    let again = moment(5_000_000, 5_001_000);
    let run = Run { first: again, last: again, widest: Duration::ZERO, occupancy: 1, grade: Grade::Complete };
    let gaps = vec![Gap::open(time(2_000_000), GapReason::Crashed).closed(again.latest)];
    let changes = Changes { run: Some(run), gaps, ..Changes::default() };
    history.commit(&[Entry { channel: lobby(), changes }]).unwrap();
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
