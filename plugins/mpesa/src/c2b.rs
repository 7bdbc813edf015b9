//! Payments from the phone's menu: the addresses are registered, the other side
//! asks there whether it may take money, and tells that it has.
//!
//! What is told has happened: it is never refused, only written down, once for
//! each receipt.

use crate::{
    amount,
    callback::{self, Letter, is_receipt},
    daraja::{self, Trouble, text},
    due, eat, origin, phone, pull,
    record::Row,
    settings::Settings,
    settle::{self, Change},
    state::State,
    tell, word,
};
use atlashub_sdk::{prelude::*, sql::Transaction};
use serde_json::{Value, json};
use uuid::Uuid;

/// What a client asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    account: Option<String>,
    /// What happens when this project does not answer: `Completed`, `Cancelled`.
    response_type: Option<String>,
}

/// What was registered.
#[derive(Debug, Serialize)]
pub(crate) struct Registered {
    account: String,
    shortcode: String,
    response_type: String,
}

/// `POST /mpesa/c2b/register`.
pub(crate) fn register(
    Config(settings): Config<Settings>,
    Json(wish): Json<Registration>,
) -> Result<(StatusCode, Json<Registered>)> {
    users::require("mpesa:manage")?;
    let kind = wish.response_type.as_deref().unwrap_or("Completed");
    if !matches!(kind, "Completed" | "Cancelled") {
        return Err(Error::invalid(
            "invalid_response_type",
            "`response_type` is `Completed` or `Cancelled`",
        ));
    }
    let account = settings.account(wish.account.as_deref())?;
    let word = word::new()?;
    let digest = word::digest(&word)?;
    // Before it is told: a payment may come at once.
    sql::execute(
        "INSERT INTO mpesa.doors (token_digest, account, shortcode, registered_at) \
         VALUES ($1, $2, $3, $4)",
        params![&digest, &account.name, &account.shortcode, moment::now_ms()],
    )?;
    let base = settings.callback_base();
    let body = json!({
        "ShortCode": account.shortcode,
        "ResponseType": kind,
        "ConfirmationURL": format!("{base}/lipa/confirmation/{word}"),
        "ValidationURL": format!("{base}/lipa/validation/{word}"),
    });
    let path = format!("/mpesa/c2b/{}/registerurl", settings.c2b_version());
    if let Err(trouble) = daraja::call(&account, &path, &body) {
        let (_, text) = trouble.words();
        let taken = text.to_ascii_lowercase().contains("already registered");
        if taken || trouble.is_definite() {
            sql::execute(
                "DELETE FROM mpesa.doors WHERE token_digest = $1",
                params![&digest],
            )?;
        }
        return Err(refusal(trouble, taken));
    }
    let registered = Registered {
        account: account.name,
        shortcode: account.shortcode,
        response_type: kind.to_owned(),
    };
    audit::append("payment.register", Some(&registered.account), &registered)?;
    Ok((StatusCode::CREATED, Json(registered)))
}

fn refusal(trouble: Trouble, taken: bool) -> Error {
    if taken {
        return Error::conflict(
            "already_registered",
            "addresses are registered for this shortcode: delete them in Safaricom's portal first",
        );
    }
    trouble.into_error()
}

/// An account at whose address somebody calls.
#[derive(Debug, Deserialize)]
pub(crate) struct Door {
    pub(crate) account: String,
    pub(crate) shortcode: String,
}

/// # Errors
/// 404 for a word that leads nowhere.
pub(crate) fn door(token: &str) -> Result<Door> {
    let found = sql::query_optional(
        "SELECT account, shortcode FROM mpesa.doors WHERE token_digest = $1",
        params![word::digest(token)?],
    )?;
    found.ok_or_else(|| Error::not_found("the account"))
}

/// A payment as the other side tells it. All values are texts there.
pub(crate) struct Paid {
    pub(crate) receipt: String,
    pub(crate) cents: i64,
    pub(crate) shortcode: String,
    pub(crate) reference: String,
    pub(crate) phone: Option<String>,
    pub(crate) name: String,
    pub(crate) time: Option<String>,
}

/// How a payment came to be known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// The other side told of it, and it was made a moment ago.
    Callback,
    /// It was asked for, and was made then; milliseconds.
    Pull(i64),
}

impl Source {
    /// In a word, and in another, for the table of changes.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Callback => ("callback", "confirmation"),
            Self::Pull(_) => ("pull", "never_told"),
        }
    }

    /// When it was made.
    pub(crate) fn at(self, paid: &Paid, now: i64) -> i64 {
        /// How long ago at most a payment was made that is told.
        const TOLD: i64 = 72 * 3_600_000;
        match self {
            Self::Callback => paid
                .time
                .as_deref()
                .and_then(eat::read_compact)
                .filter(|at| (now - TOLD..=now).contains(at))
                .unwrap_or(now),
            Self::Pull(at) => at.min(now),
        }
    }
}

impl Paid {
    fn read(body: &[u8]) -> Option<Self> {
        let told: Value = serde_json::from_slice(body).ok()?;
        let names = ["FirstName", "MiddleName", "LastName"].map(|name| text(&told, name));
        let names: Vec<String> = names.into_iter().flatten().collect();
        Some(Self {
            receipt: text(&told, "TransID").filter(|id| is_receipt(id))?,
            cents: told
                .get("TransAmount")
                .and_then(amount::cents)
                .filter(|cents| *cents > 0)?,
            shortcode: text(&told, "BusinessShortCode").unwrap_or_default(),
            reference: text(&told, "BillRefNumber")
                .map(|text| text.trim().chars().take(40).collect())
                .unwrap_or_default(),
            phone: text(&told, "MSISDN").map(|text| text.chars().take(80).collect()),
            name: names.join(" ").trim().chars().take(120).collect(),
            time: text(&told, "TransTime").map(|text| text.chars().take(20).collect()),
        })
    }
}

/// Letters and digits alone, as capitals: how customers type account numbers.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_uppercase())
        .collect()
}

/// `POST /lipa/validation/{token}`: whether money may be taken.
pub(crate) fn validate(Path(token): Path<String>, mut request: Request) -> Result<Response> {
    let door = door(&token)?;
    let settings: Settings = config::load()?;
    let (_, listed) = origin::of(&request, &settings);
    origin::admit(listed, &settings)?;
    let body = request.take_body().bytes(callback::MAX)?;
    let (code, text) = match Paid::read(&body) {
        None => ("C2B00016", "Rejected"),
        Some(paid) => judge(&paid, &door, &settings),
    };
    Ok(Json(json!({"ResultCode": code, "ResultDesc": text})).into_response())
}

fn judge(paid: &Paid, door: &Door, settings: &Settings) -> (&'static str, &'static str) {
    let reference = plain(&paid.reference);
    let known = settings.c2b_references.is_empty()
        || settings
            .c2b_references
            .iter()
            .any(|start| reference.starts_with(&plain(start)));
    let least = settings.c2b_least.unwrap_or(1).saturating_mul(100);
    if paid.shortcode != door.shortcode {
        ("C2B00015", "Rejected")
    } else if paid.cents < least {
        ("C2B00013", "Rejected")
    } else if !known {
        ("C2B00012", "Rejected")
    } else {
        ("0", "Accepted")
    }
}

/// `POST /lipa/confirmation/{token}`: money was taken.
pub(crate) fn confirm(Path(token): Path<String>, mut request: Request) -> Result<Response> {
    let door = door(&token)?;
    let settings: Settings = config::load()?;
    let (address, listed) = origin::of(&request, &settings);
    origin::admit(listed, &settings)?;
    let body = request.take_body().bytes(callback::MAX)?;
    let paid = Paid::read(&body).filter(|paid| paid.shortcode == door.shortcode);
    let id = Uuid::now_v7().to_string();
    due::tell_later(&id);
    let change = callback::patiently(|transaction| {
        let taken = match &paid {
            Some(paid) => told(transaction, &id, &door, paid, listed)?,
            // Of strangers so many are kept, for each account.
            None => Taken::of(&unread(&door.account), None, "unreadable"),
        };
        let letter = Letter {
            subject: &taken.subject,
            scope: &door.account,
            body: &body,
            address: address.clone(),
            listed,
        };
        letter.keep(transaction, taken.outcome)?;
        Ok(taken.change)
    })?;
    if paid.is_none() {
        log::error!("a payment to {} cannot be read, it is kept", door.account);
    }
    tell::change(change.as_ref());
    Ok(Json(json!({"ResultCode": 0, "ResultDesc": "Success"})).into_response())
}

/// What letters to an account are kept under that cannot be read.
pub(crate) fn unread(account: &str) -> String {
    format!("unread/{account}")
}

/// A payment that is told: of a push that it fits, or one from the menu. Of that
/// others hear a little later where there is a push that it may turn out to be.
fn told(
    transaction: &Transaction,
    id: &str,
    door: &Door,
    paid: &Paid,
    listed: bool,
) -> Result<Taken> {
    let source = Source::Callback;
    let at = source.at(paid, moment::now_ms());
    if listed
        && let Some(push) = pull::as_a_push(transaction, &door.shortcode, paid, at, "confirmation")?
    {
        return Ok(Taken::of(&push.id, push.change, "applied"));
    }
    let mut taken = take(transaction, id, door, paid, listed, source)?;
    if taken.change.is_some() && may_be_of_a_push(transaction, door, paid, at)? {
        taken.change = None;
    }
    Ok(taken)
}

/// Whether a push is open that this may be the payment of, under another
/// reference: then what comes of the push is told soon.
fn may_be_of_a_push(transaction: &Transaction, door: &Door, paid: &Paid, at: i64) -> Result<bool> {
    if paid.cents % 100 != 0 {
        return Ok(false);
    }
    let phones: Vec<String> = transaction.query(
        "SELECT phone FROM mpesa.transactions WHERE kind = 'push' AND shortcode = $1 \
         AND amount = $2 AND state IN ('created', 'pending') AND receipt IS NULL \
         AND phone IS NOT NULL AND created_at BETWEEN $3 AND $4 LIMIT 100",
        params![
            &door.shortcode,
            paid.cents / 100,
            at.saturating_sub(settle::AFTER),
            at.saturating_add(settle::AHEAD)
        ],
    )?;
    let payer = paid.phone.as_deref();
    Ok(phones
        .iter()
        .any(|own| phone::fits(own, payer).unwrap_or(true)))
}

/// What was made of a payment that was told.
pub(crate) struct Taken {
    pub(crate) change: Option<Change>,
    outcome: &'static str,
    /// The transaction that it is.
    subject: String,
}

impl Taken {
    fn of(subject: &str, change: Option<Change>, outcome: &'static str) -> Self {
        Self {
            change,
            outcome,
            subject: subject.to_owned(),
        }
    }
}

/// The key under which a receipt is written down as a payment from the menu:
/// once, however many tell of it at the same time.
fn once(receipt: &str) -> String {
    format!("c2b/{receipt}")
}

/// Writes a payment down: what nobody else can have told is in the ledger, the
/// rest a person looks at.
pub(crate) fn take(
    transaction: &Transaction,
    id: &str,
    door: &Door,
    paid: &Paid,
    listed: bool,
    source: Source,
) -> Result<Taken> {
    let now = moment::now_ms();
    let made_at = source.at(paid, now);
    let before: Option<String> = transaction.query_optional(
        "SELECT id FROM mpesa.transactions WHERE receipt = $1",
        params![&paid.receipt],
    )?;
    if let Some(before) = before {
        return known(transaction, &before, paid, listed, source);
    }
    let (state, reason) = if listed {
        (State::Succeeded, None)
    } else {
        (State::NeedsReview, Some("unlisted_origin"))
    };
    let whole = (paid.cents % 100 == 0).then_some(paid.cents / 100);
    let key = once(&paid.receipt);
    let details = json!({"name": paid.name, "time": paid.time});
    let added = transaction.execute(
        "INSERT INTO mpesa.transactions (id, kind, account, shortcode, state, reason, amount, cents, \
         phone, reference, receipt, details, created_at, updated_at, idempotency_key) \
         VALUES ($1, 'c2b', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13) \
         ON CONFLICT (idempotency_key) DO NOTHING",
        params![
            id,
            &door.account,
            &door.shortcode,
            state.name(),
            reason.map(str::to_owned),
            whole,
            paid.cents,
            paid.phone.clone(),
            &paid.reference,
            &paid.receipt,
            details,
            now,
            &key
        ],
    )?;
    if added == 0 {
        // Another was faster.
        let other: Option<String> = transaction.query_optional(
            "SELECT id FROM mpesa.transactions WHERE idempotency_key = $1",
            params![&key],
        )?;
        let other = other.ok_or_else(|| Error::internal("the first of this receipt is gone"))?;
        return known(transaction, &other, paid, listed, source);
    }
    if listed && !enter(transaction, id, door, paid, made_at)? {
        transaction.execute("DELETE FROM mpesa.transactions WHERE id = $1", params![id])?;
        return Ok(Taken::of(id, None, "settled"));
    }
    let mut created = Row::locked(transaction, id)?;
    created.state = State::Created;
    let (from, how) = source.words();
    let change = settle::note(transaction, &created, state, from, how, None)?;
    let outcome = if listed { "applied" } else { "unlisted" };
    Ok(Taken::of(id, Some(change), outcome))
}

/// Adds it to the ledger; not if its receipt is there.
fn enter(
    transaction: &Transaction,
    id: &str,
    door: &Door,
    paid: &Paid,
    made_at: i64,
) -> Result<bool> {
    let added = transaction.execute(
        "INSERT INTO mpesa.ledger (transaction_id, receipt, kind, account, shortcode, cents, \
         phone, reference, day, at) VALUES ($1, $2, 'c2b', $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT DO NOTHING",
        params![
            id,
            &paid.receipt,
            &door.account,
            &door.shortcode,
            paid.cents,
            paid.phone.clone(),
            &paid.reference,
            eat::day(made_at),
            made_at
        ],
    )?;
    Ok(added == 1)
}

/// A receipt that is known: of a push, of a copy in other words, or of one that
/// came from elsewhere before.
fn known(
    transaction: &Transaction,
    id: &str,
    paid: &Paid,
    listed: bool,
    source: Source,
) -> Result<Taken> {
    let (from, how) = source.words();
    let row = Row::locked(transaction, id)?;
    let waits = row.kind == "c2b"
        && row.state == State::NeedsReview
        && row.reason.as_deref() == Some("unlisted_origin");
    if !(waits && listed && row.cents == Some(paid.cents)) {
        return Ok(Taken::of(id, None, "settled"));
    }
    let outcome = settle::Outcome {
        meaning: crate::state::Meaning::Paid,
        code: "0".to_owned(),
        text: String::new(),
        receipt: Some(paid.receipt.clone()),
        guessed: false,
        cents: Some(paid.cents),
        at: Some(source.at(paid, moment::now_ms())),
        source: from,
        details: None,
    };
    if !settle::book(transaction, &row, &outcome)? {
        return Ok(Taken::of(id, None, "receipt_taken"));
    }
    let change = settle::advance(transaction, &row, State::Succeeded, None, from, how, None)?;
    Ok(Taken::of(id, change, "applied"))
}
