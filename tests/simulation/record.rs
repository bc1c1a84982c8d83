//! What adsum answers at the end.

use std::sync::Arc;

use adsum::actors::handle::{Adsum, PresenceAnswer, VisitItem};
use adsum::domain::event::Recorded;
use adsum::domain::gap::Gap;
use adsum::domain::names::ChannelName;
use adsum::domain::occupancy::Bounds;
use adsum::domain::time::Time;
use adsum::history::alerts::{
    AlertChange, AlertQuery, ChangeQuery, Delivery, DeliveryQuery, StandingAlert, Told,
};
use adsum::history::{EventQuery, History, VisitQuery};

use crate::dice::Dice;
use crate::lives::{ask_again, channel};
use crate::plan::Plan;
use crate::service::World;
use crate::timeline::Scale;
use crate::truth::user_id;

/// How many moments the occupancy of each channel is asked about.
const MOMENTS: usize = 8;

/// Pages are small, so that there are several.
const PAGE: usize = 37;

pub(crate) struct Record {
    /// Hidden ones too.
    pub(crate) events: Vec<Recorded>,
    pub(crate) visits: Vec<VisitItem>,
    pub(crate) gaps: Vec<(ChannelName, Gap)>,
    /// Who is where, with the state.
    pub(crate) here: Vec<(String, String, Option<serde_json::Value>)>,
    pub(crate) asked: Vec<Asked>,
    pub(crate) occupancies: Vec<(String, i64, Option<Bounds>)>,
    /// What became of alerts.
    pub(crate) changes: Vec<AlertChange>,
    /// How they stand.
    pub(crate) standing: Vec<StandingAlert>,
    /// Who was to be told of which changes.
    pub(crate) deliveries: Vec<(Delivery, Vec<AlertChange>)>,
    /// When all this was read.
    pub(crate) read_at: i64,
}

/// A question about a moment.
pub(crate) struct Asked {
    pub(crate) channel: String,
    pub(crate) user: String,
    /// In true time.
    pub(crate) at: i64,
    pub(crate) answer: PresenceAnswer,
}

impl Record {
    pub(crate) async fn read(
        adsum: &Adsum,
        history: &Arc<dyn History>,
        world: &World,
        scale: &Scale,
    ) -> Self {
        let plan = &world.plan;
        let read_at = world.timeline.now();
        Self {
            changes: changes(&**history),
            standing: standing(&**history),
            deliveries: deliveries(&**history),
            events: events(&**history),
            visits: visits(adsum).await,
            gaps: gaps(adsum).await,
            here: here(adsum, plan).await,
            asked: asked(adsum, world, scale, read_at).await,
            occupancies: occupancies(adsum, plan, scale, read_at).await,
            read_at,
        }
    }

    pub(crate) fn gaps_of<'a>(&'a self, channel: &'a str) -> impl Iterator<Item = &'a Gap> {
        self.gaps.iter().filter(move |(name, _)| name.as_str() == channel).map(|(_, gap)| gap)
    }
}

fn events(history: &dyn History) -> Vec<Recorded> {
    let mut events: Vec<Recorded> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.id);
        let page = history.events(&EventQuery { after, limit: PAGE, ..EventQuery::default() }).unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page);
    }
}

fn changes(history: &dyn History) -> Vec<AlertChange> {
    let mut changes: Vec<AlertChange> = Vec::new();
    loop {
        let after = changes.last().map_or(0, |change| change.id);
        let query = ChangeQuery { after, limit: PAGE, ..ChangeQuery::default() };
        let page = history.alert_changes(&query).unwrap();
        if page.is_empty() {
            return changes;
        }
        changes.extend(page);
    }
}

fn standing(history: &dyn History) -> Vec<StandingAlert> {
    let mut alerts: Vec<StandingAlert> = Vec::new();
    loop {
        let after = alerts.last().map(|alert| (alert.standing.rule.clone(), alert.channel.clone()));
        let page = history.alerts(&AlertQuery { after, limit: PAGE, ..AlertQuery::default() }).unwrap();
        if page.is_empty() {
            return alerts;
        }
        alerts.extend(page);
    }
}

fn deliveries(history: &dyn History) -> Vec<(Delivery, Vec<AlertChange>)> {
    let mut deliveries: Vec<(Delivery, Vec<AlertChange>)> = Vec::new();
    loop {
        let after = deliveries.last().map_or(0, |(delivery, _)| delivery.number);
        let page =
            history.deliveries(&DeliveryQuery { after, limit: PAGE, ..DeliveryQuery::default() }).unwrap();
        if page.is_empty() {
            return deliveries;
        }
        for delivery in page {
            let (outgoing, _) = history.delivery(&delivery.id).unwrap().unwrap();
            let Told::Alerts(changes) = outgoing.told else { panic!("nobody wants events") };
            deliveries.push((delivery, changes));
        }
    }
}

async fn visits(adsum: &Adsum) -> Vec<VisitItem> {
    let (mut visits, mut after) = (Vec::new(), None);
    loop {
        let query = VisitQuery { after, limit: PAGE, ..VisitQuery::default() };
        let page = adsum.visits(query, None).await.unwrap();
        visits.extend(page.items);
        after = page.next;
        if after.is_none() {
            return visits;
        }
    }
}

async fn gaps(adsum: &Adsum) -> Vec<(ChannelName, Gap)> {
    let (mut gaps, mut after) = (Vec::new(), None);
    loop {
        let page = adsum.gaps(None, None, None, after, PAGE).await.unwrap();
        gaps.extend(page.items);
        after = page.next;
        if after.is_none() {
            return gaps;
        }
    }
}

async fn here(adsum: &Adsum, plan: &Plan) -> Vec<(String, String, Option<serde_json::Value>)> {
    let mut here = Vec::new();
    for (name, _) in &plan.channels {
        // A channel that a pattern never found is unknown.
        if let Ok(occupants) = adsum.occupants(&channel(name), None, None, 1000).await {
            for item in occupants.items {
                let state = item.state.state().map(adsum::domain::state::State::to_value);
                here.push((name.clone(), item.user.to_string(), state));
            }
        }
    }
    here
}

async fn asked(adsum: &Adsum, world: &World, scale: &Scale, now: i64) -> Vec<Asked> {
    let plan = &world.plan;
    let mut dice = Dice::new(plan.seed, 5);
    let mut asked = Vec::new();
    let Some(count) = plan.moments else { return asked };
    for (name, _) in &plan.channels {
        for number in 0..plan.users {
            let user = user_id(number);
            let mut moments: Vec<i64> = (0..count).map(|_| dice.int(0, now)).collect();
            let stays = world.truth.of_user(name, &user);
            moments.extend(stays.iter().map(|stay| stay.from.midpoint(stay.to.min(now))));
            moments.extend(stays.windows(2).map(|pair| pair[0].to.midpoint(pair[1].from)));
            for at in moments.into_iter().filter(|at| (0..now).contains(at)) {
                let answer = ask_again(adsum, name, &user, scale.shown(at)).await;
                asked.push(Asked { channel: name.clone(), user: user.clone(), at, answer });
            }
        }
    }
    asked
}

async fn occupancies(
    adsum: &Adsum,
    plan: &Plan,
    scale: &Scale,
    now: i64,
) -> Vec<(String, i64, Option<Bounds>)> {
    let mut dice = Dice::new(plan.seed, 6);
    let mut occupancies = Vec::new();
    for (name, _) in &plan.channels {
        for _ in 0..MOMENTS {
            let at = dice.int(0, now);
            let shown: Time = scale.shown(at);
            if let Ok(occupants) = adsum.occupants(&channel(name), Some(shown), None, 1000).await {
                occupancies.push((name.clone(), at, occupants.occupancy));
            }
        }
    }
    occupancies
}
