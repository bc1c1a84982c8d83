//! From the configuration to the small structs that each part takes.

use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::ExposeSecret as _;

use super::receivers::receivers;
use crate::actors::alerting::Alerting;
use crate::actors::handle::Settings;
use crate::config::{Config, Findings, Secret};
use crate::domain::plan::Limits;
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
pub(super) fn settings(config: &Config, address: usize, alerting: Alerting) -> Settings {
    let watch = &config.watch;
    Settings {
        targets: watch.channels.clone(),
        groups: watch.groups.clone(),
        policies: watch.policies.clone(),
        discover_interval: watch.discover_interval,
        limits: Limits {
            channels: usize::try_from(config.pubnub.channels_per_request).unwrap_or(usize::MAX),
            address: address.saturating_sub(TOKEN_ROOM),
            users: USERS_PER_REQUEST,
            cache_ttl: config.pubnub.cache_ttl,
        },
        max_requests_per_second: f64::from(config.pubnub.max_requests_per_second),
        mark_every: config.history.mark_every,
        retain: config.history.retain,
        alerting,
    }
}

/// What alerts are judged by and who is told. The API listens on `address`.
///
/// # Errors
/// Every notifier that cannot be made: something that it depends on has changed since the configuration was read.
pub(super) fn alerting(config: &Config, address: SocketAddr) -> anyhow::Result<Alerting> {
    let here = format!("http://{address}");
    let base = config.server.public_url.as_ref();
    let receivers = receivers(&config.alerting.notifiers, base.unwrap_or(&here)).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::Error::msg(faults.join("\n"))
    })?;
    // All addresses of a machine are no address of its.
    let base = base.or(Some(&here).filter(|_| !address.ip().is_unspecified()));
    let rules = config.alerting.rules.iter().cloned().map(Arc::new).collect();
    Ok(Alerting { rules, receivers, base: base.map(|base| base.as_str().into()) })
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
        faults: origin.faults.clone(),
        ..OriginSettings::default()
    }
}

/// Whether two configurations differ in what cannot change while adsum runs.
pub(super) fn differ_for_good(one: &Config, other: &Config) -> bool {
    let text = |config: &Config| {
        let mut pubnub = config.pubnub.clone();
        pubnub.auth_token = None;
        let (history, state, discover) = (&config.history, &config.state, config.watch.discover_interval);
        // Secrets are not in this.
        format!("{pubnub:?} {history:?} {state:?} {:?} {discover:?}", config.server.listen)
    };
    let secrets = |config: &Config| {
        let tokens = config.server.tokens.values().iter();
        let secrets = tokens.chain(config.pubnub.secret_key.as_ref().map(Secret::value));
        secrets.map(|secret| secret.expose_secret().to_owned()).collect::<Vec<_>>()
    };
    text(one) != text(other) || secrets(one) != secrets(other)
}
