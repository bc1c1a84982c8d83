//! A notifier that answers what each test says, and remembers what it was given.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use adsum::notify::{Attempt, Message, Notifier, Receipt, Remedy, Undelivered};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

/// What becomes of a try.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// The receiver takes it.
    Takes,
    /// It does not.
    Refuses(Remedy),
    /// The notifier panics.
    Panics,
    /// It does not end.
    Hangs,
    /// The receiver takes it after so long.
    TakesIn(Duration),
}

pub(crate) const RETRY: Answer = Answer::Refuses(Remedy::Retry { after: None });

/// Answers one after the other, and then the last for ever.
pub(crate) struct Scripted {
    answers: Mutex<VecDeque<Answer>>,
    got: Mutex<Vec<(String, Attempt)>>,
}

impl Scripted {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), got: Mutex::default() })
    }

    /// The deliveries' ids with each try.
    pub(crate) fn got(&self) -> Vec<(String, Attempt)> {
        self.got.lock().clone()
    }
}

impl Notifier for Scripted {
    fn deliver<'a>(
        &'a self,
        message: &'a Message,
        attempt: Attempt,
    ) -> BoxFuture<'a, Result<Receipt, Undelivered>> {
        self.got.lock().push((message.delivery.clone(), attempt));
        let mut answers = self.answers.lock();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().copied() };
        drop(answers);
        let taken = || Ok(Receipt { answer: "taken".to_owned() });
        match answer.unwrap() {
            Answer::Takes => async move { taken() }.boxed(),
            Answer::Refuses(remedy) => {
                let answer = format!("no, not try {}", attempt.number);
                async move { Err(Undelivered { remedy, answer }) }.boxed()
            }
            Answer::Panics => panic!("a notifier that panics, on purpose"),
            Answer::Hangs => std::future::pending().boxed(),
            Answer::TakesIn(span) => async move {
                tokio::time::sleep(span).await;
                taken()
            }
            .boxed(),
        }
    }
}
