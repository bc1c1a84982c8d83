//! `adsum alerts delivery`: what one delivery says, and every try.

use clap::Args;
use serde_json::Value;

use super::history;
use crate::cli::daemon::Daemon;
use crate::cli::events;
use crate::cli::failure::Failure;
use crate::cli::output::{Format, Page};
use crate::cli::show::{Column, Kind, field, items, sentence};

const TRIES: [Column; 5] = [
    ("TRY", "number", Kind::Text),
    ("AT (UTC)", "at", Kind::Time),
    ("TOOK", "took_s", Kind::Seconds),
    ("DELIVERED", "delivered", Kind::Flag),
    ("ANSWER", "answer", Kind::Text),
];

/// Show a delivery: what it says, and what came of every try
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum alerts delivery 1cad200a-8eb2-4067-b351-0b7a3fbd94c9
  adsum alerts delivery 1cad200a-8eb2-4067-b351-0b7a3fbd94c9 --json")]
pub(super) struct Delivery {
    /// Its id, as `adsum alerts deliveries` lists it
    id: String,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

impl Delivery {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let answer = self.daemon.get(&["deliveries", &self.id], &[]).await?;
        self.format.answer(&answer, write)
    }
}

fn write(answer: &Value, page: &mut Page) {
    let text = |name| sentence(field(answer, name), Kind::Text);
    page.word_and_line(field(answer, "status"), &format!(": {} to {}", text("kind"), text("notifier")));
    page.field(answer, "written (UTC)", "created", Kind::Time);
    page.field(answer, "next try (UTC)", "due", Kind::Time);
    page.field(answer, "last answer", "answer", Kind::Text);
    let event = field(answer, "event");
    if event.is_null() {
        page.table(items(answer, "alerts"), &history::COLUMNS, "What it said is no longer kept.");
    } else {
        page.add(&events::table(std::slice::from_ref(event)));
    }
    let more = field(answer, "more").as_u64().unwrap_or_default();
    if more > 0 {
        page.line(&format!("and {more} more alerts"));
    }
    page.table(items(answer, "tries"), &TRIES, "Not tried yet.");
}
