//! What the project's initiator asks for and is told later: payouts, reversals,
//! the status of a transaction, the balance of an account. Behind a permission
//! of its own.
//!
//! A payout is known to the other side by this plugin's own id, so that what
//! came of it can be asked for; it is sent once.

mod about;
mod balance;
mod payout;
mod result;
mod reverse;
mod status;
mod timeout;
mod told;

pub(crate) use balance::balance;
pub(crate) use payout::payout;
pub(crate) use result::result;
pub(crate) use reverse::reverse;
pub(crate) use status::{ask_about, status};
pub(crate) use timeout::timeout;

use crate::{
    daraja::{self, Trouble, text},
    due,
    push::{self, Begun, New},
    record::Row,
    settings::{Account, Settings, not_set_up},
    state::{Reason, State},
    word,
};
use atlashub_sdk::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

/// Kinds that are told at these addresses.
const KINDS: [&str; 4] = ["payout", "reversal", "status", "balance"];

/// A request to the other side.
struct Ask<'a> {
    kind: &'static str,
    path: &'static str,
    /// What is its own of the body.
    body: Value,
    amount: Option<i64>,
    phone: Option<&'a str>,
    reference: Option<&'a str>,
    about: Option<&'a str>,
}

fn initiator(account: &Account) -> Result<String> {
    let name = account.initiator_name.clone();
    name.ok_or_else(|| not_set_up("`initiator_name`"))
}

/// Writes it down, asks for it once, and notes what came of asking.
fn begin(
    settings: &Settings,
    account: &Account,
    caller: &Caller,
    key: Option<String>,
    ask: &Ask<'_>,
) -> Result<(StatusCode, Row)> {
    let own = ask.body.to_string();
    let fingerprint =
        word::digest_of(&[ask.kind.as_bytes(), account.name.as_bytes(), own.as_bytes()]);
    if let Some(known) = push::known(key.as_deref(), &fingerprint)? {
        return Ok((StatusCode::OK, known));
    }
    let name = initiator(account)?;
    let id = Uuid::now_v7().to_string();
    let word = word::new()?;
    due::expect_sweep();
    // A question is not asked about: it is answered, or given up once.
    let wait = match ask.kind {
        "payout" => settings.wait(1),
        _ => settings.unanswered(),
    };
    let due_at = due::later(&id, wait)?;
    let added = push::insert(&New {
        id: &id,
        kind: ask.kind,
        account,
        amount: ask.amount,
        phone: ask.phone,
        reference: ask.reference,
        user_id: None,
        caller,
        idempotency_key: key.clone(),
        fingerprint: &fingerprint,
        word: &word,
        about: ask.about,
        due_at,
    })?;
    if !added {
        let known = push::known(key.as_deref(), &fingerprint)?;
        let known = known.ok_or_else(|| Error::internal("the first call with its key is gone"))?;
        return Ok((StatusCode::OK, known));
    }
    match send(settings, account, ask, &name, &id, &word) {
        Ok((originator, conversation)) => {
            let row = push::accepted(&id, &originator, &conversation)?;
            Ok((StatusCode::CREATED, row))
        }
        Err(trouble) if trouble.is_definite() => {
            push::refused(&id, &trouble)?;
            Err(trouble.into_error().with_field("transaction_id", id))
        }
        Err(trouble) => {
            let (_, text) = trouble.words();
            log::warn!("the answer to the {} {id} was lost: {text}", ask.kind);
            Ok((StatusCode::ACCEPTED, push::lost(&id)?))
        }
    }
}

fn send(
    settings: &Settings,
    account: &Account,
    ask: &Ask<'_>,
    initiator: &str,
    id: &str,
    word: &str,
) -> Result<(String, String), Trouble> {
    let credential = secret::plain(&account.secret("security_credential"));
    let credential = credential.map_err(Trouble::NotSent)?;
    let base = settings.callback_base();
    let mut body = ask.body.as_object().cloned().unwrap_or_default();
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    put("SecurityCredential", json!(credential));
    put("ResultURL", json!(format!("{base}/lipa/result/{word}")));
    put(
        "QueueTimeOutURL",
        json!(format!("{base}/lipa/timeout/{word}")),
    );
    if ask.kind == "payout" {
        put("InitiatorName", json!(initiator));
        put("OriginatorConversationID", json!(id));
    } else {
        put("Initiator", json!(initiator));
    }
    let told = daraja::call(account, ask.path, &Value::Object(body))?;
    let conversation = text(&told, "ConversationID").filter(|id| !id.is_empty());
    let conversation =
        conversation.ok_or_else(|| Trouble::Lost("it named no ConversationID".to_owned()))?;
    let originator = text(&told, "OriginatorConversationID").unwrap_or_default();
    Ok((originator, conversation))
}

fn begun((status, row): (StatusCode, Row)) -> Response {
    (status, Json(Begun::of(&row))).into_response()
}

fn remarks(text: Option<&str>) -> Result<String> {
    let text = text.unwrap_or("Payment").trim();
    let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if (2..=100).contains(&text.len()) && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Error::invalid(
        "invalid_remarks",
        "`remarks` has 2 to 100 printable ASCII characters",
    ))
}

fn note_in_audit(action: &str, row: &Row) -> Result<()> {
    let details = json!({"amount": row.amount, "phone_number": row.phone, "account": row.account});
    audit::append(action, Some(&row.id), &details).map(drop)
}

/// What an unanswered question comes to: nobody has to look at it.
pub(crate) fn unanswered(row: &Row) -> (State, Option<Reason>) {
    match row.kind.as_str() {
        "status" | "balance" => (State::TimedOut, None),
        _ => (State::NeedsReview, Some(Reason::NoAnswer)),
    }
}
