//! `[server]`: where the API listens and whom it lets in.

use std::net::SocketAddr;

use super::secret::{self, Tokens};
use super::section::Section;

/// What a listen address may be, for messages.
pub(super) const ADDRESS: &str = "an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"";

const URL: &str = "an address that begins with \"https://\" or \"http://\", without user name, password, query and fragment, \
                   of at most 1024 bytes";

/// Longest `public_url`, in bytes.
const MAX_URL: usize = 1_024;

/// The API.
#[derive(Debug, Clone)]
pub struct Server {
    /// The address it listens on; port 0 is any free one.
    pub listen: SocketAddr,
    /// Who may ask. None only on a loopback address.
    pub tokens: Tokens,
    /// How people reach it, for links; it ends without `/`. `None`: where it listens.
    pub public_url: Option<String>,
}

pub(super) fn read(mut section: Section<'_>) -> Option<Server> {
    let listen: Option<SocketAddr> = section.text("listen", ADDRESS, |text| text.parse().ok());
    let tokens = secret::tokens(&mut section);
    if let (Some(listen), Some(tokens)) = (&listen, &tokens)
        && tokens.is_empty()
        && !listen.ip().is_loopback()
    {
        section.refuse("listen", "must be a loopback address, or server.tokens must be set".to_owned());
    }
    let public_url = section.text("public_url", URL, url);
    section.finish();
    Some(Server { listen: listen?, tokens: tokens?, public_url })
}

/// The beginning of an address, to which a path may be added.
fn url(text: &str) -> Option<String> {
    let url = reqwest::Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    })?;
    let url = url.as_str().trim_end_matches('/');
    (url.len() <= MAX_URL).then(|| url.to_owned())
}
