//! Observations: those that the record shows, and those within a run at which something was due.

use super::outcome::Doubt;
use super::replay::{Replay, Then};
use super::sights::{Opens, Says, Stretch, whole};
use super::worlds::Course;
use crate::domain::alert::{Input, Listing};
use crate::domain::gap::Gap;
use crate::domain::occupancy::Run;
use crate::domain::time::{Moment, Time};

/// So many times within a run of cut lists what is due is looked at: by then all has come about that may.
const LOOKS: usize = 8;

impl Replay<'_> {
    pub(super) fn run(&mut self, run: &Run) {
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
