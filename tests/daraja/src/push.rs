//! `POST /mpesa/stkpush/v1/processrequest`.

use crate::{
    answer::Answer,
    deliver, fault,
    fields::{self, Fields},
    serve::Asked,
    state::{Account, Payment, Shared, State},
    token::{self, Family},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Longest texts that the documentation allows.
const MAX_REFERENCE: usize = 12;
const MAX_DESCRIPTION: usize = 13;

pub(crate) async fn push(shared: &Arc<Shared>, asked: &Asked) -> Answer {
    let (payment, lost, first) = {
        let mut state = shared.state();
        let payment = match accept(&mut state, asked) {
            Ok(payment) => payment,
            Err(answer) => return answer,
        };
        state.payments.push(payment.clone());
        let lost = fault::take(&mut state.faults.answer_lost);
        (payment, lost, state.faults.callback_first)
    };
    if first {
        deliver::outcome(shared, &payment).await;
    } else {
        let (shared_too, told) = (Arc::clone(shared), payment.clone());
        shared.spawn(async move { deliver::outcome(&shared_too, &told).await });
    }
    let text = "Success. Request accepted for processing";
    Answer {
        lost,
        ..Answer::ok(json!({
            "MerchantRequestID": payment.merchant_request_id,
            "CheckoutRequestID": payment.checkout_request_id,
            "ResponseCode": "0",
            "ResponseDescription": text,
            "CustomerMessage": text,
        }))
    }
}

fn accept(state: &mut State, asked: &Asked) -> Result<Payment, Answer> {
    let key = token::check(state, asked, Family::Push)?;
    let fields = Fields::of(state, asked)?;
    let account = merchant(state, &fields, &key)?;
    let kind = fields.fitting(state, "TransactionType", |text| {
        matches!(text, "CustomerPayBillOnline" | "CustomerBuyGoodsOnline")
    })?;
    let amount = fields.fitting(state, "Amount", fields::is_amount)?;
    fields.fitting(state, "PartyA", fields::is_phone)?;
    let party = fields.fitting(state, "PartyB", fields::is_shortcode)?;
    let phone = fields.fitting(state, "PhoneNumber", fields::is_phone)?;
    let callback_url = fields.named(state, "CallBackURL", "CallBackURL", fields::is_url)?;
    let strict = state.faults.strict_lengths;
    let reference = fields.fitting(state, "AccountReference", |text| {
        !text.is_empty() && (!strict || text.chars().count() <= MAX_REFERENCE)
    })?;
    fields.named(state, "TransactionDesc", "Remarks", |text| {
        !text.is_empty() && (!strict || text.chars().count() <= MAX_DESCRIPTION)
    })?;
    if state.faults.lock_subscribers
        && state
            .payments
            .iter()
            .any(|other| other.phone == phone && !other.has_ended())
    {
        let message = "Unable to lock subscriber, a transaction is already in process for the current subscriber";
        let id = state.request_id();
        return Err(Answer::fault(500, &id, "500.001.1001", message));
    }
    let amount: u64 = amount.parse().unwrap_or_default();
    let till = account.till.as_ref().unwrap_or(&account.shortcode);
    let wanted = match kind.as_str() {
        "CustomerPayBillOnline" => &account.shortcode,
        _ => till,
    };
    let outcome = if party == *wanted {
        state.faults.outcome_of(&phone, amount)
    } else {
        // The store's number is no till.
        "SFC_IC0003".to_owned()
    };
    let prompt = Duration::from_millis(state.faults.prompt_ms);
    Ok(Payment {
        checkout_request_id: state.checkout_id(&phone),
        merchant_request_id: state.opaque(),
        shortcode: account.shortcode,
        receipt: state.receipt(),
        phone,
        amount,
        reference,
        callback_url,
        outcome,
        ends: Instant::now() + prompt,
    })
}

/// The account that a shortcode and a password belong to.
pub(crate) fn merchant(state: &mut State, fields: &Fields, key: &str) -> Result<Account, Answer> {
    let shortcode = fields.fitting(state, "BusinessShortCode", fields::is_shortcode)?;
    let timestamp = fields.fitting(state, "Timestamp", fields::is_timestamp)?;
    let password = fields.fitting(state, "Password", |text| !text.is_empty())?;
    let refuse = |state: &mut State, message: &str| {
        let id = state.request_id();
        Answer::fault(500, &id, "500.001.1001", message)
    };
    let Some(account) = token::account(state, key, &shortcode).cloned() else {
        return Err(refuse(state, "Merchant does not exist"));
    };
    let right = STANDARD.encode(format!("{shortcode}{}{timestamp}", account.passkey));
    if password != right {
        return Err(refuse(state, "[MerchantValidate] - Wrong credentials"));
    }
    Ok(account)
}
