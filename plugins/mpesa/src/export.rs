//! `GET /mpesa/export`: transactions as CSV (RFC 4180), as they are read. Cells
//! that a spreadsheet would take for a formula are not.

use crate::{amount, eat, record::oversee, state::State};
use atlashub_sdk::{prelude::*, sql::Cursor};
use std::io::{self, Write};

/// Rows of a step.
const STEP: u32 = 500;
const HEAD: &str = "id,kind,status,account,shortcode,amount,received,phone_number,\
account_reference,receipt_number,result_code,review_reason,user_id,created_at,day,about\r\n";

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wishes {
    /// Days in East Africa Time, both included.
    from: Option<String>,
    to: Option<String>,
    account: Option<String>,
}

/// A transaction, and where it stands in the ledger what that says.
#[derive(Debug, Deserialize)]
struct Line {
    id: String,
    kind: String,
    state: State,
    account: String,
    shortcode: String,
    /// Shillings that were asked for.
    amount: Option<i64>,
    /// Cents that moved; less than nothing went out.
    moved: Option<i64>,
    phone: Option<String>,
    reference: Option<String>,
    receipt: Option<String>,
    result_code: Option<String>,
    reason: Option<String>,
    user_id: Option<String>,
    created_at: i64,
    /// The day of the payment.
    day: Option<String>,
    about: Option<String>,
}

/// One from the menu that turned out to be a push stands there as that.
const QUERY: &str = "SELECT t.id, t.kind, t.state, t.account, t.shortcode, t.amount, \
     l.cents AS moved, t.phone, t.reference, t.receipt, t.result_code, t.reason, t.user_id, \
     t.created_at, l.day, t.about FROM mpesa.transactions t \
     LEFT JOIN mpesa.ledger l ON l.transaction_id = t.id \
     WHERE COALESCE(l.at, t.created_at) >= $1 AND COALESCE(l.at, t.created_at) < $2 \
     AND ($3 = '' OR t.account = $3) AND NOT (t.kind = 'c2b' AND t.about IS NOT NULL) \
     ORDER BY t.id";

pub(crate) fn export(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Response> {
    oversee(&caller)?;
    let bounds = |day: &Option<String>| match day {
        None => Ok(None),
        Some(day) => eat::bounds(day).map(Some).ok_or_else(|| {
            Error::invalid("invalid_day", "`from` and `to` are days such as 2026-01-31")
        }),
    };
    let start = bounds(&wishes.from)?.map_or(0, |(start, _)| start);
    let end = bounds(&wishes.to)?.map_or(i64::MAX, |(_, end)| end);
    let account = wishes.account.unwrap_or_default();
    let mut cursor = Cursor::open(QUERY, params![start, end, account])?;
    let write = move |out: &mut dyn Write| -> io::Result<()> {
        out.write_all(HEAD.as_bytes())?;
        loop {
            let rows: Vec<Line> = cursor.next_page(STEP).map_err(io::Error::other)?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                out.write_all(line(&row).as_bytes())?;
            }
        }
    };
    Ok(Response::streaming(write)
        .with_header("content-type", "text/csv; charset=utf-8")
        .with_header("x-content-type-options", "nosniff")
        .with_header(
            "content-disposition",
            "attachment; filename=\"payments.csv\"",
        ))
}

fn line(row: &Line) -> String {
    let money = |cents: Option<i64>| cents.map(amount::shown).unwrap_or_default();
    let text = |text: &Option<String>| cell(text.as_deref().unwrap_or_default());
    let cells = [
        cell(&row.id),
        cell(&row.kind),
        cell(row.state.name()),
        cell(&row.account),
        cell(&row.shortcode),
        money(row.amount.map(|shillings| shillings.saturating_mul(100))),
        money(row.moved),
        text(&row.phone),
        text(&row.reference),
        text(&row.receipt),
        text(&row.result_code),
        text(&row.reason),
        text(&row.user_id),
        moment::rfc3339(row.created_at),
        row.day.clone().unwrap_or_else(|| eat::day(row.created_at)),
        text(&row.about),
    ];
    format!("{}\r\n", cells.join(","))
}

/// A text as a cell: quoted where it has to be, and never a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_out() {
        for (text, wanted) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("+254", "'+254"),
            ("-1", "'-1"),
            ("@A1", "'@A1"),
            ("\t=1", "'\t=1"),
            ("a,b", "\"a,b\""),
            ("=\"x\"", "\"'=\"\"x\"\"\""),
            ("a\r\nb", "\"a\r\nb\""),
        ] {
            assert_eq!(cell(text), wanted);
        }
    }
}
