//! What the project's initiator asks for and is told later: payouts, reversals,
//! the status of a transaction, the balance of an account. Behind a permission
//! of its own.
//!
//! A payout is known to the other side by this plugin's own id, so that what
//! came of it can be asked for; it is sent once.

use crate::{
    amount,
    callback::{self, Letter, is_receipt, item},
    daraja::{self, Trouble, text},
    due, origin, phone,
    push::{self, Begun, New, checked_amount},
    record::Row,
    settings::{Account, Settings, not_set_up},
    settle::{self, Made, Outcome},
    state::{self, Meaning, Reason, State},
    tell, word,
};
use atlashub_sdk::{prelude::*, sql::Transaction};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Kinds that are told at these addresses.
const KINDS: [&str; 4] = ["payout", "reversal", "status", "balance"];
/// Least of a payout, shillings.
const LEAST: i64 = 10;
/// Most that is kept of what was told, bytes.
const MAX_DETAILS: usize = 32 * 1024;

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

/// What a client pays out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payout {
    phone: String,
    amount: Value,
    account: Option<String>,
    command: Option<String>,
    remarks: Option<String>,
    occasion: Option<String>,
}

/// `POST /mpesa/b2c`.
pub(crate) fn payout(mut request: Request, caller: Caller) -> Result<Response> {
    users::require("mpesa:payout")?;
    let settings: Settings = config::load()?;
    let key = push::idempotency_key(&request, &caller)?;
    let key = key.ok_or_else(|| {
        Error::bad_request(
            "idempotency_key_needed",
            "money goes out with an `Idempotency-Key` only: a new one for each payout",
        )
    })?;
    let Json(wish) = Json::<Payout>::from_request(&mut request)?;
    let phone = phone::normalised(&wish.phone).ok_or_else(push::invalid_phone)?;
    let amount = checked_amount(&wish.amount, LEAST, settings.max_amount())?;
    let command = wish.command.as_deref().unwrap_or("BusinessPayment");
    if !matches!(
        command,
        "BusinessPayment" | "SalaryPayment" | "PromotionPayment"
    ) {
        return Err(Error::invalid(
            "invalid_command",
            "`command` is `BusinessPayment`, `SalaryPayment` or `PromotionPayment`",
        ));
    }
    let account = settings.account(wish.account.as_deref())?;
    let ask = Ask {
        kind: "payout",
        path: "/mpesa/b2c/v3/paymentrequest",
        body: json!({
            "CommandID": command,
            "Amount": amount.to_string(),
            "PartyA": account.shortcode,
            "PartyB": phone,
            "Remarks": remarks(wish.remarks.as_deref())?,
            "Occassion": remarks(wish.occasion.as_deref())?,
        }),
        amount: Some(amount),
        phone: Some(&phone),
        reference: None,
        about: None,
    };
    let begun_row = begin(&settings, &account, &caller, Some(key), &ask)?;
    note_in_audit("payment.payout", &begun_row.1)?;
    Ok(begun(begun_row))
}

fn note_in_audit(action: &str, row: &Row) -> Result<()> {
    let details = json!({"amount": row.amount, "phone_number": row.phone, "account": row.account});
    audit::append(action, Some(&row.id), &details).map(drop)
}

/// What a client wants undone or asks about: one of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    transaction_id: Option<String>,
    receipt_number: Option<String>,
    account: Option<String>,
    remarks: Option<String>,
}

impl About {
    /// The receipt, and the transaction where it is one of ours.
    fn find(&self) -> Result<(Option<String>, Option<Row>)> {
        if let Some(id) = &self.transaction_id {
            let row = Row::by_id(id)?.ok_or_else(|| Error::not_found("the transaction"))?;
            return Ok((row.receipt.clone(), Some(row)));
        }
        let receipt = self.receipt_number.clone().filter(|text| is_receipt(text));
        let receipt = receipt.ok_or_else(|| {
            Error::invalid(
                "invalid_receipt",
                "say which by `transaction_id` or by `receipt_number`",
            )
        })?;
        let row = Row::find("WHERE receipt = $1", params![&receipt])?;
        Ok((Some(receipt), row))
    }
}

/// `POST /mpesa/reversals`.
pub(crate) fn reverse(mut request: Request, caller: Caller) -> Result<Response> {
    users::require("mpesa:payout")?;
    let settings: Settings = config::load()?;
    let Json(wish) = Json::<About>::from_request(&mut request)?;
    let (receipt, row) = wish.find()?;
    let row = row.ok_or_else(|| Error::not_found("the transaction"))?;
    let (Some(receipt), "push" | "c2b", State::Succeeded) = (receipt, row.kind.as_str(), row.state)
    else {
        return Err(Error::conflict(
            "not_reversible",
            "only payments of customers that succeeded, with their receipt, can be taken back",
        ));
    };
    let amount = row.cents.or(row.amount.map(|amount| amount * 100));
    let amount = amount
        .filter(|cents| cents % 100 == 0)
        .map(|cents| cents / 100);
    let amount = amount.ok_or_else(|| {
        Error::conflict("not_reversible", "only whole shillings can be taken back")
    })?;
    let account = settings.account(Some(&row.account))?;
    // A payment is taken back once, whoever asks.
    let key = format!("reversal/{}", row.id);
    let ask = Ask {
        kind: "reversal",
        path: "/mpesa/reversal/v1/request",
        body: json!({
            "CommandID": "TransactionReversal",
            "TransactionID": receipt,
            "Amount": amount.to_string(),
            "ReceiverParty": account.shortcode,
            "RecieverIdentifierType": "11",
            "Remarks": remarks(wish.remarks.as_deref())?,
        }),
        amount: Some(amount),
        phone: row.phone.as_deref(),
        reference: row.reference.as_deref(),
        about: Some(&row.id),
    };
    let begun_row = begin(&settings, &account, &caller, Some(key), &ask)?;
    note_in_audit("payment.reversal", &begun_row.1)?;
    Ok(begun(begun_row))
}

/// `POST /mpesa/status`.
pub(crate) fn status(mut request: Request, caller: Caller) -> Result<Response> {
    users::require("mpesa:payout")?;
    let settings: Settings = config::load()?;
    let Json(wish) = Json::<About>::from_request(&mut request)?;
    let (receipt, row) = wish.find()?;
    let name = row.as_ref().map(|row| row.account.clone());
    let account = settings.account(name.or(wish.account).as_deref())?;
    let asked = question(
        &settings,
        &account,
        &caller,
        receipt.as_deref(),
        row.as_ref(),
    )?;
    Ok(begun(asked))
}

fn question(
    settings: &Settings,
    account: &Account,
    caller: &Caller,
    receipt: Option<&str>,
    row: Option<&Row>,
) -> Result<(StatusCode, Row)> {
    let payout = row.filter(|row| row.kind == "payout");
    if receipt.is_none() && payout.is_none() {
        return Err(Error::conflict(
            "no_receipt",
            "nothing is known of it that could be asked for: it has no receipt",
        ));
    }
    let mut body = json!({
        "CommandID": "TransactionStatusQuery",
        "PartyA": account.shortcode,
        "IdentifierType": "4",
        "Remarks": "Status",
        "Occasion": "Status",
    });
    let member = match receipt {
        Some(_) => "TransactionID",
        None => "OriginalConversationID",
    };
    let value = receipt.or(payout.map(|row| row.id.as_str()));
    if let (Some(body), Some(value)) = (body.as_object_mut(), value) {
        body.insert(member.to_owned(), json!(value));
    }
    let ask = Ask {
        kind: "status",
        path: "/mpesa/transactionstatus/v1/query",
        body,
        amount: None,
        phone: None,
        reference: receipt,
        about: row.map(|row| row.id.as_str()),
    };
    begin(settings, account, caller, None, &ask)
}

/// What came of a payout is asked for, unless it was asked already and the
/// answer is not there yet.
pub(crate) fn ask_about(row: &Row, settings: &Settings) -> Result<()> {
    let open: i64 = sql::query_one(
        "SELECT count(*) FROM mpesa.transactions WHERE about = $1 AND kind = 'status' \
         AND state IN ('created', 'pending')",
        params![&row.id],
    )?;
    if open > 0 {
        return Ok(());
    }
    let asked = settings
        .account(Some(&row.account))
        .and_then(|account| question(settings, &account, &identity::caller(), None, Some(row)));
    if let Err(error) = asked {
        log::info!("no answer about {}: {error}", row.id);
    }
    Ok(())
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whose {
    account: Option<String>,
}

/// `POST /mpesa/balance`.
pub(crate) fn balance(mut request: Request, caller: Caller) -> Result<Response> {
    users::require("mpesa:payout")?;
    let settings: Settings = config::load()?;
    let Json(wish) = Json::<Whose>::from_request(&mut request)?;
    let account = settings.account(wish.account.as_deref())?;
    let ask = Ask {
        kind: "balance",
        path: "/mpesa/accountbalance/v1/query",
        body: json!({
            "CommandID": "AccountBalance",
            "PartyA": account.shortcode,
            "IdentifierType": "4",
            "Remarks": "Balance",
        }),
        amount: None,
        phone: None,
        reference: None,
        about: None,
    };
    Ok(begun(begin(&settings, &account, &caller, None, &ask)?))
}

/// What the other side tells.
struct Told {
    code: String,
    text: String,
    conversation: Option<String>,
    receipt: Option<String>,
    parameters: Map<String, Value>,
}

impl Told {
    fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let told = body.get("Result")?;
        let parameters = told
            .get("ResultParameters")
            .and_then(|all| all.get("ResultParameter"));
        let named = match parameters {
            Some(Value::Array(items)) => items.iter().collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        let parameters = named.into_iter().filter_map(|one| {
            let key = one.get("Key").and_then(Value::as_str)?;
            Some((key.to_owned(), item(Some(one), "Key", key)?.clone()))
        });
        Some(Self {
            code: text(told, "ResultCode")?,
            text: text(told, "ResultDesc").unwrap_or_default(),
            conversation: text(told, "ConversationID"),
            receipt: text(told, "TransactionID").filter(|text| is_receipt(text)),
            parameters: parameters.collect(),
        })
    }

    fn outcome(&self, kind: &str) -> Outcome {
        let meaning = state::of_result(&self.code);
        let moved = matches!(kind, "payout" | "reversal");
        let amount = match kind {
            "payout" => self.parameters.get("TransactionAmount"),
            "reversal" => self.parameters.get("Amount"),
            _ => None,
        };
        let details = if kind == "balance" {
            json!({"accounts": accounts(&self.parameters)})
        } else {
            Value::Object(self.parameters.clone())
        };
        Outcome {
            meaning,
            code: self.code.clone(),
            text: self.text.clone(),
            receipt: self
                .receipt
                .clone()
                .filter(|_| moved && meaning == Meaning::Paid),
            cents: amount.and_then(amount::cents),
            source: "callback",
            details: Some(details.to_string()).filter(|text| text.len() <= MAX_DETAILS),
        }
    }

    /// What a question says of the transaction that it was about.
    fn of_other(&self) -> Option<Outcome> {
        if state::of_result(&self.code) != Meaning::Paid {
            return None;
        }
        let status = self.parameters.get("TransactionStatus")?.as_str()?;
        let meaning = match status {
            "Completed" => Meaning::Paid,
            "Cancelled" | "Declined" | "Expired" => Meaning::Failed,
            _ => return None,
        };
        let receipt = self.parameters.get("ReceiptNo").and_then(Value::as_str);
        let paid = meaning == Meaning::Paid;
        Some(Outcome {
            meaning,
            code: if paid { "0" } else { status }.to_owned(),
            text: status.to_owned(),
            receipt: receipt
                .filter(|text| paid && is_receipt(text))
                .map(str::to_owned),
            cents: self.parameters.get("Amount").and_then(amount::cents),
            source: "query",
            details: None,
        })
    }
}

/// The accounts of a balance, which comes as one text: `|` between fields, `&`
/// between accounts.
fn accounts(parameters: &Map<String, Value>) -> Vec<Value> {
    let text = parameters.get("AccountBalance").and_then(Value::as_str);
    let all = text.unwrap_or_default().split('&').take(50);
    all.filter_map(|one| {
        let mut fields = one.split('|');
        let (name, currency) = (fields.next()?, fields.next()?);
        let mut next = || fields.next().unwrap_or_default();
        Some(json!({
            "name": name, "currency": currency, "current": next(), "available": next(),
            "reserved": next(), "uncleared": next(),
        }))
    })
    .collect()
}

/// `POST /lipa/result/{token}`.
pub(crate) fn result(Path(token): Path<String>, mut request: Request) -> Result<Response> {
    let row = Row::by_word(&word::digest(&token)?, &KINDS)?;
    let settings: Settings = config::load()?;
    let (address, listed) = origin::of(&request, &settings);
    origin::admit(listed, &settings)?;
    let body = request.take_body().bytes(callback::MAX)?;
    let told = Told::read(&body);
    let (made, is_new) = callback::patiently(|transaction| {
        let row = Row::locked(transaction, &row.id)?;
        let made = judge(transaction, &row, told.as_ref(), listed)?;
        let letter = Letter {
            subject: &row.id,
            scope: &row.id,
            body: &body,
            address: address.clone(),
            listed,
        };
        let is_new = letter.keep(transaction, made.first().map_or("settled", Made::word))?;
        Ok((made, is_new))
    })?;
    for one in made {
        if let Made::Ignored(why) = one {
            log::info!("a result for {} changed nothing: {why}", row.id);
            if is_new && matches!(why, "unreadable" | "unlisted" | "other_id") {
                due::at_once(&row.id);
            }
        }
        tell::change(one.change().as_ref());
    }
    Ok(callback::heard())
}

fn judge(
    transaction: &Transaction,
    row: &Row,
    told: Option<&Told>,
    listed: bool,
) -> Result<Vec<Made>> {
    let Some(told) = told else {
        return Ok(vec![Made::Ignored("unreadable")]);
    };
    if let (Some(known), Some(told)) = (&row.checkout_request_id, &told.conversation)
        && known != told
    {
        return Ok(vec![Made::Ignored("other_id")]);
    }
    if !listed {
        return Ok(vec![Made::Ignored("unlisted")]);
    }
    if let Some(conversation) = &told.conversation {
        callback::adopt(transaction, row, None, conversation)?;
    }
    let mut made = vec![settle::apply(transaction, row, &told.outcome(&row.kind))?];
    if row.kind == "status"
        && let (Some(about), Some(outcome)) = (&row.about, told.of_other())
    {
        let other = Row::locked(transaction, about)?;
        made.push(settle::apply(transaction, &other, &outcome)?);
    }
    Ok(made)
}

/// `POST /lipa/timeout/{token}`: it waited too long in the other side's queue.
/// That is no proof that it failed.
pub(crate) fn timeout(Path(token): Path<String>, mut request: Request) -> Result<Response> {
    let row = Row::by_word(&word::digest(&token)?, &KINDS)?;
    let settings: Settings = config::load()?;
    let (address, listed) = origin::of(&request, &settings);
    origin::admit(listed, &settings)?;
    let body = request.take_body().bytes(callback::MAX)?;
    callback::patiently(|transaction| {
        let row = Row::locked(transaction, &row.id)?;
        let letter = Letter {
            subject: &row.id,
            scope: &row.id,
            body: &body,
            address: address.clone(),
            listed,
        };
        letter.keep(transaction, "queue_timeout")
    })?;
    due::at_once(&row.id);
    Ok(callback::heard())
}

/// What an unanswered question comes to: nobody has to look at it.
pub(crate) fn unanswered(row: &Row) -> (State, Option<Reason>) {
    match row.kind.as_str() {
        "status" | "balance" => (State::TimedOut, None),
        _ => (State::NeedsReview, Some(Reason::NoAnswer)),
    }
}
