//! `POST /mpesa/pull/register`: has the other side keep a shortcode's payments
//! for questions; and what it tells about that.

use crate::{
    c2b::door,
    callback::{self, Letter},
    daraja::{self, text},
    origin, phone, push,
    settings::Settings,
    word,
};
use atlashub_sdk::prelude::*;
use serde_json::json;

/// The path of the registration there.
const PATH: &str = "/pulltransactions/v1/register";

/// What a client asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    account: Option<String>,
    /// A phone of the business, which the other side knows of.
    nominated_number: String,
}

/// What was registered.
#[derive(Debug, Serialize)]
pub(crate) struct Registered {
    account: String,
    shortcode: String,
}

/// `POST /mpesa/pull/register`.
pub(crate) fn register(mut request: Request) -> Result<(StatusCode, Json<Registered>)> {
    users::require("mpesa:manage")?;
    let settings: Settings = config::load()?;
    let Json(wish) = Json::<Registration>::from_request(&mut request)?;
    let phone = phone::normalised(&wish.nominated_number).ok_or_else(push::invalid_phone)?;
    let account = settings.account(wish.account.as_deref())?;
    let word = word::new()?;
    let digest = word::digest(&word)?;
    let now = moment::now_ms();
    sql::execute(
        "INSERT INTO mpesa.doors (token_digest, account, shortcode, registered_at) \
         VALUES ($1, $2, $3, $4)",
        params![&digest, &account.name, &account.shortcode, now],
    )?;
    let body = json!({
        "ShortCode": account.shortcode,
        "RequestType": "Pull",
        "NominatedNumber": phone,
        "CallBackURL": format!("{}/lipa/pulled/{word}", settings.callback_base()),
    });
    let told = match daraja::call(&account, PATH, &body) {
        Ok(told) => told,
        Err(trouble) => {
            if trouble.is_definite() {
                sql::execute(
                    "DELETE FROM mpesa.doors WHERE token_digest = $1",
                    params![&digest],
                )?;
            }
            return Err(trouble.into_error());
        }
    };
    // 1000 is registered, 1001 that it was before.
    let status = ["ResponseStatus", "Response Status", "ResponseCode"]
        .into_iter()
        .find_map(|name| text(&told, name));
    if !matches!(status.as_deref(), Some("1000" | "1001" | "0")) {
        let why = text(&told, "ResponseDescription").unwrap_or_default();
        return Err(Error::new(
            StatusCode::BAD_GATEWAY,
            "mpesa_failed",
            "Safaricom did not register the shortcode",
        )
        .with_cause(format_args!("{status:?} {why}")));
    }
    sql::execute(
        "INSERT INTO mpesa.pulls (account, shortcode, registered_at) VALUES ($1, $2, $3) \
         ON CONFLICT (account) DO UPDATE SET shortcode = excluded.shortcode, \
         registered_at = excluded.registered_at, error = NULL, \
         pulled_to = CASE WHEN pulls.shortcode = excluded.shortcode THEN pulls.pulled_to \
         ELSE NULL END",
        params![&account.name, &account.shortcode, now],
    )?;
    let registered = Registered {
        account: account.name,
        shortcode: account.shortcode,
    };
    audit::append(
        "payment.register_pull",
        Some(&registered.account),
        &registered,
    )?;
    Ok((StatusCode::CREATED, Json(registered)))
}

/// `POST /lipa/pulled/{token}`: what the other side tells of a registration. It
/// moves nothing, and is kept.
pub(crate) fn told(Path(token): Path<String>, mut request: Request) -> Result<Response> {
    let door = door(&token)?;
    let settings: Settings = config::load()?;
    let (address, listed) = origin::of(&request, &settings);
    origin::admit(listed, &settings)?;
    let body = request.take_body().bytes(callback::MAX)?;
    let subject = format!("pulled/{}", door.account);
    callback::patiently(|transaction| {
        let letter = Letter {
            subject: &subject,
            scope: &subject,
            body: &body,
            address: address.clone(),
            listed,
        };
        letter.keep(transaction, "kept")
    })?;
    Ok(callback::heard())
}
