//! How is it going, in figures?

use actix_web::HttpResponse;
use actix_web::web::Data;

use crate::actors::handle::{Adsum, AlertPhase};
use crate::domain::alert::Severity;
use crate::telemetry::metrics::{self, Channels};

/// The text format of Prometheus.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every metric, in Prometheus's text format.
#[utoipa::path(
    get, path = "/metrics", operation_id = "getMetrics", tag = "operation",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn metrics(adsum: Data<Adsum>) -> HttpResponse {
    let (now, channels) = (adsum.now(), adsum.channels());
    metrics::channels(Channels {
        watched: channels.len(),
        open_gaps: channels.iter().filter(|channel| channel.gap.is_some()).count(),
        oldest: channels
            .iter()
            .map(|channel| now.since(channel.last_observed.map_or(channel.began, |moment| moment.latest)))
            .max()
            .unwrap_or_default(),
    });
    alerts(&adsum).await;
    HttpResponse::Ok().content_type(TEXT_FORMAT).body(metrics::text())
}

/// Counts the alerts, those that there are none of too.
async fn alerts(adsum: &Adsum) {
    let counts = match adsum.alert_counts().await {
        Ok(counts) => Some(counts),
        Err(error) => {
            tracing::error!(%error, "the alerts were not counted");
            None
        }
    };
    for phase in AlertPhase::ALL {
        for severity in Severity::ALL {
            let count =
                counts.as_ref().map(|counts| counts.get(&(phase, severity)).copied().unwrap_or_default());
            metrics::alerts(phase.as_str(), severity.as_str(), count);
        }
    }
}
