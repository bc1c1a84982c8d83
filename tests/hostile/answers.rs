//! Answers, good and bad.

use serde_json::{Value, json};

use crate::origin::Reply;

/// A whole HTTP answer with this body.
pub(crate) fn http(status: &str, headers: &str, body: &[u8]) -> Reply {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/javascript\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    );
    Reply::Bytes([head.as_bytes(), body].concat())
}

/// A 200 with this body.
pub(crate) fn ok(body: impl AsRef<[u8]>) -> Reply {
    http("200 OK", "", body.as_ref())
}

/// An entry of a channel in which these are.
pub(crate) fn entry(users: &[String]) -> String {
    json!({"occupancy": users.len(), "uuids": users}).to_string()
}

/// The answer about one channel, from its entry.
pub(crate) fn flat(entry: &str) -> String {
    let fields = entry.strip_prefix('{').unwrap();
    format!(r#"{{"status":200,"message":"OK","service":"Presence",{fields}"#)
}

/// The answer about several channels: their names and entries, and the totals it gives.
pub(crate) fn many(entries: &[(String, String)], total_channels: usize, total_occupancy: u128) -> String {
    let entries = entries.iter().map(|(name, entry)| format!("{}:{entry}", Value::from(name.as_str())));
    let entries = entries.collect::<Vec<_>>().join(",");
    format!(
        r#"{{"status":200,"message":"OK","service":"Presence","payload":{{"channels":{{{entries}}},"total_channels":{total_channels},"total_occupancy":{total_occupancy}}}}}"#
    )
}

/// A listing of a group.
pub(crate) fn group(group: &str, channels: &[&str]) -> Reply {
    let payload = json!({"channels": channels, "group": group});
    ok(json!({"status": 200, "payload": payload, "service": "channel-registry", "error": false}).to_string())
}
