//! Names of this machine itself: what is open to it alone asks for one, so that a page of another site whose name was made
//! to lead here is refused (DNS rebinding).

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether a `Host` (with or without a port) is a name of this machine itself.
pub(crate) fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            return address.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback())
                && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
        }
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let local = name.eq_ignore_ascii_case("localhost")
        || name.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback());
    local && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.9.9.9:1", "[::1]", "[::1]:8080"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "localhost:8080:1",
            "localhost:x",
            "[::1",
            "[::1]x",
            "[::2]",
            "::1",
            "10.0.0.1",
            "0x7f.1",
            "127.1",
            "user@localhost",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
