//! The client: its configuration, and how one call runs.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret as _, SecretString};

use super::answer::{self, Flaw};
use super::error::Error;
use super::names::encode;
use super::refusal::{is_refusal, refusal};
use super::request::{Identity, MAX_URI, Request};
use super::retry::RetryPolicy;
use super::signature::Signer;
use super::transport::{Answer, Http, Transport};

/// PubNub's own origin.
pub const DEFAULT_ORIGIN: &str = "https://ps.pndsn.com";

/// The default of [`ClientConfig::max_answer`]: 32 MiB.
pub const DEFAULT_MAX_ANSWER: usize = 32 * 1024 * 1024;

/// The wall clock as Unix seconds: a signature carries the time and is refused when it is more than 60 s off
/// (PROTOCOL.md 5.1). Nothing else here reads it, but for a `Retry-After` that names a date.
pub type UnixClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What a [`Client`] needs to know.
#[derive(Clone)]
pub struct ClientConfig {
    /// Scheme, host and port of the Presence API, such as `https://ps.pndsn.com` or `http://127.0.0.1:8090`.
    pub origin: String,
    /// The subscribe key; must not be empty.
    pub subscribe_key: String,
    /// The publish key; needed with a secret key, since it is part of what is signed.
    pub publish_key: Option<String>,
    /// Signs every request but `time` (signature v2).
    pub secret_key: Option<SecretString>,
    /// A PAM token or auth key, sent with every request but `time`.
    pub auth_token: Option<SecretString>,
    /// Who asks, and whom calls about "me" mean; must not be empty.
    pub user_id: String,
    /// The longest one request may take, its whole answer included.
    pub request_timeout: Duration,
    /// The longest answer that is read, in bytes after unpacking. What comes of it takes more memory than that: a small
    /// state some 600 bytes. An answer that would take more than 1 GiB is a bad one.
    pub max_answer: usize,
    /// What to do after an error that may pass.
    pub retry: RetryPolicy,
    /// The time for signatures.
    pub clock: UnixClock,
}

impl ClientConfig {
    /// A configuration with PubNub's origin, 10 s per request (the SDKs' own default), answers up to
    /// [`DEFAULT_MAX_ANSWER`], no retries and the system's clock.
    pub fn new(subscribe_key: impl Into<String>, user_id: impl Into<String>) -> Self {
        Self {
            origin: DEFAULT_ORIGIN.to_owned(),
            subscribe_key: subscribe_key.into(),
            publish_key: None,
            secret_key: None,
            auth_token: None,
            user_id: user_id.into(),
            request_timeout: Duration::from_secs(10),
            max_answer: DEFAULT_MAX_ANSWER,
            retry: RetryPolicy::None,
            clock: Arc::new(system_clock),
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("origin", &self.origin)
            .field("subscribe_key", &self.subscribe_key)
            .field("publish_key", &self.publish_key)
            .field("secret_key", &self.secret_key)
            .field("auth_token", &self.auth_token)
            .field("user_id", &self.user_id)
            .field("request_timeout", &self.request_timeout)
            .field("max_answer", &self.max_answer)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// Why no [`Client`] can be made of a [`ClientConfig`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The origin is not `http://` or `https://` with a host and, maybe, a port.
    #[error("origin {origin:?} is not of the form https://host[:port]")]
    Origin {
        /// What was given, without user name and password.
        origin: String,
    },
    /// The subscribe key is empty, or `.` or `..`, which no URI can carry.
    #[error("the subscribe key is missing")]
    SubscribeKey,
    /// The user id is empty.
    #[error("the user id is empty")]
    UserId,
    /// There is a secret key but no publish key, which is part of what is signed.
    #[error("a secret key needs the publish key beside it")]
    PublishKey,
    /// The secret key is empty.
    #[error("the secret key is empty")]
    SecretKey,
    /// HTTP or TLS could not be set up on this system.
    #[error("cannot set up HTTP: {what}")]
    Http {
        /// What failed.
        what: String,
    },
}

/// A Presence API client. Clones share connections and the auth token.
///
/// It talks to the configured origin and to nothing else: redirects are not followed and proxy variables of the
/// environment (`HTTPS_PROXY` and the like) are not read. HTTPS origins need certificates on this system; `http` origins need none. Every request
/// carries `pnsdk=adsum/<version>`, its own `requestid` and the user id.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Box<dyn Transport>,
    /// Percent-encoded.
    subscribe_key: String,
    signer: Option<Signer>,
    auth_token: RwLock<Option<SecretString>>,
    user_id: String,
    retry: RetryPolicy,
    clock: UnixClock,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("subscribe_key", &self.inner.subscribe_key)
            .field("user_id", &self.inner.user_id)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Checks the configuration; nothing is sent.
    ///
    /// # Errors
    /// [`ConfigError`], for the first thing found wrong.
    pub fn new(config: ClientConfig) -> Result<Self, ConfigError> {
        let http = Http::new(origin(&config.origin)?, config.request_timeout, config.max_answer)
            .map_err(|what| ConfigError::Http { what })?;
        Self::with_transport(config, http)
    }

    /// A client whose requests travel by other means. The origin, the timeout and the size of answers in the
    /// configuration are then for the transport to mind.
    ///
    /// # Errors
    /// [`ConfigError`], for the first thing found wrong.
    pub fn with_transport(
        config: ClientConfig,
        transport: impl Transport + 'static,
    ) -> Result<Self, ConfigError> {
        let subscribe_key = super::names::path_piece("subscribe key", &config.subscribe_key)
            .map_err(|_| ConfigError::SubscribeKey)?;
        if config.user_id.is_empty() {
            return Err(ConfigError::UserId);
        }
        let signer = match config.secret_key {
            Some(secret_key) => Some(signer(config.publish_key, &secret_key)?),
            None => None,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                transport: Box::new(transport),
                subscribe_key,
                signer,
                auth_token: RwLock::new(config.auth_token),
                user_id: config.user_id,
                retry: config.retry,
                clock: config.clock,
            }),
        })
    }

    /// Replaces the auth token for this client and all its clones, from the next request on.
    pub fn set_auth_token(&self, token: Option<SecretString>) {
        *self.inner.auth_token.write().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// The user id calls are made as.
    pub fn user_id(&self) -> &str {
        &self.inner.user_id
    }

    /// How many bytes of channel names fit into one here-now request, whatever its other options but groups: the sum of
    /// [`encoded_len`](super::encoded_len) plus one for each.
    pub fn channel_budget(&self) -> usize {
        let mut request = Request::new(format!("/v2/presence/sub-key/{}/channel/", self.subscribe_key()));
        for key in ["disable_uuids", "state", "limit", "offset"] {
            request.param(key, u32::MAX.to_string());
        }
        MAX_URI.saturating_sub(request.len(&self.identity(self.auth_token().as_ref())))
    }

    /// The subscribe key as it stands in a path.
    pub(super) fn subscribe_key(&self) -> &str {
        &self.inner.subscribe_key
    }

    /// Runs one call: one request, or as many as the retry policy allows.
    pub(super) async fn call<T>(
        &self,
        request: &Request,
        parse: impl Fn(&str) -> Result<T, Flaw>,
    ) -> Result<T, Error> {
        self.inner.retry.run(|| self.once(request, &parse)).await
    }

    async fn once<T>(&self, request: &Request, parse: impl Fn(&str) -> Result<T, Flaw>) -> Result<T, Error> {
        let token = self.auth_token();
        let identity = self.identity(token.as_ref());
        let uri = request.uri(&identity)?;
        let answer = self.inner.transport.get(&uri, identity.timestamp).await?;
        understand(&answer, parse).map_err(|error| without_secrets(error, &answer.body, &uri, token.as_ref()))
    }

    fn auth_token(&self) -> Option<SecretString> {
        self.inner.auth_token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn identity<'a>(&'a self, auth_token: Option<&'a SecretString>) -> Identity<'a> {
        Identity {
            user_id: &self.inner.user_id,
            auth_token,
            signer: self.inner.signer.as_ref(),
            timestamp: (self.inner.clock)(),
        }
    }
}

/// The value an answer stands for.
pub(super) fn understand<T>(answer: &Answer, parse: impl Fn(&str) -> Result<T, Flaw>) -> Result<T, Error> {
    if !answer.is_success() {
        return Err(refusal(answer));
    }
    let bad = |flaw: &Flaw, text: &str| Error::BadAnswer { what: flaw.describe(text) };
    let text = answer::text(&answer.body).map_err(|(flaw, text)| bad(&flaw, &text))?;
    answer::check_memory(&text).map_err(|flaw| bad(&flaw, &text))?;
    match is_refusal(&text) {
        Ok(true) => Err(refusal(answer)),
        Ok(false) => parse(&text).map_err(|flaw| bad(&flaw, &text)),
        Err(flaw) => Err(bad(&flaw, &text)),
    }
}

/// Some services repeat the request in their message. What such an answer says is not shown where it repeats the token or
/// the signature.
fn without_secrets(error: Error, body: &[u8], uri: &str, token: Option<&SecretString>) -> Error {
    const WITHHELD: &str = "the answer repeats a secret of the request and is not shown";
    let signature = uri.split_once("&signature=").map(|(_, signature)| signature);
    let token = token.map(SecretString::expose_secret).filter(|token| !token.is_empty());
    let encoded = token.map(encode);
    let secrets = [signature, token, encoded.as_deref()];
    // In the body for what an excerpt cuts in two, in the error for what JSON escapes hide.
    let (body, said) = (String::from_utf8_lossy(body), format!("{error:?}"));
    if !secrets.into_iter().flatten().any(|secret| body.contains(secret) || said.contains(secret)) {
        return error;
    }
    match error {
        Error::Service { http_status, status, retry_after, .. } => Error::Service {
            http_status,
            status,
            message: WITHHELD.to_owned(),
            service: None,
            channels: Vec::new(),
            channel_groups: Vec::new(),
            retry_after,
        },
        Error::BadAnswer { .. } => Error::BadAnswer { what: WITHHELD.to_owned() },
        other => other,
    }
}

fn signer(publish_key: Option<String>, secret_key: &SecretString) -> Result<Signer, ConfigError> {
    let publish_key = publish_key.filter(|key| !key.is_empty()).ok_or(ConfigError::PublishKey)?;
    if secret_key.expose_secret().is_empty() {
        return Err(ConfigError::SecretKey);
    }
    Signer::new(publish_key, secret_key).ok_or(ConfigError::SecretKey)
}

/// Scheme, host and port. A path would become part of what is signed, and PubNub has none.
fn origin(given: &str) -> Result<String, ConfigError> {
    let parsed = reqwest::Url::parse(given).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
    });
    match parsed {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        None => Err(ConfigError::Origin { origin: without_user_info(given) }),
    }
}

/// What stands before an `@` may be a password.
fn without_user_info(origin: &str) -> String {
    origin.rsplit_once('@').map_or(origin, |(_, host)| host).to_owned()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the system's clock enters; callers may bring their own"
)]
fn system_clock() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
