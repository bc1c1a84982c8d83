//! Flags and configuration of the commands that ask the Presence API.

use std::path::PathBuf;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use super::failure::Failure;
use crate::app::client_config;
use crate::config::{Config, Findings, Override, Sources};
use crate::pubnub::Client;

/// Where the configuration comes from.
#[derive(Debug, Clone, Args)]
pub(super) struct ConfigFile {
    /// The configuration file; ADSUM__SECTION__KEY in the environment and flags go over it
    #[arg(long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Whom to ask, and as whom. Each flag goes over the configuration.
#[derive(Debug, Clone, Args)]
pub(super) struct Connection {
    #[command(flatten)]
    config: ConfigFile,
    /// The Presence API to ask [default: pubnub.origin, https://ps.pndsn.com]
    #[arg(long, value_name = "URL")]
    origin: Option<String>,
    /// The subscribe key of the keyset [default: pubnub.subscribe_key]
    #[arg(long, value_name = "KEY")]
    subscribe_key: Option<String>,
    /// The publish key, needed with a secret key
    #[arg(long, value_name = "KEY")]
    publish_key: Option<String>,
    /// Sign requests with this key (better in the configuration or as ADSUM__PUBNUB__SECRET_KEY: other users can see
    /// flags)
    #[arg(long, value_name = "KEY")]
    secret_key: Option<SecretString>,
    /// The Access Manager token or auth key (better in the configuration or as ADSUM__PUBNUB__AUTH_TOKEN)
    #[arg(long, value_name = "TOKEN")]
    auth_token: Option<SecretString>,
    /// The user id to ask as [default: pubnub.user_id, adsum]
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
}

impl ConfigFile {
    /// The configuration: defaults, file, environment, these flags.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub(super) fn load(&self, flags: Vec<Override>) -> Result<Config, Findings> {
        Config::load(&self.sources(flags))
    }

    /// Where it is read from: file, environment, these flags.
    pub(super) fn sources(&self, flags: Vec<Override>) -> Sources {
        Sources::of_process(self.file.clone(), flags)
    }
}

impl Connection {
    /// The configuration, with these flags and `more` over it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub(super) fn load(&self, more: Vec<Override>) -> Result<Config, Findings> {
        Config::load(&self.sources(more))
    }

    /// Where the configuration is read from, with these flags and `more` over it.
    pub(super) fn sources(&self, more: Vec<Override>) -> Sources {
        let secret = |secret: &'_ Option<SecretString>| secret.as_ref().map(|s| s.expose_secret().to_owned());
        let flags = [
            ("--origin", "pubnub.origin", self.origin.clone()),
            ("--subscribe-key", "pubnub.subscribe_key", self.subscribe_key.clone()),
            ("--publish-key", "pubnub.publish_key", self.publish_key.clone()),
            ("--secret-key", "pubnub.secret_key", secret(&self.secret_key)),
            ("--auth-token", "pubnub.auth_token", secret(&self.auth_token)),
            ("--user-id", "pubnub.user_id", self.user_id.clone()),
        ];
        let given = flags.into_iter().filter_map(|(flag, key, text)| Some(Override::text(flag, key, &text?)));
        self.config.sources(given.chain(more).collect())
    }

    /// A client for one request.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the configuration, or a missing subscribe key.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        let config = self.load(Vec::new())?;
        Ok(Client::new(client_config(&config)?)?)
    }
}
