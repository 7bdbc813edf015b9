//! `POST /mpesa/transactions/{id}/review`: a person has looked, and says what
//! came of a payment. It is the way out of `needs_review`, and stands in the
//! audit.

use crate::{
    amount, callback, daraja, due, eat,
    push::caller_key,
    record::{Row, Shown},
    settle::{self, Outcome},
    state::{Meaning, State},
    tell,
};
use atlashub_sdk::{prelude::*, sql::Transaction};
use serde_json::{Value, json};

/// What was found.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finding {
    status: State,
    receipt_number: Option<String>,
    /// What was really paid, shillings; what was asked for unless it is given.
    amount: Option<Value>,
    /// When it was paid, RFC 3339; what the other side told unless it is given.
    paid_at: Option<String>,
    note: Option<String>,
}

fn invalid_time() -> Error {
    Error::invalid(
        "invalid_time",
        "`paid_at` is when it was paid, such as 2026-01-31T08:00:00Z: not before it began, and not in the future",
    )
}

/// When it was paid as far as that was told, without being believed then.
fn told_at(transaction: &Transaction, row: &Row, receipt: &str) -> Result<Option<i64>> {
    if row.kind == "push" {
        let told = callback::told_before(transaction, row)?;
        return Ok(told
            .filter(|told| told.receipt.as_deref() == Some(receipt))
            .and_then(|told| told.at));
    }
    let details = row.details.as_deref().unwrap_or_default();
    let details: Option<Value> = serde_json::from_str(details).ok();
    let time = details.and_then(|details| daraja::text(&details, "time"));
    Ok(time.and_then(|time| eat::read_compact(&time)))
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
    let paid_at = match &finding.paid_at {
        None => None,
        Some(text) => Some(moment::parse(text).ok_or_else(invalid_time)?),
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
            if paid_at.is_some() && settle::own_time(&row, paid_at).is_none() {
                return Err(invalid_time());
            }
            let told = told_at(transaction, &row, receipt.unwrap_or_default())?;
            let outcome = Outcome {
                meaning: Meaning::Paid,
                code: row.result_code.clone().unwrap_or_default(),
                text: String::new(),
                receipt: receipt.map(str::to_owned),
                guessed: false,
                cents: cents.or(row.cents),
                at: paid_at.or(told),
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
