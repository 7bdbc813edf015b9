//! `POST /mpesa/transactions/{id}/review`: a person has looked, and says what
//! came of a payment. It is the way out of `needs_review`, and stands in the
//! audit.

use crate::{
    amount, callback, due,
    push::caller_key,
    record::{Row, Shown},
    settle::{self, Outcome},
    state::{Meaning, State},
    tell,
};
use atlashub_sdk::prelude::*;
use serde_json::{Value, json};

/// What was found.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finding {
    status: State,
    receipt_number: Option<String>,
    /// What was really paid, shillings; what was asked for unless it is given.
    amount: Option<Value>,
    note: Option<String>,
}

pub(crate) fn review(
    Path(id): Path<String>,
    caller: Caller,
    Json(finding): Json<Finding>,
) -> Result<Json<Shown>> {
    users::require("mpesa:manage")?;
    if !matches!(
        finding.status,
        State::Succeeded | State::Failed | State::Cancelled | State::TimedOut
    ) {
        return Err(Error::invalid(
            "invalid_status",
            "say `succeeded`, `failed`, `cancelled` or `timed_out`",
        ));
    }
    let paid = finding.status == State::Succeeded;
    let receipt = finding.receipt_number.as_deref();
    if !receipt.is_none_or(callback::is_receipt) || (paid && receipt.is_none()) {
        return Err(Error::invalid(
            "invalid_receipt",
            "what has succeeded has a `receipt_number` of letters and digits",
        ));
    }
    let cents =
        match &finding.amount {
            None => None,
            Some(value) => Some(amount::cents(value).filter(|cents| *cents > 0).ok_or_else(
                || Error::invalid("invalid_amount", "`amount` is a number of shillings"),
            )?),
        };
    let note: String = finding.note.unwrap_or_default().chars().take(500).collect();
    due::later(&id, due::TOLD)?;
    let change = sql::transaction(|transaction| {
        let row = Row::locked(transaction, &id).map_err(|_| Error::not_found("the transaction"))?;
        if row.state != State::NeedsReview {
            return Err(Error::conflict(
                "not_under_review",
                "only what needs a review can be settled by hand",
            ));
        }
        if paid {
            let outcome = Outcome {
                meaning: Meaning::Paid,
                code: row.result_code.clone().unwrap_or_default(),
                text: String::new(),
                receipt: receipt.map(str::to_owned),
                cents: cents.or(row.cents),
                at: None,
                source: "person",
                details: None,
            };
            if !settle::book(transaction, &row, &outcome)? {
                return Err(Error::conflict(
                    "receipt_taken",
                    "this receipt belongs to another transaction",
                ));
            }
            transaction.execute(
                "UPDATE mpesa.transactions SET receipt = $2, cents = COALESCE($3, cents) WHERE id = $1",
                params![&row.id, receipt.map(str::to_owned), outcome.cents],
            )?;
        }
        settle::advance(
            transaction,
            &row,
            finding.status,
            None,
            "person",
            &note,
            Some(&caller_key(&caller)),
        )
    })?;
    tell::change(change.as_ref());
    let details = json!({"status": finding.status, "receipt_number": receipt, "note": note});
    audit::append("payment.review", Some(&id), &details)?;
    let row = Row::by_id(&id)?.ok_or_else(|| Error::not_found("the transaction"))?;
    Ok(Json(row.shown()))
}
