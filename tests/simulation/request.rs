//! Requests as they arrive.

use percent_encoding::percent_decode_str;

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) what: What,
    /// What the service's caches go by.
    pub(crate) url: String,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// Without channels it is global.
    HereNow {
        channels: Vec<String>,
        state: bool,
        uuids: bool,
        page: Option<(usize, usize)>,
    },
    Group,
}

impl Request {
    pub(crate) fn parse(uri: &str) -> Self {
        let (path, query) = uri.split_once('?').unwrap();
        let params: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let param = |key: &str| params.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        let number = |key: &str| param(key).map(|value| value.parse::<usize>().unwrap());
        let pieces: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let channels = match pieces[..] {
            ["v1", "channel-registration", "sub-key", _, "channel-group", "team"] => {
                return Self { what: What::Group, url: path.to_owned() };
            }
            ["v2", "presence", "sub-key", _, "channel", names] => {
                let name = |name: &str| percent_decode_str(name).decode_utf8().unwrap().into_owned();
                names.split(',').map(name).collect()
            }
            ["v2", "presence", "sub-key", _] => Vec::new(),
            _ => panic!("nobody answers {path}"),
        };
        let page = number("limit").map(|limit| (limit, number("offset").unwrap_or(0)));
        let (state, uuids) = (param("state") == Some("1"), param("disable_uuids") != Some("1"));
        let url = format!("{path}?{state}&{uuids}&{page:?}");
        Self { what: What::HereNow { channels, state, uuids, page }, url }
    }

    /// The channels asked for by name.
    pub(crate) fn channels(&self) -> &[String] {
        match &self.what {
            What::HereNow { channels, .. } => channels,
            What::Group => &[],
        }
    }

    pub(crate) fn with_state(&self) -> bool {
        matches!(self.what, What::HereNow { state: true, .. })
    }

    /// Whether it asks for lists from their beginning.
    pub(crate) fn lists(&self) -> bool {
        matches!(self.what, What::HereNow { uuids: true, page: None | Some((_, 0)), .. })
    }

    /// Whether it asks for a part of a list.
    pub(crate) fn is_page(&self) -> bool {
        matches!(self.what, What::HereNow { page: Some(_), .. })
    }

    /// Whether it goes on with a list.
    pub(crate) fn is_later_page(&self) -> bool {
        matches!(self.what, What::HereNow { page: Some((_, 1..)), .. })
    }
}
