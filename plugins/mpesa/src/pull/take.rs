//! Writes down a payment that the other side names when it is asked. One that
//! is known stays as it is; one that fits a push whose outcome or receipt is not
//! known is that push; any other is one from the menu that was never told.

use crate::{
    c2b::{self, Door, Paid},
    callback, due,
    record::{COLUMNS, Row},
    settings::Account,
    settle::{self, Made, Outcome},
    state::{Meaning, State},
    tell,
};
use atlashub_sdk::{prelude::*, sql::Transaction};
use uuid::Uuid;

/// How far a push and its payment lie apart at most, milliseconds: a prompt
/// lives for minutes, and of the other side's zone there is some doubt.
const APART: i64 = 4 * 3_600_000;

/// What came of it.
pub(super) enum Found {
    /// It is this transaction, and was not known.
    New(String),
    /// It is known.
    Known,
}

/// Writes it down, once.
pub(super) fn take(account: &Account, paid: &Paid, at: i64) -> Result<Found> {
    let known = Row::find("WHERE receipt = $1 LIMIT 1", params![&paid.receipt])?;
    if known.is_some_and(|row| row.state != State::NeedsReview) {
        return Ok(Found::Known);
    }
    let door = Door {
        account: account.name.clone(),
        shortcode: account.shortcode.clone(),
    };
    let id = Uuid::now_v7().to_string();
    // Should this end before others are told, they are told then.
    due::later(&id, due::TOLD)?;
    let (id, change) = callback::patiently(|transaction| {
        if let Some(push) = pushed(transaction, &account.shortcode, paid, at, false)? {
            let made = settle::apply(transaction, &push, &outcome(paid, at, "pull"))?;
            if let Made::Changed(_) | Made::Filled = made {
                return Ok((Some(push.id), made.change()));
            }
        }
        let taken = c2b::take(transaction, &id, &door, paid, true, c2b::Source::Pull(at))?;
        let id = taken
            .change
            .as_ref()
            .map(|change| change.transaction.clone());
        Ok((id, taken.change))
    })?;
    if let Some(id) = &id {
        log::info!("{id} was paid, which was never told: {}", paid.receipt);
        due::later(id, due::TOLD)?;
    }
    tell::change(change.as_ref());
    Ok(id.map_or(Found::Known, Found::New))
}

/// What a payment says of the push that it is.
fn outcome(paid: &Paid, at: i64, source: &'static str) -> Outcome {
    Outcome {
        meaning: Meaning::Paid,
        code: "0".to_owned(),
        text: String::new(),
        receipt: Some(paid.receipt.clone()),
        cents: Some(paid.cents),
        at: Some(at),
        source,
        details: None,
    }
}

/// A payment that is told now, of a push that was found paid by asking: the push
/// gets its receipt. None when there is no such push.
pub(crate) fn receipt_of_a_push(
    transaction: &Transaction,
    shortcode: &str,
    paid: &Paid,
) -> Result<Option<String>> {
    let at = moment::now_ms();
    let push = pushed(transaction, shortcode, paid, at, true)?;
    let Some(push) = push else {
        return Ok(None);
    };
    match settle::apply(transaction, &push, &outcome(paid, at, "callback"))? {
        Made::Filled => Ok(Some(push.id)),
        _ => Ok(None),
    }
}

/// The oldest push that this payment can be: of the same shortcode, amount,
/// reference and time, from the same phone where that is told, and without a
/// receipt; with `settled` one that was found paid by asking, which tells no
/// receipt. Locked.
fn pushed(
    transaction: &Transaction,
    shortcode: &str,
    paid: &Paid,
    at: i64,
    settled: bool,
) -> Result<Option<Row>> {
    if paid.cents % 100 != 0 {
        return Ok(None);
    }
    let taken: Option<String> = transaction.query_optional(
        "SELECT transaction_id FROM mpesa.ledger WHERE receipt = $1",
        params![&paid.receipt],
    )?;
    if taken.is_some() {
        return Ok(None);
    }
    let candidates: Vec<Row> = transaction.query(
        &format!(
            "SELECT {COLUMNS} FROM mpesa.transactions WHERE kind = 'push' AND shortcode = $1 \
             AND amount = $2 AND receipt IS NULL AND created_at BETWEEN $3 AND $4 \
             AND (state = 'succeeded' OR (CAST($5 AS BIGINT) = 0 \
             AND state IN ('created', 'pending', 'timed_out', 'needs_review'))) \
             ORDER BY created_at, id LIMIT 100"
        ),
        params![
            shortcode,
            paid.cents / 100,
            at.saturating_sub(APART),
            at.saturating_add(APART),
            i64::from(settled)
        ],
    )?;
    let fits = |row: &&Row| settle::is_same(row, paid.phone.as_deref(), Some(&paid.reference));
    match candidates.iter().find(fits) {
        Some(row) => {
            let row = Row::locked(transaction, &row.id)?;
            Ok(Some(row).filter(|row| row.receipt.is_none()))
        }
        None => Ok(None),
    }
}
