//! What a configuration would do and what it would cost, in words, for `adsum check`.

mod alerting;

use super::{Budget, Config, duration, size};
use crate::domain::watch::{Policy, Target};

const SECONDS_PER_DAY: f64 = 86_400.0;

impl Config {
    /// The requests this configuration needs before anything is discovered.
    pub fn budget(&self) -> Budget {
        Budget::of(&self.watch, self.pubnub.channels_per_request)
    }

    /// What `adsum run` would do with this configuration, a line each; no secrets.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.describe_pubnub(&mut lines);
        self.describe_watch(&mut lines);
        self.describe_cost(&mut lines);
        self.describe_stores(&mut lines);
        alerting::describe(&self.alerting, &self.server, &mut lines);
        lines.push(
            "Note: PubNub answers for a channel it does not track as for an empty one. Make sure presence is on for \
             every channel watched."
                .to_owned(),
        );
        lines
    }

    fn describe_pubnub(&self, lines: &mut Vec<String>) {
        let pubnub = &self.pubnub;
        let key = pubnub
            .subscribe_key
            .as_deref()
            .unwrap_or("(not set: needed by run and by every command that asks PubNub)");
        lines.push(format!("Asks {} as user {:?}, subscribe key {key}.", pubnub.origin, pubnub.user_id));
        let signed = if pubnub.secret_key.is_some() { "signed with the secret key" } else { "not signed" };
        let token = if pubnub.auth_token.is_some() { "with an auth token" } else { "without an auth token" };
        lines.push(format!("Requests are {signed}, {token}."));
        lines.push(format!(
            "A request may take {}, an answer may have {} and be {} old.",
            duration::text(pubnub.request_timeout),
            size::text(pubnub.max_answer),
            duration::text(pubnub.cache_ttl)
        ));
    }

    fn describe_watch(&self, lines: &mut Vec<String>) {
        let watch = &self.watch;
        if watch.channels.is_empty() && watch.groups.is_empty() {
            lines.push("Watches nothing until channels are added while it runs.".to_owned());
        }
        for class in self.budget().classes {
            lines.push(format!("Watches {}, {}.", count(class.channels, "named channel"), how(class.policy)));
        }
        let discover = duration::text(watch.discover_interval);
        let policies = &watch.policies;
        for pattern in watch.patterns() {
            lines.push(format!(
                "Watches channels like {pattern:?}, {}; looks for new ones every {discover}.",
                how(policies.default)
            ));
        }
        for group in &watch.groups {
            lines.push(format!(
                "Watches the channels of group {group:?}, {}; lists it every {discover}.",
                how(policies.default)
            ));
        }
        for rule in &policies.rules {
            let channels: Vec<_> = rule.channels.iter().map(Target::as_str).collect();
            lines.push(format!("Rule for {channels:?}: {}.", how(rule.policy)));
        }
    }

    fn describe_cost(&self, lines: &mut Vec<String>) {
        let budget = self.budget();
        let per_second = budget.per_second();
        let more = if budget.discoveries > 0 {
            "; more with every channel that patterns and groups find"
        } else {
            ""
        };
        lines.push(format!(
            "Costs {per_second:.2} requests per second, {:.0} per day{more}. Never more than {} per second.",
            per_second * SECONDS_PER_DAY,
            self.pubnub.max_requests_per_second
        ));
    }

    fn describe_stores(&self, lines: &mut Vec<String>) {
        lines.push(format!(
            "Keeps the history in {} for {}, marked every {}; known states in {}.",
            self.history.path.display(),
            duration::text(self.history.retain),
            duration::text(self.history.mark_every),
            self.state.path.display()
        ));
        let who = match self.server.tokens.values().len() {
            0 => "for whoever can reach it (no tokens)".to_owned(),
            tokens => format!(
                "for callers with {}",
                if tokens == 1 { "the token".to_owned() } else { format!("one of {tokens} tokens") }
            ),
        };
        lines.push(format!("Serves the API on {}, {who}.", self.server.listen));
    }
}

fn how(policy: Policy) -> String {
    let what = match (policy.include_uuids, policy.include_state) {
        (false, _) => "occupancy only",
        (true, false) => "users without state",
        (true, true) => "users with state",
    };
    let (interval, gap_after) = (duration::text(policy.interval), duration::text(policy.gap_after));
    format!("{what}, every {interval}, a gap after {gap_after}")
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("{n} {what}") } else { format!("{n} {what}s") }
}
