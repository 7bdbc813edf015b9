//! Where a callback comes from. The host tells it: its own peer, or what a proxy
//! says that the operator trusts, never what a stranger wrote.

use crate::settings::Settings;
use atlashub_sdk::prelude::*;
use std::net::IpAddr;

/// Safaricom's published addresses.
const PUBLISHED: [&str; 12] = [
    "196.201.214.200",
    "196.201.214.206",
    "196.201.213.114",
    "196.201.214.207",
    "196.201.214.208",
    "196.201.213.44",
    "196.201.212.127",
    "196.201.212.138",
    "196.201.212.129",
    "196.201.212.136",
    "196.201.212.74",
    "196.201.212.69",
];

/// The address that a request came from, and whether it is on the list.
pub(crate) fn of(request: &Request, settings: &Settings) -> (Option<String>, bool) {
    let told = request.header("x-forwarded-for");
    let address = told.and_then(|text| text.trim().parse::<IpAddr>().ok());
    let Some(address) = address.map(|address| address.to_canonical()) else {
        return (None, false);
    };
    let is = |text: &str| {
        let listed = text.trim().parse::<IpAddr>();
        listed.is_ok_and(|listed| listed.to_canonical() == address)
    };
    let listed = match &settings.allowed_origins {
        Some(own) => own.iter().any(|text| is(text)),
        None => PUBLISHED.iter().any(|text| is(text)),
    };
    (Some(address.to_string()), listed)
}

/// Refuses strangers where the project does so.
///
/// # Errors
/// 403 `origin_refused`.
pub(crate) fn admit(listed: bool, settings: &Settings) -> Result<()> {
    if listed || !settings.refuses_strangers() {
        return Ok(());
    }
    Err(Error::new(
        StatusCode::FORBIDDEN,
        "origin_refused",
        "callbacks are not taken from this address",
    ))
}
