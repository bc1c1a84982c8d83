//! Secrets as their files have them now. Each is taken for itself: one that cannot be used any more keeps no other back.

use std::time::Duration;

use tracing::warn;

use super::receivers::receiver;
use crate::config::{Notifier, Secret};

/// How often a secret file is looked at.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// A secret as its file has it now; as it was if that cannot be used.
pub(super) fn again(secret: Option<&Secret>) -> Option<Secret> {
    let secret = secret?;
    let read = secret.read_again();
    Some(read.unwrap_or_else(|error| {
        warn!(%error, "the secret stays as it is");
        secret.clone()
    }))
}

/// Notifiers with their secrets as their files have them now; one that cannot be made with them stays as it was.
pub(super) fn again_of_all(notifiers: &[Notifier]) -> Vec<Notifier> {
    let again = notifiers.iter().map(|notifier| {
        again_of(notifier).unwrap_or_else(|error| {
            let notifier = notifier.name.as_str();
            warn!(notifier, %error, "the secrets of the notifier stay as they are");
            None
        })
    });
    again.zip(notifiers).map(|(new, old)| new.unwrap_or_else(|| old.clone())).collect()
}

/// The notifier with its new secrets; `None` if they are the old ones.
fn again_of(notifier: &Notifier) -> anyhow::Result<Option<Notifier>> {
    let new = notifier.read_secrets_again()?;
    if new == *notifier {
        return Ok(None);
    }
    receiver(&new, "")?;
    Ok(Some(new))
}
