//! `adsum backup` and `adsum verify`.

use std::path::{Path, PathBuf};

use adsum::domain::channel::{Changes, Channel};
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::observation::{Observation, Occupant};
use adsum::domain::state::Shown;
use adsum::domain::time::{Moment, Time};
use adsum::history::sqlite::Sqlite;
use adsum::history::{Entry, History as _};
use serde_json::Value;

use crate::{Ended, HOSTILE, adsum, assert_fit_for_a_terminal, ended};

/// A history in which somebody came to a channel.
fn history(folder: &Path) -> PathBuf {
    let path = folder.join("history.db");
    let history = Sqlite::open(&path).expect("a history");
    let name = ChannelName::new(HOSTILE).expect("a name");
    let began = Time::parse("2026-11-24T14:00:00Z").expect("a time");
    history.begin(std::slice::from_ref(&name), began).expect("a watch");
    let channel = Channel::begin(name.clone(), std::time::Duration::from_secs(15), began);
    let moment = Moment { earliest: began, latest: began.plus(std::time::Duration::from_secs(1)) };
    let user = UserId::new(&format!("{HOSTILE}-user")).expect("a name");
    let seen = Observation::new(moment, 1, Some(vec![Occupant { user, state: Shown::Unknown }]));
    let changes: Option<Changes> = channel.observe(&seen.expect("an observation")).expect("in order");
    history.commit(&[Entry::new(name, changes.expect("somebody came"))]).expect("a commit");
    path
}

fn run(history: &Path, arguments: &[&str]) -> Ended {
    let url = format!("sqlite:{}", history.display());
    ended(adsum(arguments).env("ADSUM__HISTORY__URL", url))
}

fn damage(history: &Path) {
    let connection = rusqlite::Connection::open(history).expect("a database");
    connection.execute("UPDATE visits SET opened = 7", []).expect("a visit");
}

#[test]
fn a_backup_says_what_is_in_it_and_verifies() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = history(folder.path());
    let copy = folder.path().join("copy.db");
    let copy = copy.to_str().expect("UTF-8");
    let made = run(&path, &["backup", copy]);
    assert_eq!((made.status, made.stderr.as_str()), (0, ""));
    assert!(made.stdout.starts_with(&format!("{copy}: ")), "{}", made.stdout);
    for words in ["events: 1; channels: 1", "from 2026-11-24 14:00:00", "to 2026-11-24 14:00:01"] {
        assert!(made.stdout.contains(words), "{words}: {}", made.stdout);
    }
    // The file that is named, whatever the configuration says.
    let verified = run(Path::new("/nowhere/history.db"), &["verify", copy]);
    assert_eq!((verified.status, verified.stderr.as_str()), (0, ""));
    assert!(verified.stdout.ends_with("Every law is kept.\n"), "{}", verified.stdout);
}

#[test]
fn a_backup_in_json_has_every_figure() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = history(folder.path());
    let copy = folder.path().join("copy.db");
    let made = run(&path, &["backup", copy.to_str().expect("UTF-8"), "--json"]);
    let told: Value = serde_json::from_str(&made.stdout).expect("JSON");
    assert_eq!(told["history"], Sqlite::open(&path).expect("a history").id());
    assert_eq!((&told["events"], &told["last_event"], &told["channels"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(told["from"], "2026-11-24T14:00:00.000Z");
    assert_eq!(told["to"], "2026-11-24T14:00:01.000Z");
    assert_eq!(told["bytes"], copy.metadata().expect("a file").len());
}

#[test]
fn a_backup_over_a_file_is_wrong_usage_and_one_of_nothing_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = history(folder.path());
    let over = run(&path, &["backup", path.to_str().expect("UTF-8")]);
    assert_eq!((over.status, over.stdout.as_str()), (2, ""));
    assert!(
        over.stderr.contains("history.db is there already: a backup never replaces a file"),
        "{}",
        over.stderr
    );
    let copy = folder.path().join("copy.db");
    let nothing = run(&folder.path().join("none.db"), &["backup", copy.to_str().expect("UTF-8")]);
    assert_eq!((nothing.status, nothing.stdout.as_str()), (1, ""));
    assert!(nothing.stderr.contains("none.db: there is no such file"), "{}", nothing.stderr);
    assert!(!copy.exists());
}

#[test]
fn a_broken_law_is_told_with_channel_and_user_and_is_a_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = history(folder.path());
    damage(&path);
    let verified = run(&path, &["verify"]);
    assert_eq!(verified.status, 1);
    assert!(
        verified.stderr.contains("history.db does not keep the laws of the record"),
        "{}",
        verified.stderr
    );
    assert_fit_for_a_terminal(&verified.stdout);
    for words in ["LAW", "visits", "a\\u{1b}[2J\\u{202e}b", "-user", "there is no visit of event 1"] {
        assert!(verified.stdout.contains(words), "{words}: {}", verified.stdout);
    }
    let verified = run(&path, &["verify", "--json"]);
    assert_eq!(verified.status, 1);
    assert_fit_for_a_terminal(&verified.stdout);
    let told: Value = serde_json::from_str(&verified.stdout).expect("JSON");
    assert_eq!((&told["events"], &told["more"]), (&1.into(), &0.into()));
    let breach = &told["broken"][0];
    assert_eq!((&breach["law"], &breach["channel"]), (&"visits".into(), &HOSTILE.into()));
    assert_eq!(breach["user"], format!("{HOSTILE}-user"));
}

#[test]
fn what_is_no_history_cannot_be_verified() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = run(&folder.path().join("none.db"), &["verify", "--json"]);
    assert_eq!((missing.status, missing.stdout.as_str()), (1, ""));
    assert!(missing.stderr.contains("there is no such file"), "{}", missing.stderr);
}
