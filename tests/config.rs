//! The configuration: every rule of SPEC.md section 5, through [`Config::load`].
#![allow(missing_docs, reason = "a test's name says what it is about")]
#![allow(clippy::expect_used, reason = "the helpers of the tests may fail as the tests do")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use adsum::config::{Config, DEFAULTS, Finding, Layer, Override, Sources, Watch};
use adsum::domain::names::{ChannelName, NameError};
use adsum::domain::watch::{Policy, Target};
use adsum::origin::faults::Faults;
use rstest::rstest;
use secrecy::ExposeSecret;
use tempfile::TempDir;

/// A configuration file with this text, and the environment given.
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

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.insert(name.into(), value.into());
        self
    }

    fn flag(mut self, flag: Override) -> Self {
        self.sources.flags.push(flag);
        self
    }

    fn secret_file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    fn load(&self) -> Config {
        Config::load(&self.sources).expect("a good configuration")
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
}

/// What is watched, as it was written.
fn targets(watch: &Watch) -> Vec<&str> {
    watch.channels.iter().map(Target::as_str).collect()
}

fn policy(watch: &Watch, channel: &str) -> Policy {
    watch.policies.of(&ChannelName::new(channel).expect("a name"))
}

#[test]
fn the_defaults_alone_are_a_good_configuration() {
    let config = Config::load(&Sources::default()).expect("good");
    assert_eq!(config.pubnub.origin, "https://ps.pndsn.com");
    assert_eq!(config.pubnub.user_id.as_str(), "adsum");
    assert_eq!(config.pubnub.max_answer, 32 * 1024 * 1024);
    let policy = config.watch.policies.default;
    assert_eq!((policy.interval, policy.gap_after), (Duration::from_secs(5), Duration::from_secs(15)));
    assert!(policy.include_state && policy.include_uuids);
    assert_eq!(config.history.path, PathBuf::from("data/history.db"));
    assert_eq!(config.history.retain, Duration::from_hours(365 * 24));
    assert_eq!(config.state.path, PathBuf::from("data/state.sled"));
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert!(config.server.tokens.is_empty());
    assert_eq!(config.origin.listen.to_string(), "127.0.0.1:8090");
    assert_eq!(config.origin.here_now_cache, Duration::from_secs(3));
}

#[test]
fn every_default_that_is_commented_out_is_a_key_adsum_knows() {
    let is_key = |line: &str| {
        line.split_once(" = ")
            .is_some_and(|(key, _)| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
    };
    let uncommented = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if is_key(rest) || rest.starts_with("[[") => rest.to_owned(),
        _ => line.to_owned(),
    };
    let text: Vec<String> = DEFAULTS.lines().map(uncommented).collect();
    let findings = Given::file(&text.join("\n")).findings();
    // The examples are no real keys and files: that is all that may be wrong with them.
    for finding in &findings {
        assert!(!finding.allowed.contains("unknown"), "{finding}");
    }
    assert!(findings.iter().any(|finding| finding.key == "pubnub.secret_key_file"), "{findings:#?}");
}

#[test]
fn the_public_url_is_what_paths_are_added_to() {
    let public_url =
        |url: &str| Given::file(&format!("[server]\npublic_url = '{url}'")).load().server.public_url;
    assert_eq!(public_url("https://adsum.example.com").as_deref(), Some("https://adsum.example.com"));
    assert_eq!(
        public_url("http://adsum.example.com:81/at/").as_deref(),
        Some("http://adsum.example.com:81/at")
    );
    assert_eq!(Given::file("").load().server.public_url, None);
    assert_eq!(
        public_url(&format!("https://a.example/{}", "x".repeat(1024 - 18))).map(|url| url.len()),
        Some(1024)
    );
    let long = Given::file(&format!("[server]\npublic_url = 'https://a.example/{}'", "x".repeat(1024 - 17)));
    assert_eq!(long.finding().key, "server.public_url");
}

#[test]
fn each_layer_covers_the_one_before() {
    let file = "[pubnub]\nuser_id = 'file'\nsubscribe_key = 'file'\npublish_key = 'file'";
    let given = Given::file(file)
        .variable("ADSUM__PUBNUB__SUBSCRIBE_KEY", "environment")
        .variable("ADSUM__PUBNUB__PUBLISH_KEY", "environment")
        .flag(Override::text("--publish-key", "pubnub.publish_key", "flag"));
    let pubnub = given.load().pubnub;
    assert_eq!(pubnub.user_id.as_str(), "file");
    assert_eq!(pubnub.subscribe_key.as_deref(), Some("environment"));
    assert_eq!(pubnub.publish_key.as_deref(), Some("flag"));
    assert_eq!(pubnub.origin, "https://ps.pndsn.com");
}

#[test]
fn a_list_replaces_the_list_below_it() {
    let given = Given::file("[watch]\nchannels = ['a', 'b']").flag(Override::list(
        "--channel",
        "watch.channels",
        &["c".to_owned(), "c".to_owned(), "d".to_owned()],
    ));
    assert_eq!(targets(&given.load().watch), ["c", "d"]);
}

#[test]
fn the_environment_gives_lists_numbers_and_booleans_as_text() {
    let given = Given::file("")
        .variable("ADSUM__WATCH__CHANNELS", "lobby, room.*")
        .variable("ADSUM__WATCH__INCLUDE_STATE", "false")
        .variable("ADSUM__PUBNUB__MAX_REQUESTS_PER_SECOND", "7")
        .variable("ADSUM__PUBNUB__ORIGIN", "")
        .variable("ADSUM_TOKEN", "not of the configuration");
    let config = given.load();
    assert_eq!(targets(&config.watch), ["lobby", "room.*"]);
    assert!(!config.watch.policies.default.include_state);
    assert_eq!(config.pubnub.max_requests_per_second, 7);
    assert_eq!(config.pubnub.origin, "https://ps.pndsn.com", "an empty variable counts as not set");
}

#[test]
fn everything_wrong_is_found_at_once_with_its_layer() {
    let given = Given::file(
        "[pubnub]\ncache_ttl = '4 s'\n[watch]\ninterval = 3\nchanels = ['x']\n[histroy]\nretain = '1d'",
    )
    .variable("ADSUM__HISTORY__RETAIN", "1y")
    .flag(Override::text("--listen", "server.listen", "8080"));
    let findings: Vec<String> = given
        .findings()
        .iter()
        .map(|finding| {
            let layer = match &finding.layer {
                Layer::File(name) if name.ends_with("adsum.toml") => "file".to_owned(),
                other => format!("{other:?}"),
            };
            format!("{}|{}|{layer}", finding.key, finding.value.as_deref().unwrap_or("-"))
        })
        .collect();
    assert_eq!(
        findings,
        [
            "pubnub.cache_ttl|\"4 s\"|file",
            "watch.interval|3|file",
            "watch.chanels|-|file",
            "history.retain|\"1y\"|Environment(\"ADSUM__HISTORY__RETAIN\")",
            "server.listen|\"8080\"|Flag(\"--listen\")",
            "histroy|-|file",
        ]
    );
}

#[test]
fn a_finding_reads_as_key_value_what_is_allowed_and_layer() {
    let finding = Given::file("").variable("ADSUM__PUBNUB__CHANNELS_PER_REQUEST", "1001").finding();
    assert_eq!(
        finding.to_string(),
        "pubnub.channels_per_request = \"1001\": must be a whole number from 1 to 1000 \
         (environment variable ADSUM__PUBNUB__CHANNELS_PER_REQUEST)"
    );
}

#[rstest]
#[case("[pubnub]\nsubscribe_key = ''")]
#[case("[pubnub]\nsubscribe_key = 'a/b'")]
#[case("[pubnub]\nuser_id = ''")]
#[case("[pubnub]\norigin = 'ps.pndsn.com'")]
#[case("[pubnub]\norigin = 'ftp://ps.pndsn.com'")]
#[case("[pubnub]\norigin = 'https://ps.pndsn.com/v2'")]
#[case("[pubnub]\nrequest_timeout = '0s'")]
#[case("[pubnub]\nmax_requests_per_second = 0")]
#[case("[pubnub]\nmax_requests_per_second = 2.5")]
#[case("[pubnub]\nmax_requests_per_second = -1")]
#[case("[pubnub]\nchannels_per_request = 0")]
#[case("[pubnub]\nmax_answer = 33554432")]
#[case("[pubnub]\nmax_answer = '32MB'")]
#[case("[pubnub]\ncache_ttl = '2h'")]
#[case("[watch]\nchannels = 'lobby'")]
#[case("[watch]\nchannels = [5]")]
#[case("[watch]\ngroups = [['g']]")]
#[case("[watch]\ninterval = '0s'")]
#[case("[watch]\ninterval = '1mo'")]
#[case("[watch]\ndiscover_interval = '2s'")]
#[case("[watch]\ngap_after = '4s'")]
#[case("[watch]\ninclude_state = 1")]
#[case("[[watch.rule]]\ninterval = '4s'")]
#[case("[[watch.rule]]\nchannels = []")]
#[case("[[watch.rule]]\nchannels = ['a']\ninterval = '2s'")]
#[case("[[watch.rule]]\nchannels = ['a']\ninterval = '20s'\ngap_after = '19s'")]
#[case("[[watch.rule]]\nchannels = ['a']\ngroups = ['g']")]
#[case("[watch.rule]\nchannels = ['a']")]
#[case("[history]\nurl = 'postgres://localhost/adsum'")]
#[case("[history]\nurl = 'sqlite::memory:'")]
#[case("[history]\nretain = '10y'")]
#[case("[history]\nmark_every = '0s'")]
#[case("[state]\npath = ''")]
#[case("[server]\nlisten = 'localhost:8080'")]
#[case("[server]\nlisten = '0.0.0.0:8080'")]
#[case("[server]\ntokens = ['two words']")]
#[case("[server]\npublic_url = 'adsum.example.com'")]
#[case("[server]\npublic_url = 'ftp://adsum.example.com'")]
#[case("[server]\npublic_url = 'https://ada:x@adsum.example.com'")]
#[case("[server]\npublic_url = 'https://adsum.example.com/?a=b'")]
#[case("[server]\npublic_url = 'https://adsum.example.com/#a'")]
#[case("[origin]\npresence_timeout = '25h'")]
#[case("[origin]\nannounce_max = 'many'")]
#[case("[origin.faults]\nlatency = '1s'")]
#[case("[origin.faults]\nseed = -1")]
#[case("[origin]\nfaults = 'drop'")]
#[case("[origin.faults.rule]\nfault = 'drop'")]
#[case("[[origin.faults.rule]]\nprobability = 0.5")]
#[case("[[origin.faults.rule]]\nfault = 'quake'")]
#[case("[[origin.faults.rule]]\nfault = 'drop'\nstatus = 503")]
#[case("[[origin.faults.rule]]\nfault = 'error'\nprobability = 1.5")]
#[case("[[alert]]\nname = 'crowded'\nchannels = ['a']")]
#[case("[[notifier]]\nname = 'ops'")]
#[case("pubnub = 'sub-c-1'")]
#[case("[watch]\ninterval = { every = '5s' }")]
fn a_wrong_value_is_refused_alone_and_names_its_file(#[case] text: &str) {
    let finding = Given::file(text).finding();
    assert!(matches!(&finding.layer, Layer::File(name) if name.ends_with("adsum.toml")), "{finding}");
    assert!(!finding.key.is_empty(), "{finding}");
}

#[rstest]
#[case("[watch]\nchannels = ['a', 'b,c']", "watch.channels[1]", NameError::Comma)]
#[case("[watch]\nchannels = ['room.*-pnpres']", "watch.channels[0]", NameError::Presence)]
#[case("[watch]\ngroups = ['g*']", "watch.groups[0]", NameError::Star)]
#[case("[[watch.rule]]\nchannels = ['..']", "watch.rule[0].channels[0]", NameError::Dots)]
fn a_name_is_refused_with_the_rule_it_breaks(#[case] text: &str, #[case] key: &str, #[case] rule: NameError) {
    let finding = Given::file(text).finding();
    assert_eq!((finding.key.as_str(), finding.allowed), (key, rule.to_string()));
}

#[test]
fn a_group_named_twice_is_listed_once() {
    assert_eq!(Given::file("[watch]\ngroups = ['g', 'h', 'g']").load().budget().discoveries, 2);
}

#[test]
fn a_long_name_is_refused_and_cut_in_the_message() {
    let finding = Given::file(&format!("[watch]\nchannels = ['ok', '{}']", "x".repeat(1025))).finding();
    assert_eq!(finding.key, "watch.channels[1]");
    assert!(finding.value.expect("a value").chars().count() < 100);
}

#[test]
fn a_file_that_is_no_toml_is_named_and_not_quoted() {
    let finding = Given::file("[pubnub]\nsecret_key = \"sec-c-very-secret").finding().to_string();
    assert!(finding.contains("adsum.toml") && finding.contains("line 2"), "{finding}");
    assert!(!finding.contains("very-secret"), "{finding}");
}

#[test]
fn a_missing_file_is_named() {
    let sources = Sources { file: Some("/nowhere/adsum.toml".into()), ..Sources::default() };
    let findings = Config::load(&sources).expect_err("findings").to_string();
    assert!(findings.contains("/nowhere/adsum.toml") && findings.contains("No such file"), "{findings}");
}

#[rstest]
#[case("[pubnub]\nsecret_key = 'sec hidden'")]
#[case("[pubnub]\nauth_token = ['hidden']")]
#[case("[pubnub]\nsecret_kye = 'hidden'")]
#[case("[pubnub]\nsecret_key = 'hidden'")]
#[case("[pubnub]\norigin = 'https://user:hidden@ps.pndsn.com'")]
#[case("[server]\ntokens = ['hidden token']")]
#[case("[server]\ntokens = 'hidden'")]
#[case("server = 'hidden'")]
fn no_finding_shows_a_secret(#[case] text: &str) {
    let finding = Given::file(text).finding().to_string();
    assert!(!finding.replace("(hidden)", "").contains("hidden"), "{finding}");
}

#[test]
fn no_debug_text_shows_a_secret() {
    let text =
        "[pubnub]\nauth_token = 'p0-token'\n[server]\nlisten = '0.0.0.0:1'\ntokens = ['let-me-in', 'and-me']";
    let config = Given::file(text).load();
    let text = format!("{config:?}{}", config.describe().join("\n"));
    assert!(!text.contains("p0-token") && !text.contains("let-me-in"), "{text}");
    assert!(text.contains("one of 2 tokens"), "{text}");
}

#[test]
fn secrets_come_from_files_and_are_read_again() {
    let given = Given::file("");
    let token = given.secret_file("token", "p0-first\n");
    let tokens = given.secret_file("tokens", "# who\n\nalice\n bob \n");
    let given = given
        .variable("ADSUM__PUBNUB__AUTH_TOKEN_FILE", token.to_str().expect("text"))
        .variable("ADSUM__SERVER__TOKENS_FILE", tokens.to_str().expect("text"))
        .variable("ADSUM__SERVER__LISTEN", "0.0.0.0:8080");
    let config = given.load();
    let secret = config.pubnub.auth_token.expect("set");
    assert_eq!(secret.value().expose_secret(), "p0-first");
    let values: Vec<&str> = config.server.tokens.values().iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(values, ["alice", "bob"]);
    fs::write(&token, "p0-second").expect("written");
    assert_eq!(secret.read_again().expect("read").value().expose_secret(), "p0-second");
    fs::write(&token, "").expect("written");
    let error = secret.read_again().expect_err("empty").to_string();
    assert!(error.contains(token.to_str().expect("text")), "{error}");
}

#[test]
fn a_secret_file_that_cannot_be_read_is_named() {
    let finding = Given::file("[server]\ntokens_file = '/nowhere/tokens'").finding();
    assert_eq!(finding.key, "server.tokens_file");
    assert!(finding.allowed.contains("/nowhere/tokens"), "{finding}");
}

#[test]
fn an_empty_tokens_file_does_not_open_the_door() {
    let given = Given::file("");
    let tokens = given.secret_file("tokens", "# nobody\n");
    let finding = given.variable("ADSUM__SERVER__TOKENS_FILE", tokens.to_str().expect("text")).finding();
    assert!(finding.allowed.contains("at least one token"), "{finding}");
}

#[test]
fn a_secret_and_its_file_together_are_refused() {
    let given = Given::file("");
    let token = given.secret_file("token", "b");
    let finding = given
        .variable("ADSUM__PUBNUB__AUTH_TOKEN", "a")
        .variable("ADSUM__PUBNUB__AUTH_TOKEN_FILE", token.to_str().expect("text"))
        .finding();
    assert!(finding.allowed.contains("not both"), "{finding}");
}

#[test]
fn a_secret_key_needs_the_publish_key() {
    let finding = Given::file("[pubnub]\nsecret_key = 's'").finding();
    assert!(finding.allowed.contains("publish_key"), "{finding}");
    Given::file("[pubnub]\nsecret_key = 's'\npublish_key = 'p'").load();
}

#[test]
fn an_interval_below_the_cache_ttl_is_refused_and_without_a_cache_is_fine() {
    let finding = Given::file("[watch]\ninterval = '2s'").finding();
    assert_eq!(finding.key, "watch.interval");
    assert!(finding.allowed.contains("pubnub.cache_ttl (3s)"), "{finding}");
    Given::file("[pubnub]\ncache_ttl = '0s'\n[watch]\ninterval = '1s'\ndiscover_interval = '1s'").load();
}

#[test]
fn a_longer_cache_ttl_refuses_the_default_interval() {
    let finding = Given::file("[pubnub]\ncache_ttl = '6s'").finding();
    assert_eq!((finding.key.as_str(), finding.layer), ("watch.interval", Layer::Default));
}

#[test]
fn the_first_rule_that_matches_counts_and_the_rest_is_as_in_watch() {
    let watch = Given::file(
        "[watch]\ninclude_state = false\n\
         [[watch.rule]]\nchannels = ['vip.*']\ninterval = '4s'\ninclude_state = true\n\
         [[watch.rule]]\nchannels = ['*']\ninterval = '60s'\ninclude_uuids = false\n",
    )
    .load()
    .watch;
    let vip = policy(&watch, "vip.1");
    assert_eq!((vip.interval, vip.gap_after), (Duration::from_secs(4), Duration::from_secs(12)));
    assert!(vip.include_state && vip.include_uuids);
    let other = policy(&watch, "lobby");
    assert_eq!((other.interval, other.gap_after), (Duration::from_mins(1), Duration::from_mins(3)));
    assert!(!other.include_state && !other.include_uuids);
}

#[test]
fn a_rule_keeps_the_gap_after_of_watch_while_its_interval_fits_in() {
    let watch = Given::file(
        "[watch]\ngap_after = '30s'\n\
         [[watch.rule]]\nchannels = ['fast']\ninterval = '4s'\n\
         [[watch.rule]]\nchannels = ['slow']\ninterval = '60s'\n",
    )
    .load()
    .watch;
    assert_eq!(policy(&watch, "fast").gap_after, Duration::from_secs(30));
    assert_eq!(policy(&watch, "slow").gap_after, Duration::from_mins(3));
}

/// A TOML list of names `c0`, `c1` …
fn named(count: usize) -> String {
    let names: Vec<String> = (0..count).map(|index| format!("'c{index}'")).collect();
    format!("[{}]", names.join(", "))
}

#[test]
fn more_requests_than_allowed_are_refused_with_the_interval_that_fits() {
    let pubnub = "[pubnub]\nchannels_per_request = 1\nmax_requests_per_second = 10\n";
    // 100 requests every 5 s are 20 per second; every 10 s they are 10.
    let given = |interval: &str| {
        Given::file(&format!("{pubnub}[watch]\ninterval = '{interval}'\nchannels = {}", named(100)))
    };
    let finding = given("5s").finding();
    assert_eq!(finding.key, "watch.interval");
    assert!(finding.allowed.contains("needs 20.0 requests per second"), "{finding}");
    assert!(finding.allowed.contains("fits with 10s or longer"), "{finding}");
    given("10s").load();
    assert_eq!(given("9900ms").findings().len(), 1);
}

#[test]
fn the_interval_that_fits_leaves_room_for_discovery_and_rules() {
    // Discovery: 4 requests every 4 s; the rule: c1, c10 … c19 every 4 s, 2.75 per second; 19 others.
    let text = |max: usize, interval: &str| {
        format!(
            "[pubnub]\nchannels_per_request = 1\nmax_requests_per_second = {max}\n\
             [watch]\ninterval = '{interval}'\ndiscover_interval = '4s'\ngroups = ['a', 'b', 'c']\nchannels = {}\n\
             [[watch.rule]]\nchannels = ['c1*']\ninterval = '4s'\n",
            named(30).replace(']', ", 'x.*']")
        )
    };
    let config = Given::file(&text(10, "5s")).load();
    assert!((config.budget().per_second() - (1.0 + 2.75 + 3.8)).abs() < 1e-9);
    // 19 / (9 - 1 - 2.75) = 3.62
    let finding = Given::file(&text(9, "3s")).finding();
    assert!(finding.allowed.contains("fits with 3s700ms or longer"), "{finding}");
    Given::file(&text(9, "3700ms")).load();
    // The rule alone is too much: everything must slow down.
    let finding = Given::file(&text(3, "5s")).finding();
    assert!(finding.allowed.contains("every interval 3.28 times as long"), "{finding}");
}

#[test]
fn too_many_group_listings_are_refused_with_the_discover_interval_that_fits() {
    let given = Given::file(&format!("[watch]\ndiscover_interval = '4s'\ngroups = {}", named(100)));
    let finding = given.finding();
    assert_eq!(finding.key, "watch.discover_interval");
    assert!(finding.allowed.contains("5s or longer"), "{finding}");
}

#[test]
fn channels_are_asked_for_together_only_if_interval_and_what_is_asked_agree() {
    let config = Given::file(
        "[watch]\nchannels = ['a', 'b', 'c', 'd', 'p.*']\n\
         [[watch.rule]]\nchannels = ['b']\ngap_after = '20s'\n\
         [[watch.rule]]\nchannels = ['c']\ninclude_state = false\n\
         [[watch.rule]]\nchannels = ['d']\ninterval = '10s'\n",
    )
    .load();
    let classes: Vec<(usize, usize)> =
        config.budget().classes.iter().map(|class| (class.channels, class.requests)).collect();
    assert_eq!(classes, [(1, 1), (2, 1), (1, 1)]);
    assert_eq!(config.budget().discoveries, 1);
}

#[test]
fn without_a_subscribe_key_only_what_needs_one_fails() {
    let config = Given::file("").load();
    let findings = config.subscribe_key().expect_err("none").to_string();
    assert!(findings.contains("ADSUM__PUBNUB__SUBSCRIBE_KEY"), "{findings}");
    let config = Given::file("[pubnub]\nsubscribe_key = 'demo'").load();
    assert_eq!(config.subscribe_key().expect("set"), "demo");
}

#[test]
fn the_description_says_what_it_does_and_costs() {
    let config = Given::file(
        "[pubnub]\nsubscribe_key = 'sub-c-1'\n[watch]\nchannels = ['lobby', 'room.*']\ngroups = ['staff']\n\
         [[watch.rule]]\nchannels = ['room.big']\ninclude_uuids = false\n",
    )
    .load();
    insta::assert_snapshot!(config.describe().join("\n"), @r#"
    Asks https://ps.pndsn.com as user "adsum", subscribe key sub-c-1.
    Requests are not signed, without an auth token.
    A request may take 10s, an answer may have 32MiB and be 3s old.
    Watches 1 named channel, users with state, every 5s, a gap after 15s.
    Watches channels like "room.*", users with state, every 5s, a gap after 15s; looks for new ones every 30s.
    Watches the channels of group "staff", users with state, every 5s, a gap after 15s; lists it every 30s.
    Rule for ["room.big"]: occupancy only, every 5s, a gap after 15s.
    Costs 0.27 requests per second, 23040 per day; more with every channel that patterns and groups find. Never more than 20 per second.
    Keeps the history in data/history.db for 365d, marked every 10s; known states in data/state.sled.
    Serves the API on 127.0.0.1:8080, for whoever can reach it (no tokens).
    Note: PubNub answers for a channel it does not track as for an empty one. Make sure presence is on for every channel watched.
    "#);
}

#[test]
fn faults_of_the_origin_are_read_as_put_faults_reads_them() {
    let given = Given::file(
        "[[origin.faults.rule]]\nfault = 'latency'\ndelay = '300ms'\nprobability = 0.2\nchannels = ['room.*']\n\
         [[origin.faults.rule]]\nfault = 'error'\nstatus = 500\n",
    )
    .variable("ADSUM__ORIGIN__FAULTS__SEED", "7");
    let same = serde_json::json!({"seed": 7, "rule": [
        {"fault": "latency", "delay": "300ms", "probability": 0.2, "channels": ["room.*"]},
        {"fault": "error", "status": 500},
    ]});
    assert_eq!(given.load().origin.faults, Faults::read(&same).expect("good"));
}

#[test]
fn without_faults_the_origin_behaves() {
    assert_eq!(Given::file("").load().origin.faults, Faults::default());
}

#[test]
fn everything_that_is_wrong_with_a_fault_is_found_with_its_key_value_and_layer() {
    let given = Given::file(
        "[[origin.faults.rule]]\nfault = 'drop'\n\
         [[origin.faults.rule]]\nfault = 'error'\nstatus = 200\nchannels = ['a,b']\n",
    )
    .variable("ADSUM__ORIGIN__FAULTS__SEED", "many");
    let findings: Vec<String> = given
        .findings()
        .into_iter()
        .map(|Finding { key, value, allowed, layer }| {
            let layer = if matches!(layer, Layer::File(_)) { "file".to_owned() } else { layer.to_string() };
            format!("{key} = {}: {allowed} ({layer})", value.unwrap_or_default())
        })
        .collect();
    assert_eq!(
        findings,
        [
            "origin.faults.seed = \"many\": must be a whole number from 0 to 9007199254740991 \
             (environment variable ADSUM__ORIGIN__FAULTS__SEED)",
            "origin.faults.rule[1].status = 200: must be a whole number from 500 to 599 (file)",
            "origin.faults.rule[1].channels[0] = \"a,b\": must not contain ',' (file)",
        ]
    );
}
