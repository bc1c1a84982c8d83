//! How many were in a channel over a span?

use std::time::Duration;

use actix_web::web::{Data, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::actors::handle::Adsum;
use crate::api::bodies::occupancy::OccupancyBody;
use crate::api::params::{self, PathName, Query};
use crate::api::problem::{Code, Problem};
use crate::domain::names::ChannelName;
use crate::domain::time::Time;

/// How many buckets one answer holds at most.
pub(crate) const MAX_BUCKETS: u128 = 10_000;

const DEFAULT_SPAN: Duration = Duration::from_secs(3600);
const DEFAULT_STEP: Duration = Duration::from_secs(60);

/// Which span, in which steps.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OccupancyParams {
    /// Where the span begins: RFC 3339 or relative (`-2h`); an hour before its end unless given.
    from: Option<String>,
    /// Where it ends; now unless given.
    to: Option<String>,
    /// How long a bucket is (`30s`, `5m`); a minute unless given. At most 10,000 buckets fit in an answer.
    step: Option<String>,
}

/// Occupancy over a span, in buckets.
#[utoipa::path(
    get, path = "/v1/channels/{channel}/occupancy", operation_id = "getOccupancy", tag = "channels",
    params(("channel" = String, Path, description = "The channel's name, percent-encoded."), OccupancyParams),
    responses((status = 200, description = "The buckets, in order of time.", body = OccupancyBody))
)]
pub(crate) async fn series(
    adsum: Data<Adsum>,
    PathName(channel): PathName<ChannelName>,
    Query(asked): Query<OccupancyParams>,
) -> Result<Json<OccupancyBody>, Problem> {
    let now = adsum.now();
    let to = params::time("to", asked.to.as_ref(), now)?.unwrap_or(now);
    let from = params::time("from", asked.from.as_ref(), now)?.unwrap_or_else(|| to.minus(DEFAULT_SPAN));
    params::ordered(from, to)?;
    let step = params::length("step", asked.step.as_ref())?.unwrap_or(DEFAULT_STEP);
    check_buckets(from, to, step)?;
    let series = adsum.occupancy(&channel, from, to, step).await?;
    Ok(Json(OccupancyBody::of(&channel, (from, to), step, series)))
}

fn check_buckets(from: Time, to: Time, step: Duration) -> Result<(), Problem> {
    if step.is_zero() {
        return Err(Problem::new(Code::BadParameter, "step: must be longer than nothing"));
    }
    let buckets = to.since(from).as_nanos().div_ceil(step.as_nanos());
    if buckets > MAX_BUCKETS {
        let detail =
            format!("this span has {buckets} buckets of this step, at most {MAX_BUCKETS} are given at once");
        return Err(Problem::new(Code::BadRange, detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_holds_more_buckets_than_the_limit() {
        let from = Time::from_micros(0);
        let step = Duration::from_secs(1);
        let after = |seconds| from.plus(Duration::from_secs(seconds));
        assert!(check_buckets(from, after(10_000), step).is_ok());
        let over = check_buckets(from, after(10_000).plus(Duration::from_millis(1)), step).unwrap_err();
        assert_eq!(over.code, Code::BadRange);
        assert!(over.detail.contains("10001") && over.detail.contains("10000"), "{}", over.detail);
        assert_eq!(check_buckets(from, after(1), Duration::ZERO).unwrap_err().code, Code::BadParameter);
    }
}
