//! Payments of customers, asked for afterwards: a shortcode is registered for
//! that, and what was paid to it in the last two days is told in pages.

use crate::{
    answer::Answer,
    clock,
    fields::{self, Fields},
    serve::Asked,
    state::{Shared, State},
    token::{self, Family},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

/// How far back it goes.
const KEPT: Duration = Duration::hours(48);

/// A payment of a customer, whether it was told or not.
#[derive(Clone, Debug)]
pub(crate) struct Paid {
    pub(crate) shortcode: String,
    pub(crate) receipt: String,
    pub(crate) at: OffsetDateTime,
    pub(crate) phone: String,
    pub(crate) amount: String,
    pub(crate) reference: String,
}

impl Paid {
    fn shown(&self) -> Value {
        json!({
            "transactionId": self.receipt,
            "trxDate": clock::written(self.at),
            "msisdn": self.phone,
            "sender": "MPESA",
            "transactiontype": "c2b-pay-bill-debit",
            "billreference": self.reference,
            "amount": self.amount,
            "organizationname": "Daraja Pull API Test",
        })
    }
}

/// `POST /pulltransactions/v1/register`.
pub(crate) fn register(shared: &Shared, asked: &Asked) -> Answer {
    let mut state = shared.state();
    registered(&mut state, asked).unwrap_or_else(|answer| answer)
}

fn registered(state: &mut State, asked: &Asked) -> Result<Answer, Answer> {
    let (fields, shortcode) = shortcode(state, asked)?;
    fields.fitting(state, "RequestType", |text| text == "Pull")?;
    fields.fitting(state, "NominatedNumber", fields::is_phone)?;
    fields.fitting(state, "CallBackURL", fields::is_url)?;
    let is_new = state.pulled.insert(shortcode.clone());
    let (status, text) = match is_new {
        true => ("1000", "ShortCode Registered Successfully"),
        false => ("1001", "ShortCode already Registered"),
    };
    Ok(Answer::ok(json!({
        "ResponseRefID": state.opaque(),
        "ResponseStatus": status,
        "ShortCode": shortcode,
        "ResponseDescription": text,
    })))
}

/// `POST /pulltransactions/v1/query`.
pub(crate) fn query(shared: &Shared, asked: &Asked) -> Answer {
    let mut state = shared.state();
    answered(&mut state, asked).unwrap_or_else(|answer| answer)
}

fn answered(state: &mut State, asked: &Asked) -> Result<Answer, Answer> {
    let (fields, shortcode) = shortcode(state, asked)?;
    let start = fields.fitting(state, "StartDate", |text| clock::read(text).is_some())?;
    let end = fields.fitting(state, "EndDate", |text| clock::read(text).is_some())?;
    let offset = fields.fitting(state, "OffSetValue", |text| text.parse::<usize>().is_ok())?;
    let window = clock::read(&start).zip(clock::read(&end));
    let window = window.filter(|(start, end)| start < end && *start >= clock::now() - KEPT);
    let Some((start, end)) = window else {
        return Err(fields::invalid(state, "StartDate"));
    };
    if !state.pulled.contains(&shortcode) {
        return Err(fields::invalid(state, "ShortCode"));
    }
    let mut paid: Vec<Paid> = state
        .paid
        .iter()
        .cloned()
        .chain(pushes(state))
        .filter(|paid| paid.shortcode == shortcode)
        // The texts have whole seconds.
        .filter(|paid| paid.at >= start && paid.at < end + Duration::SECOND)
        .collect();
    paid.sort_by(|a, b| (a.at, &a.receipt).cmp(&(b.at, &b.receipt)));
    let offset = offset.parse().unwrap_or(usize::MAX);
    let page: Vec<Value> = paid
        .iter()
        .skip(offset)
        .take(state.faults.pull_page)
        .map(Paid::shown)
        .collect();
    let (code, text) = match page.is_empty() {
        true => ("1001", "No transactions found"),
        false => ("1000", "Success"),
    };
    Ok(Answer::ok(json!({
        "ResponseRefID": state.opaque(),
        "ResponseCode": code,
        "ResponseMessage": text,
        "Response": [page],
    })))
}

/// Pushes that were paid are payments to the shortcode as others are.
fn pushes(state: &State) -> impl Iterator<Item = Paid> {
    let paid = state
        .payments
        .iter()
        .filter(|payment| payment.outcome == "0" && payment.has_ended());
    paid.map(|payment| Paid {
        shortcode: payment.shortcode.clone(),
        receipt: payment.receipt.clone(),
        at: clock::now() - payment.ends.elapsed(),
        phone: payment.phone.clone(),
        amount: format!("{}.00", payment.amount),
        reference: payment.reference.clone(),
    })
}

fn shortcode(state: &mut State, asked: &Asked) -> Result<(Fields, String), Answer> {
    let key = token::check(state, asked, Family::Customer)?;
    let fields = Fields::of(state, asked)?;
    let shortcode = fields.fitting(state, "ShortCode", fields::is_shortcode)?;
    if token::account(state, &key, &shortcode).is_none() {
        return Err(fields::invalid(state, "ShortCode"));
    }
    Ok((fields, shortcode))
}
