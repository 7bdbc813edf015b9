//! What came of a transaction, written down: its state, the change, and the
//! ledger, together or not at all.

use crate::{
    c2b::plain,
    eat, phone,
    record::Row,
    state::{Meaning, Reason, State},
};
use atlashub_sdk::{prelude::*, sql::Transaction};
use uuid::Uuid;

/// How long before it was begun, by another clock, and how long after that a
/// push may be paid, milliseconds: prompts live for minutes.
pub(crate) const AHEAD: i64 = 60_000;
pub(crate) const AFTER: i64 = 15 * 60_000;

/// What somebody says of a transaction.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) meaning: Meaning,
    pub(crate) code: String,
    pub(crate) text: String,
    pub(crate) receipt: Option<String>,
    /// Whether the receipt is taken for this payment's by amount, reference and
    /// time, and not by the payment's own word.
    pub(crate) guessed: bool,
    /// The amount, where it was said.
    pub(crate) cents: Option<i64>,
    /// When it was paid, where that was said; milliseconds.
    pub(crate) at: Option<i64>,
    /// Who says so: `answer`, `callback`, `query`.
    pub(crate) source: &'static str,
    /// JSON: what else was said.
    pub(crate) details: Option<String>,
}

/// A change that was written down.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The id of the change, which is that of what others are told.
    pub(crate) id: String,
    pub(crate) transaction: String,
    /// What it became. By the time that others are told it may be another.
    pub(crate) state: State,
}

/// What was made of it.
#[derive(Clone, Debug)]
pub(crate) enum Made {
    /// The state has changed.
    Changed(Change),
    /// Nothing but details, such as a receipt.
    Filled,
    /// Nothing, for this reason.
    Ignored(&'static str),
}

impl Made {
    /// In a word, for the table of callbacks.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Changed(_) => "applied",
            Self::Filled => "filled",
            Self::Ignored(why) => why,
        }
    }

    pub(crate) fn change(self) -> Option<Change> {
        match self {
            Self::Changed(change) => Some(change),
            _ => None,
        }
    }
}

/// Where an outcome leads.
enum Way {
    To(State, Option<Reason>),
    Fill,
    /// Its receipt is known; its time may be told better.
    Confirm,
    /// The receipt that was taken for its own is another payment's.
    Part,
    Nowhere(&'static str),
}

fn way(row: &Row, outcome: &Outcome) -> Way {
    let waits = Reason::waits_for_an_answer(row.reason.as_deref());
    let open = row.state.is_open() || (row.state == State::NeedsReview && waits);
    match outcome.meaning {
        Meaning::Processing => Way::Nowhere("processing"),
        Meaning::Unknown if row.state.is_open() => {
            Way::To(State::NeedsReview, Some(Reason::UnknownCode))
        }
        Meaning::Unknown => Way::Nowhere("settled"),
        Meaning::Failed if open => Way::To(State::Failed, None),
        Meaning::Cancelled if open => Way::To(State::Cancelled, None),
        Meaning::TimedOut if open => Way::To(State::TimedOut, None),
        Meaning::Failed | Meaning::Cancelled | Meaning::TimedOut => Way::Nowhere("settled"),
        Meaning::Paid => paid(row, outcome, open),
    }
}

fn paid(row: &Row, outcome: &Outcome, open: bool) -> Way {
    let asked = row.amount.map(|shillings| shillings.saturating_mul(100));
    let differs = outcome.cents.is_some() && asked.is_some() && outcome.cents != asked;
    match row.state {
        State::Succeeded if differs => Way::Nowhere("amount_differs"),
        State::Succeeded => match (&row.receipt, &outcome.receipt) {
            (None, Some(_)) => Way::Fill,
            (Some(known), Some(told)) if known == told => Way::Confirm,
            (Some(_), Some(_)) if row.receipt_guessed == 1 && !outcome.guessed => Way::Part,
            (Some(_), Some(_)) => Way::Nowhere("other_receipt"),
            _ => Way::Nowhere("settled"),
        },
        State::NeedsReview if !open => Way::Nowhere("under_review"),
        _ if differs => Way::To(State::NeedsReview, Some(Reason::AmountDiffers)),
        State::Failed | State::Cancelled => {
            Way::To(State::NeedsReview, Some(Reason::Contradiction))
        }
        _ => Way::To(State::Succeeded, None),
    }
}

/// Writes an outcome down in a transaction in which the row is locked.
pub(crate) fn apply(transaction: &Transaction, row: &Row, outcome: &Outcome) -> Result<Made> {
    let (mut next, mut reason) = match way(row, outcome) {
        Way::Nowhere(why) => return Ok(Made::Ignored(why)),
        Way::Fill => return fill(transaction, row, outcome),
        Way::Confirm => return confirm(transaction, row, outcome),
        Way::Part => return part(transaction, row, outcome),
        Way::To(next, reason) => (next, reason),
    };
    let met = match &outcome.receipt {
        None if next == State::Succeeded => confirmed(transaction, row, outcome)?,
        _ => None,
    };
    let with_receipt = met.map(|receipt| Outcome {
        receipt: Some(receipt),
        guessed: true,
        ..outcome.clone()
    });
    let outcome = with_receipt.as_ref().unwrap_or(outcome);
    if next == State::Succeeded && !book(transaction, row, outcome)? {
        next = State::NeedsReview;
        reason = Some(Reason::ReceiptTaken);
    }
    if next == row.state {
        // It is looked at already, for another reason.
        return Ok(Made::Ignored("under_review"));
    }
    let now = moment::now_ms();
    transaction.execute(
        "UPDATE mpesa.transactions SET state = $2, reason = $3, result_code = $4, \
         result_desc = $5, receipt = COALESCE($6, receipt), cents = COALESCE($7, cents), \
         details = COALESCE($8, details), due_at = NULL, updated_at = $9, receipt_guessed = $10 \
         WHERE id = $1",
        params![
            &row.id,
            next.name(),
            reason.map(Reason::name),
            &outcome.code,
            &outcome.text,
            outcome.receipt.clone(),
            outcome.cents,
            outcome.details.clone(),
            now,
            match &outcome.receipt {
                Some(_) => i64::from(outcome.guessed),
                None => row.receipt_guessed,
            }
        ],
    )?;
    let detail = reason.map_or(outcome.code.as_str(), |reason| reason.name());
    let change = note(transaction, row, next, outcome.source, detail, None)?;
    Ok(Made::Changed(change))
}

/// Moves a row, without an outcome of the other side: by time, or by a person.
pub(crate) fn advance(
    transaction: &Transaction,
    row: &Row,
    next: State,
    reason: Option<Reason>,
    source: &'static str,
    detail: &str,
    actor: Option<&str>,
) -> Result<Option<Change>> {
    if !row.state.may_become(next) {
        return Ok(None);
    }
    let open = next.is_open();
    transaction.execute(
        "UPDATE mpesa.transactions SET state = $2, reason = $3, updated_at = $4, \
         due_at = CASE WHEN CAST($5 AS BIGINT) = 1 THEN due_at ELSE NULL END WHERE id = $1",
        params![
            &row.id,
            next.name(),
            reason.map(Reason::name),
            moment::now_ms(),
            i64::from(open)
        ],
    )?;
    note(transaction, row, next, source, detail, actor).map(Some)
}

/// Writes a change of a state down. Those that nobody is told of count as told.
pub(crate) fn note(
    transaction: &Transaction,
    row: &Row,
    next: State,
    source: &'static str,
    detail: &str,
    actor: Option<&str>,
) -> Result<Change> {
    let id = Uuid::now_v7().to_string();
    transaction.execute(
        "INSERT INTO mpesa.transitions (id, transaction_id, from_state, to_state, source, detail, \
         actor, at, told) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            &id,
            &row.id,
            row.state.name(),
            next.name(),
            source,
            detail,
            actor.map(str::to_owned),
            moment::now_ms(),
            i64::from(next.is_open())
        ],
    )?;
    Ok(Change {
        id,
        transaction: row.id.clone(),
        state: next,
    })
}

/// Adds what moved to the ledger; not if the receipt is another's.
pub(crate) fn book(transaction: &Transaction, row: &Row, outcome: &Outcome) -> Result<bool> {
    let sign = match row.kind.as_str() {
        "push" | "c2b" => 1,
        "payout" | "reversal" => -1,
        // What only asked moved nothing.
        _ => return Ok(true),
    };
    let cents = amount_of(row, outcome);
    // The day is that of the payment, as it is in statements, and not that on
    // which it was heard of.
    let at = own_time(row, outcome.at).unwrap_or_else(moment::now_ms);
    let added = transaction.execute(
        "INSERT INTO mpesa.ledger (transaction_id, receipt, kind, account, shortcode, cents, phone, \
         reference, day, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT DO NOTHING",
        params![
            &row.id,
            outcome.receipt.clone(),
            &row.kind,
            &row.account,
            &row.shortcode,
            sign * cents,
            row.phone.clone(),
            row.reference.clone(),
            eat::day(at),
            at
        ],
    )?;
    let Some(receipt) = outcome.receipt.as_ref().filter(|_| row.kind == "push") else {
        return Ok(added == 1);
    };
    if added == 0 {
        if !take_over(transaction, row, receipt, cents)? {
            return Ok(false);
        }
        let _ = date(transaction, row, outcome)?;
    }
    absorb(transaction, row, receipt, cents)?;
    Ok(true)
}

/// When it was paid, where that can be: not before it was begun, and not in the
/// future. A clock that is wrong moves nothing into another day.
pub(crate) fn own_time(row: &Row, at: Option<i64>) -> Option<i64> {
    let before = match row.kind.as_str() {
        "c2b" => 72 * 3_600_000,
        _ => AHEAD,
    };
    let earliest = row.created_at.saturating_sub(before);
    at.filter(|at| (earliest..=moment::now_ms()).contains(at))
}

/// Puts what stands in the ledger into the day on which it was paid, now that
/// this is told; whether it stood elsewhere.
fn date(transaction: &Transaction, row: &Row, outcome: &Outcome) -> Result<bool> {
    let Some(at) = own_time(row, outcome.at) else {
        return Ok(false);
    };
    let moved = transaction.execute(
        "UPDATE mpesa.ledger SET day = $2, at = $3 WHERE transaction_id = $1 AND at <> $3",
        params![&row.id, eat::day(at), at],
    )?;
    Ok(moved == 1)
}

/// The receipt under which a push that is found paid by asking, which tells no
/// receipt, was told as a payment from the menu before: where a shortcode has
/// both, its money would be in the ledger twice.
fn confirmed(transaction: &Transaction, row: &Row, outcome: &Outcome) -> Result<Option<String>> {
    #[derive(Deserialize)]
    struct Line {
        receipt: String,
        phone: Option<String>,
        reference: Option<String>,
    }
    let asked = row.amount.map(|shillings| shillings.saturating_mul(100));
    let Some(cents) = outcome.cents.or(asked).filter(|_| row.kind == "push") else {
        return Ok(None);
    };
    let lines: Vec<Line> = transaction.query(
        "SELECT receipt, phone, reference FROM mpesa.ledger WHERE kind = 'c2b' \
         AND shortcode = $1 AND cents = $2 AND at BETWEEN $3 AND $4 \
         AND receipt IS NOT NULL ORDER BY at LIMIT 100",
        params![
            &row.shortcode,
            cents,
            row.created_at.saturating_sub(AHEAD),
            row.created_at.saturating_add(AFTER)
        ],
    )?;
    let fits = |line: &Line| is_same(row, line.phone.as_deref(), line.reference.as_deref());
    Ok(lines.into_iter().find(fits).map(|line| line.receipt))
}

/// Whether a payment from this phone, as far as that can be read, with this
/// reference can be a push.
pub(crate) fn is_same(row: &Row, phone: Option<&str>, reference: Option<&str>) -> bool {
    let own = plain(row.reference.as_deref().unwrap_or_default());
    let told = plain(reference.unwrap_or_default());
    match phone::fits(row.phone.as_deref().unwrap_or_default(), phone) {
        Some(false) => false,
        // Who pays to a till enters none.
        Some(true) => told == own || told.is_empty(),
        None => told == own,
    }
}

/// The same payment may have been told as one from the menu before: then its
/// line in the ledger becomes this one's.
fn take_over(transaction: &Transaction, row: &Row, receipt: &str, cents: i64) -> Result<bool> {
    let taken_over = transaction.execute(
        "UPDATE mpesa.ledger SET transaction_id = $2, kind = 'push', reference = $5 \
         WHERE receipt = $1 AND kind = 'c2b' AND shortcode = $3 AND cents = $4",
        params![
            receipt,
            &row.id,
            &row.shortcode,
            cents,
            row.reference.clone()
        ],
    )?;
    Ok(taken_over == 1)
}

/// What was told of this receipt as a payment from the menu is the push, and not
/// money of its own: who was not told of it yet is told of the push.
fn absorb(transaction: &Transaction, row: &Row, receipt: &str, cents: i64) -> Result<()> {
    let from_the_menu: Vec<(String, State)> = transaction.query(
        "SELECT id, state FROM mpesa.transactions WHERE receipt = $1 AND kind = 'c2b' \
         AND shortcode = $2 AND cents = $3 AND about IS NULL \
         AND (state = 'succeeded' OR (state = 'needs_review' AND reason = 'unlisted_origin'))",
        params![receipt, &row.shortcode, cents],
    )?;
    for (id, state) in from_the_menu {
        if state == State::NeedsReview {
            let other = Row::locked(transaction, &id)?;
            advance(
                transaction,
                &other,
                State::Succeeded,
                None,
                "callback",
                "of_a_push",
                None,
            )?;
        }
        transaction.execute(
            "UPDATE mpesa.transactions SET about = $2 WHERE id = $1",
            params![&id, &row.id],
        )?;
        // Nobody is to be told of it, unless it turns out to be another's after all.
        transaction.execute(
            "UPDATE mpesa.transitions SET told = 2 WHERE transaction_id = $1 AND told = 0",
            params![&id],
        )?;
    }
    Ok(())
}

fn in_ledger(transaction: &Transaction, receipt: &str) -> Result<bool> {
    let taken: Option<String> = transaction.query_optional(
        "SELECT transaction_id FROM mpesa.ledger WHERE receipt = $1",
        params![receipt],
    )?;
    Ok(taken.is_some())
}

/// What a payment comes to, cents.
fn amount_of(row: &Row, outcome: &Outcome) -> i64 {
    let asked = row.amount.map(|shillings| shillings.saturating_mul(100));
    outcome.cents.or(asked).unwrap_or_default()
}

/// Adds a receipt that came after the outcome, and the time that came with it.
fn fill(transaction: &Transaction, row: &Row, outcome: &Outcome) -> Result<Made> {
    let Some(receipt) = &outcome.receipt else {
        return Ok(Made::Ignored("settled"));
    };
    if in_ledger(transaction, receipt)? && !is_twice(transaction, row, outcome, receipt)? {
        return Ok(Made::Ignored("receipt_taken"));
    }
    transaction.execute(
        "UPDATE mpesa.ledger SET receipt = $2 WHERE transaction_id = $1 AND receipt IS NULL",
        params![&row.id, receipt],
    )?;
    keep_receipt(transaction, row, outcome, receipt)?;
    if row.kind == "push" {
        absorb(transaction, row, receipt, amount_of(row, outcome))?;
    }
    let _ = date(transaction, row, outcome)?;
    Ok(Made::Filled)
}

/// A push that was found paid by asking may have been told as a payment from the
/// menu, too, that did not seem to be it: the line of that one goes.
fn is_twice(
    transaction: &Transaction,
    row: &Row,
    outcome: &Outcome,
    receipt: &str,
) -> Result<bool> {
    if outcome.guessed || row.kind != "push" {
        return Ok(false);
    }
    let gone = transaction.execute(
        "DELETE FROM mpesa.ledger WHERE receipt = $1 AND kind = 'c2b' AND shortcode = $2 \
         AND cents = $3",
        params![receipt, &row.shortcode, amount_of(row, outcome)],
    )?;
    Ok(gone == 1)
}

fn keep_receipt(
    transaction: &Transaction,
    row: &Row,
    outcome: &Outcome,
    receipt: &str,
) -> Result<()> {
    transaction
        .execute(
            "UPDATE mpesa.transactions SET receipt = $2, cents = COALESCE($3, cents), \
             receipt_guessed = $4, updated_at = $5 WHERE id = $1",
            params![
                &row.id,
                receipt,
                outcome.cents,
                i64::from(outcome.guessed),
                moment::now_ms()
            ],
        )
        .map(drop)
}

/// The receipt that it has is told again, with a time that may be better.
fn confirm(transaction: &Transaction, row: &Row, outcome: &Outcome) -> Result<Made> {
    if !outcome.guessed && row.receipt_guessed == 1 {
        transaction.execute(
            "UPDATE mpesa.transactions SET receipt_guessed = 0 WHERE id = $1",
            params![&row.id],
        )?;
    }
    match date(transaction, row, outcome)? {
        true => Ok(Made::Filled),
        false => Ok(Made::Ignored("settled")),
    }
}

/// Its own receipt is told, and another was taken for it: that one is a payment
/// from the menu, beside this one.
fn part(transaction: &Transaction, row: &Row, outcome: &Outcome) -> Result<Made> {
    let (Some(own), Some(other)) = (&outcome.receipt, &row.receipt) else {
        return Ok(Made::Ignored("settled"));
    };
    if in_ledger(transaction, own)? {
        // As a payment from the menu: both are there, only the other way round.
        return Ok(Made::Ignored("settled"));
    }
    let told: Option<String> = transaction.query_optional(
        "SELECT id FROM mpesa.transactions WHERE receipt = $1 AND kind = 'c2b' AND about = $2",
        params![other, &row.id],
    )?;
    let from_the_menu = match told {
        Some(id) => {
            transaction.execute(
                "UPDATE mpesa.transactions SET about = NULL WHERE id = $1",
                params![&id],
            )?;
            transaction.execute(
                "UPDATE mpesa.transitions SET told = 0 WHERE transaction_id = $1 AND told = 2 \
                 AND to_state = 'succeeded'",
                params![&id],
            )?;
            id
        }
        None => from_the_menu(transaction, row, other)?,
    };
    transaction.execute(
        "UPDATE mpesa.ledger SET transaction_id = $2, kind = 'c2b' WHERE transaction_id = $1",
        params![&row.id, from_the_menu],
    )?;
    if !book(transaction, row, outcome)? {
        return Err(Error::internal("a receipt was taken in between"));
    }
    keep_receipt(transaction, row, outcome, own)?;
    Ok(Made::Filled)
}

/// A payment from the menu that was taken for a push; its id. Others are told of
/// it when what was not told is looked for.
fn from_the_menu(transaction: &Transaction, push: &Row, receipt: &str) -> Result<String> {
    let id = Uuid::now_v7().to_string();
    let asked = push.amount.map(|shillings| shillings.saturating_mul(100));
    transaction.execute(
        "INSERT INTO mpesa.transactions (id, kind, account, shortcode, state, amount, cents, \
         phone, reference, receipt, created_at, updated_at) \
         VALUES ($1, 'c2b', $2, $3, 'succeeded', $4, $5, $6, $7, $8, $9, $9)",
        params![
            &id,
            &push.account,
            &push.shortcode,
            push.amount,
            push.cents.or(asked),
            push.phone.clone(),
            push.reference.clone(),
            receipt,
            moment::now_ms()
        ],
    )?;
    let mut created = Row::locked(transaction, &id)?;
    created.state = State::Created;
    note(
        transaction,
        &created,
        State::Succeeded,
        "callback",
        "not_of_a_push",
        None,
    )?;
    Ok(id)
}
