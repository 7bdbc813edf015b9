//! `POST /mpesa/status`: asks what became of a transaction, and so does the
//! timer of a payout.

use super::{Ask, about::About, begin, begun};
use crate::{
    record::Row,
    settings::{Account, Settings},
};
use atlashub_sdk::prelude::*;
use serde_json::json;

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
