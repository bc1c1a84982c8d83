//! From a configuration to those who are told.

use adsum::app::receivers;
use adsum::config::{Config, Notifier, Sources};
use adsum::domain::event::EventKind;
use tempfile::TempDir;

fn notifiers(text: &str) -> Vec<Notifier> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("adsum.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(&Sources { file: Some(file), ..Sources::default() }).unwrap().alerting.notifiers
}

const WEBHOOK: &str = "kind = 'webhook'\nsecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'\n";

#[test]
fn every_kind_of_notifier_is_made_with_its_name_and_bounds() {
    let notifiers = notifiers(&format!(
        "[[notifier]]\nname = 'hook'\n{WEBHOOK}url = 'https://example.com/x'\nat_once = 7\nevents = ['join', 'leave']\n\
         [[notifier]]\nname = 'chat'\nkind = 'slack'\nurl = 'https://example.com/x'\n\
         [[notifier]]\nname = 'talk'\nkind = 'discord'\nurl = 'https://example.com/x'\n\
         [[notifier]]\nname = 'mail'\nkind = 'email'\nhost = 'mail.example.com'\nfrom = 'a@example.com'\nto = ['b@example.com']\n"
    ));
    let receivers = receivers(&notifiers, "https://adsum.example").unwrap();
    let names: Vec<_> = receivers.iter().map(|receiver| (receiver.name.as_str(), receiver.at_once)).collect();
    assert_eq!(names, [("hook", 7), ("chat", 4), ("talk", 4), ("mail", 4)]);
    assert_eq!(receivers[0].events, [EventKind::Join, EventKind::Leave]);
    assert!(receivers[1..].iter().all(|receiver| receiver.events.is_empty()));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_the_notifiers_name() {
    let notifiers = notifiers(&format!(
        "[[notifier]]\nname = 'inside'\n{WEBHOOK}url = 'http://10.0.0.1/s3cret'\n\
         [[notifier]]\nname = 'good'\nkind = 'slack'\nurl = 'https://example.com/x'\n\
         [[notifier]]\nname = 'chat'\nkind = 'slack'\nurl = 'https://example.com/x'\ntext = '{{{{ nobody }}}}'\n"
    ));
    let faults = receivers(&notifiers, "https://adsum.example").unwrap_err();
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "the notifier \"inside\": the url leads to 10.0.0.1, which is no public address; allow_private = true allows it",
            "the notifier \"chat\": the template text: there is no nobody",
        ]
    );
}
