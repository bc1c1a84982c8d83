//! What befell one seed, to read.

use crate::lives::Past;

/// Prints the plan, every request and the record, each line with its true time in seconds.
pub(crate) fn tell(past: &Past) {
    println!("{:#?}", past.world.plan);
    let mut lines: Vec<(i64, String)> = Vec::new();
    for ((channel, user), stays) in &past.world.truth.stays {
        for stay in stays {
            lines.push((stay.from, format!("{user} comes to {channel}, states {:?}", stay.states)));
            lines.push((stay.to, format!("{user} leaves {channel}")));
        }
    }
    for exchange in &past.log {
        let crate::service::Exchange { life, sent, received, request, result } = exchange;
        let told = match result {
            Ok(told) => told.iter().map(said).collect::<Vec<_>>().join(", "),
            Err(reason) => reason.as_str().to_owned(),
        };
        let asked = request.channels();
        lines.push((
            *received,
            format!("  life {life}, sent {}: {asked:?} {:?}: {told}", seconds(*sent), request.what),
        ));
    }
    for event in &past.record.events {
        let seen = past.scale.truly(event.window.not_after).unwrap_or(0);
        lines.push((seen, format!("    {event:?}")));
    }
    for (channel, gap) in &past.record.gaps {
        let from = past.scale.truly(gap.from).unwrap_or(0);
        lines.push((from, format!("    {channel}: {gap:?}")));
    }
    for change in &past.record.changes {
        let at = past.scale.truly(change.transition.at).unwrap_or(0);
        lines.push((at, format!("      {change:?}")));
    }
    lines.sort_by_key(|(at, _)| *at);
    for (at, line) in lines {
        println!("{} {line}", seconds(at));
    }
}

fn said(told: &crate::service::Told) -> String {
    let crate::service::Told { channel, view, occupancy, complete, named } = told;
    format!("{channel}={occupancy} at {} complete={complete} named={named}", seconds(*view))
}

fn seconds(at: i64) -> String {
    format!("{:.3}", at as f64 / 1e6)
}
