//! One request as it goes over the wire: a raw path and a canonical query.

use secrecy::{ExposeSecret as _, SecretString};

use super::error::Error;
use super::names::encode;
use super::signature::Signer;

/// The longest request URI (path and query) the service takes, in bytes (PROTOCOL.md 1.6: 414 above 32 KiB).
pub const MAX_URI: usize = 32 * 1024;

/// What adsum calls itself in `pnsdk`.
const SDK: &str = concat!("adsum/", env!("CARGO_PKG_VERSION"));

/// What one call asks for; the same for every attempt.
pub(super) struct Request {
    /// The path exactly as sent, its pieces already encoded.
    pub(super) path: String,
    /// The call's own parameters, not yet encoded.
    pub(super) params: Vec<(&'static str, String)>,
    /// Whether the request carries the auth token and the signature; `/time/0` does neither (PROTOCOL.md 2.8, 5.2).
    pub(super) authorised: bool,
}

/// What every request of a client carries.
pub(super) struct Identity<'a> {
    pub(super) user_id: &'a str,
    pub(super) auth_token: Option<&'a SecretString>,
    pub(super) signer: Option<&'a Signer>,
    /// Unix seconds, for the signature.
    pub(super) timestamp: u64,
}

impl Request {
    pub(super) fn new(path: String) -> Self {
        Self { path, params: Vec::new(), authorised: true }
    }

    /// Adds a parameter.
    pub(super) fn param(&mut self, key: &'static str, value: impl Into<String>) {
        self.params.push((key, value.into()));
    }

    /// Adds a list parameter, unless the list is empty.
    pub(super) fn list(&mut self, key: &'static str, value: String) {
        if !value.is_empty() {
            self.param(key, value);
        }
    }

    /// The URI (path and query) to send. Each call gives another one: it carries a fresh `requestid`.
    pub(super) fn uri(&self, identity: &Identity<'_>) -> Result<String, Error> {
        let uri = self.build(identity);
        if uri.len() > MAX_URI {
            let what = format!("the URI is {} bytes long, the service takes {MAX_URI}", uri.len());
            return Err(Error::InvalidRequest { what });
        }
        Ok(uri)
    }

    /// How long the URI is, whatever its limit.
    pub(super) fn len(&self, identity: &Identity<'_>) -> usize {
        self.build(identity).len()
    }

    fn build(&self, identity: &Identity<'_>) -> String {
        let mut params: Vec<(&str, String)> = self.params.iter().map(|(k, v)| (*k, encode(v))).collect();
        if !params.iter().any(|(key, _)| *key == "uuid") {
            params.push(("uuid", encode(identity.user_id)));
        }
        params.push(("pnsdk", encode(SDK)));
        params.push(("requestid", uuid::Uuid::new_v4().to_string()));
        let signer = identity.signer.filter(|_| self.authorised);
        if let Some(token) = identity.auth_token.filter(|_| self.authorised) {
            params.push(("auth", encode(token.expose_secret())));
        }
        if signer.is_some() {
            params.push(("timestamp", identity.timestamp.to_string()));
        }
        params.sort_unstable_by_key(|(key, _)| *key);
        let query = params.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&");
        let path = &self.path;
        match signer {
            Some(signer) => format!("{path}?{query}&signature={}", signer.sign(path, &query)),
            None => format!("{path}?{query}"),
        }
    }
}
