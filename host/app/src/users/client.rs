//! What is known of the program at the other end.

use atlashub_core::RequestId;
use std::net::IpAddr;

/// Longest name of a program that is kept, characters.
const MAX_AGENT: usize = 200;

/// The program that a user signs in with.
#[derive(Clone, Debug)]
pub struct Client {
    /// Where it calls from.
    pub address: IpAddr,
    /// What it says it is.
    pub user_agent: Option<String>,
    /// During which request it calls.
    pub request: Option<RequestId>,
}

impl Client {
    /// A client at `address`; of its name the first 200 characters are kept,
    /// without those that control a terminal.
    #[must_use]
    pub fn new(address: IpAddr, user_agent: Option<&str>) -> Self {
        let user_agent = user_agent.map(|text| {
            text.chars()
                .filter(|c| !c.is_control())
                .take(MAX_AGENT)
                .collect()
        });
        Self {
            address,
            user_agent,
            request: None,
        }
    }

    /// The same client during a request.
    #[must_use]
    pub fn during(self, request: Option<RequestId>) -> Self {
        Self { request, ..self }
    }
}
