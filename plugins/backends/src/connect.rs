//! Users on their way to a service and back: `POST /storage-backends/connect`
//! sends them, the service leads their browser to the callback, and the
//! connection is made for the user who was sent, by a call of that user.
//!
//! A browser alone does not finish: otherwise whoever talked somebody else into
//! following a link would get that person's storage. So the callback hands
//! state and code on to the application, which finishes as its user; without
//! that user's credentials and the verifier, which stays here, both are useless.

use crate::{
    connections::created, credentials, oauth::Provider, path::encoded, record, service::Kind,
    settings::Settings,
};
use atlashub_sdk::{identity::CallerKind, prelude::*};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use url::Url;
use uuid::Uuid;

/// How long somebody may be away, milliseconds.
const LIFE: i64 = 10 * 60 * 1000;
/// Most journeys of a user; the oldest end.
const MOST: usize = 5;
/// Longest state and code, bytes.
const MAX_CODE: usize = 4096;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    #[serde(rename = "type")]
    kind: Kind,
    display_name: String,
    redirect_to: Option<String>,
}

/// Where to send the user.
#[derive(Debug, Serialize)]
pub(crate) struct Begun {
    authorization_url: String,
    /// Seconds.
    expires_in: i64,
}

pub(crate) fn begin(
    caller: Caller,
    Config(settings): Config<Settings>,
    Json(wish): Json<Wish>,
) -> Result<Json<Begun>> {
    let me = record::me(&caller)?;
    let provider = Provider::of(wish.kind, &settings)?;
    let name = record::clean_name(&wish.display_name)?;
    let back = wish.redirect_to.as_deref();
    let back = back.map(|address| may_lead_to(address, &settings));
    let back = back.transpose()?;
    let (state, verifier) = (random()?, random()?);
    let id = id_of(&state);
    let callback = format!("{}/storage-backends/callback", identity::public_url());
    let sealed = secret::seal(&context(&id), verifier.as_bytes())?;
    let now = record::now_ms();
    sql::execute(
        "DELETE FROM backends.journeys WHERE expires_at < $1",
        params![now],
    )?;
    sql::execute(
        &format!(
            "DELETE FROM backends.journeys WHERE user_id = $1 AND id NOT IN \
             (SELECT id FROM backends.journeys WHERE user_id = $1 ORDER BY expires_at DESC LIMIT {})",
            MOST - 1
        ),
        params![&me],
    )?;
    sql::execute(
        "INSERT INTO backends.journeys \
         (id, user_id, kind, display_name, verifier, callback, redirect_to, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            &id,
            &me,
            wish.kind.as_str(),
            name,
            sealed,
            &callback,
            back,
            now + LIFE
        ],
    )?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    Ok(Json(Begun {
        authorization_url: provider.authorization_url(&callback, &state, &challenge),
        expires_in: LIFE / 1000,
    }))
}

/// What a service adds to the callback, and an application hands on.
#[derive(Deserialize)]
pub(crate) struct Returned {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Journey {
    id: String,
    kind: Kind,
    display_name: String,
    verifier: String,
    callback: String,
    redirect_to: Option<String>,
}

const JOURNEY: &str = "SELECT id, kind, display_name, verifier, callback, redirect_to \
     FROM backends.journeys WHERE id = $1 AND expires_at > $2";

/// A browser comes back. The user's own call finishes at once; otherwise the
/// application has to.
pub(crate) fn returned(
    Query(returned): Query<Returned>,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Response> {
    if caller.kind == CallerKind::User {
        return settle(&returned, &caller, &settings);
    }
    let state = bounded(returned.state.as_deref())?;
    let parameters = params![id_of(state), record::now_ms()];
    let journey: Option<Journey> = sql::query_optional(JOURNEY, parameters)?;
    let journey = journey.ok_or_else(unknown)?;
    let (name, value) = match returned.code.as_deref() {
        Some(code) => ("code", bounded(Some(code))?),
        None => ("error", "declined"),
    };
    let headers = [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ];
    let Some(back) = journey.redirect_to else {
        let told = serde_json::json!({
            "finish": format!("POST {}", journey.callback), "state": state, name: value,
        });
        return Ok((headers, Json(told)).into_response());
    };
    // Behind `#`, what is there reaches no server and no log.
    let fragment = format!("state={}&{name}={}", encoded(state), encoded(value));
    let location = format!("{back}#{fragment}");
    let response = (StatusCode::SEE_OTHER, headers, Body::empty()).into_response();
    Ok(response.with_header("location", location))
}

/// The application finishes, as its user.
pub(crate) fn finish(
    caller: Caller,
    Config(settings): Config<Settings>,
    mut request: Request,
) -> Result<Response> {
    let bytes = request.take_body().bytes(4 * MAX_CODE)?;
    let returned: Returned = serde_json::from_slice(&bytes).map_err(|_| {
        Error::bad_request(
            "invalid_json",
            "send JSON with the texts `state` and `code`",
        )
    })?;
    settle(&returned, &caller, &settings)
}

fn settle(returned: &Returned, caller: &Caller, settings: &Settings) -> Result<Response> {
    let me = record::me(caller)?;
    let journey = take(&me, bounded(returned.state.as_deref())?)?;
    if returned.code.is_none() && returned.error.is_some() {
        return Err(Error::invalid(
            "connection_declined",
            "the service was not allowed to let us in",
        ));
    }
    let code = bounded(returned.code.as_deref())?;
    let provider = Provider::of(journey.kind, settings)?;
    let verifier = secret::open(&context(&journey.id), &journey.verifier)?;
    let verifier = String::from_utf8(verifier).map_err(Error::internal)?;
    let tokens = provider.redeem(code, &verifier, &journey.callback)?;
    let id = Uuid::now_v7().to_string();
    let sealed = credentials::seal(&id, &tokens)?;
    record::tried(&record::unkept(&id, journey.kind, sealed.clone()), settings)?;
    let row = record::insert(&me, &id, journey.kind, &journey.display_name, &sealed)?;
    Ok(created(&row))
}

/// Ends a user's journey: of several calls with the same state, one gets it.
fn take(me: &str, state: &str) -> Result<Journey> {
    let id = id_of(state);
    sql::transaction(|transaction| {
        let journey: Option<Journey> = transaction.query_optional(
            &format!("{JOURNEY} AND user_id = $3"),
            params![&id, record::now_ms(), me],
        )?;
        let taken = transaction.execute(
            "DELETE FROM backends.journeys WHERE id = $1 AND user_id = $2",
            params![&id, me],
        )?;
        journey.filter(|_| taken == 1).ok_or_else(unknown)
    })
}

fn unknown() -> Error {
    Error::not_found(
        "the connection that was begun, which ends after ten minutes and at its first use,",
    )
}

fn bounded(text: Option<&str>) -> Result<&str> {
    text.filter(|text| (1..=MAX_CODE).contains(&text.len()))
        .ok_or_else(|| Error::invalid("invalid_callback", "`state` and `code` are needed"))
}

/// An address that a browser may be led to: of the project, or as the admin has
/// it.
fn may_lead_to(address: &str, settings: &Settings) -> Result<String> {
    let refused = || {
        Error::invalid(
            "redirect_refused",
            "`redirect_to` is none of the addresses that this project lets browsers return to",
        )
    };
    if address.len() > 2000 {
        return Err(refused());
    }
    let mut url = Url::parse(address).map_err(|_| refused())?;
    url.set_fragment(None);
    let own = identity::public_url();
    let is_below = |base: &str| {
        let Ok(base) = Url::parse(base) else {
            return false;
        };
        let folder = base.path().trim_end_matches('/');
        let rest = url.path().strip_prefix(folder);
        base.origin().is_tuple()
            && base.origin() == url.origin()
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut bases = settings.redirect_urls.iter().map(String::as_str);
    let is_fine = url.username().is_empty()
        && url.password().is_none()
        && (is_below(&own) || bases.any(is_below));
    if is_fine {
        Ok(url.into())
    } else {
        Err(refused())
    }
}

/// 32 random bytes as text.
fn random() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal(format_args!("random bytes: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What is kept of a state.
fn id_of(state: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(state))
}

fn context(id: &str) -> String {
    format!("journey/{id}")
}
