//! What one simulation is made of: who is watched how, and everything that goes wrong and when.

use std::sync::Arc;

use adsum::domain::alert::Rule;
use adsum::domain::gap::GapReason;

use crate::dice::Dice;
use crate::rules;

pub(crate) const SECOND: i64 = 1_000_000;

/// After this nothing goes wrong any more, and nothing changes either after [`Plan::still_from`]: what was missed must
/// have been made up for by the end.
const CALM: i64 = 330 * SECOND;

/// Why a channel is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Named,
    /// Added through the API, and removed and added again.
    Added,
    /// Found by the pattern `room.*`.
    Discovered,
    /// In the group `team`.
    InGroup,
    /// Named, and only its occupancy is asked for.
    CountOnly,
}

/// What is wrong with answers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Fault {
    /// They take so much longer, in microseconds.
    Slow(i64),
    /// They never come.
    Hang,
    /// The connection is refused or lost.
    Dropped,
    /// 500 and up.
    ServerError(u16),
    /// 429, and when to come back, in seconds.
    Throttled(Option<u64>),
    /// 403 that names the channels.
    Forbidden,
    /// 403 for the key.
    KeyForbidden,
    /// The body ends early.
    CutShort,
    Malformed,
    Html,
    /// Totals that do not add up.
    WrongTotals,
    /// An occupancy below the length of the list.
    TooMany,
    /// One user twice, another not.
    Doubled,
    EmptyId,
    NumberForId,
    /// Invalid UTF-8.
    NotUtf8,
    /// A list is missing.
    NoList,
    /// Lists are cut after so many users, pages too.
    Cut(usize),
    /// The order of the list changes between requests.
    Shuffled,
}

impl Fault {
    fn any(dice: &mut Dice) -> Self {
        match dice.below(19) {
            0 => Self::Slow(dice.span(0.1, 5.0)),
            1 => Self::Hang,
            2 => Self::Dropped,
            3 => Self::ServerError(*dice.pick(&[500, 502, 503])),
            4 => Self::Throttled(dice.chance(0.5).then(|| dice.int(0, 20).unsigned_abs())),
            5 => Self::Forbidden,
            6 => Self::KeyForbidden,
            7 => Self::CutShort,
            8 => Self::Malformed,
            9 => Self::Html,
            10 => Self::WrongTotals,
            11 => Self::TooMany,
            12 => Self::Doubled,
            13 => Self::EmptyId,
            14 => Self::NumberForId,
            15 => Self::NotUtf8,
            16 => Self::NoList,
            17 => Self::Cut(dice.below(6) + 1),
            _ => Self::Shuffled,
        }
    }

    /// What a gap is labelled with, if this makes requests fail.
    pub(crate) fn reason(self) -> Option<GapReason> {
        Some(match self {
            Self::Hang => GapReason::Timeout,
            Self::Dropped => GapReason::Unreachable,
            Self::ServerError(_) => GapReason::ServerError,
            Self::Throttled(_) => GapReason::Throttled,
            Self::Forbidden | Self::KeyForbidden => GapReason::Forbidden,
            Self::Slow(_) | Self::Doubled | Self::Cut(_) | Self::Shuffled => return None,
            _ => GapReason::BadAnswer,
        })
    }
}

/// A time in which answers are wrong.
#[derive(Clone, Debug)]
pub(crate) struct Episode {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) fault: Fault,
    pub(crate) probability: f64,
    /// Only answers about this channel.
    pub(crate) channel: Option<String>,
}

/// What is done to adsum.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Act {
    /// Stopped in order, started after so long.
    Stop(i64),
    /// Killed, started after so long.
    Crash(i64),
    /// Killed at its next commit, before or after it is done, started after so long.
    CrashAtCommit { after: bool, away: i64 },
    /// The machine sleeps for so long.
    Sleep(i64),
    /// The wall clock is set by so much.
    SetClock(i64),
    /// The history cannot be written for so long.
    HistoryFails(i64),
    /// The next commit panics, before or after it is done.
    CommitPanics { after: bool },
    /// This is watched no longer.
    Unwatch(String),
    /// This is watched.
    Watch(String),
    /// The configuration is read again, and says the same.
    ReadAgain,
    /// A settled moment is asked about.
    Ask,
}

impl Act {
    /// Whether what was observed may not be committed.
    pub(crate) fn concerns_commits(&self) -> bool {
        matches!(self, Self::CrashAtCommit { .. } | Self::HistoryFails(_) | Self::CommitPanics { .. })
    }
}

/// One simulation.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) channels: Vec<(String, Kind)>,
    pub(crate) users: usize,
    /// Between two polls of a channel.
    pub(crate) interval: i64,
    /// What adsum is told of the cache.
    pub(crate) cache_ttl: i64,
    /// How long the service's caches really keep an answer.
    pub(crate) cached: i64,
    pub(crate) caches: usize,
    pub(crate) discover_interval: i64,
    pub(crate) request_timeout: i64,
    /// How long an answer takes, between these.
    pub(crate) latency: (i64, i64),
    pub(crate) include_state: bool,
    /// The longest stays and absences, in seconds; each user has one of them.
    pub(crate) spans: &'static [f64],
    /// How many moments each user of each channel is asked about, besides the middles of stays and absences.
    pub(crate) moments: Option<usize>,
    pub(crate) episodes: Vec<Episode>,
    pub(crate) rules: Vec<Arc<Rule>>,
    pub(crate) acts: Vec<(i64, Act)>,
    pub(crate) still_from: i64,
    pub(crate) end: i64,
}

impl Plan {
    /// A world in which everything that can go wrong may.
    pub(crate) fn hard(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let dice = &mut dice;
        let interval = *dice.pick(&[2, 3, 5, 5, 10]) * SECOND;
        let cache_ttl = if dice.chance(0.25) { 0 } else { interval.min(3 * SECOND) };
        let still_from = dice.int(60, 400) * SECOND;
        let mut plan = Self {
            seed,
            channels: channels(dice),
            users: dice.below(8) + 2,
            interval,
            cache_ttl,
            cached: dice.int(0, cache_ttl),
            caches: dice.below(3) + 1,
            discover_interval: *dice.pick(&[5, 12, 30]) * SECOND,
            request_timeout: 4 * SECOND,
            latency: (dice.span(0.001, 0.05), dice.span(0.05, 0.8)),
            include_state: dice.chance(0.7),
            spans: &[8.0, 40.0, 200.0],
            moments: Some(4),
            episodes: Vec::new(),
            rules: Vec::new(),
            acts: Vec::new(),
            still_from,
            end: still_from + CALM,
        };
        for _ in 0..dice.below(7) {
            let episode = plan.episode(dice);
            plan.episodes.push(episode);
        }
        plan.acts(dice);
        plan.watched_by_rules();
        plan
    }

    fn watched_by_rules(&mut self) {
        let mut dice = Dice::new(self.seed, 9);
        let names: Vec<String> = self.channels.iter().map(|(name, _)| name.clone()).collect();
        self.rules = rules::any(&mut dice, &names, self.users, self.interval);
        for _ in 0..dice.below(3) {
            self.acts.push((dice.int(0, self.still_from), Act::ReadAgain));
        }
        self.acts.sort_by_key(|(at, _)| *at);
    }

    /// The same where every list is cut, pages too: it takes several to read one.
    pub(crate) fn in_pages(seed: u64) -> Self {
        let hard = Self::hard(seed);
        let mut dice = Dice::new(seed, 7);
        let fault = Fault::Cut(dice.below(4) + 2);
        let probability = *dice.pick(&[0.5, 1.0, 1.0]);
        let cut = Episode { from: 0, to: hard.still_from, fault, probability, channel: None };
        let mut episodes = hard.episodes;
        episodes.push(cut);
        Self { users: 10, episodes, ..hard }
    }

    /// The same with a history that cannot be written now and then for about as long as one look takes.
    pub(crate) fn unrecorded(seed: u64) -> Self {
        let mut hard = Self { spans: &[8.0, 20.0], ..Self::hard(seed) };
        let mut dice = Dice::new(seed, 8);
        for _ in 0..12 {
            let fails = Act::HistoryFails(dice.span(0.2, 1.5 * hard.interval as f64 / SECOND as f64));
            hard.acts.push((dice.int(0, hard.still_from), fails));
        }
        hard.acts.sort_by_key(|(at, _)| *at);
        hard
    }

    /// Nothing goes wrong, and users come and go quietly.
    fn calm(seed: u64, channels: usize, still_from: i64) -> Self {
        Self {
            seed,
            channels: (0..channels).map(|number| (format!("hall:{number}"), Kind::Named)).collect(),
            users: 3,
            interval: 5 * SECOND,
            cache_ttl: 3 * SECOND,
            cached: 3 * SECOND,
            caches: 3,
            discover_interval: 30 * SECOND,
            request_timeout: 4 * SECOND,
            latency: (1_000, 301_000),
            include_state: true,
            spans: &[60.0, 600.0],
            moments: Some(4),
            episodes: Vec::new(),
            rules: Vec::new(),
            acts: Vec::new(),
            still_from,
            end: still_from + CALM,
        }
    }

    /// An hour of 200 channels in which a fifth of all requests fails, and lists are cut at random.
    pub(crate) fn bad_hour(seed: u64) -> Self {
        let hour = 3600 * SECOND;
        let all_the_time =
            |fault, probability| Episode { from: 0, to: hour, fault, probability, channel: None };
        let failures = [
            Fault::Dropped,
            Fault::Hang,
            Fault::ServerError(503),
            Fault::Throttled(Some(1)),
            Fault::CutShort,
            Fault::Html,
            Fault::WrongTotals,
            Fault::EmptyId,
        ];
        // Each has its turn after those before it: together a fifth, and a tenth for each of the two cuts.
        let failures = failures.into_iter().map(|fault| all_the_time(fault, 0.033));
        let cuts = [all_the_time(Fault::Cut(1), 0.1), all_the_time(Fault::Cut(2), 0.1)];
        Self { moments: None, episodes: failures.chain(cuts).collect(), ..Self::calm(seed, 200, hour) }
    }

    /// Nothing is answered for a minute.
    pub(crate) fn outage(seed: u64) -> Self {
        let (from, to) = (100 * SECOND, 160 * SECOND);
        let outage = Episode { from, to, fault: Fault::Dropped, probability: 1.0, channel: None };
        let mut plan = Self { episodes: vec![outage], ..Self::calm(seed, 20, 300 * SECOND) };
        plan.watched_by_rules();
        plan
    }

    fn episode(&self, dice: &mut Dice) -> Episode {
        let from = dice.int(-20 * SECOND, self.still_from);
        let channel = dice.chance(0.4).then(|| dice.pick(&self.channels).0.clone());
        Episode {
            from,
            to: (from + dice.span(1.0, 200.0)).min(self.still_from),
            fault: Fault::any(dice),
            probability: *dice.pick(&[0.1, 0.5, 1.0]),
            channel,
        }
    }

    fn acts(&mut self, dice: &mut Dice) {
        for _ in 0..dice.below(5) {
            let away = dice.span(0.1, 60.0);
            let act = match dice.below(10) {
                0 => Act::Stop(away),
                1 | 2 => Act::Crash(away),
                3 => Act::CrashAtCommit { after: dice.chance(0.5), away },
                4 => Act::Sleep(dice.span(0.5, 100.0)),
                5 => Act::SetClock(dice.span(0.5, 600.0) * if dice.chance(0.7) { 1 } else { -1 }),
                6 => Act::HistoryFails(away),
                7 => Act::CommitPanics { after: dice.chance(0.5) },
                _ => {
                    let added: Vec<_> =
                        self.channels.iter().filter(|(_, kind)| *kind == Kind::Added).collect();
                    if !added.is_empty() {
                        let channel = &dice.pick(&added).0;
                        let at = dice.int(0, self.still_from);
                        self.acts.push((at, Act::Unwatch(channel.clone())));
                        self.acts.push((at + dice.span(0.01, 60.0), Act::Watch(channel.clone())));
                    }
                    continue;
                }
            };
            self.acts.push((dice.int(0, self.still_from), act));
        }
        for _ in 0..dice.below(12) {
            self.acts.push((dice.int(0, self.end), Act::Ask));
        }
        for (channel, _) in self.channels.iter().filter(|(_, kind)| *kind == Kind::Added) {
            self.acts.push((0, Act::Watch(channel.clone())));
            // Whatever refused that before is over by then.
            self.acts.push((self.still_from + 70 * SECOND, Act::Watch(channel.clone())));
        }
        self.acts.sort_by_key(|(at, _)| *at);
    }

    /// The fault that an answer about these channels suffers, if one does.
    pub(crate) fn fault(
        &self,
        at: i64,
        channels: &[String],
        dice: &mut Dice,
    ) -> Option<(Fault, Option<&str>)> {
        let now = self.episodes.iter().filter(|episode| episode.from <= at && at < episode.to);
        let mut concerned =
            now.filter(|episode| episode.channel.as_ref().is_none_or(|name| channels.contains(name)));
        let episode = concerned.find(|episode| dice.chance(episode.probability))?;
        Some((episode.fault, episode.channel.as_deref()))
    }
}

fn channels(dice: &mut Dice) -> Vec<(String, Kind)> {
    let count = dice.below(4) + 1;
    let mut channels = Vec::new();
    for number in 0..count {
        channels.push(match dice.below(8) {
            0 | 1 => (format!("room.{number}"), Kind::Discovered),
            2 => (format!("team.{number}"), Kind::InGroup),
            3 => (format!("count.{number}"), Kind::CountOnly),
            4 => (format!("added.{number}"), Kind::Added),
            _ => (format!("hall:{number} ä"), Kind::Named),
        });
    }
    channels
}
