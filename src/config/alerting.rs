//! `[[alert]]` and `[[notifier]]`: which alerts there are and who is told.
//!
//! **Not open yet**: the daemon runs no alerts, so [`super::Config::load`] does not read these sections and refuses them
//! as unknown keys. To open them, `Config::read` calls [`read`], and the text of `config/alerting.toml` becomes part of
//! `config/default.toml`.

use std::cell::RefCell;
use std::collections::HashSet;

use super::finding::Findings;
use super::layers::Sources;
use super::notifier::Notifier;
use super::secret::SecretError;
use super::section::Section;
use super::watch::{self, Watch};
use super::{alert, notifier, pubnub};
use crate::domain::alert::Rule;

/// The text about these sections that `config/default.toml` will have.
pub const DEFAULTS: &str = include_str!("../../config/alerting.toml");

/// Most rules.
pub const MAX_RULES: usize = 500;

/// Most notifiers.
pub const MAX_NOTIFIERS: usize = 100;

/// The alerts and who is told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alerting {
    /// In the order given; no two have the same name.
    pub rules: Vec<Rule>,
    /// In the order given; no two have the same name.
    pub notifiers: Vec<Notifier>,
}

impl Alerting {
    /// Reads these sections alone, and `[watch]`, which they are held against.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them, at once.
    pub fn load(sources: &Sources) -> Result<Self, Findings> {
        let mut merge_findings = Vec::new();
        let table = sources.merge(&mut merge_findings);
        let elsewhere = RefCell::new(Vec::new());
        let mut root = Section::root(table.clone(), &elsewhere);
        let (_, limits) = pubnub::read(root.section("pubnub"));
        let watch = watch::read(root.section("watch"), limits);
        let findings = RefCell::new(merge_findings);
        let alerting = read(&mut Section::root(table, &findings), watch.as_ref());
        let findings = findings.into_inner();
        match alerting {
            Some(alerting) if findings.is_empty() => Ok(alerting),
            _ => Err(Findings(findings)),
        }
    }

    /// The same with every secret as its file has it now.
    ///
    /// # Errors
    ///
    /// The first file that cannot be used any more; nothing changes then.
    pub fn read_secrets_again(&self) -> Result<Self, SecretError> {
        let notifiers = self.notifiers.iter().map(Notifier::read_secrets_again).collect::<Result<_, _>>()?;
        Ok(Self { rules: self.rules.clone(), notifiers })
    }
}

/// Reads both sections. `watch` is `None` where it is wrong.
pub(super) fn read(root: &mut Section<'_>, watch: Option<&Watch>) -> Option<Alerting> {
    let sections = root.sections("notifier");
    at_most(root, "notifier", sections.len(), MAX_NOTIFIERS);
    let mut names = HashSet::new();
    let notifiers: Vec<_> = sections.into_iter().map(|section| notifier::read(section, &mut names)).collect();
    let sections = root.sections("alert");
    at_most(root, "alert", sections.len(), MAX_RULES);
    let mut taken = HashSet::new();
    let told = alert::Known { notifiers: &names, watch };
    let rules: Vec<_> = sections.into_iter().map(|section| alert::read(section, &mut taken, &told)).collect();
    Some(Alerting {
        rules: rules.into_iter().collect::<Option<_>>()?,
        notifiers: notifiers.into_iter().collect::<Option<_>>()?,
    })
}

fn at_most(root: &Section<'_>, key: &str, given: usize, most: usize) {
    if given > most {
        root.refuse_inside(key, "", None, format!("must not be more than {most}, and are {given}"));
    }
}
