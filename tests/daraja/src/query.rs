//! `POST /mpesa/stkpushquery/v1/query`.

use crate::{
    answer::Answer,
    deliver,
    fault::{self, Processing},
    fields::Fields,
    push,
    serve::Asked,
    state::{Shared, State},
    token::{self, Family},
};
use serde_json::json;

pub(crate) fn query(shared: &Shared, asked: &Asked) -> Answer {
    let mut state = shared.state();
    answer(&mut state, asked).unwrap_or_else(|answer| answer)
}

fn answer(state: &mut State, asked: &Asked) -> Result<Answer, Answer> {
    let key = token::check(state, asked, Family::Push)?;
    let fields = Fields::of(state, asked)?;
    let account = push::merchant(state, &fields, &key)?;
    let wanted = fields.fitting(state, "CheckoutRequestID", |text| !text.is_empty())?;
    let found = state
        .payments
        .iter()
        .find(|one| one.checkout_request_id == wanted && one.shortcode == account.shortcode)
        .cloned();
    let id = state.request_id();
    let Some(payment) = found else {
        let message = "The transaction does not Exist";
        return Err(Answer::fault(500, &id, "500.001.1001", message));
    };
    if !payment.has_ended() || fault::take(&mut state.faults.query_late) {
        return Ok(match state.faults.processing {
            Processing::Refused => {
                let message = "The transaction is being processed";
                Answer::fault(500, &id, "500.001.1001", message)
            }
            Processing::Code4999 => told(
                &payment.merchant_request_id,
                &wanted,
                "4999",
                "The transaction is still under processing",
            ),
            Processing::Empty => Answer::fault(200, &id, "500.001.1001", ""),
        });
    }
    let outcome = state.faults.query_outcome.clone();
    let code = outcome.as_ref().unwrap_or(&payment.outcome);
    let text = deliver::description(code);
    Ok(told(&payment.merchant_request_id, &wanted, code, text))
}

fn told(merchant: &str, checkout: &str, code: &str, text: &str) -> Answer {
    Answer::ok(json!({
        "ResponseCode": "0",
        "ResponseDescription": "The service request has been accepted successfully",
        "MerchantRequestID": merchant,
        "CheckoutRequestID": checkout,
        "ResultCode": code,
        "ResultDesc": text,
    }))
}
