//! `adsum alerts backtest`: the real binary.

use std::path::{Path, PathBuf};
use std::time::Duration;

use adsum::domain::channel::Channel;
use adsum::domain::names::ChannelName;
use adsum::domain::observation::Observation;
use adsum::domain::time::{Moment, Time};
use adsum::history::sqlite::Sqlite;
use adsum::history::{Entry, History};
use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use rstest::rstest;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

/// A channel name that clears the screen, turns text around and breaks lines.
const HOSTILE: &str = "room.\u{1b}[2J\u{202e}b\n";

/// Ten minutes, ten minutes ago by this test's reckoning: in the past, wherever it runs.
const DAY: &str = "2026-01-01T00:00:00Z";

struct Ended {
    status: i32,
    stdout: String,
    stderr: String,
}

/// A folder with a configuration and, perhaps, a history.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let config = format!(
            "[watch]\nchannels = [\"room.*\", \"hall\"]\n[history]\nurl = \"sqlite:{}\"\n\
             [[alert]]\nname = \"crowded\"\nchannels = [\"room.*\"]\noccupancy_above = 5\nfor = \"10s\"\n\
             [[alert]]\nname = \"hall-blind\"\nchannels = [\"hall\"]\nunobserved = true\n",
            place.history().display()
        );
        std::fs::write(place.config(), config).unwrap();
        place
    }

    /// With a history: two rooms that are crowded for half a minute, a minute after the beginning of the day.
    fn with_history() -> (Self, Sqlite) {
        let place = Self::new();
        let history = Sqlite::open(&place.history()).unwrap();
        for name in ["room.1", HOSTILE] {
            record(&history, name);
        }
        (place, history)
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("adsum.toml")
    }

    fn history(&self) -> PathBuf {
        self.0.path().join("history.db")
    }

    fn backtest(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(cargo_bin("adsum"));
        command.env_clear().timeout(Duration::from_secs(30));
        command.args(["alerts", "backtest"]).args(arguments).arg("--config").arg(self.config());
        let output = command.output().unwrap();
        Ended {
            status: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn record(history: &Sqlite, name: &str) {
    let day = Time::parse(DAY).unwrap();
    let name = ChannelName::new(name).unwrap();
    history.begin(std::slice::from_ref(&name), day).unwrap();
    let mut channel = Channel::begin(name.clone(), Duration::from_secs(15), day);
    for poll in 0..36_u64 {
        let received = day.plus(Duration::from_secs(5 * poll));
        let moment = Moment { earliest: received.minus(Duration::from_secs(3)), latest: received };
        let crowded = (12..18).contains(&poll);
        let seen = Observation::new(moment, if crowded { 9 } else { 2 }, None).unwrap();
        let changes = channel.changes(&seen).unwrap();
        history.commit(&[Entry::new(name.clone(), changes.clone())]).unwrap();
        channel.apply(&seen, &changes);
    }
}

const SPAN: [&str; 4] = ["--from", DAY, "--to", "2026-01-01T01:00:00Z"];

fn asked(arguments: &[&'static str]) -> Vec<&'static str> {
    [arguments, SPAN.as_slice()].concat()
}

#[test]
fn a_firing_is_a_line_with_its_times_and_the_sum_follows() {
    let (place, _daemon) = Place::with_history();
    let ended = place.backtest(&asked(&["crowded"]));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let line = ended.stdout.lines().find(|line| line.starts_with("room.1 ")).expect("a line");
    // Due 10 s after 00:01:00, and met by an observation whose answer had arrived within the widest step, 8 s.
    assert!(line.contains("2026-01-01 00:01:10.000 … 00:01:18.000"), "{line}");
    assert!(
        line.contains("2026-01-01 00:01:30.000 ") && line.contains(" cleared ") && line.ends_with("yes"),
        "{line}"
    );
    assert!(ended.stdout.contains("fired: 2; resolved: 2"), "{}", ended.stdout);
    assert!(ended.stdout.contains("room.\\u{1b}[2J\\u{202e}b\\u{a}"), "{}", ended.stdout);
}

#[test]
fn json_has_every_figure_of_every_channel() {
    let (place, _daemon) = Place::with_history();
    let ended = place.backtest(&asked(&["crowded", "--json", "--channel", "room.1"]));
    let answer: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let firing = &answer["firings"][0];
    assert_eq!(firing["channel"], "room.1");
    assert_eq!(firing["fired"]["not_before"], "2026-01-01T00:01:10.000Z");
    assert_eq!(firing["ended"]["why"][0], "cleared");
    assert_eq!(firing["certain"], true);
    assert_eq!(answer["total"]["fired"], serde_json::json!({"min": 1, "max": 1}));
    assert_eq!(answer["channels"].as_array().map(Vec::len), Some(1));
    assert_eq!(answer["channels"][0]["known_until"], "2026-01-01T00:02:55.000Z");
}

#[test]
fn a_history_that_a_daemon_has_open_is_read_and_left_as_it_is() {
    let (place, history) = Place::with_history();
    let sum = |path: &Path| std::fs::read(path).unwrap();
    let before = sum(&place.history());
    for _ in 0..2 {
        let ended = place.backtest(&asked(&["crowded"]));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        assert!(ended.stdout.contains("fired: 2;"), "what is in the daemon's log is read: {}", ended.stdout);
    }
    assert_eq!(sum(&place.history()), before);
    // It goes on being written.
    record(&history, "room.2");
    assert!(place.backtest(&asked(&["crowded"])).stdout.contains("fired: 3;"));
    drop(history);
    assert!(place.backtest(&asked(&["crowded"])).stdout.contains("fired: 3;"), "nor need a daemon run");
}

#[rstest]
#[case(&["crowdy"], "no rule \"crowdy\"; its rules: crowded, hall-blind")]
#[case(&["crowded", "--from", "yesterday"], "--from: \"yesterday\" is no time")]
#[case(&["crowded", "--to", "2999-01-01T00:00:00Z"], "must not lie in the future")]
#[case(&["crowded", "--from", "-1h", "--to", "-2h"], "must be before --to")]
#[case(&["crowded", "--from", "now"], "must be before --to")]
#[case(&["crowded", "--channel", "hall"], "the rule \"crowded\" is not for \"hall\"")]
#[case(&["crowded", "--channel", "a,b"], "--channel: \"a,b\"")]
fn what_is_asked_wrongly_ends_with_status_2_and_says_what_is_right(
    #[case] arguments: &[&str],
    #[case] expected: &str,
) {
    let (place, _daemon) = Place::with_history();
    let ended = place.backtest(arguments);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
}

#[test]
fn without_rules_the_answer_says_where_they_come_from() {
    let place = Place::new();
    std::fs::write(place.config(), "").unwrap();
    let ended = place.backtest(&["crowded"]);
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("it has no [[alert]]; name a file with --config"), "{}", ended.stderr);
}

#[rstest]
#[case(&["hall-blind"], "no channel of the rule hall-blind (hall) is in the record ")]
#[case(&["crowded", "--channel", "room.7"], "channel \"room.7\" is in no record: ")]
fn a_rule_whose_channels_are_in_no_record_says_so(#[case] arguments: &[&str], #[case] expected: &str) {
    let (place, _daemon) = Place::with_history();
    let ended = place.backtest(arguments);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains(expected) && ended.stderr.contains("history.db"), "{}", ended.stderr);
}

#[test]
fn a_history_that_is_not_there_is_not_made() {
    let place = Place::new();
    let ended = place.backtest(&["crowded"]);
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains("history.db: there is no such file"), "{}", ended.stderr);
    assert!(!place.history().exists());
}

#[rstest]
#[case(-1, "older than this adsum reads")]
#[case(1, "newer than this adsum knows")]
fn a_history_of_another_version_is_left_alone(#[case] later: i64, #[case] expected: &str) {
    let (place, daemon) = Place::with_history();
    drop(daemon);
    let file = Connection::open(place.history()).unwrap();
    let change = "UPDATE refinery_schema_history SET version = version + ?1 \
                  WHERE version = (SELECT max(version) FROM refinery_schema_history)";
    // A version that is there already makes room.
    let newest = "SELECT max(version) FROM refinery_schema_history";
    let newest: i64 = file.query_row(newest, [], |row| row.get(0)).unwrap();
    file.execute("DELETE FROM refinery_schema_history WHERE version = ?1", [newest + later]).unwrap();
    file.execute(change, [later]).unwrap();
    drop(file);
    let ended = place.backtest(&asked(&["crowded"]));
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains(expected) && ended.stderr.contains("history.db"), "{}", ended.stderr);
}

#[test]
fn what_is_no_history_is_named() {
    let place = Place::new();
    std::fs::write(place.history(), "no database at all, only text of some length").unwrap();
    let ended = place.backtest(&["crowded"]);
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains("history.db: ") && ended.stderr.contains("damaged"), "{}", ended.stderr);
    Connection::open(place.0.path().join("other.db")).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    std::fs::copy(place.0.path().join("other.db"), place.history()).unwrap();
    let ended = place.backtest(&["crowded"]);
    assert!(ended.stderr.contains("a database, but not one of adsum's"), "{}", ended.stderr);
}
