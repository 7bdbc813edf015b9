//! `POST /mpesa/stkpush`: asks a customer, by a prompt on the phone, to pay.
//!
//! The payment is written down before the other side is called. When its answer
//! is lost, nothing is sent again: the callback, which knows the payment's own
//! word, tells what came of it.

use crate::{
    amount, callback, daraja,
    daraja::Trouble,
    due, eat, phone,
    rates::Rates,
    record::Row,
    settings::{Account, Settings},
    settle::{self, Outcome},
    state::{Meaning, State},
    tell, word,
};
use atlashub_sdk::{identity::CallerKind, prelude::*, sql::Transaction};
use serde_json::{Value, json};
use uuid::Uuid;

/// Longest texts that the other side takes, characters.
const MAX_REFERENCE: usize = 12;
const MAX_DESCRIPTION: usize = 13;
/// Longest key of a client, bytes.
const MAX_KEY: usize = 255;

/// What a client asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    phone: String,
    amount: Value,
    account_reference: String,
    description: Option<String>,
    /// Which of the project's shortcodes.
    account: Option<String>,
    /// For whom a server asks.
    user_id: Option<String>,
}

/// What it is told.
#[derive(Debug, Serialize)]
pub(crate) struct Begun {
    transaction_id: String,
    merchant_request_id: Option<String>,
    checkout_request_id: Option<String>,
    status: State,
}

impl Begun {
    pub(crate) fn of(row: &Row) -> Self {
        Self {
            transaction_id: row.id.clone(),
            merchant_request_id: row.merchant_request_id.clone(),
            checkout_request_id: row.checkout_request_id.clone(),
            status: row.state,
        }
    }
}

/// A wish that can be asked for.
struct Checked {
    phone: String,
    /// Shillings.
    amount: i64,
    reference: String,
    description: String,
}

impl Wish {
    fn check(&self, settings: &Settings) -> Result<Checked> {
        let phone = phone::normalised(&self.phone).ok_or_else(invalid_phone)?;
        let amount = checked_amount(&self.amount, 1, settings.max_amount())?;
        let reference = self.account_reference.trim();
        if !fits(reference, MAX_REFERENCE) {
            return Err(Error::invalid(
                "invalid_account_reference",
                format!("`account_reference` has 1 to {MAX_REFERENCE} printable ASCII characters"),
            ));
        }
        let description = self.description.as_deref().unwrap_or("Payment").trim();
        if !fits(description, MAX_DESCRIPTION) {
            return Err(Error::invalid(
                "invalid_description",
                format!("`description` has 1 to {MAX_DESCRIPTION} printable ASCII characters"),
            ));
        }
        Ok(Checked {
            phone,
            amount,
            reference: reference.to_owned(),
            description: description.to_owned(),
        })
    }
}

/// 422: nobody can be reached there.
pub(crate) fn invalid_phone() -> Error {
    Error::invalid(
        "invalid_phone",
        "`phone` is a Kenyan mobile number such as 0712345678 or +254712345678",
    )
}

/// Whole shillings between these bounds.
pub(crate) fn checked_amount(value: &Value, least: i64, most: i64) -> Result<i64> {
    let amount = amount::shillings(value).filter(|amount| (least..=most).contains(amount));
    amount.ok_or_else(|| {
        Error::invalid(
            "invalid_amount",
            format!("`amount` is a whole number of shillings from {least} to {most}"),
        )
    })
}

fn fits(text: &str, most: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    (1..=most).contains(&text.len()) && text.bytes().all(plain)
}

/// A caller in the table: of which kind, and who.
pub(crate) fn caller_key(caller: &Caller) -> String {
    let id = caller.id.as_deref().unwrap_or_default();
    format!("{:?}:{id}", caller.kind)
}

/// The key of a call, kept apart for each caller; none without one. The host
/// answers calls that it has answered before, and tells the key by another name:
/// what it forgot, because it was killed, is known here.
///
/// # Errors
/// 400 `invalid_idempotency_key`.
pub(crate) fn idempotency_key(request: &Request, caller: &Caller) -> Result<Option<String>> {
    let told = request.header("x-idempotency-key");
    let Some(key) = told.or_else(|| request.header("idempotency-key")) else {
        return Ok(None);
    };
    if !fits(key, MAX_KEY) {
        return Err(Error::bad_request(
            "invalid_idempotency_key",
            "`Idempotency-Key` has 1 to 255 printable ASCII characters",
        ));
    }
    Ok(Some(format!("{}/{key}", caller_key(caller))))
}

/// For whom a payment is: a user's own, or whom a server names.
pub(crate) fn user_of(caller: &Caller, named: Option<String>) -> Result<Option<String>> {
    if caller.is_trusted() {
        return Ok(named);
    }
    if named.is_some() && named != caller.id {
        return Err(Error::forbidden("only servers name another user"));
    }
    Ok(caller
        .id
        .clone()
        .filter(|_| caller.kind == CallerKind::User))
}

/// A new row, as far as kinds have that in common.
pub(crate) struct New<'a> {
    pub(crate) id: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) account: &'a Account,
    pub(crate) amount: Option<i64>,
    pub(crate) phone: Option<&'a str>,
    pub(crate) reference: Option<&'a str>,
    pub(crate) user_id: Option<String>,
    pub(crate) caller: &'a Caller,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) fingerprint: &'a str,
    pub(crate) word: &'a str,
    pub(crate) about: Option<&'a str>,
    pub(crate) due_at: i64,
}

/// Writes it down; not if there is one with its key.
pub(crate) fn insert(new: &New<'_>) -> Result<bool> {
    insert_with(new, |_| Ok(()))
}

/// As [`insert`], and what else belongs to a new one: all or nothing.
fn insert_with(new: &New<'_>, also: impl FnOnce(&Transaction) -> Result<()>) -> Result<bool> {
    let digest = word::digest(new.word)?;
    let now = moment::now_ms();
    sql::transaction(|transaction| {
        let added = transaction.execute(
            "INSERT INTO mpesa.transactions (id, kind, account, shortcode, state, amount, phone, \
             reference, user_id, caller, idempotency_key, fingerprint, token_digest, about, due_at, \
             created_at, updated_at) VALUES ($1, $2, $3, $4, 'created', $5, $6, $7, $8, $9, $10, \
             $11, $12, $13, $14, $15, $15) ON CONFLICT (idempotency_key) DO NOTHING",
            params![
                new.id,
                new.kind,
                &new.account.name,
                &new.account.shortcode,
                new.amount,
                new.phone.map(str::to_owned),
                new.reference.map(str::to_owned),
                new.user_id.clone(),
                caller_key(new.caller),
                new.idempotency_key.clone(),
                new.fingerprint,
                digest,
                new.about.map(str::to_owned),
                new.due_at,
                now
            ],
        )?;
        if added == 1 {
            transaction.execute(
                "INSERT INTO mpesa.transitions (id, transaction_id, to_state, source, actor, at, \
                 told) VALUES ($1, $2, 'created', 'call', $3, $4, 1)",
                params![
                    Uuid::now_v7().to_string(),
                    new.id,
                    caller_key(new.caller),
                    now
                ],
            )?;
            also(transaction)?;
        }
        Ok(added == 1)
    })
}

pub(crate) fn push(mut request: Request, caller: Caller) -> Result<Response> {
    users::require("mpesa:pay")?;
    let settings: Settings = config::load()?;
    let key = idempotency_key(&request, &caller)?;
    let Json(wish) = Json::<Wish>::from_request(&mut request)?;
    let checked = wish.check(&settings)?;
    let account = settings.account(wish.account.as_deref())?;
    let user_id = user_of(&caller, wish.user_id)?;
    let fingerprint = word::digest_of(&[
        checked.phone.as_bytes(),
        &checked.amount.to_le_bytes(),
        checked.reference.as_bytes(),
        checked.description.as_bytes(),
        account.name.as_bytes(),
    ]);
    if let Some(known) = known(key.as_deref(), &fingerprint)? {
        return Ok(answer(StatusCode::OK, &known));
    }
    let rates = Rates::of(&request, &caller, &checked.phone, &settings);
    rates.look()?;
    let id = Uuid::now_v7().to_string();
    let word = word::new()?;
    due::expect_sweep();
    // Before it is written down: a kill in between leaves an event that finds
    // nothing.
    let due_at = due::later(&id, settings.wait(0))?;
    let new = New {
        id: &id,
        kind: "push",
        account: &account,
        amount: Some(checked.amount),
        phone: Some(&checked.phone),
        reference: Some(&checked.reference),
        user_id,
        caller: &caller,
        idempotency_key: key.clone(),
        fingerprint: &fingerprint,
        word: &word,
        about: None,
        due_at,
    };
    if !insert_with(&new, |transaction| rates.take(transaction))? {
        let known = known(key.as_deref(), &fingerprint)?;
        let known = known.ok_or_else(|| Error::internal("the first call with its key is gone"))?;
        return Ok(answer(StatusCode::OK, &known));
    }
    let callback = format!("{}/mpesa/callback/{word}", settings.callback_base());
    match send(&account, &checked, &callback) {
        Ok((merchant, checkout)) => {
            let row = accepted(&id, &merchant, &checkout)?;
            Ok(answer(StatusCode::CREATED, &row))
        }
        Err(trouble) if trouble.is_definite() => {
            refused(&id, &trouble)?;
            Err(trouble.into_error().with_field("transaction_id", id))
        }
        Err(trouble) => {
            let (_, text) = trouble.words();
            log::warn!("the answer to the push {id} was lost: {text}");
            let row = lost(&id)?;
            Ok(answer(StatusCode::ACCEPTED, &row))
        }
    }
}

fn answer(status: StatusCode, row: &Row) -> Response {
    (status, Json(Begun::of(row))).into_response()
}

/// The payment that this key was used for.
///
/// # Errors
/// 422 `idempotency_key_reused` when it was another call.
pub(crate) fn known(key: Option<&str>, fingerprint: &str) -> Result<Option<Row>> {
    let Some(key) = key else {
        return Ok(None);
    };
    let found = Row::find("WHERE idempotency_key = $1", params![key])?;
    if let Some(row) = &found
        && row.fingerprint.as_deref() != Some(fingerprint)
    {
        return Err(Error::invalid(
            "idempotency_key_reused",
            "the idempotency key was used for another call: make a new key for each",
        ));
    }
    Ok(found)
}

/// What proves to be of a shortcode, and the time that it holds for: one clock
/// for both.
pub(crate) fn password(account: &Account) -> Result<(String, String), Trouble> {
    let timestamp = eat::compact(moment::now_ms());
    let passkey = account.secret("passkey");
    let password = secret::base64(&account.shortcode, &passkey, &timestamp);
    Ok((password.map_err(Trouble::NotSent)?, timestamp))
}

/// Asks the other side; its ids.
fn send(account: &Account, wish: &Checked, callback: &str) -> Result<(String, String), Trouble> {
    let (password, timestamp) = password(account)?;
    let body = json!({
        "BusinessShortCode": account.shortcode,
        "Password": password,
        "Timestamp": timestamp,
        "TransactionType": account.transaction_type,
        "Amount": wish.amount.to_string(),
        "PartyA": wish.phone,
        "PartyB": account.party(),
        "PhoneNumber": wish.phone,
        "CallBackURL": callback,
        "AccountReference": wish.reference,
        "TransactionDesc": wish.description,
    });
    let told = daraja::call(account, "/mpesa/stkpush/v1/processrequest", &body)?;
    let checkout = daraja::text(&told, "CheckoutRequestID").filter(|id| !id.is_empty());
    let checkout =
        checkout.ok_or_else(|| Trouble::Lost("it named no CheckoutRequestID".to_owned()))?;
    let merchant = daraja::text(&told, "MerchantRequestID").unwrap_or_default();
    Ok((merchant, checkout))
}

/// The other side has it; its callback may have come before this.
pub(crate) fn accepted(id: &str, merchant: &str, checkout: &str) -> Result<Row> {
    sql::transaction(|transaction| {
        let row = Row::locked(transaction, id)?;
        callback::adopt(transaction, &row, Some(merchant), checkout)?;
        if row.state == State::Created {
            settle::advance(
                transaction,
                &row,
                State::Pending,
                None,
                "answer",
                "accepted",
                None,
            )?;
        }
        Row::locked(transaction, id)
    })
}

/// Whether the other side has it is not known.
pub(crate) fn lost(id: &str) -> Result<Row> {
    sql::transaction(|transaction| {
        let row = Row::locked(transaction, id)?;
        if row.state == State::Created {
            settle::advance(
                transaction,
                &row,
                State::Pending,
                None,
                "answer",
                "lost",
                None,
            )?;
        }
        Row::locked(transaction, id)
    })
}

/// The other side has refused it, before anything was done. What is called
/// again with the same key is another payment.
pub(crate) fn refused(id: &str, trouble: &Trouble) -> Result<()> {
    let (code, text) = trouble.words();
    let outcome = Outcome {
        meaning: Meaning::Failed,
        code,
        text,
        receipt: None,
        guessed: false,
        cents: None,
        at: None,
        source: "answer",
        details: None,
    };
    let free = |transaction: &Transaction| {
        let row = Row::locked(transaction, id)?;
        transaction.execute(
            "UPDATE mpesa.transactions SET idempotency_key = NULL WHERE id = $1",
            params![id],
        )?;
        settle::apply(transaction, &row, &outcome)
    };
    let made = sql::transaction(free)?;
    tell::change(made.change().as_ref());
    Ok(())
}
