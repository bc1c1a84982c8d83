//! What is kept of alerts comes back as it was.

use std::time::Duration;

use adsum::domain::alert::{
    AlertId, AlertState, Change, Condition, End, Firing, NotifierName, RuleName, Severity, Transition, Why,
};
use adsum::domain::time::Window;
use adsum::history::alerts::{
    AlertEntry, AlertQuery, ChangeQuery, DeliveryKind, GATHER, Notice, Standing, Told,
};

use crate::given::{ada, arrival, fresh, lobby, time};

#[test]
fn smoke() {
    let (_folder, history) = fresh();
    history.begin(&[lobby()], time(0)).unwrap();
    let mut entry = arrival(&lobby(), &ada(), 1);
    let id = AlertId::new(uuid::Uuid::from_u128(7));
    let since = Window { not_before: None, not_after: time(5) };
    let hook = NotifierName::new("hook").unwrap();
    let standing = Standing {
        rule: RuleName::new("crowded").unwrap(),
        terms: "t".into(),
        severity: Severity::Critical,
        state: AlertState::Firing(Firing {
            id,
            since,
            fired: time(1),
            told: time(1),
            occupancy: Some(3),
            gap: None,
            clear: None,
        }),
        muted: None,
        tell_end: vec![hook.clone()],
    };
    let transition = Transition {
        alert: id,
        at: time(9),
        change: Change::Firing,
        since,
        condition: Condition::OccupancyAbove { bound: 2, clear_below: 3 },
        occupancy: Some(3),
        gap: None,
    };
    entry.at = time(10);
    entry.alerts = vec![AlertEntry {
        standing: standing.clone(),
        notices: vec![Notice { transition, notify: vec![hook.clone()], muted: None }],
    }];
    history.commit(&[entry]).unwrap();
    assert_eq!(history.standings(&lobby()).unwrap(), [standing]);
    assert_eq!(history.alert_changes(&ChangeQuery { limit: 9, ..ChangeQuery::default() }).unwrap().len(), 1);
    assert_eq!(history.waiting().unwrap(), [(hook.clone(), 1, time(10).plus(GATHER))]);
    let due = history.due(&hook, time(10).plus(GATHER), 5).unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].delivery.kind, DeliveryKind::Firing);
}
