//! `adsum check`: what a configuration would do.

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::json;
use super::output::{Format, Page};
use super::run::DaemonFlags;
use super::terminal::print;
use crate::config::{Config, Findings};

/// Check a configuration: what is wrong with it, or what it would do and cost
///
/// Asks nobody. Ends with status 2 and everything that is wrong, each with the file, variable or flag it came from; or says what
/// `adsum run` would do, and how many requests it would need.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum check --config adsum.toml
  adsum check --subscribe-key sub-c-… --channel 'room.*' --interval 3s --json")]
pub(super) struct Check {
    #[command(flatten)]
    flags: DaemonFlags,
    #[command(flatten)]
    format: Format,
}

impl Check {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let config = match self.flags.load() {
            Ok(config) => config,
            Err(findings) => {
                if self.format.is_json() {
                    print(&json::pretty(&findings_json(&findings)))?;
                }
                return Err(findings.into());
            }
        };
        if self.format.is_json() {
            return Ok(print(&json::pretty(&description_json(&config)))?);
        }
        let mut page = Page::new();
        for line in config.describe() {
            page.line(&line);
        }
        page.print()
    }
}

fn findings_json(findings: &Findings) -> String {
    let findings: Vec<_> = findings
        .0
        .iter()
        .map(|finding| {
            let layer = finding.layer.to_string();
            json!({"key": finding.key, "value": finding.value, "allowed": finding.allowed, "layer": layer})
        })
        .collect();
    json!({"ok": false, "findings": findings}).to_string()
}

fn description_json(config: &Config) -> String {
    let per_second = config.budget().per_second();
    json!({"ok": true, "description": config.describe(), "requests_per_second": per_second}).to_string()
}
