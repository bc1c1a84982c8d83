//! Reads server-sent events as they come (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

/// The longest event that is read, in bytes.
pub(super) const MAX_EVENT: usize = 4 * 1024 * 1024;

/// One event with data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// Its data; several lines are joined by newlines.
    pub(super) data: String,
}

/// An event is longer than [`MAX_EVENT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is longer than {MAX_EVENT} bytes")]
pub(super) struct TooLong;

/// The state between two pieces of a stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    data: Option<String>,
    id: Option<String>,
    last_id: Option<String>,
    after_return: bool,
}

impl Reader {
    /// A stream that goes on after the event with this id.
    pub(super) fn after(last_id: Option<String>) -> Self {
        Self { id: last_id.clone(), last_id, ..Self::default() }
    }

    /// The id of the last event that was read whole: where to go on.
    pub(super) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Forgets a half-read event: the connection broke, and the next one sends it again.
    pub(super) fn broken(&mut self) {
        *self = Self::after(self.last_id.take());
    }

    /// Reads the next piece; gives the events it completes.
    ///
    /// # Errors
    ///
    /// [`TooLong`]; nothing more should be read then.
    pub(super) fn read(&mut self, piece: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for &byte in piece {
            let follows_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if follows_return => {}
                b'\n' | b'\r' => events.extend(self.end_of_line()),
                _ => self.line.push(byte),
            }
            if self.line.len() + self.data.as_ref().map_or(0, String::len) > MAX_EVENT {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    fn end_of_line(&mut self) -> Option<Event> {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        if line.is_empty() {
            self.last_id.clone_from(&self.id);
            return self.data.take().map(|data| Event { data });
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // Comments, other names, and what only browsers need.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &str = "id: 6\n\n: hello\nid: 7\ndata: {\"a\":\ndata: 1}\n\nevent: x\r\nid:8\r\ndata:é\r\n\r\nid: 9\ndata: half";

    fn data(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.data.as_str()).collect()
    }

    #[test]
    fn an_event_counts_once_it_is_whole() {
        let mut reader = Reader::default();
        let events = reader.read(STREAM.as_bytes()).expect("short");
        assert_eq!(data(&events), ["{\"a\":\n1}", "é"]);
        assert_eq!(reader.last_id(), Some("8"));
        reader.broken();
        let events = reader.read(b"id: 9\ndata: whole\n\n").expect("short");
        assert_eq!((data(&events), reader.last_id()), (vec!["whole"], Some("9")));
    }

    #[test]
    fn an_id_without_data_says_where_to_go_on() {
        let mut reader = Reader::default();
        assert_eq!(reader.read(b"id: 41\n\n").expect("short"), []);
        assert_eq!(reader.last_id(), Some("41"));
    }

    #[test]
    fn a_stream_without_end_of_event_is_given_up() {
        let mut reader = Reader::default();
        assert_eq!(reader.read(&vec![b'x'; MAX_EVENT + 1]), Err(TooLong));
        let mut reader = Reader::default();
        let line = format!("data: {}\n", "x".repeat(1000));
        assert!((0..=MAX_EVENT / 1000).any(|_| reader.read(line.as_bytes()).is_err()));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_a_stream_is_cut(cuts in prop::collection::vec(0..STREAM.len(), 0..8)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let (mut reader, mut events, mut start) = (Reader::default(), Vec::new(), 0);
            for cut in cuts.into_iter().chain([STREAM.len()]) {
                events.extend(reader.read(&STREAM.as_bytes()[start..cut]).expect("short"));
                start = cut;
            }
            prop_assert_eq!(data(&events), ["{\"a\":\n1}", "é"]);
        }
    }
}
