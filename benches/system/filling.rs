//! Fills a history as the recorder does: observations of a made-up crowd, their changes committed many channels at once.

use std::time::{Duration, Instant};

use adsum::domain::channel::{Changes, Channel};
use adsum::domain::gap::GapReason;
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::observation::{Observation, Occupant};
use adsum::domain::state::Shown;
use adsum::domain::time::{Moment, Time};
use adsum::history::sqlite::Sqlite;
use adsum::history::{Entry, History as _, MAX_COMMIT_ROWS};
use anyhow::{Context as _, bail};
use fastrand::Rng;
use hashbrown::HashSet;

/// Between two observations of a channel, in the history's time.
pub(crate) const STEP: Duration = Duration::from_secs(5);

/// Moments of one step that are asked about.
const KNOWN_A_STEP: usize = 10;

/// What observations are given, as the daemon's are.
const TOOK: Duration = Duration::from_millis(50);

/// A moment that was recorded, and what was so then: to ask about, with the right answer.
pub(crate) struct Known {
    pub(crate) channel: ChannelName,
    pub(crate) at: Time,
    pub(crate) occupancy: usize,
    /// Somebody who was there.
    pub(crate) user: UserId,
}

struct Room {
    channel: Channel,
    /// Numbers of users, in the order that is observed.
    present: Vec<usize>,
    here: HashSet<usize>,
    /// How many it goes back to.
    usual: usize,
}

pub(crate) struct Filling {
    history: Sqlite,
    rooms: Vec<Room>,
    /// Rooms by number, each as often as it has users: larger ones change more often.
    seats: Vec<usize>,
    users: Vec<UserId>,
    rng: Rng,
    now: Time,
    pub(crate) events: u64,
    /// In commits alone.
    pub(crate) committing: Duration,
    pub(crate) longest: Duration,
    pub(crate) commits: u64,
    known: Vec<Known>,
    /// With the numbers of the room and the user.
    fresh: Vec<(usize, usize, Known)>,
}

/// Who is there; when does not matter.
fn occupant(user: &UserId) -> Occupant {
    Occupant { user: user.clone(), state: Shown::Unknown }
}

impl Filling {
    /// Rooms of these sizes, empty at first, whose users are any of so many.
    pub(crate) fn new(history: Sqlite, sizes: &[usize], users: usize, began: Time) -> anyhow::Result<Self> {
        let name = |number: usize| ChannelName::new(&super::crowd::channel_name(number));
        let names = (0..sizes.len()).map(name).collect::<Result<Vec<_>, _>>()?;
        history.begin(&names, began)?;
        let room = |(name, usual): (ChannelName, &usize)| Room {
            channel: Channel::begin(name, STEP * 3, began),
            present: Vec::new(),
            here: HashSet::new(),
            usual: *usual,
        };
        let rooms = names.into_iter().zip(sizes).map(room).collect();
        let seats = sizes.iter().enumerate().flat_map(|(number, size)| std::iter::repeat_n(number, *size));
        let user = |number| UserId::new(&super::crowd::user_name(0, number));
        Ok(Self {
            history,
            rooms,
            seats: seats.collect(),
            users: (0..users).map(user).collect::<Result<_, _>>()?,
            rng: Rng::with_seed(7),
            now: began,
            events: 0,
            committing: Duration::ZERO,
            longest: Duration::ZERO,
            commits: 0,
            known: Vec::new(),
            fresh: Vec::new(),
        })
    }

    /// One step: so many changes at random, every room observed, the changes committed. Rooms fill up to their usual size
    /// first.
    pub(crate) fn step(&mut self, changes: usize) -> anyhow::Result<()> {
        self.now = self.now.plus(STEP);
        for _ in 0..changes {
            let number = *self.rng.choice(&self.seats).context("no rooms")?;
            let room = self.rooms.get_mut(number).context("no room")?;
            room.change(self.users.len(), &mut self.rng);
        }
        self.observe()
    }

    fn observe(&mut self) -> anyhow::Result<()> {
        let moment = Moment::of_request(self.now.minus(TOOK), self.now, Duration::ZERO);
        let mut waiting: Vec<(usize, Observation, Changes)> = Vec::new();
        let mut rows = 0;
        for number in 0..self.rooms.len() {
            let room = self.rooms.get_mut(number).context("no room")?;
            let listed: Vec<Occupant> =
                room.present.iter().filter_map(|user| self.users.get(*user)).map(occupant).collect();
            let seen = Observation::new(moment, listed.len() as u64, Some(listed))?;
            let changes = room.channel.observe(&seen).ok().context("stale")?;
            let Some(changes) = changes else {
                room.channel.confirm(&seen);
                continue;
            };
            let more = 1 + changes.events.len();
            if rows + more > MAX_COMMIT_ROWS {
                self.commit(std::mem::take(&mut waiting))?;
                rows = 0;
            }
            rows += more;
            waiting.push((number, seen, changes));
        }
        self.commit(waiting)?;
        self.remember();
        Ok(())
    }

    fn commit(&mut self, waiting: Vec<(usize, Observation, Changes)>) -> anyhow::Result<()> {
        if waiting.is_empty() {
            return Ok(());
        }
        let entry = |(number, _, changes): &(usize, Observation, Changes)| {
            let room = self.rooms.get(*number).context("no room")?;
            anyhow::Ok(Entry::new(room.channel.name.clone(), changes.clone()))
        };
        let entries = waiting.iter().map(entry).collect::<anyhow::Result<Vec<_>>>()?;
        let since = Instant::now();
        let recorded = self.history.commit(&entries)?;
        let took = since.elapsed();
        self.committing += took;
        self.longest = self.longest.max(took);
        self.commits += 1;
        let expected: usize = waiting.iter().map(|(_, _, changes)| changes.events.len()).sum();
        if recorded.len() != expected {
            bail!("{expected} events were committed, {} recorded", recorded.len());
        }
        self.events += recorded.len() as u64;
        for (number, seen, changes) in waiting {
            self.rooms.get_mut(number).context("no room")?.channel.apply(&seen, &changes);
        }
        Ok(())
    }

    /// Some of what is so now. It is known for sure of those who are still there when they are next observed.
    fn remember(&mut self) {
        for (room, user, known) in std::mem::take(&mut self.fresh) {
            if self.rooms.get(room).is_some_and(|room| room.here.contains(&user)) {
                self.known.push(known);
            }
        }
        for _ in 0..KNOWN_A_STEP {
            let number = self.rng.usize(..self.rooms.len());
            let Some(room) = self.rooms.get(number) else { return };
            let Some(&user) = self.rng.choice(&room.present) else { continue };
            let Some(name) = self.users.get(user) else { return };
            let known = Known {
                channel: room.channel.name.clone(),
                // Between this observation and the next.
                at: self.now.plus(STEP / 4),
                occupancy: room.present.len(),
                user: name.clone(),
            };
            self.fresh.push((number, user, known));
        }
    }

    /// Ends as an orderly stop does, and gives what is known of the time before.
    pub(crate) fn close(self) -> anyhow::Result<Vec<Known>> {
        let stop = |room: &Room| {
            Entry::new(room.channel.name.clone(), room.channel.stop(self.now, GapReason::Stopped))
        };
        let entries: Vec<Entry> = self.rooms.iter().map(stop).collect();
        self.history.commit(&entries)?;
        drop(self.history);
        Ok(self.known)
    }
}

impl Room {
    fn change(&mut self, users: usize, rng: &mut Rng) {
        let comes =
            self.present.len() < self.usual || (self.present.len() < self.usual * 5 / 4 && rng.bool());
        if !comes {
            let gone = self.present.swap_remove(rng.usize(..self.present.len()));
            self.here.remove(&gone);
            return;
        }
        // Rooms are much smaller than the world: somebody who is not there is soon found.
        let new = std::iter::repeat_with(|| rng.usize(..users)).find(|user| !self.here.contains(user));
        if let Some(new) = new {
            self.here.insert(new);
            self.present.push(new);
        }
    }
}
