//! What an initiator asks for, and is told later: payouts, reversals, the
//! status of a transaction, the balance of an account.

use crate::{
    answer::Answer,
    clock,
    deliver::{self, Letter},
    fault,
    fields::{self, Fields},
    serve::Asked,
    state::{Shared, State},
    token::{self, Family},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// Least and most of a payout, shillings.
const LEAST: u64 = 10;
const MOST: u64 = 250_000;

/// Money that an initiator moved, or tried to.
#[derive(Clone, Debug)]
pub(crate) struct Movement {
    conversation: String,
    receipt: String,
    amount: String,
    phone: String,
    code: String,
}

/// A request that passed, and what it is told in the end.
struct Told {
    conversation: String,
    originator: String,
    code: String,
    receipt: String,
    parameters: Vec<(&'static str, Value)>,
    result_url: String,
    timeout_url: String,
    lost: bool,
}

fn finish(shared: &Arc<Shared>, told: Result<Told, Answer>) -> Answer {
    let told = match told {
        Ok(told) => told,
        Err(answer) => return answer,
    };
    let faults = shared.state().faults.clone();
    let lost = told.lost;
    let answer = Answer::ok(json!({
        "ConversationID": told.conversation,
        "OriginatorConversationID": told.originator,
        "ResponseCode": "0",
        "ResponseDescription": "Accept the service request successfully.",
    }));
    if !faults.result_lost {
        let url = if faults.result_timeout {
            &told.timeout_url
        } else {
            &told.result_url
        };
        let letter = Letter {
            url: url.clone(),
            headers: BTreeMap::clone(&faults.callback_headers),
            body: told.body().to_string().into_bytes(),
        };
        let shared_too = Arc::clone(shared);
        shared.spawn(async move {
            deliver::pause(faults.result_ms).await;
            for _ in 0..faults.callback_copies {
                let _ = deliver::send(&shared_too, &letter).await;
            }
        });
    }
    Answer { lost, ..answer }
}

impl Told {
    fn body(&self) -> Value {
        let code = match self.code.parse::<i64>() {
            Ok(number) => json!(number),
            Err(_) => json!(self.code),
        };
        let mut result = Map::new();
        let mut put = |name: &str, value: Value| drop(result.insert(name.to_owned(), value));
        put("ResultType", json!(0));
        put("ResultCode", code);
        put("ResultDesc", json!(deliver::description(&self.code)));
        put("OriginatorConversationID", json!(self.originator));
        put("ConversationID", json!(self.conversation));
        put("TransactionID", json!(self.receipt));
        if self.code == "0" {
            let parameters: Vec<Value> = self
                .parameters
                .iter()
                .map(|(key, value)| match value {
                    Value::Null => json!({"Key": key}),
                    value => json!({"Key": key, "Value": value}),
                })
                .collect();
            put("ResultParameters", json!({"ResultParameter": parameters}));
        }
        put(
            "ReferenceData",
            json!({"ReferenceItem": {"Key": "QueueTimeoutURL", "Value": "http://internal.example"}}),
        );
        json!({"Result": result})
    }
}

/// What all of them have: who asks, and where the answer goes.
fn common(
    state: &mut State,
    fields: &Fields,
    key: &str,
    initiator: &str,
    command: &[&str],
) -> Result<Told, Answer> {
    let name = fields.fitting(state, initiator, |text| !text.is_empty())?;
    let credential = fields.fitting(state, "SecurityCredential", |text| !text.is_empty())?;
    fields.fitting(state, "CommandID", |text| command.contains(&text))?;
    fields.fitting(state, "Remarks", |text| (2..=100).contains(&text.len()))?;
    let result_url = fields.fitting(state, "ResultURL", fields::is_url)?;
    let timeout_url = fields.fitting(state, "QueueTimeOutURL", fields::is_url)?;
    let known = state.accounts.iter().any(|account| {
        account.consumer_key == key
            && account.initiator == name
            && account.security_credential == credential
    });
    let code = if known {
        state.faults.result.clone()
    } else {
        // Whoever it is not is told so late.
        "2001".to_owned()
    };
    Ok(Told {
        conversation: state.conversation_id(),
        originator: state.opaque(),
        code,
        receipt: state.receipt(),
        parameters: Vec::new(),
        result_url,
        timeout_url,
        lost: fault::take(&mut state.faults.answer_lost),
    })
}

/// `POST /mpesa/b2c/v3/paymentrequest`.
pub(crate) fn payout(shared: &Arc<Shared>, asked: &Asked) -> Answer {
    let told = paid_out(&mut shared.state(), asked);
    finish(shared, told)
}

fn paid_out(state: &mut State, asked: &Asked) -> Result<Told, Answer> {
    let key = token::check(state, asked, Family::Payout)?;
    let fields = Fields::of(state, asked)?;
    let own = fields.fitting(state, "OriginatorConversationID", |text| {
        (1..=64).contains(&text.len())
    })?;
    let amount = fields.fitting(state, "Amount", fields::is_amount)?;
    let shortcode = fields.fitting(state, "PartyA", fields::is_shortcode)?;
    let phone = fields.fitting(state, "PartyB", fields::is_phone)?;
    if token::account(state, &key, &shortcode).is_none() {
        return Err(fields::invalid(state, "PartyA"));
    }
    let commands = ["BusinessPayment", "SalaryPayment", "PromotionPayment"];
    let mut told = common(state, &fields, &key, "InitiatorName", &commands)?;
    if !state.conversations.insert(own.clone()) {
        let id = state.request_id();
        let message = "Duplicate OriginatorConversationID";
        return Err(Answer::fault(500, &id, "500.002.1001", message));
    }
    let shillings: u64 = amount.parse().unwrap_or_default();
    if told.code == "0" && shillings < LEAST {
        told.code = "2".to_owned();
    } else if told.code == "0" && shillings > MOST {
        told.code = "3".to_owned();
    }
    told.originator.clone_from(&own);
    told.parameters = vec![
        ("TransactionAmount", json!(shillings)),
        ("TransactionReceipt", json!(told.receipt)),
        (
            "ReceiverPartyPublicName",
            json!(format!("{phone} - JANE DOE")),
        ),
        (
            "TransactionCompletedDateTime",
            json!(clock::dotted(clock::now())),
        ),
        ("B2CUtilityAccountAvailableFunds", json!(8_959_269.60)),
        ("B2CWorkingAccountAvailableFunds", json!(1_199_371.00)),
        ("B2CRecipientIsRegisteredCustomer", json!("Y")),
        ("B2CChargesPaidAccountAvailableFunds", json!(-1_980.00)),
    ];
    state.movements.push(Movement {
        conversation: own,
        receipt: told.receipt.clone(),
        amount,
        phone,
        code: told.code.clone(),
    });
    Ok(told)
}

/// `POST /mpesa/transactionstatus/v1/query`.
pub(crate) fn status(shared: &Arc<Shared>, asked: &Asked) -> Answer {
    let told = looked_up(&mut shared.state(), asked);
    finish(shared, told)
}

fn looked_up(state: &mut State, asked: &Asked) -> Result<Told, Answer> {
    let key = token::check(state, asked, Family::Customer)?;
    let fields = Fields::of(state, asked)?;
    fields.fitting(state, "PartyA", fields::is_shortcode)?;
    fields.fitting(state, "IdentifierType", |text| {
        matches!(text, "1" | "2" | "4")
    })?;
    let mut told = common(
        state,
        &fields,
        &key,
        "Initiator",
        &["TransactionStatusQuery"],
    )?;
    let receipt = fields.text("TransactionID").unwrap_or_default();
    let conversation = fields.text("OriginalConversationID").unwrap_or_default();
    if receipt.is_empty() && conversation.is_empty() {
        return Err(fields::invalid(state, "TransactionID"));
    }
    let moved = state
        .movements
        .iter()
        .find(|one| one.receipt == receipt || one.conversation == conversation)
        .map(|one| {
            let state = if one.code == "0" {
                "Completed"
            } else {
                "Declined"
            };
            (
                one.receipt.clone(),
                one.amount.clone(),
                one.phone.clone(),
                state,
            )
        });
    let paid = state
        .payments
        .iter()
        .find(|one| one.receipt == receipt && one.outcome == "0")
        .map(|one| {
            let amount = one.amount.to_string();
            (one.receipt.clone(), amount, one.phone.clone(), "Completed")
        });
    match moved.or(paid) {
        Some((receipt, amount, phone, state)) => {
            told.parameters = vec![
                ("ReceiptNo", json!(receipt)),
                ("TransactionStatus", json!(state)),
                ("Amount", json!(format!("{amount}.0"))),
                ("DebitPartyName", json!("600992 - SHOP")),
                ("CreditPartyName", json!(format!("{phone} - JANE DOE"))),
                ("FinalisedTime", json!(clock::compact(clock::now()))),
                ("ReasonType", json!("Business Payment to Customer via API")),
                ("DebitPartyCharges", Value::Null),
            ];
        }
        None if told.code == "0" => told.code = "R000002".to_owned(),
        None => {}
    }
    Ok(told)
}

/// `POST /mpesa/reversal/v1/request`.
pub(crate) fn reversal(shared: &Arc<Shared>, asked: &Asked) -> Answer {
    let told = reversed(&mut shared.state(), asked);
    finish(shared, told)
}

fn reversed(state: &mut State, asked: &Asked) -> Result<Told, Answer> {
    let key = token::check(state, asked, Family::Push)?;
    let fields = Fields::of(state, asked)?;
    let receipt = fields.fitting(state, "TransactionID", |text| !text.is_empty())?;
    let amount = fields.fitting(state, "Amount", fields::is_amount)?;
    fields.fitting(state, "ReceiverParty", fields::is_shortcode)?;
    fields.fitting(state, "RecieverIdentifierType", |text| text == "11")?;
    let mut told = common(state, &fields, &key, "Initiator", &["TransactionReversal"])?;
    let known = state.payments.iter().any(|one| one.receipt == receipt);
    if told.code == "0" && !known {
        told.code = "R000002".to_owned();
    } else if told.code == "0" && !state.conversations.insert(format!("reversal {receipt}")) {
        told.code = "R000001".to_owned();
    }
    told.parameters = vec![
        ("Amount", json!(amount)),
        ("OriginalTransactionID", json!(receipt)),
        ("TransCompletedTime", json!(clock::compact(clock::now()))),
        ("Charge", json!("0.00")),
        ("CreditPartyPublicName", json!("254700000000 - JANE DOE")),
        ("DebitPartyPublicName", json!("600992 - SHOP")),
    ];
    Ok(told)
}

/// `POST /mpesa/accountbalance/v1/query`.
pub(crate) fn balance(shared: &Arc<Shared>, asked: &Asked) -> Answer {
    let told = counted(&mut shared.state(), asked);
    finish(shared, told)
}

fn counted(state: &mut State, asked: &Asked) -> Result<Told, Answer> {
    let key = token::check(state, asked, Family::Payout)?;
    let fields = Fields::of(state, asked)?;
    fields.fitting(state, "PartyA", fields::is_shortcode)?;
    fields.fitting(state, "IdentifierType", |text| text == "4")?;
    let mut told = common(state, &fields, &key, "Initiator", &["AccountBalance"])?;
    told.parameters = vec![
        (
            "AccountBalance",
            json!(
                "Working Account|KES|700000.00|700000.00|0.00|0.00&Utility Account|KES|228037.00|228037.00|0.00|0.00"
            ),
        ),
        ("BOCompletedTime", json!(clock::compact(clock::now()))),
    ];
    Ok(told)
}
