//! Signatures by the Standard Webhooks specification, version 1.0.0: HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use super::SettingsError;

/// Before a secret, so that it is told at a glance from other base64.
const PREFIX: &str = "whsec_";

/// How long a key is, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Secrets are handed out with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys that sign: while receivers change over to a new one, the old one too.
#[derive(Clone)]
pub struct Keys(Vec<Hmac<Sha256>>);

impl Keys {
    /// Takes secrets as they are handed out: 24 to 64 bytes in base64, with `whsec_` before them or not.
    ///
    /// # Errors
    /// [`SettingsError::BadSecret`].
    pub fn new(secrets: &[SecretString]) -> Result<Self, SettingsError> {
        secrets
            .iter()
            .map(|secret| key(secret).ok_or(SettingsError::BadSecret))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The value of `webhook-signature`: one `v1,…` of each key. `timestamp` is in Unix seconds. Neither it nor `id` may
    /// hold a dot: dots set the parts apart.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signature = |key: &Hmac<Sha256>| {
            let mac = key.clone().chain_update(format!("{id}.{timestamp}.")).chain_update(body).finalize();
            format!("v1,{}", STANDARD.encode(mac.into_bytes()))
        };
        self.0.iter().map(signature).collect::<Vec<_>>().join(" ")
    }
}

fn key(secret: &SecretString) -> Option<Hmac<Sha256>> {
    let text = secret.expose_secret();
    let key = BASE64.decode(text.strip_prefix(PREFIX).unwrap_or(text)).ok()?;
    KEY_BYTES.contains(&key.len()).then(|| Hmac::new_from_slice(&key).ok()).flatten()
}
