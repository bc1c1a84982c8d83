//! `[server]`: where the API listens and whom it lets in.

use std::net::SocketAddr;

use super::secret::{self, Tokens};
use super::section::Section;

/// What a listen address may be, for messages.
pub(super) const ADDRESS: &str = "an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"";

/// The API.
#[derive(Debug, Clone)]
pub struct Server {
    /// The address it listens on; port 0 is any free one.
    pub listen: SocketAddr,
    /// Who may ask. None only on a loopback address.
    pub tokens: Tokens,
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
    section.finish();
    Some(Server { listen: listen?, tokens: tokens? })
}
