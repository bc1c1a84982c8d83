//! From the configuration to the small structs that each part takes.

use std::time::Duration;

use anyhow::Context as _;

use crate::actors::handle::Settings;
use crate::config::{Config, Findings, Watching};
use crate::domain::names::GroupName;
use crate::domain::plan::Limits;
use crate::domain::watch::{Policies, Policy, Rule, Target};
use crate::origin::OriginSettings;
use crate::pubnub::ClientConfig;

/// One answer is not expected to hold more users than this.
const USERS_PER_REQUEST: usize = 20_000;

/// What the client needs of a configuration; without retries.
///
/// # Errors
/// A missing subscribe key.
pub fn client_config(config: &Config) -> Result<ClientConfig, Findings> {
    let pubnub = &config.pubnub;
    let mut client = ClientConfig::new(config.subscribe_key()?, pubnub.user_id.as_str());
    client.origin.clone_from(&pubnub.origin);
    client.publish_key.clone_from(&pubnub.publish_key);
    client.secret_key = pubnub.secret_key.as_ref().map(|secret| secret.value().clone());
    client.auth_token = pubnub.auth_token.as_ref().map(|secret| secret.value().clone());
    client.request_timeout = pubnub.request_timeout;
    client.max_answer = usize::try_from(pubnub.max_answer).unwrap_or(usize::MAX);
    Ok(client)
}

/// A token's length in the address varies as tokens are replaced; this much is left for a longer one.
const TOKEN_ROOM: usize = 2048;

/// What the actors need. `address` is how many bytes of a request's address are left for names.
///
/// # Errors
/// A name that the configuration let pass and the domain does not: that would be a mistake in adsum.
pub(super) fn settings(config: &Config, address: usize) -> anyhow::Result<Settings> {
    let groups = config
        .watch
        .groups
        .iter()
        .map(|name| GroupName::new(name).with_context(|| format!("group {name:?}")));
    let rules = config.watch.rules.iter().map(|rule| {
        Ok::<_, anyhow::Error>(Rule { channels: targets(&rule.channels)?, policy: policy(rule.watching) })
    });
    Ok(Settings {
        targets: targets(&config.watch.channels)?,
        groups: groups.collect::<Result<_, _>>()?,
        policies: Policies { default: policy(config.watch.base), rules: rules.collect::<Result<_, _>>()? },
        discover_interval: config.watch.discover_interval,
        limits: Limits {
            channels: usize::try_from(config.pubnub.channels_per_request).unwrap_or(usize::MAX),
            address: address.saturating_sub(TOKEN_ROOM),
            users: USERS_PER_REQUEST,
            cache_ttl: config.pubnub.cache_ttl,
        },
        max_requests_per_second: f64::from(config.pubnub.max_requests_per_second),
        mark_every: config.history.mark_every,
        retain: config.history.retain,
    })
}

fn targets(names: &[String]) -> anyhow::Result<Vec<Target>> {
    names.iter().map(|name| Target::new(name).with_context(|| format!("channel {name:?}"))).collect()
}

fn policy(watching: Watching) -> Policy {
    Policy {
        interval: watching.interval,
        gap_after: watching.gap_after,
        include_state: watching.include_state,
        include_uuids: watching.include_uuids,
    }
}

/// What the embedded origin needs.
pub(super) fn origin_settings(config: &Config) -> OriginSettings {
    let origin = &config.origin;
    OriginSettings {
        listen: origin.listen,
        presence_timeout: origin.presence_timeout,
        announce_max: usize::try_from(origin.announce_max).unwrap_or(usize::MAX),
        announce_interval: origin.announce_interval,
        here_now_cache: origin.here_now_cache,
        ..OriginSettings::default()
    }
}

/// What cannot change while adsum runs, as text to compare. Secrets are not in it.
pub(super) fn fixed(config: &Config) -> String {
    let mut pubnub = config.pubnub.clone();
    pubnub.auth_token = None;
    format!("{pubnub:?} {:?} {:?} {:?}", config.history, config.state, config.server.listen)
}

/// How often a secret file is looked at.
pub(super) const SECRETS_EVERY: Duration = Duration::from_secs(10);
