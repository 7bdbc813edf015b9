//! Writes down a payment that the other side names when it is asked. One that
//! is known stays as it is; one that fits a push whose outcome or receipt is not
//! known is that push; any other is one from the menu that was never told.

use crate::{
    c2b::{self, Door, Paid},
    callback, due,
    record::{COLUMNS, Row},
    settings::Account,
    settle::{self, Change, Made, Outcome},
    state::{Meaning, State},
    tell,
};
use atlashub_sdk::{prelude::*, sql::Transaction};
use uuid::Uuid;

/// What came of it.
pub(super) enum Found {
    /// It is this transaction, and was not known.
    New(String),
    /// It is known.
    Known,
}

/// Writes it down, once. It was made then, or, where the zone is in doubt, at
/// another time.
pub(super) fn take(account: &Account, paid: &Paid, at: i64, else_at: Option<i64>) -> Result<Found> {
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
        for at in std::iter::once(at).chain(else_at) {
            if let Some(push) = as_a_push(transaction, &account.shortcode, paid, at, "pull")? {
                return Ok((Some(push.id), push.change));
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
        guessed: true,
        cents: Some(paid.cents),
        at: Some(at),
        source,
        details: None,
    }
}

/// A push that a payment proved to be, and what that changed.
pub(crate) struct Push {
    pub(crate) id: String,
    pub(crate) change: Option<Change>,
}

/// A payment that is told as one from the menu, of a push whose outcome or
/// receipt is not known: the push is settled by it. None when there is no such
/// push.
pub(crate) fn as_a_push(
    transaction: &Transaction,
    shortcode: &str,
    paid: &Paid,
    at: i64,
    source: &'static str,
) -> Result<Option<Push>> {
    let Some(push) = pushed(transaction, shortcode, paid, at)? else {
        return Ok(None);
    };
    let made = settle::apply(transaction, &push, &outcome(paid, at, source))?;
    Ok(match made {
        Made::Changed(_) | Made::Filled => Some(Push {
            id: push.id,
            change: made.change(),
        }),
        Made::Ignored(_) => None,
    })
}

/// The oldest push that this payment can be: of the same shortcode, amount and
/// reference, begun minutes before it was paid, from the same phone where that
/// is told, and without a receipt. Locked.
fn pushed(transaction: &Transaction, shortcode: &str, paid: &Paid, at: i64) -> Result<Option<Row>> {
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
             AND state IN ('succeeded', 'created', 'pending', 'timed_out', 'needs_review') \
             ORDER BY created_at, id LIMIT 100"
        ),
        params![
            shortcode,
            paid.cents / 100,
            at.saturating_sub(settle::AFTER),
            at.saturating_add(settle::AHEAD)
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
