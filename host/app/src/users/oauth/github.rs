//! GitHub, and GitHub Enterprise Server: OAuth without ID tokens. Who somebody
//! is, is asked of its API; the subject is the account's number, since names
//! are given to others once they are free.

use super::{
    provider::{Given, OutsideUser, TokenPlace, unavailable},
    unproven,
};
use crate::outgoing::Outgoing;
use atlashub_core::{Error, Result};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

/// GitHub itself; every other issuer is an enterprise server.
pub(super) const ISSUER: &str = "https://github.com";
/// The API of GitHub itself.
const API: &str = "https://api.github.com";
/// The version of the API that is spoken.
const VERSION: &str = "2022-11-28";

#[derive(Deserialize)]
struct Account {
    id: u64,
    login: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

/// Where to send somebody.
///
/// # Errors
/// When the issuer is no address.
pub(super) fn authorization(issuer: &str) -> Result<Url> {
    place(issuer, "/login/oauth/authorize")
}

/// Where tokens are had.
///
/// # Errors
/// When the issuer is no address.
pub(super) fn token_place(issuer: &str) -> Result<TokenPlace> {
    Ok(TokenPlace {
        url: place(issuer, "/login/oauth/access_token")?,
        secret_in_body: true,
    })
}

/// Whose an access token is, and the primary address.
///
/// # Errors
/// 401 `provider_not_believed`, 503 `provider_unavailable`.
pub(super) async fn identify(
    outgoing: &Outgoing,
    issuer: &str,
    given: &Given,
) -> Result<OutsideUser> {
    let api = if issuer == ISSUER {
        API.to_owned()
    } else {
        format!("{}/api/v3", issuer.trim_end_matches('/'))
    };
    let token = given.access_token()?;
    let account: Account = ask(outgoing, &place(&api, "/user")?, token).await?;
    let addresses: Vec<Address> = ask(outgoing, &place(&api, "/user/emails")?, token).await?;
    let primary = addresses.into_iter().find(|address| address.primary);
    Ok(OutsideUser {
        issuer: issuer.to_owned(),
        subject: account.id.to_string(),
        email_verified: primary.as_ref().is_some_and(|address| address.verified),
        email: primary.map(|address| address.email),
        name: account.name.or(Some(account.login)),
    })
}

async fn ask<T: DeserializeOwned>(outgoing: &Outgoing, url: &Url, token: &str) -> Result<T> {
    let request = outgoing
        .get(url)?
        .bearer_auth(token)
        .header("accept", "application/vnd.github+json")
        .header("x-github-api-version", VERSION);
    let answer = outgoing.send(request).await.map_err(unavailable)?;
    match answer.status.as_u16() {
        200 => answer.json().map_err(unproven),
        // The address may be asked for only with the scope `user:email`.
        status @ (401 | 403 | 404) => Err(unproven(format!("{url} answered {status}"))),
        status => Err(unavailable(Error::internal(
            "ask GitHub",
            format!("{url} answered {status}"),
        ))),
    }
}

fn place(base: &str, path: &str) -> Result<Url> {
    Url::parse(&format!("{}{path}", base.trim_end_matches('/')))
        .map_err(|error| Error::internal("read the address of GitHub", error))
}
