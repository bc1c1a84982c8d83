//! Simulated people: they come, stay, change their state, move on, flap, or vanish without a word. Some come to a party.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tracing::debug;

use crate::pubnub::{Client, ClientConfig, Error};

/// How many live there.
const RESIDENTS: usize = 300;

/// How many come to parties besides.
const GUESTS: usize = 24;

/// How many there are in all.
pub(super) const PEOPLE: usize = RESIDENTS + GUESTS;

/// Where the parties are. Some eight are there otherwise, hardly ever more than [`QUIET`].
pub(super) const PARTY: &str = "vip";

/// With more than so many there is a party.
pub(super) const QUIET: u32 = 20;

/// The first party begins so long after the start: everybody else has begun to come by then.
const PARTY_AFTER: Duration = Duration::from_secs(5);

/// From the beginning of one party to that of the next.
const PARTY_EVERY: Duration = Duration::from_secs(40);

/// How long a guest stays at one.
const PARTY_STAY: Duration = Duration::from_secs(20);

/// Where they go.
pub(super) const CHANNELS: [&str; 12] = [
    "lobby",
    "stage",
    "support",
    "kitchen",
    "class.math",
    "class.art",
    "game.1",
    "game.2",
    "game.3",
    "fleet.eu",
    "fleet.us",
    "vip",
];

const NAMES: [&str; 20] = [
    "ada", "bob", "chen", "dana", "edgar", "fatima", "grace", "hugo", "ines", "jun", "kofi", "lena", "mateo",
    "noor", "olga", "priya", "quinn", "rosa", "sven", "tariq",
];

const MOODS: [&str; 6] = ["typing", "listening", "away", "hand raised", "presenting", "idle"];

/// Whoever vanishes is gone after so many seconds, by the presence timeout that the client asks for.
const TIMEOUT: u32 = 12;

/// A heartbeat this often keeps somebody there.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);

/// How somebody behaves.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Stays for minutes in one channel.
    Regular,
    /// Stays shortly, then goes to another channel.
    Wanderer,
    /// Comes and goes within seconds, as on a bad line.
    Flapper,
    /// Ends without leaving.
    Vanisher,
}

impl Manner {
    fn of(number: usize) -> Self {
        match number % 20 {
            0 => Self::Flapper,
            1 | 2 => Self::Vanisher,
            3..=8 => Self::Wanderer,
            _ => Self::Regular,
        }
    }

    /// From how many seconds to how many a stay lasts, and an absence.
    fn seconds(self) -> ((f64, f64), (f64, f64)) {
        match self {
            Self::Regular => ((60.0, 400.0), (20.0, 120.0)),
            Self::Wanderer => ((15.0, 60.0), (1.0, 10.0)),
            Self::Flapper => ((1.0, 6.0), (1.0, 8.0)),
            Self::Vanisher => ((20.0, 90.0), (20.0, 60.0)),
        }
    }
}

/// Everybody, until dropped.
pub(super) struct Crowd {
    _people: JoinSet<()>,
}

impl Crowd {
    /// Lets everybody live on an origin.
    ///
    /// # Errors
    /// The client cannot be made.
    pub(super) fn start(origin: &str, subscribe_key: &str) -> anyhow::Result<Self> {
        let config = ClientConfig::new(subscribe_key, "crowd");
        let client = Client::new(ClientConfig { origin: origin.to_owned(), ..config })?;
        let mut people = JoinSet::new();
        for number in 0..RESIDENTS {
            people.spawn_local(Person::new(number, client.clone()).live());
        }
        for number in 0..GUESTS {
            people.spawn_local(Person::guest(number, client.clone()).party());
        }
        Ok(Self { _people: people })
    }
}

struct Person {
    id: String,
    manner: Manner,
    channel: &'static str,
    client: Client,
}

impl Person {
    fn new(number: usize, client: Client) -> Self {
        let name = NAMES.get(number % NAMES.len()).copied().unwrap_or("somebody");
        // The first channels are the popular ones.
        let home = fastrand::usize(0..CHANNELS.len()).min(fastrand::usize(0..CHANNELS.len()));
        let id = format!("{name}.{:02}", number / NAMES.len());
        Self { id, manner: Manner::of(number), channel: channel(home), client }
    }

    fn guest(number: usize, client: Client) -> Self {
        Self { id: format!("guest.{number:02}"), manner: Manner::Regular, channel: PARTY, client }
    }

    /// Comes to every party, with all other guests.
    async fn party(self) {
        pause(PARTY_AFTER).await;
        let mut parties = tokio::time::interval(PARTY_EVERY);
        loop {
            parties.tick().await;
            pause(between(0.0, 1.0)).await;
            self.try_to_stay(PARTY_STAY).await;
        }
    }

    async fn live(mut self) {
        let ((stay_least, stay_most), (away_least, away_most)) = self.manner.seconds();
        pause(between(0.0, away_most)).await;
        loop {
            self.try_to_stay(between(stay_least, stay_most)).await;
            pause(between(away_least, away_most)).await;
            if matches!(self.manner, Manner::Wanderer) {
                self.channel = channel(fastrand::usize(0..CHANNELS.len()));
            }
        }
    }

    async fn try_to_stay(&self, span: Duration) {
        if let Err(error) = self.stay(span).await {
            debug!(user = self.id, %error, "somebody in the crowd could not go on");
        }
    }

    /// One stay, from the first heartbeat to the leave.
    async fn stay(&self, mut left: Duration) -> Result<(), Error> {
        let channel = self.channel;
        let mut mood = state();
        self.heartbeat(channel, &mood).await?;
        while left > HEARTBEAT_EVERY {
            pause(HEARTBEAT_EVERY).await;
            left -= HEARTBEAT_EVERY;
            if fastrand::u8(0..12) == 0 {
                mood = state();
                self.client
                    .set_state()
                    .channels([channel])
                    .user_id(&self.id)
                    .state(mood.clone())
                    .execute()
                    .await?;
            }
            self.heartbeat(channel, &mood).await?;
        }
        pause(left).await;
        if matches!(self.manner, Manner::Vanisher) {
            pause(Duration::from_secs(u64::from(TIMEOUT))).await;
            return Ok(());
        }
        self.client.leave().channels([channel]).user_id(&self.id).execute().await
    }

    async fn heartbeat(&self, channel: &str, mood: &Value) -> Result<(), Error> {
        let heartbeat = self.client.heartbeat().channels([channel]).user_id(&self.id).heartbeat(TIMEOUT);
        heartbeat.state(channel, mood.clone()).execute().await
    }
}

fn channel(number: usize) -> &'static str {
    CHANNELS.get(number).copied().unwrap_or("lobby")
}

fn state() -> Value {
    let mood = MOODS.get(fastrand::usize(0..MOODS.len())).copied().unwrap_or("idle");
    json!({ "mood": mood })
}

fn between(least: f64, most: f64) -> Duration {
    Duration::from_secs_f64(least + (most - least) * fastrand::f64())
}

async fn pause(span: Duration) {
    tokio::time::sleep(span).await;
}
