//! `GET /mpesa/reconciliation`: what a day brought, and what does not fit
//! together. `POST` compares it with a statement of the other side.

use crate::{amount, c2b, callback::is_receipt, eat, record::oversee, state::State};
use atlashub_sdk::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

/// Most differences that are told, and lines of a statement.
const MOST: usize = 1_000;
const MOST_LINES: usize = 10_000;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wishes {
    /// In East Africa Time; today unless it is given.
    day: Option<String>,
    account: Option<String>,
}

/// A sum.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Sum {
    count: i64,
    amount: String,
}

/// Transactions of a kind and a state.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    kind: String,
    status: State,
    count: i64,
    amount: String,
}

/// Something that does not fit.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    /// `needs_review`, `open`, `receipt_missing`, `not_in_ledger`,
    /// `callback_not_applied`, and of a statement `missing_here`,
    /// `missing_there`, `amount_differs`.
    problem: &'static str,
    transaction_id: Option<String>,
    receipt_number: Option<String>,
    detail: Option<String>,
}

/// A day.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    day: String,
    account: Option<String>,
    money_in: Sum,
    money_out: Sum,
    net: String,
    transactions: Vec<Line>,
    differences: Vec<Difference>,
    balanced: bool,
}

pub(crate) fn report(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Report>> {
    oversee(&caller)?;
    Ok(Json(of_day(wishes)?))
}

/// A line of a statement.
#[derive(Debug, Deserialize)]
pub(crate) struct StatementLine {
    receipt_number: String,
    /// Less than nothing went out.
    amount: Value,
}

/// A statement of the other side, as its portal gives it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statement {
    day: Option<String>,
    account: Option<String>,
    statement: Vec<StatementLine>,
}

pub(crate) fn compare(Json(told): Json<Statement>) -> Result<Json<Report>> {
    users::require("mpesa:manage")?;
    if told.statement.len() > MOST_LINES {
        return Err(Error::invalid(
            "too_many_lines",
            format!("a statement has {MOST_LINES} lines at most"),
        ));
    }
    let mut theirs: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for line in &told.statement {
        let cents = amount::cents(&line.amount);
        let (Some(cents), true) = (cents, is_receipt(&line.receipt_number)) else {
            return Err(Error::invalid(
                "invalid_statement",
                "each line has a `receipt_number` and an `amount`",
            ));
        };
        let lines = theirs.entry(line.receipt_number.clone());
        lines.or_default().push(cents);
    }
    let mut report = of_day(Wishes {
        day: told.day,
        account: told.account,
    })?;
    let ours: Vec<(String, String, i64)> = sql::query(
        "SELECT receipt, transaction_id, cents FROM mpesa.ledger \
         WHERE day = $1 AND ($2 = '' OR account = $2) AND receipt IS NOT NULL",
        params![&report.day, report.account.clone().unwrap_or_default()],
    )?;
    for (receipt, transaction, cents) in ours {
        let (problem, detail) = match theirs.remove(&receipt) {
            Some(told) if is_of(&told, cents) => continue,
            Some(told) => ("amount_differs", Some(amount::shown(main(&told)))),
            None => ("missing_there", None),
        };
        report.differences.push(Difference {
            problem,
            transaction_id: Some(transaction),
            receipt_number: Some(receipt),
            detail,
        });
    }
    for (receipt, lines) in theirs {
        report.differences.push(Difference {
            problem: "missing_here",
            transaction_id: None,
            receipt_number: Some(receipt),
            detail: Some(amount::shown(main(&lines))),
        });
    }
    report.differences.truncate(MOST);
    report.balanced = report.differences.is_empty();
    Ok(Json(report))
}

/// Whether these lines of a receipt say that so much moved: one of them, or all
/// that came in. Charges stand beside in lines of their own, which go out.
fn is_of(lines: &[i64], cents: i64) -> bool {
    let sum = |least: i64| {
        let lines = lines.iter().filter(|line| **line >= least);
        lines.fold(0_i64, |sum, line| sum.saturating_add(*line))
    };
    let came_in = sum(0);
    match cents {
        1.. => came_in == cents,
        _ => came_in == 0 && (lines.contains(&cents) || sum(i64::MIN) == cents),
    }
}

/// The line of a receipt that is no charge: the largest.
fn main(lines: &[i64]) -> i64 {
    let largest = lines.iter().copied().max_by_key(|cents| cents.abs());
    largest.unwrap_or_default()
}

fn of_day(wishes: Wishes) -> Result<Report> {
    let day = wishes.day.unwrap_or_else(|| eat::day(moment::now_ms()));
    let (start, end) = eat::bounds(&day)
        .ok_or_else(|| Error::invalid("invalid_day", "`day` is a day such as 2026-01-31"))?;
    let account = wishes.account.clone().unwrap_or_default();
    let sum = |condition: &str| -> Result<(i64, i64)> {
        let sql = format!(
            "SELECT count(*), CAST(COALESCE(sum(cents), 0) AS BIGINT) FROM mpesa.ledger \
             WHERE day = $1 AND ($2 = '' OR account = $2) AND {condition}"
        );
        sql::query_one(&sql, params![&day, &account])
    };
    let (came, went) = (sum("cents >= 0")?, sum("cents < 0")?);
    let lines: Vec<(String, State, i64, i64)> = sql::query(
        // What was asked for, and once it has moved what that was. One from the menu
        // that turned out to be a push is counted as that.
        "SELECT kind, state, count(*), CAST(COALESCE(sum(CASE WHEN state = 'succeeded' \
         THEN COALESCE(cents, amount * 100) ELSE COALESCE(amount * 100, cents) END), 0) AS BIGINT) \
         FROM mpesa.transactions WHERE created_at >= $1 AND created_at < $2 \
         AND ($3 = '' OR account = $3) AND NOT (kind = 'c2b' AND about IS NOT NULL) GROUP BY kind, state ORDER BY kind, state",
        params![start, end, &account],
    )?;
    let differences = differences(&day, start, end, &account)?;
    Ok(Report {
        money_in: Sum {
            count: came.0,
            amount: amount::shown(came.1),
        },
        money_out: Sum {
            count: went.0,
            amount: amount::shown(-went.1),
        },
        net: amount::shown(came.1 + went.1),
        transactions: lines
            .into_iter()
            .map(|(kind, status, count, cents)| Line {
                kind,
                status,
                count,
                amount: amount::shown(cents),
            })
            .collect(),
        balanced: differences.is_empty(),
        differences,
        day,
        account: wishes.account,
    })
}

fn differences(day: &str, start: i64, end: i64, account: &str) -> Result<Vec<Difference>> {
    let mut all = Vec::new();
    let within = "created_at >= $1 AND created_at < $2 AND ($3 = '' OR account = $3)";
    for (problem, condition) in [
        ("needs_review", "state = 'needs_review'"),
        ("open", "state IN ('created', 'pending')"),
        (
            "not_in_ledger",
            "state = 'succeeded' AND kind IN ('push', 'c2b', 'payout', 'reversal') AND NOT EXISTS \
             (SELECT 1 FROM mpesa.ledger WHERE ledger.transaction_id = transactions.id \
             OR ledger.transaction_id = transactions.about)",
        ),
    ] {
        let found: Vec<(String, Option<String>, Option<String>)> = sql::query(
            &format!(
                "SELECT id, receipt, reason FROM mpesa.transactions \
                 WHERE {within} AND {condition} ORDER BY id LIMIT {MOST}"
            ),
            params![start, end, account],
        )?;
        all.extend(found.into_iter().map(|(id, receipt, reason)| Difference {
            problem,
            transaction_id: Some(id),
            receipt_number: receipt,
            detail: reason,
        }));
    }
    let unsure: Vec<String> = sql::query(
        &format!(
            "SELECT transaction_id FROM mpesa.ledger WHERE day = $1 AND ($2 = '' OR account = $2) \
             AND receipt IS NULL ORDER BY at LIMIT {MOST}"
        ),
        params![day, account],
    )?;
    all.extend(unsure.into_iter().map(|id| Difference {
        problem: "receipt_missing",
        transaction_id: Some(id),
        receipt_number: None,
        detail: None,
    }));
    let told: Vec<(String, String)> = sql::query(
        &format!(
            "SELECT transaction_id, outcome FROM mpesa.callbacks WHERE received_at >= $1 \
             AND received_at < $2 AND outcome IN ('unreadable', 'other_id', 'amount_differs', \
             'other_receipt', 'receipt_taken') AND ($3 = '' OR transaction_id = $4 \
             OR transaction_id IN (SELECT id FROM mpesa.transactions WHERE account = $3)) \
             ORDER BY received_at LIMIT {MOST}"
        ),
        params![start, end, account, c2b::unread(account)],
    )?;
    all.extend(told.into_iter().map(|(id, outcome)| Difference {
        problem: "callback_not_applied",
        transaction_id: Some(id),
        receipt_number: None,
        detail: Some(outcome),
    }));
    all.truncate(MOST);
    Ok(all)
}
