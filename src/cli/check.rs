//! `adsum check`: what a configuration would do.

use clap::Args;
use futures_util::StreamExt as _;
use serde_json::json;

use super::failure::Failure;
use super::json;
use super::output::{Format, Page};
use super::run::DaemonFlags;
use super::terminal::print;
use crate::app;
use crate::config::{Config, Findings};

/// Check a configuration: what is wrong with it, or what it would do and cost
///
/// Asks nobody, unless --reach is given. Ends with status 2 and everything that is wrong, each with the file, variable or flag it came from; or says what
/// `adsum run` would do, and how many requests it would need.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum check --config adsum.toml
  adsum check --config adsum.toml --reach
  adsum check --subscribe-key sub-c-… --channel 'room.*' --interval 3s --json")]
pub(super) struct Check {
    #[command(flatten)]
    flags: DaemonFlags,
    /// Try as well whether the notifiers can be reached; nothing is sent to them (`adsum test-notify` does that)
    #[arg(long)]
    reach: bool,
    #[command(flatten)]
    format: Format,
}

impl Check {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let config = match self.flags.load() {
            Ok(config) => config,
            Err(findings) => {
                if self.format.is_json() {
                    print(&json::pretty(&findings_json(&findings)))?;
                }
                return Err(findings.into());
            }
        };
        let mut description = config.describe();
        if self.reach {
            description.extend(reached(&config).await);
        }
        if self.format.is_json() {
            return Ok(print(&json::pretty(&description_json(&config, &description)))?);
        }
        let mut page = Page::new();
        for line in description {
            page.line(&line);
        }
        page.print()
    }
}

/// A line for each notifier.
async fn reached(config: &Config) -> Vec<String> {
    let reach = app::reach(&config.alerting.notifiers).map(|(name, reached)| match reached {
        Ok(()) => format!("Notifier {:?} can be reached.", name.as_str()),
        Err(why) => format!("Note: notifier {:?} cannot be reached now: {why}.", name.as_str()),
    });
    reach.collect().await
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

fn description_json(config: &Config, description: &[String]) -> String {
    let per_second = config.budget().per_second();
    json!({"ok": true, "description": description, "requests_per_second": per_second}).to_string()
}
