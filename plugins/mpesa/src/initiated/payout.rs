//! `POST /mpesa/b2c`: pays out to a phone, once for each key.

use super::{Ask, begin, begun, note_in_audit, remarks};
use crate::{
    phone,
    push::{self, checked_amount},
    settings::Settings,
};
use atlashub_sdk::prelude::*;
use serde_json::{Value, json};

/// Least of a payout, shillings.
const LEAST: i64 = 10;

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
