//! The configuration: layers merged by the `config` crate, then read section by section into plain data, and refused
//! as a whole when any of it is wrong.
//!
//! `config/default.toml` names every key. [`Config::load`] merges the layers ([`Sources`]); each section's file reads its
//! keys and checks them; what is wrong anywhere is a [`Finding`] with its key, its value, what is allowed and the layer
//! it came from. Rules that need two sections ([`Budget`], `watch.interval` and `pubnub.cache_ttl`) are checked where
//! the later one is read.

mod alert;
pub mod alerting;
mod budget;
mod describe;
mod files;
mod finding;
mod history;
mod layers;
mod notifier;
mod origin;
mod pubnub;
mod secret;
mod section;
mod server;
pub mod size;
mod state;
mod watch;

use std::cell::RefCell;

pub use crate::domain::duration;
pub use budget::{Budget, Class};
pub use finding::{Finding, Findings};
pub use history::History;
pub use layers::{DEFAULTS, ENVIRONMENT_PREFIX, Layer, Override, Sources};
pub use notifier::{Email, Encryption, Headers, Http, Login, Notifier, NotifierKind, Texts, Trial, Webhook};
pub use origin::Origin;
pub use pubnub::PubNub;
pub use secret::{Secret, SecretError, Tokens};
pub use server::Server;
pub use state::State;
pub use watch::Watch;

use alerting::Alerting;
use section::Section;

/// A configuration that was checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whom to ask.
    pub pubnub: PubNub,
    /// What is watched.
    pub watch: Watch,
    /// Where the record is kept.
    pub history: History,
    /// Where known states are kept.
    pub state: State,
    /// Where the API listens.
    pub server: Server,
    /// The alerts and who is told.
    pub alerting: Alerting,
    /// The embedded Presence API server.
    pub origin: Origin,
}

impl Config {
    /// Merges all layers and reads every section. Whether its notifiers can be made is not tried.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at once.
    pub fn load(sources: &Sources) -> Result<Self, Findings> {
        Self::load_with(sources, &|_| Ok(()))
    }

    /// The same, and tries whether its notifiers can be made.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at once.
    pub fn load_with(sources: &Sources, trial: Trial<'_>) -> Result<Self, Findings> {
        let mut merge_findings = Vec::new();
        let table = sources.merge(&mut merge_findings);
        let findings = RefCell::new(merge_findings);
        let config = Self::read(Section::root(table, &findings), trial);
        let findings = findings.into_inner();
        match config {
            Some(config) if findings.is_empty() => Ok(config),
            _ => Err(Findings(findings)),
        }
    }

    fn read(mut root: Section<'_>, trial: Trial<'_>) -> Option<Self> {
        let (pubnub, limits) = pubnub::read(root.section("pubnub"));
        let watch = watch::read(root.section("watch"), limits);
        let history = history::read(root.section("history"));
        let state = state::read(root.section("state"));
        let server = server::read(root.section("server"));
        let alerting = alerting::read(&mut root, watch.as_ref(), trial);
        let origin = origin::read(root.section("origin"));
        root.finish();
        Some(Self {
            pubnub: pubnub?,
            watch: watch?,
            history: history?,
            state: state?,
            server: server?,
            alerting: alerting?,
            origin: origin?,
        })
    }

    /// The subscribe key, for commands that cannot do without.
    ///
    /// # Errors
    ///
    /// One finding that says how to give it.
    pub fn subscribe_key(&self) -> Result<&str, Findings> {
        self.pubnub.subscribe_key.as_deref().ok_or_else(|| {
            Findings(vec![Finding {
                key: "pubnub.subscribe_key".to_owned(),
                value: None,
                allowed: "must be set: in the configuration file, as ADSUM__PUBNUB__SUBSCRIBE_KEY or with --subscribe-key"
                    .to_owned(),
                layer: Layer::Default,
            }])
        })
    }
}
