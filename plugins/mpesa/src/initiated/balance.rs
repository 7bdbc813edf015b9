//! `POST /mpesa/balance`: asks what is on a shortcode's accounts.

use super::{Ask, begin, begun};
use crate::settings::Settings;
use atlashub_sdk::prelude::*;
use serde_json::{Map, Value, json};

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

/// The accounts of a balance, which comes as one text: `|` between fields, `&`
/// between accounts.
pub(super) fn accounts(parameters: &Map<String, Value>) -> Vec<Value> {
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
