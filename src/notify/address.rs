//! Which addresses a webhook may lead to: public ones, unless private ones are allowed. Otherwise whoever may choose an
//! address could have adsum speak to what only adsum can reach.
//!
//! A name is resolved once, and the connection goes to the addresses that were checked: an answer of the name service
//! that changes in between (DNS rebinding) changes nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Whether `address` is one of the public internet (the IANA registries of special-purpose addresses, RFC 6890). An IPv6
/// address that stands for an IPv4 one (mapped, 6to4, NAT64) is judged by that one.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let reserved = match address.octets() {
        // This network, shared (carrier-grade NAT, RFC 6598), IETF, 6to4 relays, benchmarks, and multicast and above.
        [0, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [198, 18 | 19, ..] => true,
        [first, ..] if first >= 224 => true,
        [100, second, ..] => (64..128).contains(&second),
        _ => false,
    };
    !(reserved
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let v4 = |high: u16, low: u16| is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => v4(high, low),
        // IETF protocols (Teredo among them) and documentation, both within what follows.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // All that is given out as global unicast. Loopback, ULA, link-local, site-local and multicast are outside.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// Resolves names, and passes on only the addresses that are allowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolver {
    pub(super) allow_private: bool,
}

/// A name has no address that is allowed.
#[derive(Debug, thiserror::Error)]
#[error("{host} has no public address; allow_private = true allows others")]
struct NoPublicAddress {
    host: String,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            // Port 0: the client puts the right one there.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|address| allow_private || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err(NoPublicAddress { host: name.as_str().to_owned() }.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0.0.0.0")]
    #[case("10.1.2.3")]
    #[case("100.64.0.1")]
    #[case("100.127.255.255")]
    #[case("127.0.0.1")]
    #[case("127.255.255.254")]
    #[case("169.254.169.254")]
    #[case("172.16.0.1")]
    #[case("172.31.255.255")]
    #[case("192.0.0.8")]
    #[case("192.0.2.1")]
    #[case("192.88.99.1")]
    #[case("192.168.0.1")]
    #[case("198.18.0.1")]
    #[case("198.51.100.1")]
    #[case("203.0.113.1")]
    #[case("224.0.0.1")]
    #[case("239.255.255.250")]
    #[case("255.255.255.255")]
    #[case("::")]
    #[case("::1")]
    #[case("::127.0.0.1")]
    #[case("::ffff:127.0.0.1")]
    #[case("::ffff:10.0.0.1")]
    #[case("::ffff:169.254.169.254")]
    #[case("64:ff9b::10.0.0.1")]
    #[case("64:ff9b:1::1")]
    #[case("100::1")]
    #[case("2001::1")]
    #[case("2001:1ff::1")]
    #[case("2001:db8::1")]
    #[case("2002:7f00:1::")]
    #[case("2002:c0a8:1::1")]
    #[case("3fff:fff::1")]
    #[case("fc00::1")]
    #[case("fd12:3456::1")]
    #[case("fe80::1")]
    #[case("fec0::1")]
    #[case("ff02::1")]
    fn these_are_not_public(#[case] address: IpAddr) {
        assert!(!is_public(address));
    }

    #[rstest]
    #[case("1.1.1.1")]
    #[case("100.63.255.255")]
    #[case("100.128.0.0")]
    #[case("172.15.0.1")]
    #[case("172.32.0.1")]
    #[case("192.0.1.1")]
    #[case("198.17.0.1")]
    #[case("223.255.255.255")]
    #[case("::ffff:1.1.1.1")]
    #[case("64:ff9b::1.1.1.1")]
    #[case("2001:200::1")]
    #[case("2002:101:101::1")]
    #[case("2606:4700::1111")]
    #[case("3fff:1000::1")]
    fn these_are_public(#[case] address: IpAddr) {
        assert!(is_public(address));
    }

    proptest! {
        #[test]
        fn an_ipv4_address_is_judged_the_same_in_every_ipv6_form(bits in any::<u32>(), rest in any::<[u16; 5]>()) {
            let address = Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = address.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            let [p, q, r, s, t] = rest;
            for form in [
                address.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, p, q, r, s, t),
            ] {
                prop_assert_eq!(is_public(form.into()), is_public(address.into()), "{}", form);
            }
        }

        #[test]
        fn nothing_outside_global_unicast_is_public(first in prop_oneof![1_u16..0x2000, 0x4000_u16..], rest in any::<[u16; 7]>()) {
            let [b, c, d, e, f, g, h] = rest;
            prop_assume!((first, b) != (0x64, 0xff9b));
            prop_assert!(!is_public(Ipv6Addr::new(first, b, c, d, e, f, g, h).into()));
        }

        #[test]
        fn what_the_standard_library_calls_private_is_not_public(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() || v4.is_unspecified() || v4.is_documentation();
            prop_assert!(!(special && is_public(v4.into())));
        }
    }
}
