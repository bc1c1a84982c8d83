//! A mail, from the outbox to a real server.

use std::sync::Arc;
use std::time::Duration;

use adsum::history::alerts::DeliveryStatus;
use adsum::notify::{Email, EmailSettings, Encryption, Texts};

use crate::python::{Script, certificate};
use crate::world::{World, receiver};

#[actix::test]
async fn an_alert_arrives_as_a_mail_over_tls_with_all_that_a_person_needs() {
    let certificate = certificate();
    let server = Script::start(
        "smtp.py",
        &["--encryption", "starttls", "--certificate", certificate.to_str().unwrap()],
    );
    let settings = EmailSettings {
        server: "localhost".to_owned(),
        port: u16::try_from(server.json()["port"].as_u64().unwrap()).ok(),
        encryption: Encryption::Starttls,
        ca: Some(std::fs::read(certificate).unwrap()),
        login: None,
        from: "adsum <adsum@example.com>".to_owned(),
        // The second is refused the first time only.
        to: vec!["ops@example.com".to_owned(), "slow@example.com".to_owned()],
        timeout: Duration::from_secs(10),
    };
    let email = Arc::new(Email::new(&settings, &Texts::default()).unwrap());
    let world = World::real(vec![receiver("mail", 4, email)]);
    world.fires("crowded", &["lobby"], "mail");
    world.until_all_are(DeliveryStatus::Delivered).await;
    let (first, second) = (server.json(), server.json());
    assert_eq!((&first["to"][0], &second["to"][0]), (&"ops@example.com".into(), &"slow@example.com".into()));
    assert_eq!((&first["encrypted"], &second["encrypted"]), (&true.into(), &true.into()));
    let text = first["text"].as_str().unwrap();
    for part in
        ["\"lobby\": occupancy above 200, 240 there", "Began between", "http://adsum.test/v1/alerts/history"]
    {
        assert!(text.contains(part), "{text}");
    }
    let header = |mail: &serde_json::Value, name: &str| {
        let headers = mail["headers"].as_array().unwrap();
        headers.iter().find(|header| header[0] == name).map(|header| header[1].clone()).unwrap()
    };
    let delivery = world.deliveries().remove(0);
    let id = format!("<{}@example.com>", delivery.id);
    assert_eq!((header(&first, "message-id"), header(&second, "message-id")), (id.clone().into(), id.into()));
    assert_eq!(header(&first, "subject"), "firing: crowded (warning), lobby");
    assert_eq!(delivery.attempts, 2);
}
