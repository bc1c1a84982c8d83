//! Which alerts are there? What became of them?

use actix_web::web::{Data, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::actors::handle::{Adsum, AlertPhase};
use crate::api::bodies::ListBody;
use crate::api::bodies::alert::{AlertBody, AlertChangeBody};
use crate::api::cursor::{ChangeCursor, Cursor};
use crate::api::params::{self, Query};
use crate::api::problem::Problem;
use crate::history::alerts::{AlertQuery, ChangeQuery};

/// Which alerts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertsParams {
    /// Only of this rule.
    rule: Option<String>,
    /// Only of this channel.
    channel: Option<String>,
    /// Only those that are `pending`, or that are `firing`. A page may then hold fewer items than its limit, or none, and
    /// still have a `next`.
    state: Option<String>,
    /// How many items, 1 to 1000; 100 unless given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// Goes on after the last answer: its `next`.
    after: Option<String>,
}

/// The alerts that are pending or fire.
#[utoipa::path(
    get, path = "/v1/alerts", operation_id = "listAlerts", tag = "alerts", params(AlertsParams),
    responses((status = 200, description = "The alerts, in order of rule and channel.", body = ListBody<AlertBody>))
)]
pub(crate) async fn list(
    adsum: Data<Adsum>,
    Query(asked): Query<AlertsParams>,
) -> Result<Json<ListBody<AlertBody>>, Problem> {
    let phase = params::word("state", asked.state.as_ref(), &AlertPhase::ALL, AlertPhase::as_str)?;
    let query = AlertQuery {
        rule: params::optional_name(asked.rule.as_ref())?,
        channel: params::optional_name(asked.channel.as_ref())?,
        after: params::after(asked.after.as_ref())?,
        limit: params::limit(asked.limit.as_ref())?,
    };
    let page = adsum.alerts(query, phase).await?;
    let items = page.items.iter().filter_map(AlertBody::of).collect();
    Ok(Json(ListBody { items, next: page.next.map(|next| next.encode()) }))
}

/// Which changes.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertHistoryParams {
    /// Only of this alert.
    alert_id: Option<String>,
    /// Only of this rule.
    rule: Option<String>,
    /// Only in this channel.
    channel: Option<String>,
    /// Only those that were known at this time or later: RFC 3339 or relative (`-2h`).
    from: Option<String>,
    /// Only those that were known before this.
    to: Option<String>,
    /// How many items, 1 to 1000; 100 unless given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// Goes on after the last answer: its `next`.
    after: Option<String>,
}

/// What became of alerts, the oldest first: each change with its windows, and whether it was muted.
#[utoipa::path(
    get, path = "/v1/alerts/history", operation_id = "listAlertHistory", tag = "alerts", params(AlertHistoryParams),
    responses((status = 200, description = "The changes, in the order in which they were recorded.", body = ListBody<AlertChangeBody>))
)]
pub(crate) async fn history(
    adsum: Data<Adsum>,
    Query(asked): Query<AlertHistoryParams>,
) -> Result<Json<ListBody<AlertChangeBody>>, Problem> {
    let (from, to) = params::span(asked.from.as_ref(), asked.to.as_ref(), adsum.now())?;
    let query = ChangeQuery {
        alert: params::alert_id(asked.alert_id.as_ref())?,
        rule: params::optional_name(asked.rule.as_ref())?,
        channel: params::optional_name(asked.channel.as_ref())?,
        from,
        to,
        after: params::after(asked.after.as_ref())?.map_or(0, |ChangeCursor { last }| last),
        limit: params::limit(asked.limit.as_ref())?,
    };
    let page = adsum.alert_history(query).await?;
    let items = page.items.into_iter().map(Into::into).collect();
    Ok(Json(ListBody { items, next: page.next.map(|last| ChangeCursor { last }.encode()) }))
}
