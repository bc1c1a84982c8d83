//! `[[alert]]` and `[[notifier]]`: every rule of them, through [`Config::load`].
#![allow(missing_docs, reason = "a test's name says what it is about")]
#![allow(clippy::expect_used, clippy::panic, reason = "the helpers of the tests may fail as the tests do")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use adsum::config::alerting::Alerting;
use adsum::config::{Config, Encryption, Finding, Layer, Notifier, NotifierKind, Sources, Webhook};
use adsum::domain::alert::{Condition, OnGap, Rule, Severity};
use adsum::domain::event::EventKind;
use adsum::domain::names::UserId;
use rstest::rstest;
use secrecy::ExposeSecret;
use tempfile::TempDir;

/// 24 bytes.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
const WEBHOOK: &str = "kind = 'webhook'\nurl = 'https://example.com/hook'\n";
const MAIL: &str = "kind = 'email'\nhost = 'mail.example.com'\nfrom = 'a@b.c'\nto = ['d@e.f']\n";

/// A configuration file with this text.
struct Given {
    folder: TempDir,
    sources: Sources,
}

impl Given {
    fn file(text: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("adsum.toml");
        fs::write(&path, text).expect("a file");
        Self { folder, sources: Sources { file: Some(path), ..Sources::default() } }
    }

    /// A rule with these keys, besides its name and channels.
    fn rule(keys: &str) -> Self {
        Self::file(&format!("[[alert]]\nname = 'crowded'\nchannels = ['lobby']\n{keys}\n"))
    }

    /// A notifier with these keys, besides its name.
    fn notifier(keys: &str) -> Self {
        Self::file(&format!("[[notifier]]\nname = 'ops'\n{keys}\n"))
    }

    /// A file beside the configuration, whose path stands for `@name` in it.
    fn beside(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::write(&path, text).expect("a file");
        let file = self.path("adsum.toml");
        let config = fs::read_to_string(&file).expect("the file");
        fs::write(&file, config.replace(&format!("@{name}"), path.to_str().expect("text"))).expect("written");
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self) -> Alerting {
        Config::load(&self.sources).expect("a good configuration").alerting
    }

    fn findings(&self) -> Vec<Finding> {
        Config::load(&self.sources).expect_err("findings").0
    }

    /// The only finding.
    fn finding(&self) -> Finding {
        let mut findings = self.findings();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        findings.remove(0)
    }

    fn only_rule(&self) -> Rule {
        self.load().rules.remove(0)
    }

    fn only_kind(&self) -> NotifierKind {
        self.load().notifiers.remove(0).kind
    }
}

#[test]
fn these_sections_are_found_wrong_together_with_the_others() {
    let given = Given::file(
        "[watch]\ninterval = 'fast'\n[[notifier]]\nname = 'ops'\nkind = 'pigeon'\n\
         [[alert]]\nname = 'a'\nchannels = ['x']\nunobserved = true\nfor = 'long'\n[origin]\nlisten = 'here'\n",
    );
    let keys: Vec<String> = given.findings().into_iter().map(|finding| finding.key).collect();
    assert_eq!(keys, ["watch.interval", "notifier[0:ops].kind", "alert[0:a].for", "origin.listen"]);
}

#[test]
fn the_example_of_the_specification_is_read() {
    let given = Given::file(
        "[[notifier]]\nname = 'ops'\nkind = 'webhook'\nurl = 'https://example.com/hook'\nsecret_file = '@hook'\n\
         allow_private = false\n\
         [[alert]]\nname = 'crowded'\nchannels = ['lobby', 'room.*']\noccupancy_above = 200\nclear_below = 180\n\
         for = '30s'\nseverity = 'warning'\nnotify = ['ops']\nsend_resolved = true\n",
    )
    .beside("hook", SECRET);
    let Alerting { rules, notifiers } = given.load();
    let rule = &rules[0];
    assert_eq!(rule.condition, Condition::OccupancyAbove { bound: 200, clear_below: 180 });
    assert_eq!(
        (rule.name.as_str(), rule.hold_for, rule.severity),
        ("crowded", Duration::from_secs(30), Severity::Warning)
    );
    assert_eq!(rule.notify[0], notifiers[0].name);
    let NotifierKind::Webhook(Webhook { http, secrets, .. }) = &notifiers[0].kind else {
        panic!("{notifiers:?}")
    };
    assert!(!http.allow_private);
    assert_eq!(secrets.values()[0].expose_secret(), SECRET);
}

#[test]
fn what_is_not_set_has_its_default() {
    let rule = Given::rule("occupancy_above = 5").only_rule();
    assert_eq!(rule.condition, Condition::OccupancyAbove { bound: 5, clear_below: 6 });
    assert_eq!(
        (rule.hold_for, rule.keep_firing_for, rule.repeat_every),
        (Duration::ZERO, Duration::ZERO, None)
    );
    assert_eq!((rule.on_gap, rule.severity, rule.send_resolved), (OnGap::Keep, Severity::Warning, true));
    assert!(rule.notify.is_empty());
    let notifier = Given::notifier(MAIL).load().notifiers.remove(0);
    assert_eq!((notifier.timeout, notifier.at_once, notifier.ca), (Duration::from_secs(20), 4, None));
    assert!(Given::file("").load().rules.is_empty());
}

#[test]
fn every_condition_is_read() {
    let condition = |keys: &str| Given::rule(keys).only_rule().condition;
    let ada = || UserId::new("ada").expect("a name");
    assert_eq!(condition("occupancy_below = 1"), Condition::OccupancyBelow { bound: 1, clear_above: 0 });
    assert_eq!(
        condition("occupancy_below = 3\nclear_above = 5"),
        Condition::OccupancyBelow { bound: 3, clear_above: 5 }
    );
    assert_eq!(condition("user_present = 'ada'"), Condition::UserPresent { user: ada() });
    assert_eq!(condition("user_absent = 'ada'"), Condition::UserAbsent { user: ada() });
    assert_eq!(condition("unobserved = true"), Condition::Unobserved);
}

/// Each with the key that is refused, and a word of why.
#[rstest]
#[case("", "name", "needs a condition")]
#[case("occupancy_above = -1", "occupancy_above", "0 to 4294967294")]
#[case("occupancy_above = 4294967295", "occupancy_above", "0 to 4294967294")]
#[case("occupancy_below = 0", "occupancy_below", "1 to 4294967295")]
#[case("occupancy_above = 5\nunobserved = true", "unobserved", "occupancy_above is set")]
#[case("user_present = 'a'\nuser_absent = 'b'", "user_absent", "user_present is set")]
#[case("user_present = ''", "user_present", "user id")]
#[case("unobserved = false", "unobserved", "true, or left out")]
#[case("occupancy_above = 200\nclear_below = 202", "clear_below", "at most 201")]
#[case("occupancy_above = 200\nclear_below = 0", "clear_below", "from 1")]
#[case("occupancy_above = 200\nclear_above = 180", "clear_above", "goes with occupancy_below")]
#[case("occupancy_below = 10\nclear_above = 8", "clear_above", "at least 9")]
#[case("occupancy_below = 10\nclear_below = 12", "clear_below", "goes with occupancy_above")]
#[case("unobserved = true\nclear_below = 1", "clear_below", "goes with occupancy_above")]
#[case("unobserved = true\non_gap = 'fire'", "on_gap", "leave it out")]
#[case("unobserved = true\nfor = '31d'", "for", "0s to 30d")]
#[case("unobserved = true\nfor = 30", "for", "duration")]
#[case("unobserved = true\nkeep_firing_for = '31d'", "keep_firing_for", "0s to 30d")]
#[case("unobserved = true\nrepeat_every = '9s'", "repeat_every", "10s to 30d")]
#[case("occupancy_above = 1\non_gap = 'ignore'", "on_gap", "\"keep\", \"fire\", \"resolve\"")]
#[case("unobserved = true\nseverity = 'page'", "severity", "\"info\", \"warning\", \"critical\"")]
#[case("unobserved = true\nsend_resolved = 'maybe'", "send_resolved", "true or false")]
#[case("unobserved = true\nnotify = ['ops']", "notify[0]", "there is no [[notifier]]")]
#[case("unobserved = true\nnotfy = ['ops']", "notfy", "unknown key; known here are name, channels, occupancy_above, occupancy_below, user_present, user_absent, unobserved, clear_below, clear_above, for, keep_firing_for, on_gap, severity, notify, repeat_every, send_resolved")]
fn a_rule_that_is_wrong_is_refused(#[case] keys: &str, #[case] key: &str, #[case] word: &str) {
    let finding = Given::rule(keys).finding();
    assert_eq!(finding.key, format!("alert[0:crowded].{key}"));
    assert!(finding.allowed.contains(word), "{finding}");
    assert!(matches!(finding.layer, Layer::File(_)), "{finding:?}");
}

#[rstest]
#[case("channels = ['a,b']", "channels[0]")]
#[case("channels = []", "channels")]
#[case("", "channels")]
fn a_rule_without_good_channels_is_refused(#[case] channels: &str, #[case] key: &str) {
    let finding = Given::file(&format!("[[alert]]\nname = 'x'\nunobserved = true\n{channels}\n")).finding();
    assert_eq!(finding.key, format!("alert[0:x].{key}"));
}

#[test]
fn everything_wrong_with_alerts_is_found_at_once() {
    let given = Given::file(
        "[[notifier]]\nname = 'ops'\nkind = 'pigeon'\n\
         [[notifier]]\nname = 'two words'\nkind = 'slack'\nurl = 'https://hooks.example.com/x'\n\
         [[alert]]\nname = 'a'\nchannels = ['x']\nunobserved = true\nnotify = ['ops', 'nobody']\n\
         [[alert]]\nname = 'a'\nchannels = ['x']\nunobserved = true\n\
         [[alert]]\nchannels = ['x']\nunobserved = true\nfor = 'long'\n",
    );
    let keys: Vec<String> = given.findings().into_iter().map(|finding| finding.key).collect();
    assert_eq!(
        keys,
        [
            "notifier[0:ops].kind",
            "notifier[1].name",
            "alert[0:a].notify[1]",
            "alert[1].name",
            "alert[2].name",
            "alert[2].for"
        ]
    );
}

#[test]
fn a_notifier_is_named_among_those_there_are() {
    let given = Given::file(&format!(
        "[[notifier]]\nname = 'ops'\n{MAIL}\
         [[alert]]\nname = 'a'\nchannels = ['x']\nunobserved = true\nnotify = ['opps']\n"
    ));
    assert_eq!(given.finding().allowed, "must be the name of a [[notifier]]: ops");
}

#[test]
fn a_pattern_that_can_match_nothing_that_is_watched_is_refused() {
    let with = |watch: &str| {
        Given::file(&format!(
            "[watch]\n{watch}\n[[alert]]\nname = 'a'\nchannels = ['room.*', 'lobby']\nunobserved = true\n"
        ))
    };
    let finding = with("channels = ['rooms.1', 'lobby']").finding();
    assert_eq!(finding.key, "alert[0:a].channels");
    assert!(finding.allowed.starts_with("\"room.*\" matches nothing"), "{finding}");
    with("channels = ['*.vip', 'lobby']").load();
    with("channels = ['lobby']\n[[watch.rule]]\nchannels = ['room.1', 'room.2']").load();
    with("channels = ['other']\ngroups = ['staff']").load();
    with("channels = []").load();
}

#[test]
fn a_rule_about_a_user_is_refused_where_users_are_not_looked_at() {
    let finding = Given::file(
        "[watch]\nchannels = ['lobby', 'big']\n[[watch.rule]]\nchannels = ['big']\ninclude_uuids = false\n\
         [[alert]]\nname = 'a'\nchannels = ['lobby', 'big']\nuser_absent = 'ada'\n",
    )
    .finding();
    assert!(finding.key == "alert[0:a].channels" && finding.allowed.contains("\"big\""), "{finding}");
}

/// Whether a rule for `room.*` about a user is refused with these rules of `[watch]`.
#[rstest]
#[case("[[watch.rule]]\nchannels = ['room.*']\ninclude_uuids = false", true)]
#[case(
    "[[watch.rule]]\nchannels = ['*']\ninclude_uuids = false\n[[watch.rule]]\nchannels = ['room.1']",
    true
)]
#[case(
    "[[watch.rule]]\nchannels = ['lobby']\n[[watch.rule]]\nchannels = ['room.*']\ninclude_uuids = false",
    true
)]
#[case("include_uuids = false", true)]
#[case("include_uuids = false\n[[watch.rule]]\nchannels = ['room.1']\ninclude_uuids = true", false)]
#[case(
    "[[watch.rule]]\nchannels = ['room.1']\n[[watch.rule]]\nchannels = ['room.*']\ninclude_uuids = false",
    false
)]
#[case("[[watch.rule]]\nchannels = ['room.big.*']\ninclude_uuids = false", false)]
fn a_pattern_is_refused_where_users_are_looked_at_in_no_channel_it_may_match(
    #[case] watch: &str,
    #[case] refused: bool,
) {
    let given = Given::file(&format!(
        "[watch]\nchannels = ['room.*', 'lobby']\n{watch}\n\
         [[alert]]\nname = 'a'\nchannels = ['room.*']\nuser_absent = 'ada'\n"
    ));
    if refused {
        assert!(given.finding().allowed.contains("\"room.*\" no user ids"), "{}", given.finding());
    } else {
        given.load();
    }
}

#[test]
fn too_many_rules_are_refused() {
    let rules: Vec<String> = (0..501)
        .map(|n| format!("[[alert]]\nname = 'r{n}'\nchannels = ['x']\nunobserved = true\n"))
        .collect();
    let finding = Given::file(&rules.concat()).finding();
    assert_eq!(
        (finding.key.as_str(), finding.allowed.as_str()),
        ("alert", "must not be more than 500, and are 501")
    );
    Given::file(&rules[..500].concat()).load();
}

#[test]
fn too_many_channels_and_notifiers_of_a_rule_are_refused() {
    let list = |count: usize| (0..count).map(|n| format!("'n{n}'")).collect::<Vec<_>>().join(", ");
    let with = |channels: usize, notify: usize| {
        let notifiers: Vec<String> =
            (0..21).map(|n| format!("[[notifier]]\nname = 'n{n}'\n{MAIL}")).collect();
        Given::file(&format!(
            "{}[[alert]]\nname = 'a'\nunobserved = true\nchannels = [{}]\nnotify = [{}]\n",
            notifiers.concat(),
            list(channels),
            list(notify)
        ))
    };
    with(1_000, 20).load();
    assert!(with(1_001, 20).finding().allowed.contains("more than 1000"));
    assert!(with(1_000, 21).finding().allowed.contains("more than 20"));
}

#[test]
fn webhooks_are_read() {
    let kind = Given::notifier(&format!(
        "{WEBHOOK}secret = '{SECRET}'\nevents = ['join', 'state']\nallow_private = true\n\
         headers = {{ Authorization = 'Bearer x y' }}\n"
    ))
    .only_kind();
    let NotifierKind::Webhook(Webhook { http, headers, events, .. }) = kind else { panic!("{kind:?}") };
    assert!(http.allow_private);
    assert_eq!(http.url.value().expose_secret(), "https://example.com/hook");
    assert_eq!(events, [EventKind::Join, EventKind::State]);
    let (name, value) = &headers.0[0];
    assert_eq!((name.as_str(), value.expose_secret()), ("authorization", "Bearer x y"));
}

#[test]
fn a_secret_file_may_hold_several_secrets_the_newest_first() {
    let other = SECRET.replace('M', "N");
    let given = Given::notifier(&format!("{WEBHOOK}secret_file = '@hook'"))
        .beside("hook", &format!("# the new one\n{other}\n{SECRET}\n"));
    let notifier = given.load().notifiers.remove(0);
    let secrets = |notifier: &Notifier| match &notifier.kind {
        NotifierKind::Webhook(Webhook { secrets, .. }) => {
            secrets.values().iter().map(|secret| secret.expose_secret().to_owned()).collect::<Vec<_>>()
        }
        kind => panic!("{kind:?}"),
    };
    assert_eq!(secrets(&notifier), [other.as_str(), SECRET]);
    fs::write(given.path("hook"), SECRET).expect("written");
    assert_eq!(secrets(&notifier.read_secrets_again().expect("read")), [SECRET]);
    fs::write(given.path("hook"), "whsec_short").expect("written");
    let error = notifier.read_secrets_again().expect_err("no secret").to_string();
    assert!(error.contains("whsec_") && !error.contains("short"), "{error}");
}

#[rstest]
#[case("", "secret", "secret or secret_file")]
#[case("secret = 'hook'", "secret", "24 to 64 bytes")]
#[case("secret = 'whsec_MDEyMw=='", "secret", "24 to 64 bytes")]
#[case("secret = 'whsec_!'", "secret", "24 to 64 bytes")]
#[case("secret_file = '/nowhere/hook'", "secret_file", "/nowhere/hook")]
fn a_webhook_without_a_good_secret_is_refused(#[case] keys: &str, #[case] key: &str, #[case] word: &str) {
    let finding = Given::notifier(&format!("{WEBHOOK}{keys}")).finding();
    assert_eq!(finding.key, format!("notifier[0:ops].{key}"));
    assert!(finding.allowed.contains(word), "{finding}");
}

#[rstest]
#[case("kind = 'slack'\nurl = 'hooks.slack.com/x'", "url")]
#[case("kind = 'slack'\nurl = 'ftp://example.com/x'", "url")]
#[case("kind = 'discord'\nurl = 'https://ada:secret@example.com/x'", "url")]
#[case("kind = 'discord'\nurl = 'https://example.com/x#y'", "url")]
#[case("kind = 'slack'", "url")]
#[case("kind = 'slack'\nurl_file = '/nowhere/url'", "url_file")]
#[case("kind = 'slack'\nurl = 'https://example.com/'\nsecret = 'x'", "secret")]
#[case("kind = 'slack'\nurl = 'https://example.com/'\nevents = ['join']", "events")]
#[case("kind = 'slack'\nurl = 'https://example.com/'\nto = ['a@b.c']", "to")]
#[case("kind = 'slack'\nurl = 'https://example.com/'\ntimeout = '500ms'", "timeout")]
#[case("kind = 'slack'\nurl = 'https://example.com/'\nat_once = 0", "at_once")]
#[case("kind = 'slack'\nurl = 'https://example.com/'\nca_file = '/nowhere/ca.pem'", "ca_file")]
#[case("kind = 'pager'", "kind")]
#[case("", "kind")]
fn a_notifier_that_is_wrong_is_refused(#[case] keys: &str, #[case] key: &str) {
    assert_eq!(Given::notifier(keys).finding().key, format!("notifier[0:ops].{key}"));
}

#[rstest]
#[case("events = ['present']", "events[0]")]
#[case("headers = 'x'", "headers")]
#[case("headers = { 'a b' = 'x' }", "headers.a b")]
#[case("headers = { x = \"a\\nb\" }", "headers.x")]
#[case("headers = { x = 1 }", "headers.x")]
#[case("headers = { Webhook-Id = 'x' }", "headers.webhook-id")]
#[case("headers = { Host = 'x' }", "headers.host")]
fn a_webhook_that_is_wrong_is_refused(#[case] keys: &str, #[case] key: &str) {
    let finding = Given::notifier(&format!("{WEBHOOK}secret = '{SECRET}'\n{keys}")).finding();
    assert_eq!(finding.key.to_lowercase(), format!("notifier[0:ops].{key}"));
}

#[test]
fn too_many_headers_are_refused() {
    let with = |count: usize| {
        let headers: Vec<String> = (0..count).map(|n| format!("x{n} = 'y'")).collect();
        let headers = headers.join(", ");
        Given::notifier(&format!("{WEBHOOK}secret = '{SECRET}'\nheaders = {{ {headers} }}"))
    };
    with(20).load();
    assert_eq!(with(21).finding().allowed, "must not be more than 20");
}

#[test]
fn mail_is_read_with_the_port_that_its_encryption_usually_has() {
    for (keys, tls, port) in [
        ("", Encryption::StartTls, 587),
        ("tls = 'tls'", Encryption::Tls, 465),
        ("tls = 'none'", Encryption::None, 25),
        ("tls = 'none'\nport = 2525", Encryption::None, 2525),
    ] {
        let kind = Given::notifier(&format!("{MAIL}{keys}")).only_kind();
        let NotifierKind::Email(email) = kind else { panic!("{kind:?}") };
        assert_eq!((email.tls, email.port), (tls, port), "{keys}");
        assert!(email.login.is_none());
    }
}

#[test]
fn who_signs_in_at_the_mail_server_has_a_name_and_a_password() {
    let kind = Given::notifier(&format!("{MAIL}user = 'adsum'\npassword_file = '@mail'"))
        .beside("mail", "pass\n")
        .only_kind();
    let NotifierKind::Email(email) = kind else { panic!("{kind:?}") };
    let login = email.login.expect("set");
    assert_eq!((login.user.as_str(), login.password.value().expose_secret()), ("adsum", "pass"));
}

#[rstest]
#[case("user = 'a'", "password")]
#[case("password = 'p'", "user")]
#[case("user = 'a'\npassword = 'p'\ntls = 'none'", "tls")]
#[case("tls = 'ssl'", "tls")]
#[case("port = 65536", "port")]
#[case("url = 'https://example.com/'", "url")]
fn a_mail_server_that_is_wrong_is_refused(#[case] keys: &str, #[case] key: &str) {
    assert_eq!(Given::notifier(&format!("{MAIL}{keys}")).finding().key, format!("notifier[0:ops].{key}"));
}

#[rstest]
#[case("host = 'mail.example.com:25'", "host")]
#[case("host = 'a b'", "host")]
#[case("host = ''", "host")]
#[case("from = 'nobody'", "from")]
#[case("from = \"a@b.c\\nBcc: d@e.f\"", "from")]
#[case("from = 'a@b.c, d@e.f'", "from")]
#[case("from = '<a@b.c> <d@e.f>'", "from")]
#[case("to = []", "to")]
#[case("to = ['a@b.c', 'x']", "to[1]")]
fn a_bad_mail_address_is_refused(#[case] line: &str, #[case] key: &str) {
    let name = key.split('[').next().expect("a key");
    let lines: Vec<&str> = MAIL.lines().filter(|line| !line.starts_with(name)).collect();
    let finding = Given::notifier(&format!("{}\n{line}", lines.join("\n"))).finding();
    assert_eq!(finding.key, format!("notifier[0:ops].{key}"));
}

#[rstest]
#[case("mail.example.com", "mail.example.com", "'adsum <adsum@example.com>'")]
#[case("127.0.0.1", "127.0.0.1", "'\"Room, crowded\" <a+b@x.example>'")]
#[case("[::1]", "::1", "'a.b@localhost'")]
fn good_mail_servers_and_addresses_are_read(#[case] host: &str, #[case] read: &str, #[case] from: &str) {
    let given = format!("kind = 'email'\nhost = '{host}'\nfrom = {from}\nto = ['x@y.z']");
    let kind = Given::notifier(&given).only_kind();
    let NotifierKind::Email(email) = kind else { panic!("{kind:?}") };
    assert_eq!(email.host, read, "as connections take it");
}

#[test]
fn templates_come_as_text_or_from_files() {
    let notifier = Given::notifier(&format!("{MAIL}title = '{{{{ rule }}}}'\ntext_file = '@text'"))
        .beside("text", "{{ count }}")
        .load()
        .notifiers
        .remove(0);
    assert_eq!(notifier.texts.title.as_deref(), Some("{{ rule }}"));
    assert_eq!(notifier.texts.text.as_deref(), Some("{{ count }}"));
    let finding = Given::notifier(&format!("{MAIL}text_file = '/nowhere/text'")).finding();
    assert!(finding.allowed.contains("/nowhere/text"), "{finding}");
    let finding =
        Given::notifier(&format!("{MAIL}text = 'x'\ntext_file = '@text'")).beside("text", "y").finding();
    assert!(finding.allowed.contains("not both"), "{finding}");
    let long = format!("{MAIL}text = '{}'", "x".repeat(16 * 1024 + 1));
    assert!(Given::notifier(&long).finding().allowed.contains("16384 bytes"));
    let finding = Given::notifier(&format!("{MAIL}event_text = 'x'")).finding();
    assert!(finding.allowed.starts_with("unknown key"), "only webhooks carry events: {finding}");
}

#[test]
fn no_secret_of_a_notifier_is_shown() {
    let wrong = format!(
        "[[notifier]]\nname = 'a'\nkind = 'webhook'\nurl = 'hidden-url'\nsecret = 'hidden-secret'\nheaders = {{ host = 'hidden-header' }}\n\
         [[notifier]]\nname = 'b'\n{MAIL}user = 'x'\npassword = 'hidden password'\n\
         [[notifier]]\nname = 'c'\nkind = 'slack'\nurl = ['hidden']\n"
    );
    let findings = Given::file(&wrong).findings();
    assert!(findings.len() >= 5, "{findings:#?}");
    assert!(
        !format!("{findings:?}").contains("hidden-") && !format!("{findings:?}").contains("hidden p"),
        "{findings:#?}"
    );
    let good = Given::notifier(&format!(
        "kind = 'webhook'\nurl = 'https://example.com/hidden'\nsecret = '{SECRET}'\nheaders = {{ x = 'hidden' }}"
    ))
    .load();
    let shown = format!("{good:?}");
    assert!(!shown.contains("hidden") && !shown.contains(SECRET), "{shown}");
}

#[test]
fn the_description_says_who_is_told_of_what_and_no_secret() {
    let config = Config::load(
        &Given::file(&format!(
            "[server]\npublic_url = 'https://adsum.example.com/'\n\
             [[notifier]]\nname = 'ops'\nkind = 'webhook'\nurl = 'https://example.com:8443/hidden'\nsecret = '{SECRET}'\n\
             events = ['join', 'leave']\nheaders = {{ x = 'hidden' }}\ntitle = '{{{{ rule }}}}'\n\
             [[notifier]]\nname = 'team'\nkind = 'slack'\nurl = 'https://hooks.example.com/hidden'\nallow_private = true\n\
             [[notifier]]\nname = 'chat'\nkind = 'discord'\nurl = 'https://discord.example.com/hidden'\n\
             [[notifier]]\nname = 'mail'\n{MAIL}user = 'adsum'\npassword = 'hidden'\nat_once = 1\ntimeout = '30s'\n\
             [[alert]]\nname = 'crowded'\nchannels = ['lobby', 'room.*']\noccupancy_above = 200\nclear_below = 180\n\
             for = '30s'\nkeep_firing_for = '1m'\nnotify = ['mail', 'team']\nrepeat_every = '4h'\n\
             [[alert]]\nname = 'empty'\nchannels = ['desk']\noccupancy_below = 1\non_gap = 'fire'\nseverity = 'critical'\n\
             notify = ['team']\nsend_resolved = false\n\
             [[alert]]\nname = 'agent'\nchannels = ['desk']\nuser_absent = 'agent-7'\non_gap = 'resolve'\n\
             [[alert]]\nname = 'guest'\nchannels = ['desk']\nuser_present = 'guest'\nseverity = 'info'\n\
             [[alert]]\nname = 'blind'\nchannels = ['*']\nunobserved = true\nfor = '5m'\n"
        ))
        .sources,
    )
    .expect("a good configuration");
    let lines = config.describe();
    assert!(!lines.join("").contains("hidden") && !lines.join("").contains(SECRET), "{lines:#?}");
    let first = lines.iter().position(|line| line.starts_with("Alert")).expect("a rule");
    insta::assert_snapshot!(lines[first..lines.len() - 1].join("\n"), @r#"
    Alert "crowded" (warning) for ["lobby", "room.*"]: fires once more than 200 are there for 30s; over once fewer than 180 are for 1m; a gap leaves it as it is. Tells "mail", "team", again every 4h, and when it is over.
    Alert "empty" (critical) for ["desk"]: fires once fewer than 1 are there; over once more than 0 are; a gap counts as that. Tells "team", not when it is over.
    Alert "agent" (warning) for ["desk"]: fires once a complete list lacks user "agent-7"; over once the user is there; a gap ends it. Tells nobody: it is in the API alone.
    Alert "guest" (info) for ["desk"]: fires once user "guest" is there; over once a complete list lacks the user; a gap leaves it as it is. Tells nobody: it is in the API alone.
    Alert "blind" (warning) for ["*"]: fires once the channel is in a gap for 5m; over once it is observed again. Tells nobody: it is in the API alone.
    Notifier "ops": webhook at https://example.com:8443, signed with a secret, with a header, also for events join, leave, with templates of its own; 4 at once, 20s each.
    Notifier "team": Slack at https://hooks.example.com (private addresses allowed); 4 at once, 20s each.
    Notifier "chat": Discord at https://discord.example.com; 4 at once, 20s each.
    Notifier "mail": mail from "a@b.c" to ["d@e.f"] through mail.example.com:587 (starttls) as user "adsum"; 1 at once, 30s each.
    Note: notifier "chat" is told of nothing.
    Links in messages begin with https://adsum.example.com.
    "#);
}

/// The pieces of TOML in README.md, in their order.
fn of_the_readme() -> Vec<&'static str> {
    let pieces = include_str!("../README.md").split("```toml\n").skip(1);
    pieces.map(|piece| piece.split_once("```").expect("an end").0).collect()
}

#[test]
fn the_configurations_of_the_readme_are_good() {
    let [first, alerts, mail, templates] = of_the_readme()[..] else {
        panic!("other pieces than known here")
    };
    let secrets =
        |text: &str| text.replace("/run/secrets/hook", "@hook").replace("/run/secrets/mail", "@mail");
    let first = first.replace("sub-c-…", "sub-c-1");
    let given = Given::file(&secrets(&format!("{first}\n{alerts}\n{mail}\n{templates}")))
        .beside("hook", SECRET)
        .beside("mail", "pass");
    let config = adsum::app::load(&given.sources).expect("a good configuration");
    assert_eq!((config.alerting.rules.len(), config.alerting.notifiers.len()), (1, 2));
    assert!(config.alerting.notifiers[1].texts.title.is_some(), "the templates were tried too");
}
