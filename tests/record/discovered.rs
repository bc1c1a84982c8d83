//! Channels found by a pattern: a discovery observes every name the pattern matches, also those that are empty.

use jiff::Timestamp;

use crate::process::{PATIENCE, Process, Settings, start_daemon, start_origin};
use crate::proxy::Proxy;
use crate::record::{Api, Gap, until};
use crate::wire::Wire;

/// An origin and a daemon that watches a pattern and has looked around.
struct World {
    wire: Wire,
    api: Api,
    proxy: Proxy,
    _origin: Process,
    _daemon: Process,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (origin, address) = start_origin(folder.path(), "0s");
        let proxy = Proxy::start(&address).await;
        let daemon = start_daemon(folder.path(), &Settings::new(&proxy.address, &["wild.*"], "200ms", "0s"));
        let api = Api::new(&daemon.address(PATIENCE).expect("the daemon serves"));
        let world =
            Self { wire: Wire::new(&address), api, proxy, _origin: origin, _daemon: daemon, _folder: folder };
        world.discoveries(2).await;
        world
    }

    /// Waits for some more discoveries.
    async fn discoveries(&self, more: usize) {
        let before = self.proxy.polls.discoveries();
        until("there are more discoveries", async || before + more <= self.proxy.polls.discoveries()).await;
    }

    async fn events(&self, count: usize) {
        until("the change is recorded", async || self.api.events().await.len() == count).await;
    }
}

#[tokio::test]
async fn a_discovered_channel_that_empties_is_observed_on_without_a_gap() {
    let world = World::start().await;
    world.wire.heartbeat("wild.one", "u", 3600).await;
    world.events(1).await;
    let left = world.wire.leave("wild.one", "u").await;
    world.events(2).await;
    world.discoveries(5).await;
    let away = left.to + Timestamp::now().duration_since(left.to) / 2;
    world.discoveries(5).await;
    world.wire.heartbeat("wild.one", "u", 3600).await;
    world.events(3).await;
    let gaps: Vec<Gap> = world.api.all("/v1/gaps").await;
    let answer = world.api.presence("wild.one", "u", Some(away)).await;
    assert!(
        gaps.is_empty(),
        "every discovery observed the channel, yet there are gaps: {gaps:?}; and {answer}"
    );
    assert_eq!(answer["present"], "no", "{answer}");
}

#[tokio::test]
async fn nobody_is_in_a_channel_that_the_last_discovery_did_not_list() {
    let world = World::start().await;
    world.discoveries(3).await;
    let answer = world.api.presence("wild.never", "u", None).await;
    assert_eq!(answer["present"], "no", "the last discovery observed it as empty: {answer}");
}

#[tokio::test]
async fn a_join_of_a_discovered_channel_begins_after_the_discovery_before() {
    let world = World::start().await;
    world.discoveries(2).await;
    let joined = world.wire.heartbeat("wild.one", "u", 3600).await;
    world.events(1).await;
    let event = &world.api.events().await[0];
    assert_eq!(event.kind, "join", "{event:?}");
    assert!(event.window.admits(joined), "{event:?} {joined:?}");
}
