//! `POST /mpesa/reversals`: takes a customer's payment back, once.

use super::{Ask, about::About, begin, begun, note_in_audit, remarks};
use crate::{settings::Settings, state::State};
use atlashub_sdk::prelude::*;
use serde_json::json;

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
