//! Subscribe v2: the handshake, and the long poll that delivers presence events (PROTOCOL.md 2.6).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::feed::{Delivery, Subscription, Timetoken, Topic, Waiter};
use super::super::keyset::{Keyset, SharedKeyset};
use super::super::name::Name;
use super::super::state::State;
use super::super::world::{Arrival, Full, Hold};
use super::Service;
use super::bodies;
use super::envelope::{Envelope, Position};
use super::presence::{PRESENCE_SUFFIX, resolve, states, timeout};
use super::query::Query;
use super::refusal::Refusal;

/// How long before its handshake a client's first heartbeat may come: the SDKs send both at once.
const HEARTBEAT_FIRST: Duration = Duration::from_secs(1);

/// A subscribe, read.
#[derive(Debug)]
struct Subscribe {
    channels: Vec<Name>,
    groups: Vec<Name>,
    /// Without one, nobody joins.
    user: Option<Name>,
    timeout: Option<Duration>,
    /// `None` asks for a handshake.
    from: Option<Timetoken>,
    /// States to set with a handshake, by channel.
    states: HashMap<Name, State>,
}

/// The answer: where to go on from, and what happened.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    t: Position,
    m: Vec<Envelope<'a>>,
}

/// Joins the user and answers a handshake at once, a poll when something happened or its time is over.
pub(super) async fn subscribe(
    service: &Service,
    key: &Name,
    channels: &[Name],
    asked: &Query,
) -> Result<Bytes, Refusal> {
    let subscribe = Subscribe::parse(channels, asked)?;
    let keyset = service.keysets.open(key)?;
    match subscribe.from {
        None => handshake(service, &keyset, &subscribe),
        Some(from) => poll(service, keyset, &subscribe, from).await,
    }
}

impl Subscribe {
    fn parse(channels: &[Name], asked: &Query) -> Result<Self, Refusal> {
        let groups = asked.names("channel-group")?;
        if channels.is_empty() && groups.is_empty() {
            return Err(Refusal::unparsable());
        }
        let from = match asked.filled("tt").unwrap_or("0").parse() {
            Ok(0) => None,
            Ok(from) => Some(Timetoken(from)),
            Err(_) => return Err(Refusal::unparsable()),
        };
        Ok(Self {
            channels: channels.to_vec(),
            groups,
            user: asked.filled("uuid").map(|_| asked.user()).transpose()?,
            timeout: timeout(asked)?,
            from,
            states: states(asked)?,
        })
    }

    /// The channels it joins, directly or through groups, as of now.
    fn joined(&self, keyset: &Keyset) -> Result<Vec<Name>, Full> {
        resolve(&keyset.world, &self.channels, &self.groups)
    }

    /// The presence events it asks for, as of now.
    fn presence(&self, keyset: &Keyset) -> Result<Subscription, Full> {
        let mut subscription = Subscription::default();
        for channel in self.channels.iter().filter_map(|name| presence_of(name)) {
            subscription.add(channel.clone(), channel);
        }
        for name in &self.groups {
            let of_all = presence_of(name);
            let group = of_all.clone().unwrap_or_else(|| name.clone());
            for channel in keyset.world.resolve(&[], std::slice::from_ref(&group))? {
                // A group may hold `-pnpres` names: those are subscribed to with the group itself.
                match presence_of(&channel) {
                    Some(watched) => subscription.add(watched, group.clone()),
                    None if of_all.is_some() => subscription.add(channel, group.clone()),
                    None => {}
                }
            }
        }
        Ok(subscription)
    }

    /// The groups it follows.
    fn group_topics(&self) -> impl Iterator<Item = Topic> {
        self.groups.iter().map(|name| Topic::Group(presence_of(name).unwrap_or_else(|| name.clone())))
    }

    fn arrive(
        &self,
        service: &Service,
        keyset: &mut Keyset,
        channels: &[Name],
        states: &HashMap<Name, State>,
    ) -> Result<(), Full> {
        let Some(user) = &self.user else { return Ok(()) };
        let arrival = Arrival { user, channels, timeout: self.timeout, states };
        let changes = keyset.world.arrive(service.now(), arrival)?;
        keyset.announce(changes);
        Ok(())
    }
}

fn presence_of(name: &str) -> Option<Name> {
    name.strip_suffix(PRESENCE_SUFFIX).map(Name::from)
}

/// Answers with a timetoken from before the join, so that the first poll brings the subscriber its own join: also where
/// the client's first heartbeat came before its handshake. (The live service announces a join up to 2.5 s late, so there
/// too it comes after the handshake: PROTOCOL.md 3.3.)
fn handshake(service: &Service, keyset: &SharedKeyset, subscribe: &Subscribe) -> Result<Bytes, Refusal> {
    let now = service.now();
    let mut keyset = keyset.at(now);
    let channels = subscribe.joined(&keyset)?;
    let newest = keyset.feed.tick(now);
    let present = subscribe.user.as_ref().filter(|user| keyset.world.where_is(user).next().is_some());
    let joined = present.and_then(|user| keyset.feed.before_join(user, now.before(HEARTBEAT_FIRST)));
    let from = joined.unwrap_or(newest);
    subscribe.arrive(service, &mut keyset, &channels, &subscribe.states)?;
    bodies::write(&Answer { t: from.into(), m: Vec::new() })
}

async fn poll(
    service: &Service,
    keyset: SharedKeyset,
    subscribe: &Subscribe,
    from: Timetoken,
) -> Result<Bytes, Refusal> {
    let until = Instant::now() + service.settings.subscribe_timeout;
    let from = keyset.at(service.now()).feed.resume(from, service.now());
    let mut held = HeldPoll { service, keyset, wake: Arc::default(), holds: Vec::new(), waiter: None };
    loop {
        if let Some(answer) = held.look(subscribe, from)? {
            return Ok(answer);
        }
        if tokio::time::timeout_at(until, held.wake.notified()).await.is_err() {
            return bodies::write(&Answer { t: from.into(), m: Vec::new() });
        }
    }
}

/// A poll in flight. However it ends, answered or hung up, the user's timeout counts from then on.
struct HeldPoll<'a> {
    service: &'a Service,
    keyset: SharedKeyset,
    wake: Arc<Notify>,
    holds: Vec<Hold>,
    waiter: Option<Waiter>,
}

impl HeldPoll<'_> {
    /// The answer, if something happened. Otherwise the user is in every channel of the subscribe, and the poll waits.
    fn look(&mut self, subscribe: &Subscribe, from: Timetoken) -> Result<Option<Bytes>, Refusal> {
        let shared = self.keyset.clone();
        let mut keyset = shared.at(self.service.now());
        let channels = subscribe.joined(&keyset)?;
        self.follow(subscribe, &mut keyset, &channels)?;
        let presence = subscribe.presence(&keyset)?;
        let (next, deliveries) = keyset.feed.since(from, &presence);
        if !deliveries.is_empty() {
            return answer(&keyset.key, next, &deliveries).map(Some);
        }
        let topics: HashSet<Topic> = presence.topics().chain(subscribe.group_topics()).collect();
        if let Some(waiter) = self.waiter.replace(keyset.feed.wait(topics, &self.wake)) {
            keyset.feed.forget(&waiter);
        }
        Ok(None)
    }

    /// Joins and holds the channels that are new to this poll, and lets go of those a group no longer has.
    ///
    /// A channel it has held already is not joined again: who left it meanwhile, left it.
    fn follow(&mut self, subscribe: &Subscribe, keyset: &mut Keyset, channels: &[Name]) -> Result<(), Full> {
        let wanted: HashSet<&Name> = channels.iter().collect();
        let (kept, gone): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.holds).into_iter().partition(|hold| wanted.contains(hold.channel()));
        keyset.world.release(self.service.now(), gone);
        self.holds = kept;
        let held: HashSet<&Name> = self.holds.iter().map(Hold::channel).collect();
        let new: Vec<Name> = channels.iter().filter(|channel| !held.contains(channel)).cloned().collect();
        if let Some(user) = &subscribe.user
            && !new.is_empty()
        {
            subscribe.arrive(self.service, keyset, &new, &HashMap::new())?;
            self.holds.extend(keyset.world.hold(user, &new));
        }
        Ok(())
    }
}

impl Drop for HeldPoll<'_> {
    fn drop(&mut self) {
        let now = self.service.now();
        let mut keyset = self.keyset.at(now);
        keyset.world.release(now, std::mem::take(&mut self.holds));
        if let Some(waiter) = self.waiter.take() {
            keyset.feed.forget(&waiter);
        }
    }
}

fn answer(key: &Name, next: Timetoken, deliveries: &[Delivery]) -> Result<Bytes, Refusal> {
    let m = deliveries.iter().map(|delivery| Envelope::new(key, delivery)).collect();
    bodies::write(&Answer { t: next.into(), m })
}
