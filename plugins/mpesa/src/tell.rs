//! Tells others of changes: once each, by an event whose `id` is the change's,
//! and again under the same id after a kill in between.

use crate::{amount, record::Row, settle::Change, state::State};
use atlashub_sdk::prelude::*;
use serde_json::json;

/// Changes that are told of at once.
const AT_ONCE: u32 = 100;
/// What a change may take to be told by whoever made it, milliseconds.
const OWN: i64 = 10_000;

/// What others are told.
#[derive(Debug, Serialize)]
struct Told<'a> {
    id: &'a str,
    transaction_id: &'a str,
    kind: &'a str,
    account: &'a str,
    status: State,
    amount: Option<i64>,
    phone_number: Option<&'a str>,
    account_reference: Option<&'a str>,
    receipt_number: Option<&'a str>,
    result_code: Option<&'a str>,
    review_reason: Option<&'a str>,
    user_id: Option<&'a str>,
    /// The payment from the menu under which others were told of its money.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
    at: String,
}

/// Tells of a change that was just committed. A failure is for the log: it is
/// told later, when the payment is looked after.
pub(crate) fn change(change: Option<&Change>) {
    let Some(change) = change else {
        return;
    };
    let told = Row::by_id(&change.transaction)
        .and_then(|row| row.map_or(Ok(()), |row| publish(&change.id, &row, change.state)));
    if let Err(error) = told {
        log::warn!(
            "nobody was told of a change of {}: {error}",
            change.transaction
        );
    }
}

/// A change that was not told.
#[derive(Debug, Deserialize)]
struct Untold {
    id: String,
    transaction_id: String,
    to_state: State,
    at: i64,
}

/// Tells what was not told of one transaction, or of any; whether there is
/// something left that its maker may still be telling.
pub(crate) fn rest(transaction: Option<&str>) -> Result<bool> {
    let before = moment::now_ms() - OWN;
    let untold: Vec<Untold> = sql::query(
        &format!(
            "SELECT id, transaction_id, to_state, at FROM mpesa.transitions \
             WHERE told = 0 AND ($1 = '' OR transaction_id = $1) ORDER BY id LIMIT {AT_ONCE}"
        ),
        params![transaction.unwrap_or_default()],
    )?;
    let (old, young): (Vec<_>, Vec<_>) = untold.into_iter().partition(|one| one.at < before);
    for one in old {
        if let Some(row) = Row::by_id(&one.transaction_id)? {
            publish(&one.id, &row, one.to_state)?;
        }
    }
    Ok(!young.is_empty())
}

fn publish(id: &str, row: &Row, state: State) -> Result<()> {
    let event = match (row.kind.as_str(), state) {
        (_, State::Created | State::Pending) | ("status" | "balance", _) => None,
        (_, State::NeedsReview) => Some("needs_review"),
        ("push", State::Succeeded) => Some("succeeded"),
        ("push", State::Failed) => Some("failed"),
        ("push", State::Cancelled) => Some("cancelled"),
        ("push", State::TimedOut) => Some("timed_out"),
        ("c2b", State::Succeeded) => Some("received"),
        ("payout", State::Succeeded) => Some("paid_out"),
        ("payout", _) => Some("payout_failed"),
        ("reversal", State::Succeeded) => Some("reversed"),
        ("reversal", _) => Some("reversal_failed"),
        _ => None,
    };
    if let Some(event) = event {
        let told = Told {
            id,
            transaction_id: &row.id,
            kind: &row.kind,
            account: &row.account,
            status: state,
            amount: row.amount,
            phone_number: row.phone.as_deref(),
            account_reference: row.reference.as_deref(),
            receipt_number: row.receipt.as_deref(),
            result_code: row.result_code.as_deref(),
            review_reason: row.reason.as_deref(),
            user_id: row.user_id.as_deref(),
            replaces: told_before(row, state)?,
            at: moment::rfc3339(moment::now_ms()),
        };
        events::publish(event, &told, Some(&row.id))?;
        notice(id, row, state)?;
    }
    sql::execute(
        "UPDATE mpesa.transitions SET told = 1 WHERE id = $1",
        params![id],
    )?;
    Ok(())
}

/// The payment from the menu that others were told of before it turned out to be
/// this push.
fn told_before(row: &Row, state: State) -> Result<Option<String>> {
    if row.kind != "push" || state != State::Succeeded {
        return Ok(None);
    }
    sql::query_optional(
        "SELECT id FROM mpesa.transactions WHERE about = $1 AND kind = 'c2b' AND EXISTS \
         (SELECT 1 FROM mpesa.transitions WHERE transitions.transaction_id = transactions.id \
         AND to_state = 'succeeded' AND told = 1) LIMIT 1",
        params![&row.id],
    )
}

/// Lets the user know who asked for the payment.
fn notice(id: &str, row: &Row, state: State) -> Result<()> {
    let Some(user) = row.user_id.as_deref().filter(|_| row.kind == "push") else {
        return Ok(());
    };
    let asked = row.amount.unwrap_or_default();
    let amount = amount::shown(asked.saturating_mul(100));
    let title = match state {
        State::Succeeded => match &row.receipt {
            Some(receipt) => format!("KES {amount} paid by M-Pesa, receipt {receipt}"),
            None => format!("KES {amount} paid by M-Pesa"),
        },
        State::Cancelled => format!("The payment of KES {amount} was refused on the phone"),
        State::TimedOut => format!("The payment of KES {amount} was not confirmed in time"),
        State::Failed => format!("The payment of KES {amount} failed"),
        State::NeedsReview | State::Created | State::Pending => return Ok(()),
    };
    let notice = json!({
        "id": id, "kind": "payment", "user_ids": [user], "title": title,
        "subject": {"type": "payment", "id": row.id},
    });
    events::publish("notice", &notice, None).map(drop)
}
