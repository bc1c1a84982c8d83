//! The cache of here-now answers: the same URL gets the same body for a while (PROTOCOL.md 1.6, 11).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use actix_web::web::Bytes;

use super::super::clock::Moment;

/// Answers kept at a time.
const MOST_ANSWERS: usize = 1_000;
/// Bytes those answers may hold together; the oldest give way. An answer larger than this is not kept.
const MOST_BYTES: usize = 64 << 20;
/// Parameters that differ from request to request and say nothing about the answer.
const OF_ONE_REQUEST: [&str; 4] = ["requestid", "instanceid", "signature", "timestamp"];

/// What a request is cached under: its path, and its parameters but for those of one request only.
pub(super) fn url(path: &str, query: &str) -> String {
    let name = |piece: &&str| !OF_ONE_REQUEST.contains(&piece.split('=').next().unwrap_or_default());
    let parameters: Vec<&str> = query.split('&').filter(name).collect();
    format!("{path}?{}", parameters.join("&"))
}

/// Answers by URL, each served until its time is over.
#[derive(Debug)]
pub(super) struct AnswerCache {
    keep_for: Duration,
    answers: HashMap<String, (Moment, Bytes)>,
    oldest: VecDeque<(Moment, String)>,
    bytes: usize,
}

impl AnswerCache {
    /// Keeps answers for a while; for no time at all, none.
    pub(super) fn new(keep_for: Duration) -> Self {
        Self { keep_for, answers: HashMap::new(), oldest: VecDeque::new(), bytes: 0 }
    }

    /// The answer that was given to this URL not long ago.
    pub(super) fn get(&mut self, url: &str, now: Moment) -> Option<Bytes> {
        while self.oldest.front().is_some_and(|(until, _)| *until <= now) {
            self.drop_oldest();
        }
        self.answers.get(url).map(|(_, body)| body.clone())
    }

    /// Keeps an answer, unless the URL has one already.
    pub(super) fn put(&mut self, url: String, body: Bytes, now: Moment) {
        let bytes = url.len() + body.len();
        if self.keep_for.is_zero() || bytes > MOST_BYTES || self.answers.contains_key(&url) {
            return;
        }
        while self.answers.len() >= MOST_ANSWERS || self.bytes + bytes > MOST_BYTES {
            self.drop_oldest();
        }
        let until = now.after(self.keep_for);
        self.bytes += bytes;
        self.oldest.push_back((until, url.clone()));
        self.answers.insert(url, (until, body));
    }

    fn drop_oldest(&mut self) {
        if let Some((_, url)) = self.oldest.pop_front()
            && let Some((_, body)) = self.answers.remove(&url)
        {
            self.bytes -= url.len() + body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_micros(1_000_000);
    const KEEP_FOR: Duration = Duration::from_secs(3);

    #[test]
    fn what_names_one_request_is_not_part_of_the_url() {
        let url = url("/p", "limit=1&requestid=a&uuid=u&instanceid=b&timestamp=1&signature=c");
        assert_eq!(url, "/p?limit=1&uuid=u");
    }

    #[test]
    fn an_answer_is_served_until_its_time_is_over() {
        let mut cache = AnswerCache::new(KEEP_FOR);
        cache.put("u".into(), "first".into(), NOW);
        cache.put("u".into(), "second".into(), NOW.after(Duration::from_secs(1)));
        assert_eq!(cache.get("u", NOW.after(Duration::from_millis(2_999))), Some("first".into()));
        assert_eq!(cache.get("other", NOW), None);
        assert_eq!(cache.get("u", NOW.after(KEEP_FOR)), None);
        assert_eq!((cache.answers.len(), cache.oldest.len(), cache.bytes), (0, 0, 0));
    }

    #[test]
    fn zero_keeps_nothing() {
        let mut cache = AnswerCache::new(Duration::ZERO);
        cache.put("u".into(), "body".into(), NOW);
        assert_eq!(cache.get("u", NOW), None);
    }

    #[test]
    fn the_oldest_answers_give_way_when_there_are_too_many_or_too_large() {
        let mut cache = AnswerCache::new(KEEP_FOR);
        for n in 0..=MOST_ANSWERS {
            cache.put(n.to_string(), "body".into(), NOW);
        }
        assert_eq!(cache.answers.len(), MOST_ANSWERS);
        assert_eq!(cache.get("0", NOW), None);
        assert!(cache.get("1", NOW).is_some());

        let large = Bytes::from(vec![0; MOST_BYTES - 10]);
        cache.put("large".into(), large, NOW);
        assert!(cache.bytes <= MOST_BYTES);
        assert!(cache.get("large", NOW).is_some());
        assert_eq!(cache.get("1", NOW), None);
        cache.put("too large".into(), Bytes::from(vec![0; MOST_BYTES]), NOW);
        assert_eq!(cache.get("too large", NOW), None);
    }
}
