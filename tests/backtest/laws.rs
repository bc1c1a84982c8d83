//! The law: a backtest agrees with live evaluation, and says for certain what the record shows.

use adsum::domain::alert::{Condition, OnGap, Rule};
use adsum::domain::names::ChannelName;
use adsum::history::sqlite::{ReadOnly, Sqlite};
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::agreement::{Backtest, backtest};
use crate::days::{CHANNELS, Happening, Lists, days, ms};
use crate::live::Daemon;
use crate::rules::rule;

fn tries(cases: u32) -> Config {
    Config { cases, max_shrink_iters: 3_000, failure_persistence: None, ..Config::default() }
}

/// Lives through the days with these rules in each channel, and backtests them all over the record.
fn lived(rules: &[Rule], days: &[Happening], mut each: impl FnMut(&Rule, &Backtest, Result<(), String>)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let names: Vec<ChannelName> =
        (0..CHANNELS).map(|n| ChannelName::new(&format!("room.{n}")).unwrap()).collect();
    let mut daemon = Daemon::start(Sqlite::open(&path).unwrap(), &names, rules);
    daemon.live(days);
    let mut file = ReadOnly::open(&path).unwrap();
    for (place, name) in names.iter().enumerate() {
        for (number, rule) in rules.iter().enumerate() {
            // The span is without its end.
            let found = backtest(&mut file, rule, name, daemon.now.plus(ms(1_u8)));
            let live = daemon.transitions(place, number);
            let agrees = found.agrees(live).map_err(|why| {
                let lines = |all: Vec<String>| all.join("\n    ");
                let live = lines(live.iter().map(|one| format!("{one:?}")).collect());
                let heard = lines(found.heard.iter().map(|one| format!("{one:?}")).collect());
                let spells = lines(found.outcome.spells.iter().map(|one| format!("{one:?}")).collect());
                format!(
                    "{name} {rule:?}\n{why}\nlive:\n    {live}\nheard:\n    {heard}\nspells:\n    {spells}"
                )
            });
            each(rule, &found, agrees);
        }
    }
}

/// Whether the record tells for certain what became of an alert of this rule, whatever happened.
fn is_told_for_certain(rule: &Rule) -> bool {
    let counts =
        matches!(rule.condition, Condition::OccupancyAbove { .. } | Condition::OccupancyBelow { .. });
    counts && rule.on_gap != OnGap::Fire
}

proptest! {
    #![proptest_config(tries(200))]

    #[test]
    fn a_backtest_agrees_with_what_live_evaluation_did_on_the_same_observations(
        rules in proptest::collection::vec(rule(), 8),
        days in prop_oneof![days(Lists::Whole), days(Lists::Cut)],
    ) {
        let mut failed = Ok(());
        lived(&rules, &days, |rule, found, agrees| {
            if failed.is_ok() {
                failed = agrees;
            }
            if failed.is_ok() && is_told_for_certain(rule) && found.outcome.spells.iter().any(|spell| !spell.certain) {
                failed = Err(format!("{rule:#?} is in doubt: {:#?}", found.heard));
            }
        });
        prop_assert!(failed.is_ok(), "{}", failed.unwrap_err());
    }
}
