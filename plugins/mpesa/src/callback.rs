//! What the other side tells of a push: `POST /mpesa/callback/{token}`, and
//! without a word of its own where the project allows that.
//!
//! It is kept as it came, together with what was made of it, before it is
//! acknowledged. It is believed when it knows the payment's word, comes from a
//! listed address, and names the payment, the amount and a receipt; the rest
//! only makes the other side be asked.

use crate::{
    amount,
    daraja::text,
    due, eat, origin,
    record::Row,
    settings::Settings,
    settle::{self, Made, Outcome},
    state::{self, Meaning, State},
    tell, word,
};
use atlashub_sdk::{prelude::*, sql::Transaction};
use serde_json::{Value, json};

/// Largest body, bytes.
pub(crate) const MAX: usize = 64 * 1024;
/// Most different bodies of strangers for one payment.
const MOST: i64 = 100;

/// What a callback says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Callback {
    pub(crate) merchant: Option<String>,
    pub(crate) checkout: String,
    pub(crate) code: String,
    pub(crate) text: String,
    pub(crate) receipt: Option<String>,
    pub(crate) cents: Option<i64>,
    /// When it was paid, milliseconds.
    pub(crate) at: Option<i64>,
}

impl Callback {
    /// Reads one; none for what is none.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let told = body.get("Body")?.get("stkCallback")?;
        let items = told
            .get("CallbackMetadata")
            .and_then(|data| data.get("Item"));
        Some(Self {
            merchant: text(told, "MerchantRequestID"),
            checkout: text(told, "CheckoutRequestID").filter(|id| !id.is_empty())?,
            code: text(told, "ResultCode")?,
            text: text(told, "ResultDesc").unwrap_or_default(),
            receipt: item(items, "Name", "MpesaReceiptNumber")
                .and_then(Value::as_str)
                .filter(|receipt| is_receipt(receipt))
                .map(str::to_owned),
            cents: item(items, "Name", "Amount").and_then(amount::cents),
            at: item(items, "Name", "TransactionDate")
                .map(|date| date.to_string())
                .and_then(|date| eat::read_compact(date.trim_matches('"'))),
        })
    }

    pub(crate) fn outcome(&self, source: &'static str) -> Outcome {
        Outcome {
            meaning: state::of_push(&self.code),
            code: self.code.clone(),
            text: self.text.clone(),
            receipt: self.receipt.clone(),
            guessed: false,
            cents: self.cents,
            at: self.at,
            source,
            details: None,
        }
    }
}

/// Whether a text can be a receipt.
pub(crate) fn is_receipt(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The value of the item of this name, among several or the only one.
pub(crate) fn item<'a>(items: Option<&'a Value>, key: &str, name: &str) -> Option<&'a Value> {
    let is = |item: &&Value| item.get(key).and_then(Value::as_str) == Some(name);
    match items? {
        Value::Array(items) => items.iter().find(is)?.get("Value"),
        one => Some(one).filter(is)?.get("Value"),
    }
}

/// What the other side is told when it was heard.
pub(crate) fn heard() -> Response {
    Json(json!({"ResultCode": 0, "ResultDesc": "Accepted"})).into_response()
}

pub(crate) fn of_push(Path(token): Path<String>, mut request: Request) -> Result<Response> {
    let row = Row::by_word(&word::digest(&token)?, &["push"])?;
    let settings: Settings = config::load()?;
    let (address, listed) = origin::of(&request, &settings);
    origin::admit(listed, &settings)?;
    let body = request.take_body().bytes(MAX)?;
    let callback = Callback::read(&body);
    take(&row, callback, &body, address, listed)
}

pub(crate) fn bare(mut request: Request) -> Result<Response> {
    let settings: Settings = config::load()?;
    let unknown = || Error::not_found("the payment");
    if !settings.allow_callback_without_token {
        return Err(unknown());
    }
    let (address, listed) = origin::of(&request, &settings);
    origin::admit(listed, &settings)?;
    let body = request.take_body().bytes(MAX)?;
    let callback = Callback::read(&body).ok_or_else(unknown)?;
    let row = Row::find(
        "WHERE checkout_request_id = $1 AND kind = 'push'",
        params![&callback.checkout],
    )?;
    let row = row.ok_or_else(unknown)?;
    // Whoever sends it knows no word: the other side is asked.
    take(&row, Some(callback), &body, address, false)
}

fn take(
    row: &Row,
    callback: Option<Callback>,
    body: &[u8],
    address: Option<String>,
    listed: bool,
) -> Result<Response> {
    // An open one is looked after anyhow.
    let done = row.state == State::Succeeded && row.receipt_guessed == 0;
    if listed && row.due_at.is_none() && !done {
        due::tell_later(&row.id);
    }
    let taken = patiently(|transaction| {
        let row = Row::locked(transaction, &row.id)?;
        let made = judge(transaction, &row, callback.as_ref(), listed)?;
        let letter = Letter {
            subject: &row.id,
            scope: &row.id,
            body,
            address: address.clone(),
            listed,
        };
        let is_new = letter.keep(transaction, made.word())?;
        Ok((made, is_new))
    })?;
    match taken {
        (Made::Ignored(why), is_new) => {
            log::info!("a callback for {} changed nothing: {why}", row.id);
            if matches!(why, "unreadable" | "unlisted" | "incomplete" | "other_id") {
                if is_new {
                    due::at_once(&row.id);
                }
                // Who pays late has paid: another word than the end that is
                // known makes that doubtful.
                due::in_doubt(&row.id);
            }
        }
        (made, _) => tell::change(made.change().as_ref()),
    }
    Ok(heard())
}

/// Waits between tries, milliseconds: less together than the other side waits.
const WAITS: [u64; 5] = [20, 100, 300, 700, 1_500];

/// A transaction that is begun again while the database is busy: what the other
/// side tells, it may tell once only.
pub(crate) fn patiently<T>(work: impl Fn(&Transaction) -> Result<T>) -> Result<T> {
    for wait in WAITS {
        match sql::transaction(&work) {
            Err(error) if error.code() == "sql_busy" => pause(wait),
            other => return other,
        }
    }
    sql::transaction(&work)
}

#[expect(
    clippy::disallowed_methods,
    reason = "an instance has nothing else to do, and the host sleeps for it"
)]
fn pause(milliseconds: u64) {
    std::thread::sleep(std::time::Duration::from_millis(milliseconds));
}

fn judge(
    transaction: &Transaction,
    row: &Row,
    callback: Option<&Callback>,
    listed: bool,
) -> Result<Made> {
    let Some(callback) = callback else {
        return Ok(Made::Ignored("unreadable"));
    };
    let known = row.checkout_request_id.as_ref();
    if known.is_some_and(|known| *known != callback.checkout) {
        return Ok(Made::Ignored("other_id"));
    }
    if !listed {
        return Ok(Made::Ignored("unlisted"));
    }
    adopt(
        transaction,
        row,
        callback.merchant.as_deref(),
        &callback.checkout,
    )?;
    let outcome = callback.outcome("callback");
    if outcome.meaning == Meaning::Paid && (outcome.receipt.is_none() || outcome.cents.is_none()) {
        return Ok(Made::Ignored("incomplete"));
    }
    settle::apply(transaction, row, &outcome)
}

/// Keeps the ids of the other side, from whoever tells them first: its answer,
/// or a callback that came before.
pub(crate) fn adopt(
    transaction: &Transaction,
    row: &Row,
    merchant: Option<&str>,
    checkout: &str,
) -> Result<()> {
    match &row.checkout_request_id {
        Some(known) if known != checkout => {
            log::error!("{} has another id at the other side by now", row.id);
            Ok(())
        }
        Some(_) => Ok(()),
        None => transaction
            .execute(
                "UPDATE mpesa.transactions SET merchant_request_id = $2, checkout_request_id = $3 \
                 WHERE id = $1",
                params![&row.id, merchant.map(str::to_owned), checkout],
            )
            .map(drop),
    }
}

/// Something that the other side sent.
pub(crate) struct Letter<'a> {
    /// The transaction that it is about.
    pub(crate) subject: &'a str,
    /// Within what the same text is a copy.
    pub(crate) scope: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) address: Option<String>,
    pub(crate) listed: bool,
}

impl Letter<'_> {
    /// Keeps it as it came, with what was made of it; whether it is no copy of
    /// one that was kept.
    ///
    /// # Errors
    /// 429 `too_many_callbacks`, for what changed nothing.
    pub(crate) fn keep(&self, transaction: &Transaction, outcome: &str) -> Result<bool> {
        let listed = i64::from(self.listed);
        let id = word::digest_of(&[self.scope.as_bytes(), &[u8::from(self.listed)], self.body]);
        let now = moment::now_ms();
        // A text of SQL holds no NUL.
        let body = String::from_utf8_lossy(self.body).replace('\0', "\u{fffd}");
        let added = transaction.execute(
            "INSERT INTO mpesa.callbacks (id, transaction_id, origin, listed, body, copies, outcome, \
             received_at, last_at) VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $7) \
             ON CONFLICT (id) DO NOTHING",
            params![
                &id,
                self.subject,
                self.address.clone(),
                listed,
                body,
                outcome,
                now
            ],
        )?;
        if added == 0 {
            transaction.execute(
                "UPDATE mpesa.callbacks SET copies = copies + 1, last_at = $2 WHERE id = $1",
                params![&id, now],
            )?;
            return Ok(false);
        }
        if outcome != "applied" {
            self.check_count(transaction)?;
        }
        Ok(true)
    }

    /// The other side itself may tell as much as it likes.
    fn check_count(&self, transaction: &Transaction) -> Result<()> {
        if self.listed {
            return Ok(());
        }
        let kept: Vec<i64> = transaction.query(
            "SELECT count(*) FROM mpesa.callbacks WHERE transaction_id = $1 AND listed = 0",
            params![self.subject],
        )?;
        if kept.first().is_none_or(|count| *count <= MOST) {
            return Ok(());
        }
        Err(Error::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_callbacks",
            "so much was never told of one payment by strangers",
        ))
    }
}

/// What was told of a payment and not believed then, now that the other side
/// says that it is paid: the newest that fits.
pub(crate) fn told_before(transaction: &Transaction, row: &Row) -> Result<Option<Callback>> {
    let bodies: Vec<String> = transaction.query(
        "SELECT body FROM mpesa.callbacks WHERE transaction_id = $1 \
         ORDER BY received_at DESC LIMIT 20",
        params![&row.id],
    )?;
    let told = bodies
        .iter()
        .filter_map(|body| Callback::read(body.as_bytes()));
    Ok(told
        .filter(|told| told.code == "0" && told.receipt.is_some())
        .find(|told| row.checkout_request_id.as_ref() == Some(&told.checkout)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn told(code: Value, items: Value) -> Callback {
        let body = json!({"Body": {"stkCallback": {
            "MerchantRequestID": "m", "CheckoutRequestID": "c", "ResultCode": code,
            "ResultDesc": "d", "CallbackMetadata": {"Item": items}, "More": [1],
        }}});
        Callback::read(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn items_are_found_by_name_in_any_order_and_number() {
        let items = json!([
            {"Name": "PhoneNumber", "Value": 254_700_000_000_u64},
            {"Name": "Balance"},
            {"Name": "MpesaReceiptNumber", "Value": "NLJ7RT61SV"},
            {"Name": "Amount", "Value": 1.0},
        ]);
        let callback = told(json!(0), items);
        assert_eq!(callback.receipt.as_deref(), Some("NLJ7RT61SV"));
        assert_eq!((callback.cents, callback.code.as_str()), (Some(100), "0"));
        let one = told(json!("0"), json!({"Name": "Amount", "Value": "7.50"}));
        assert_eq!((one.cents, one.receipt), (Some(750), None));
    }

    #[test]
    fn codes_are_texts_whatever_they_came_as() {
        for (code, wanted) in [
            (json!(1032), "1032"),
            (json!("1032"), "1032"),
            (json!("SFC_IC0003"), "SFC_IC0003"),
        ] {
            assert_eq!(told(code, json!([])).code, wanted);
        }
    }

    #[test]
    fn what_is_no_callback_is_not_read() {
        for body in [
            "",
            "[]",
            "{\"Body\": {\"stkCallback\": ",
            "{\"Body\": {}}",
            "{\"Body\": {\"stkCallback\": {\"CheckoutRequestID\": \"c\"}}}",
            "{\"Body\": {\"stkCallback\": {\"ResultCode\": 0}}}",
            "{\"Body\": {\"stkCallback\": {\"ResultCode\": null, \"CheckoutRequestID\": \"c\"}}}",
        ] {
            assert_eq!(Callback::read(body.as_bytes()), None, "{body}");
        }
    }
}
