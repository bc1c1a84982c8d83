//! Goes through a channel's record in order of time.

use std::collections::VecDeque;
use std::time::Duration;

use super::ledger::Ledger;
use super::outcome::{Coverage, Doubt, Outcome};
use super::sights::{Opens, Says, Stretch, Users, whole};
use super::worlds::{Course, Heard, Worlds};
use super::{PROMPT, Question};
use crate::domain::alert::{Input, Listing};
use crate::domain::answer::Observed;
use crate::domain::gap::{Gap, GapReason};
use crate::domain::occupancy::Run;
use crate::domain::time::{Moment, Time};
use crate::domain::visit::Visit;

/// After all that is recorded.
const END: Time = Time::from_micros(i64::MAX);

/// So many times within a run of cut lists what is due is looked at: by then all has come about that may.
const LOOKS: usize = 8;

/// What the history keeps of a channel, from [`Question::begins`] to the end of the span.
pub struct Facts<R, G, V> {
    /// Up to when and since when it is observed.
    pub observed: Observed,
    /// What ended before is forgotten.
    pub kept_since: Option<Time>,
    /// Its runs, in order of time.
    pub runs: R,
    /// Its gaps, partial ones too, in order of `from`.
    pub gaps: G,
    /// The visits of the rule's user, in order of time; none for a rule that is not about one.
    pub visits: V,
}

/// What the rule would have done in a channel. `hear` hears of every transition as the record shows it, also of those before
/// the span; the outcome is about the span.
///
/// # Errors
/// The first of the facts.
pub fn backtest<R, G, V, E>(
    question: &Question<'_>,
    facts: Facts<R, G, V>,
    hear: &mut dyn FnMut(&Heard),
) -> Result<Outcome, E>
where
    R: Iterator<Item = Result<Run, E>>,
    G: Iterator<Item = Result<Gap, E>>,
    V: Iterator<Item = Result<Visit, E>>,
{
    let Facts { observed, kept_since, runs, gaps, visits } = facts;
    let mut replay = Replay::begin(question, &observed, kept_since, hear);
    let mut spans = Spans { gaps: gaps.fuse(), visits: visits.fuse(), next_gap: None, next_visit: None };
    for run in runs {
        let Some(run) = kept(run?, kept_since) else { continue };
        if run.first.latest >= question.to {
            break;
        }
        spans.read(run.last.latest, &mut replay)?;
        replay.gaps_until(run.first.latest);
        replay.run(&run);
    }
    spans.read(question.to, &mut replay)?;
    replay.gaps_until(END);
    Ok(replay.end())
}

/// Without what is older than is kept.
fn kept(run: Run, kept_since: Option<Time>) -> Option<Run> {
    let Some(kept) = kept_since else { return Some(run) };
    let first = Moment { earliest: run.first.earliest.max(kept), latest: run.first.latest.max(kept) };
    (run.last.latest >= kept).then_some(Run { first, ..run })
}

/// Gaps and visits, read on as far as runs need them.
struct Spans<G, V> {
    gaps: G,
    visits: V,
    next_gap: Option<Gap>,
    next_visit: Option<Visit>,
}

impl<G, V, E> Spans<G, V>
where
    G: Iterator<Item = Result<Gap, E>>,
    V: Iterator<Item = Result<Visit, E>>,
{
    /// Gives what begins by `until`.
    fn read(&mut self, until: Time, replay: &mut Replay<'_>) -> Result<(), E> {
        loop {
            let next = self.next_gap.take().map(Ok).or_else(|| self.gaps.next()).transpose()?;
            match next {
                Some(gap) if gap.from <= until => replay.take_gap(gap),
                later => break self.next_gap = later,
            }
        }
        loop {
            let next = self.next_visit.take().map(Ok).or_else(|| self.visits.next()).transpose()?;
            match next {
                Some(visit) if visit.joined.not_after <= until => replay.users.visit(visit),
                later => break self.next_visit = later,
            }
        }
        Ok(())
    }
}

/// What becomes at a time of what was due just before and may not have been looked at yet.
#[derive(Clone, Copy)]
enum Then {
    /// It is looked at later.
    GoesOn,
    /// What is seen then may end it.
    MayEnd,
    /// It happens then.
    Fires,
    /// Adsum was down, or may have been, and looks again.
    IsUpAgain,
}

struct Replay<'a> {
    question: Question<'a>,
    worlds: Worlds<'a>,
    ledger: Ledger<'a>,
    users: Users,
    /// Full gaps that are not gone through yet.
    waiting: VecDeque<Gap>,
    began: Time,
    /// When the gap at hand was noticed at the latest.
    noticed_by: Option<Time>,
    last: Option<Run>,
    last_gap: Option<Gap>,
    seen: Seen,
}

/// How much of the span was observed, as the gaps come.
struct Seen {
    span: (Time, Time),
    reached: Time,
    unseen: Duration,
    asked: Duration,
}

impl<'a> Replay<'a> {
    fn begin(
        question: &Question<'a>,
        observed: &Observed,
        kept_since: Option<Time>,
        hear: &'a mut dyn FnMut(&Heard),
    ) -> Self {
        Self {
            question: *question,
            worlds: Worlds::begin(question.rule, (question.from, question.to), hear),
            ledger: Ledger::new(question),
            users: Users::default(),
            waiting: VecDeque::new(),
            began: observed.began,
            noticed_by: None,
            last: None,
            last_gap: None,
            seen: Seen::begin(question, observed, kept_since),
        }
    }

    fn take_gap(&mut self, gap: Gap) {
        let about_users = self.question.rule.condition.user().is_some();
        if about_users || !gap.users_only {
            self.seen.gap(&gap);
        }
        if gap.users_only {
            self.users.partial(gap);
        } else {
            self.waiting.push_back(gap);
        }
    }

    /// Goes through the full gaps that ended by `time`, or all of them.
    fn gaps_until(&mut self, time: Time) {
        while let Some(gap) = self.waiting.pop_front_if(|gap| gap.to.unwrap_or(END) <= time) {
            self.gap(gap);
            self.noticed_by = None;
            self.last_gap = Some(gap);
        }
    }

    /// Something happened, in one of these ways, by `by`.
    fn take(&mut self, courses: &[Course], by: Time, doubt: Doubt) {
        let heard = self.worlds.take(courses, by, doubt);
        self.note(&heard);
    }

    fn note(&mut self, heard: &[Heard]) {
        let gap_end = self.last_gap.and_then(|gap| gap.to);
        self.ledger.heard(&self.worlds, heard, gap_end);
    }

    /// It is `until`: what was due by the clock has happened, each at its time.
    fn advance(&mut self, until: Time, then: Then) {
        let mut after = None;
        while let Some(due) = self.worlds.next_clock(after).filter(|due| *due <= until) {
            // What a gap makes pending is looked at once that is noticed.
            let looked = due.plus(PROMPT).max(self.noticed_by.unwrap_or(due));
            let (by, sure) = match then {
                Then::GoesOn if looked > until => break,
                Then::GoesOn => (looked, true),
                Then::MayEnd => (looked.min(until), looked <= until),
                Then::Fires => (looked.min(until), true),
                Then::IsUpAgain => (until.plus(PROMPT), true),
            };
            let heard = self.worlds.tick(due, by, sure);
            self.note(&heard);
            after = Some(due).filter(|_| !sure);
        }
    }
}

/// Full gaps.
impl Replay<'_> {
    fn gap(&mut self, gap: Gap) {
        let end = gap.to.unwrap_or(self.question.to).min(self.question.to);
        let last = self.last.map_or(self.began, |run| run.last.latest);
        let follows = self.last_gap.is_some_and(|last| passes_into(&last, &gap));
        let since = if follows { gap.from } else { last.max(gap.from) }.min(end);
        if gap.reason != GapReason::Crashed {
            let noticed = self.noticed(&gap, follows, since, end);
            if noticed.0 >= self.question.to {
                return;
            }
            self.opened(&gap, noticed);
        }
        let down = matches!(gap.reason, GapReason::Stopped | GapReason::Crashed);
        let downs = if down { vec![(since, end)] } else { self.question.downtime.within(gap.from, end) };
        for span in downs {
            self.down(span);
        }
        let over = gap.to.filter(|to| *to < self.question.to);
        let then = if down || over.is_none() { Then::GoesOn } else { Then::Fires };
        self.advance(end, then);
        self.over(gap, since, over);
    }

    /// The gap is over; or, if it is not, adsum may have been stopped meanwhile, and heard of it again.
    fn over(&mut self, gap: Gap, since: Time, over: Option<Time>) {
        let crashed = gap.reason == GapReason::Crashed;
        let Some(to) = over else {
            if crashed {
                let heard = Input::Gap { gap: Gap { to: None, ..gap }, at: since };
                self.take(&[vec![heard], Vec::new()], self.question.to, Doubt::Order);
            }
            return;
        };
        // Of the next gap, if no observation comes between, adsum hears at the same time.
        let next = self.waiting.front().copied().filter(|next| passes_into(&gap, next));
        let (from, by) = next.map_or((to, to), |next| {
            self.noticed(&next, true, next.from, next.to.unwrap_or(self.question.to))
        });
        // Of a crash it hears afterwards: now, or when it is stopped meanwhile.
        let from = if crashed { since } else { from };
        self.take(&[vec![Input::Gap { gap, at: from }]], by, Doubt::Order);
    }

    /// The gap was noticed at some time from the one to the other.
    fn opened(&mut self, gap: &Gap, (from, by): (Time, Time)) {
        // What a gap that goes before made pending goes on in it, but for the end of the watch.
        self.advance(if gap.reason == GapReason::Unwatched { by } else { from }, Then::MayEnd);
        self.noticed_by = Some(by);
        let open = Input::Gap { gap: Gap { to: None, ..*gap }, at: from };
        self.take(&[vec![open]], by, Doubt::Order);
    }

    /// Adsum was down, or may have been, at some time within the span.
    fn down(&mut self, (from, to): (Time, Time)) {
        self.advance(from, Then::GoesOn);
        let resumed = Input::Resumed { down_since: from, at: to };
        self.take(&[Vec::new(), vec![resumed]], to, Doubt::Downtime);
        self.ledger.down(to.since(from));
        self.advance(to, Then::IsUpAgain);
    }

    /// From when to when a gap may have been noticed that begins to count at `since` and ends at `end`. `follows`: it goes on
    /// from another gap.
    fn noticed(&self, gap: &Gap, follows: bool, since: Time, end: Time) -> (Time, Time) {
        let due = since.plus(self.question.opens_after);
        let (from, by) = match gap.reason {
            GapReason::Unwatched if follows => (gap.from, gap.from),
            GapReason::Stopped | GapReason::Unwatched => (since, due.plus(PROMPT)),
            GapReason::HistoryUnavailable => (since, end),
            GapReason::Clock => (due, end),
            _ => (due, due.plus(PROMPT)),
        };
        // It was there before it should have been: how it was watched has changed.
        let from = if from > end { since } else { from };
        (from, by.min(end).max(from))
    }
}

/// Whether one gap goes on in the other, and no observation stands between them ([`Gap::followed_by`]).
fn passes_into(gap: &Gap, next: &Gap) -> bool {
    gap.to == Some(next.from.plus(Duration::from_micros(1)))
}

/// Observations.
impl Replay<'_> {
    fn run(&mut self, run: &Run) {
        let after_gap = self.last_gap.is_some_and(|gap| gap.to == Some(run.first.latest));
        let stretches = match self.question.rule.condition.user() {
            Some(_) => self.users.stretches(&self.question, run, after_gap),
            None => vec![whole(run, self.last.as_ref())],
        };
        for stretch in stretches {
            self.advance(stretch.first.latest, Then::MayEnd);
            match stretch.says {
                Says::Plain(listing) => self.plain(&stretch, listing),
                Says::Untold(opens) => self.untold(&stretch, opens),
                Says::Cut(opens) => self.cut(&stretch, opens),
            }
        }
        self.last = Some(*run);
    }

    fn plain(&mut self, stretch: &Stretch, listing: Listing) {
        let seen = |moment| stretch.sighting(moment, listing);
        let first = Input::Observed { seen: seen(stretch.first), before: stretch.before, partial: None };
        self.take(&[vec![first]], stretch.first_by, Doubt::Order);
        let mut after = stretch.first.earliest;
        while let Some(due) = self.worlds.next_observation(after).filter(|due| *due <= stretch.last.earliest)
        {
            let input = Input::Observed { seen: seen(stretch.meets(due)), before: None, partial: None };
            self.take(&[vec![input]], due.plus(stretch.widest).min(stretch.last.latest), Doubt::Order);
            after = due;
        }
    }

    fn untold(&mut self, stretch: &Stretch, opens: Option<Opens>) {
        let courses = |moment| courses(stretch, moment, opens, &[Listing::Unknown]);
        self.take(&courses(stretch.first), stretch.first_by, Doubt::Order);
        let Some(Opens { from, by, gap, .. }) = opens else { return };
        if by <= stretch.first.latest || from >= stretch.last.latest {
            return;
        }
        self.advance(from, Then::MayEnd);
        let open = |time| course(stretch, instant(time), Listing::Unknown, Some(gap));
        let courses = [open(from), open(by), Vec::new()];
        let certain = if stretch.to_the_end { 2 } else { 3 };
        self.take(courses.get(..certain).unwrap_or_default(), by, Doubt::Order);
    }

    /// Each of these lists may have had the user or not. That is tried where something may come of it.
    fn cut(&mut self, stretch: &Stretch, opens: Option<Opens>) {
        let courses = |moment| courses(stretch, moment, opens, &[Listing::Listed, Listing::Unknown]);
        self.take(&courses(stretch.first), stretch.first_by, Doubt::CutLists);
        let (mut met, mut now) = (stretch.first.earliest, stretch.first.latest);
        for _ in 0..LOOKS {
            let due = self.worlds.next_observation(met).filter(|due| *due <= stretch.last.earliest);
            let ends = opens.map_or([None; 2], |opens| [Some(opens.from), Some(opens.by)]);
            let times = ends.into_iter().chain([self.worlds.next_clock(Some(now))]).flatten();
            let moments =
                times.filter(|time| *time > now).map(instant).chain(due.map(|due| stretch.meets(due)));
            let next = moments.min_by_key(|moment| (moment.latest, moment.earliest));
            let Some(next) = next.filter(|next| next.latest < stretch.last.latest) else { break };
            self.advance(next.latest, Then::MayEnd);
            let mut courses = courses(next);
            courses.push(Vec::new());
            let by = next.latest.plus(stretch.widest).min(stretch.last.latest);
            self.take(&courses, by, Doubt::CutLists);
            (met, now) = (met.max(next.earliest), next.latest);
        }
        self.advance(stretch.last.latest, Then::MayEnd);
        self.take(&courses(stretch.last), stretch.last.latest, Doubt::CutLists);
        self.worlds.lose_count();
    }

    fn end(mut self) -> Outcome {
        let last = self.last.map(|run| run.last.latest);
        let gap = self.last_gap.map(|gap| gap.to.unwrap_or(self.question.to));
        let until = last.max(gap).map(|until| until.min(self.question.to));
        if let Some(until) = until {
            self.advance(until, Then::GoesOn);
        }
        let mut outcome = self.ledger.end(&self.worlds, until);
        outcome.coverage = self.seen.coverage();
        outcome
    }
}

fn instant(time: Time) -> Moment {
    Moment { earliest: time, latest: time }
}

/// What may be seen at a moment: one of these of the user, and the partial gap as it may be by then.
fn courses(stretch: &Stretch, moment: Moment, opens: Option<Opens>, listings: &[Listing]) -> Vec<Course> {
    let known = moment == stretch.first && stretch.first_by == moment.latest
        || moment == stretch.last && stretch.to_the_end;
    let partials = match opens {
        Some(opens) if moment.latest >= opens.by => vec![Some(opens.gap)],
        Some(opens) if known && opens.at_once => vec![Some(opens.gap).filter(|_| moment.latest > opens.from)],
        Some(opens) if moment.latest >= opens.from => vec![None, Some(opens.gap)],
        Some(_) | None => vec![None],
    };
    let mut courses = Vec::new();
    for user in listings {
        // To who is listed a partial gap is nothing.
        let partials = if *user == Listing::Unknown { partials.as_slice() } else { &[None] };
        courses.extend(partials.iter().map(|partial| course(stretch, moment, *user, *partial)));
    }
    courses
}

fn course(stretch: &Stretch, moment: Moment, user: Listing, partial: Option<Gap>) -> Course {
    let before = stretch.before.filter(|_| moment == stretch.first);
    vec![Input::Observed { seen: stretch.sighting(moment, user), before, partial }]
}

impl Seen {
    fn begin(question: &Question<'_>, observed: &Observed, kept_since: Option<Time>) -> Self {
        let about_users = question.rule.condition.user().is_some();
        let (since, last) = if about_users {
            (observed.complete_since, observed.last_complete)
        } else {
            (observed.since, observed.last)
        };
        let since = since.map_or(question.to, |since| kept_since.map_or(since, |kept| since.max(kept)));
        let start = since.max(question.from);
        let end = last.map_or(start, |last| last.earliest).min(question.to).max(start);
        let asked = question.to.since(question.from);
        Self { span: (start, end), reached: start, unseen: Duration::ZERO, asked }
    }

    fn gap(&mut self, gap: &Gap) {
        let from = gap.from.max(self.reached);
        let to = gap.to.unwrap_or(self.span.1).min(self.span.1);
        self.unseen += to.since(from);
        self.reached = self.reached.max(to);
    }

    fn coverage(&self) -> Coverage {
        let observed = self.span.1.since(self.span.0).saturating_sub(self.unseen);
        Coverage { observed, asked: self.asked }
    }
}
