//! Addresses that a webhook may not lead to.

use adsum::notify::{Remedy, SettingsError, Texts, Webhook};
use proptest::prelude::*;
use rstest::rstest;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::python::{Script, certificate};
use crate::receiver::Receiver;
use crate::world::{SECRET, deliver, firing, http, webhook};

fn made(url: &str, allow_private: bool) -> Result<Webhook, SettingsError> {
    let mut settings = http(url);
    settings.allow_private = allow_private;
    Webhook::new(&settings, &[SECRET.into()], "urn:a", &Texts::default())
}

#[rstest]
#[case("http://127.0.0.1/")]
#[case("http://127.1/")]
#[case("http://2130706433/")]
#[case("http://0x7f.0.0.1/")]
#[case("http://0177.0.0.1/")]
#[case("http://127.0.0.1./")]
#[case("http://%31%32%37.0.0.1/")]
#[case("http://127。0。0。1/")]
#[case("http://[::1]/")]
#[case("http://[::ffff:127.0.0.1]/")]
#[case("http://[::ffff:a9fe:a9fe]/")]
#[case("https://169.254.169.254/latest/meta-data")]
#[case("https://10.0.0.1/")]
#[case("https://100.64.0.1/")]
#[case("https://[fd00::1]/")]
#[case("https://[fe80::1]/")]
#[case("https://[64:ff9b::7f00:1]/")]
#[case("http://0/")]
fn a_private_address_is_refused_however_it_is_written(#[case] url: &str) {
    assert!(matches!(made(url, false), Err(SettingsError::PrivateAddress { .. })), "{url}");
    assert!(made(url, true).is_ok(), "{url}");
}

#[rstest]
#[case("")]
#[case("lobby")]
#[case("/hook")]
#[case("ftp://example.com/")]
#[case("file:///etc/passwd")]
#[case("http://user@example.com/")]
#[case("http://user:s3cret@example.com/")]
#[case("http://example.com/#s3cret")]
#[case("http:///")]
fn what_is_no_address_of_a_webhook_is_refused_without_repeating_it(#[case] url: &str) {
    let error = made(url, true).err().unwrap();
    assert!(matches!(error, SettingsError::BadUrl), "{url}: {error}");
    assert!(!error.to_string().contains("s3cret"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_way_to_write_a_loopback_address_is_seen_through(low in any::<[u8; 3]>(), form in 0_usize..5) {
        let address = Ipv4Addr::new(127, low[0], low[1], low[2]);
        let bits = address.to_bits();
        let host = match form {
            0 => address.to_string(),
            1 => bits.to_string(),
            2 => format!("0x{bits:x}"),
            3 => format!("0177.{}.{}", low[0], u16::from_be_bytes([low[1], low[2]])),
            _ => format!("[{}]", Ipv6Addr::from_bits(0xffff_0000_0000 | u128::from(bits))),
        };
        let refused = matches!(made(&format!("http://{host}/"), false), Err(SettingsError::PrivateAddress { .. }));
        prop_assert!(refused, "{host}");
    }
}

/// A name may have any address, and another one the next time: it is checked where the connection is made.
#[tokio::test]
async fn a_name_that_has_a_private_address_is_not_connected_to() {
    let receiver = Receiver::answering("200 OK");
    let url = format!("http://localhost:{}/", receiver.port());
    let refused = deliver(&made(&url, false).unwrap(), &firing()).await.unwrap_err();
    assert!(matches!(refused.remedy, Remedy::Retry { .. }));
    assert!(refused.answer.contains("localhost has no public address; allow_private = true"), "{refused}");
    assert_eq!(receiver.connections(), 0);
    deliver(&made(&url, true).unwrap(), &firing()).await.unwrap();
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_worth_another_try() {
    let refused = deliver(&made("http://nowhere.invalid/", false).unwrap(), &firing()).await.unwrap_err();
    assert!(matches!(refused.remedy, Remedy::Retry { .. }), "{refused}");
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_trusted_where_it_is_given_and_nowhere_else() {
    let certificate = certificate();
    let server = Script::start("https.py", &[certificate.to_str().unwrap()]);
    let mut settings = http(&format!("https://localhost:{}/hook", server.json()["port"]));
    let refused = deliver(&webhook(&settings), &firing()).await.unwrap_err();
    assert!(matches!(refused.remedy, Remedy::Retry { .. }), "{refused}");
    settings.ca = Some(std::fs::read(certificate).unwrap());
    deliver(&webhook(&settings), &firing()).await.unwrap();
    assert_eq!(server.json()["path"], "/hook");
}

#[rstest]
#[case("")]
#[case("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")]
#[case("-----BEGIN CERTIFICATE-----\n")]
fn what_is_no_certificate_is_refused(#[case] pem: &str) {
    let mut settings = http("https://example.com/");
    settings.ca = Some(pem.into());
    let made = Webhook::new(&settings, &[SECRET.into()], "urn:a", &Texts::default());
    assert!(matches!(made, Err(SettingsError::Tls { .. })));
}
