//! Deliveries, and who waits for whom: what counts is counted again.

use super::audit::{About, Audit};
use super::law::Law;
use crate::history::Result;

/// Each gives the channel and what is wrong, a row for each breach. Kinds, changes and statuses are the numbers that
/// src/history/sqlite/alerts/codes.rs gives them. Of what finished before `?1` transitions and tries may have expired, a
/// few at a time, and it may be pending again.
const BREACHES: [(Law, &str); 12] = [
    (
        Law::Deliveries,
        "SELECT NULL, 'delivery ' || number || ' is neither pending nor finished, or both' FROM deliveries \
         WHERE ?1 IS ?1 AND ((status = 0) <> (due IS NOT NULL) OR (status = 0) <> (finished IS NULL) \
             OR status NOT IN (0, 1, 2) OR status = 1 AND joinable)",
    ),
    (
        Law::Deliveries,
        "SELECT NULL, 'delivery ' || number || ' is neither of an event nor of alerts, or both' FROM deliveries \
         WHERE ?1 IS ?1 AND ((kind = 3) <> (rule = '') OR (kind = 3) <> (event_id IS NOT NULL) \
             OR (kind = 3) <> (channel_id IS NOT NULL) OR kind NOT IN (0, 1, 2, 3))",
    ),
    (
        Law::Deliveries,
        "SELECT c.name, 'delivery ' || d.number || ' tells of event ' || d.event_id || ', which is not there' \
         FROM deliveries d LEFT JOIN channels c ON c.id = d.channel_id CROSS JOIN meta m \
         WHERE ?1 IS ?1 AND (d.event_id > m.expired_up_to AND NOT EXISTS \
             (SELECT 1 FROM events WHERE id = d.event_id AND channel_id = d.channel_id) OR d.event_id > m.last_event)",
    ),
    (
        Law::Deliveries,
        "SELECT c.name, 'delivery ' || t.delivery || ' tells of transition ' || t.change_id || \
             iif(a.id IS NULL, ', which is not there', ', which is of another rule or kind') \
         FROM notifications t LEFT JOIN deliveries d ON d.number = t.delivery \
         LEFT JOIN alert_changes a ON a.id = t.change_id LEFT JOIN channels c ON c.id = a.channel_id \
         WHERE ?1 IS ?1 AND (a.id IS NULL OR a.rule IS NOT d.rule OR a.change IS NOT d.kind + 2)",
    ),
    (
        Law::Deliveries,
        "SELECT NULL, 'delivery ' || number || ' counts ' || count || ', and tells of ' || there FROM \
             (SELECT number, count, created, iif(kind = 3, 1, (SELECT count(*) FROM notifications WHERE delivery = number)) \
              AS there FROM deliveries) \
         WHERE count <> there AND NOT (count > there AND created < coalesce(?1, created))",
    ),
    (
        Law::Deliveries,
        "SELECT NULL, 'delivery ' || number || ' was tried ' || attempts || ' times, and lists ' || there FROM \
             (SELECT number, attempts, attempts_before, created, status, \
                  (SELECT count(*) FROM attempts a WHERE a.delivery = d.number AND a.number <> 0) AS there, \
                  EXISTS (SELECT 1 FROM attempts a WHERE a.delivery = d.number AND a.delivered) AS delivered \
              FROM deliveries d) \
         WHERE attempts_before > attempts OR (attempts <> there OR status = 1 AND NOT delivered) \
             AND NOT (attempts >= there AND created < coalesce(?1, created))",
    ),
    (
        Law::Turns,
        "SELECT NULL, 'notifier ' || name || ' counts ' || waiting || ' that wait, and there are ' || there FROM \
             (SELECT name, waiting, (SELECT count(*) FROM deliveries WHERE notifier_id = n.id AND status = 0) AS there \
              FROM notifiers n) WHERE ?1 IS ?1 AND waiting <> there",
    ),
    (
        Law::Turns,
        "SELECT c.name, 'delivery ' || d.number || ' is pending, and does not wait its turn' \
         FROM deliveries d JOIN notifications t ON t.delivery = d.number JOIN alert_changes a ON a.id = t.change_id \
         LEFT JOIN channels c ON c.id = a.channel_id \
         WHERE ?1 IS ?1 AND d.status = 0 AND NOT EXISTS (SELECT 1 FROM turns u WHERE u.notifier_id = d.notifier_id \
             AND u.rule = d.rule AND u.channel_id = a.channel_id AND u.delivery = d.number)",
    ),
    (
        Law::Turns,
        "SELECT c.name, 'delivery ' || d.number || ' is pending, and does not wait its turn' \
         FROM deliveries d LEFT JOIN channels c ON c.id = d.channel_id \
         WHERE ?1 IS ?1 AND d.status = 0 AND d.channel_id IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM turns u WHERE u.notifier_id = d.notifier_id \
             AND u.rule = d.rule AND u.channel_id = d.channel_id AND u.delivery = d.number)",
    ),
    (
        Law::Turns,
        "SELECT c.name, 'delivery ' || u.delivery || ' waits where it has no turn' \
         FROM turns u LEFT JOIN deliveries d ON d.number = u.delivery LEFT JOIN channels c ON c.id = u.channel_id \
         WHERE d.status IS NOT 0 OR d.notifier_id <> u.notifier_id OR d.rule <> u.rule \
         OR d.channel_id IS NOT u.channel_id AND d.created >= coalesce(?1, d.created) AND NOT EXISTS \
             (SELECT 1 FROM notifications t JOIN alert_changes a ON a.id = t.change_id \
              WHERE t.delivery = u.delivery AND a.channel_id = u.channel_id)",
    ),
    (
        Law::Turns,
        "SELECT NULL, 'delivery ' || number || ' is blocked in ' || blocked || ' channels, and there are ' || there FROM \
             (SELECT number, blocked, (SELECT count(*) FROM turns u WHERE u.delivery = d.number AND EXISTS \
                  (SELECT 1 FROM turns WHERE notifier_id = u.notifier_id AND rule = u.rule \
                   AND channel_id = u.channel_id AND delivery < u.delivery)) AS there \
              FROM deliveries d WHERE status = 0 OR blocked <> 0) \
         WHERE ?1 IS ?1 AND blocked <> there",
    ),
    (
        Law::Turns,
        "SELECT c.name, 'delivery ' || d.number || ' waits for ' || d.behind || ', which does not go before it' \
         FROM deliveries d JOIN turns u ON u.delivery = d.number LEFT JOIN channels c ON c.id = u.channel_id \
         WHERE ?1 IS ?1 AND d.behind IS NOT NULL AND (d.behind >= d.number OR NOT EXISTS \
             (SELECT 1 FROM turns WHERE notifier_id = u.notifier_id AND rule = u.rule \
              AND channel_id = u.channel_id AND delivery = d.behind))",
    ),
];

pub(super) fn check(audit: &mut Audit<'_>) -> Result<()> {
    for (law, sql) in BREACHES {
        audit.begin("deliveries");
        let mut find = audit.tx.prepare(sql)?;
        let mut rows = find.query([audit.meta.kept_since])?;
        while let Some(row) = rows.next()? {
            let (channel, what): (Option<String>, String) = (row.get(0)?, row.get(1)?);
            audit.broken(law, About { channel: channel.as_deref(), user: None }, || what);
        }
    }
    Ok(())
}
