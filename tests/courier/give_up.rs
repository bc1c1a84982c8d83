//! Who can be told nothing.

use adsum::history::alerts::{AlertHistory as _, DeliveryStatus};

use crate::receiver::{Receiver, answer};
use crate::world::{World, alerting, notifier, webhook};

#[actix::test]
async fn a_receiver_that_is_gone_gets_nothing_more_until_it_is_configured_anew() {
    let hook = Receiver::new(vec![answer("410 Gone", "", "moved away"), answer("200 OK", "", "")]);
    let receivers = || vec![webhook("ops", &hook.url(), 1, 10)];
    let world = World::real(receivers());
    world.fires("crowded", &["lobby"], "ops");
    world.fires("blind", &["hall"], "ops");
    world.until_all_are(DeliveryStatus::Failed).await;
    world.fires("late", &["hall"], "ops");
    world.until_all_are(DeliveryStatus::Failed).await;
    let answers: Vec<String> =
        world.deliveries().into_iter().map(|delivery| delivery.answer.unwrap()).collect();
    let given_up = "not sent: it wants no more, and said 410 Gone: moved away";
    assert_eq!(answers, ["410 Gone: moved away", given_up, given_up]);
    assert_eq!(hook.connections(), 1);
    // Only the first was tried.
    let tried: Vec<u32> = world.deliveries().iter().map(|delivery| delivery.attempts).collect();
    assert_eq!(tried, [1, 0, 0]);

    world.editions.publish(alerting(receivers()));
    world.fires("after", &["hall"], "ops");
    world.until("it is told again", |_| hook.got().len() == 2).await;
    let first = world.deliveries().remove(0);
    world.history.retry(&first.id, world.clock.now()).unwrap();
    world.until("what failed is sent again", |_| hook.got().len() == 3).await;
    assert_eq!(hook.got()[2].header("webhook-id"), first.id);
}

#[actix::test]
async fn what_waits_for_a_notifier_that_was_removed_is_given_up_saying_so() {
    let hook = Receiver::answering("500 Internal Server Error");
    let other = Receiver::answering("200 OK");
    let world = World::real(vec![webhook("ops", &hook.url(), 4, 10), webhook("other", &other.url(), 4, 10)]);
    world.fires("crowded", &["lobby"], "ops");
    world.until("it was tried", |world| world.deliveries()[0].attempts > 0).await;
    world.editions.publish(alerting(vec![webhook("other", &other.url(), 4, 10)]));
    world.fires("crowded", &["lobby"], "other");
    world.until("nothing waits", |world| world.history.waiting().unwrap().is_empty()).await;
    let [removed, kept] = world.deliveries().try_into().unwrap();
    assert_eq!((removed.notifier.clone(), removed.status), (notifier("ops"), DeliveryStatus::Failed));
    assert_eq!(removed.answer.as_deref(), Some("not sent: there is no notifier of this name"));
    let attempts = world.attempts(&removed);
    assert_eq!((attempts[0].number, attempts.last().unwrap().number), (1, 0));
    assert_eq!(kept.status, DeliveryStatus::Delivered);
}

#[actix::test]
async fn what_a_receiver_will_never_take_fails_at_once() {
    let hook =
        Receiver::new(vec![answer("413 Content Too Large", "", "what is this?"), answer("200 OK", "", "")]);
    let world = World::real(vec![webhook("ops", &hook.url(), 1, 10)]);
    world.fires("crowded", &["lobby"], "ops");
    world.resolves("crowded", &["lobby"], "ops");
    world.until("both are done", |world| !world.statuses().contains(&DeliveryStatus::Pending)).await;
    assert_eq!(world.statuses(), [DeliveryStatus::Failed, DeliveryStatus::Delivered]);
    assert_eq!(world.deliveries()[0].answer.as_deref(), Some("413 Payload Too Large: what is this?"));
}
