//! Payments from the phone's menu: addresses are registered, asked and told.

use crate::{
    answer::Answer,
    clock,
    deliver::{self, Letter},
    fields::{self, Fields},
    pull::Paid,
    serve::Asked,
    state::{Registered, Shared, State},
    token::{self, Family},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// `POST /mpesa/c2b/v2/registerurl`.
pub(crate) fn register(shared: &Shared, asked: &Asked) -> Answer {
    let mut state = shared.state();
    registered(&mut state, asked).unwrap_or_else(|answer| answer)
}

fn registered(state: &mut State, asked: &Asked) -> Result<Answer, Answer> {
    let key = token::check(state, asked, Family::Customer)?;
    let fields = Fields::of(state, asked)?;
    let shortcode = fields.fitting(state, "ShortCode", fields::is_shortcode)?;
    let kind = fields.fitting(state, "ResponseType", |text| {
        matches!(text, "Completed" | "Cancelled")
    })?;
    let confirmation = fields.fitting(state, "ConfirmationURL", fields::is_url)?;
    let validation = fields.fitting(state, "ValidationURL", fields::is_url)?;
    if token::account(state, &key, &shortcode).is_none() {
        return Err(fields::invalid(state, "ShortCode"));
    }
    let registered = Registered {
        confirmation,
        validation,
        completes: kind == "Completed",
        hashed: asked.uri.path().contains("/v1/"),
    };
    state.registered.insert(shortcode, registered);
    Ok(Answer::ok(json!({
        "OriginatorCoversationID": state.opaque(),
        "ResponseCode": "0",
        "ResponseDescription": "Success",
    })))
}

/// `POST /mpesa/c2b/v2/simulate`.
pub(crate) fn simulate(shared: &Arc<Shared>, asked: &Asked) -> Answer {
    let read = || -> Result<_, Answer> {
        let mut state = shared.state();
        let state = &mut *state;
        token::check(state, asked, Family::Customer)?;
        let fields = Fields::of(state, asked)?;
        let shortcode = fields.fitting(state, "ShortCode", fields::is_shortcode)?;
        fields.fitting(state, "CommandID", |text| {
            matches!(text, "CustomerPayBillOnline" | "CustomerBuyGoodsOnline")
        })?;
        let amount = fields.fitting(state, "Amount", fields::is_amount)?;
        let phone = fields.fitting(state, "Msisdn", fields::is_phone)?;
        let reference = fields.text("BillRefNumber").unwrap_or_default();
        Ok((shortcode, phone, amount, reference, state.opaque()))
    };
    let (shortcode, phone, amount, reference, id) = match read() {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    let shared_too = Arc::clone(shared);
    shared.spawn(async move {
        // The application may have registered nothing, as in the sandbox.
        let _ = pay(&shared_too, &shortcode, &phone, &amount, &reference).await;
    });
    Answer::ok(json!({
        "OriginatorCoversationID": id,
        "ResponseCode": "0",
        "ResponseDescription": "Accept the service request successfully.",
    }))
}

/// A customer pays. The receipt, unless the application refused it.
pub(crate) async fn pay(
    shared: &Shared,
    shortcode: &str,
    phone: &str,
    amount: &str,
    reference: &str,
) -> Result<Option<String>, String> {
    let (registered, receipt, faults) = {
        let mut state = shared.state();
        let registered = state.registered.get(shortcode).cloned();
        let registered =
            registered.ok_or_else(|| format!("nothing is registered for {shortcode}"))?;
        (registered, state.receipt(), state.faults.clone())
    };
    let shown = if registered.hashed {
        // What stands for the hash of the number.
        phone.bytes().map(|byte| format!("{byte:02x}")).collect()
    } else {
        let end = phone.get(phone.len().saturating_sub(3)..);
        format!("2547 ***** {}", end.unwrap_or_default())
    };
    let body = |balance: &str, third: &str| {
        json!({
            "TransactionType": "Pay Bill",
            "TransID": receipt,
            "TransTime": clock::compact(clock::now()),
            "TransAmount": format!("{amount}.00"),
            "BusinessShortCode": shortcode,
            "BillRefNumber": reference,
            "InvoiceNumber": "",
            "OrgAccountBalance": balance,
            "ThirdPartyTransID": third,
            "MSISDN": shown,
            "FirstName": "JANE",
            "MiddleName": "",
            "LastName": "",
        })
    };
    let letter = |url: &str, body: &Value| Letter {
        url: url.to_owned(),
        headers: BTreeMap::clone(&faults.callback_headers),
        body: body.to_string().into_bytes(),
    };
    let asked = letter(&registered.validation, &body("", ""));
    let third = match deliver::send(shared, &asked).await {
        Some(answer) => {
            let code = answer.get("ResultCode").unwrap_or(&Value::Null);
            if *code != "0" && *code != 0 {
                return Ok(None);
            }
            let third = answer.get("ThirdPartyTransID").and_then(Value::as_str);
            third.unwrap_or_default().to_owned()
        }
        None if registered.completes => String::new(),
        None => return Ok(None),
    };
    shared.state().paid.push(Paid {
        shortcode: shortcode.to_owned(),
        receipt: receipt.clone(),
        at: clock::now(),
        phone: phone.to_owned(),
        amount: format!("{amount}.00"),
        reference: reference.to_owned(),
    });
    if !faults.callback_lost {
        let told = letter(&registered.confirmation, &body("25000.00", &third));
        for _ in 0..faults.callback_copies {
            let _ = deliver::send(shared, &told).await;
        }
    }
    Ok(Some(receipt))
}
