//! Tokens: a new one ends the one before.

use crate::{
    answer::Answer,
    fault,
    serve::Asked,
    state::{Account, Shared, State, Token},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use serde_json::json;
use std::time::{Duration, Instant};

/// `GET /oauth/v1/generate`.
pub(crate) fn generate(shared: &Shared, asked: &Asked) -> Answer {
    let mut state = shared.state();
    let id = state.request_id();
    let given = asked.headers.get("authorization");
    let given = given.and_then(|value| value.to_str().ok()).unwrap_or("");
    let Some(basic) = given.strip_prefix("Basic ") else {
        return Answer::fault(400, &id, "400.008.01", "Invalid Authentication passed");
    };
    if asked.uri.query() != Some("grant_type=client_credentials") {
        return Answer::fault(400, &id, "400.008.02", "Invalid grant type passed");
    }
    let pair = STANDARD.decode(basic).ok();
    let pair = pair.and_then(|bytes| String::from_utf8(bytes).ok());
    let (key, secret) = pair
        .as_deref()
        .and_then(|pair| pair.split_once(':'))
        .unwrap_or_default();
    let known = state
        .accounts
        .iter()
        .any(|account| account.consumer_key == key && account.consumer_secret == secret);
    if !known {
        return Answer::bare(StatusCode::BAD_REQUEST);
    }
    let text = state.token();
    let seconds = state.faults.token_seconds;
    let token = Token {
        text: text.clone(),
        ends: Instant::now() + Duration::from_secs(seconds),
    };
    state.tokens.insert(key.to_owned(), token);
    let expires_in = if state.faults.token_text {
        json!(seconds.to_string())
    } else {
        json!(seconds)
    };
    Answer::ok(json!({"access_token": text, "expires_in": expires_in}))
}

/// How a family of calls says that a token is not valid.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Family {
    /// Pushes, their queries, reversals.
    Push,
    /// Payouts and balances.
    Payout,
    /// C2B and the status of a transaction.
    Customer,
}

/// The key of the application whose token a call carries.
pub(crate) fn check(state: &mut State, asked: &Asked, family: Family) -> Result<String, Answer> {
    let given = asked.headers.get("authorization");
    let given = given.and_then(|value| value.to_str().ok()).unwrap_or("");
    let given = given.strip_prefix("Bearer ").unwrap_or("");
    let now = Instant::now();
    let found = state
        .tokens
        .iter()
        .find(|(_, token)| token.text == given && token.ends > now)
        .map(|(key, _)| key.clone());
    let refused = fault::take(&mut state.faults.token_refused);
    found.filter(|_| !refused).ok_or_else(|| {
        let (status, code) = match family {
            Family::Push => (404, "404.001.03"),
            Family::Payout => (401, "401.002.01"),
            Family::Customer => (400, "400.003.01"),
        };
        Answer::fault(status, &state.request_id(), code, "Invalid Access Token")
    })
}

/// The account of an application that has a shortcode.
pub(crate) fn account<'a>(state: &'a State, key: &str, shortcode: &str) -> Option<&'a Account> {
    let mut accounts = state.accounts.iter();
    accounts.find(|account| account.consumer_key == key && account.shortcode == shortcode)
}
