//! The service's clock (PROTOCOL.md 2.8).

use super::answer::{self, Flaw};
use super::client::Client;
use super::error::Error;
use super::request::Request;

/// A time request: [`Client::time`].
#[derive(Debug, Clone)]
#[must_use = "nothing is asked before `execute`"]
pub struct Time {
    client: Client,
}

impl Client {
    /// Asks for the service's time. Needs no permission; neither token nor signature is sent.
    pub fn time(&self) -> Time {
        Time { client: self.clone() }
    }
}

impl Time {
    /// Asks; the answer is a timetoken, in units of 100 ns since the Unix epoch.
    ///
    /// # Errors
    /// Any [`Error`], as it says.
    pub async fn execute(self) -> Result<u64, Error> {
        let request = Request { authorised: false, ..Request::new("/time/0".to_owned()) };
        self.client.call(&request, parse).await
    }
}

pub(super) fn parse(text: &str) -> Result<u64, Flaw> {
    answer::json(text).map(|[timetoken]: [u64; 1]| timetoken)
}
