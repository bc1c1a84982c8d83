//! Occupancy over time.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::CoverageBody;
use super::span::{Instant, seconds, share};
use crate::actors::handle::OccupancySeries;
use crate::domain::names::ChannelName;
use crate::domain::occupancy::{Bounds, Bucket};
use crate::domain::time::Time;

/// Between which figures an occupancy lies.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Bounds)]
pub struct BoundsBody {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
}

impl From<Bounds> for BoundsBody {
    fn from(bounds: Bounds) -> Self {
        Self { min: bounds.min, max: bounds.max }
    }
}

/// One bucket of time. Figures are null where nothing of it was observed.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Bucket)]
pub struct BucketBody {
    /// Where it begins.
    pub start: Instant,
    /// The lowest occupancy there may have been in its observed time.
    #[schema(required = true)]
    pub min: Option<u32>,
    /// The highest occupancy there may have been in its observed time.
    #[schema(required = true)]
    pub max: Option<u32>,
    /// The mean over its observed time, to four decimals.
    #[schema(required = true)]
    pub mean: Option<f64>,
    /// The last occupancy seen in it.
    #[schema(required = true)]
    pub last: Option<u32>,
    /// The share of it that was observed, 0 to 1, rounded down to four decimals.
    #[schema(minimum = 0, maximum = 1)]
    pub observed: f64,
}

impl From<Bucket> for BucketBody {
    fn from(bucket: Bucket) -> Self {
        Self {
            start: bucket.start.into(),
            min: bucket.min,
            max: bucket.max,
            mean: bucket.mean.map(|mean| (mean * 10_000.0).round() / 10_000.0),
            last: bucket.last,
            observed: share(bucket.observed),
        }
    }
}

/// Occupancy over `[from, to)`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Occupancy)]
pub struct OccupancyBody {
    /// Which channel.
    pub channel: String,
    /// Where the span begins.
    pub from: Instant,
    /// Where it ends.
    pub to: Instant,
    /// How long a bucket is, in seconds; the last may be shorter.
    pub step_s: f64,
    /// In order of time.
    pub buckets: Vec<BucketBody>,
    /// How much of the span was observed.
    pub coverage: CoverageBody,
}

impl OccupancyBody {
    pub(crate) fn of(
        channel: &ChannelName,
        (from, to): (Time, Time),
        step: Duration,
        series: OccupancySeries,
    ) -> Self {
        Self {
            channel: channel.as_str().to_owned(),
            from: from.into(),
            to: to.into(),
            step_s: seconds(step),
            buckets: series.buckets.into_iter().map(Into::into).collect(),
            coverage: series.coverage.into(),
        }
    }
}
