//! What the other side answers: payments in lists within lists.

use crate::{amount, c2b::Paid, callback::is_receipt, daraja::text, eat};
use atlashub_sdk::prelude::*;
use serde_json::Value;

/// A payment of an answer.
pub(super) enum Line {
    /// A payment, and when it was made, milliseconds; and when else that can be,
    /// where the zone is in doubt.
    Paid(Paid, i64, Option<i64>),
    /// Something else.
    Unreadable,
}

/// Reads an answer.
///
/// # Errors
/// 502 `mpesa_failed` when it is none.
pub(super) fn read(told: &Value) -> Result<Vec<Line>> {
    let code = text(told, "ResponseCode").unwrap_or_default();
    match code.as_str() {
        // None in this time.
        "1001" => return Ok(Vec::new()),
        "1000" | "0" => {}
        _ => {
            let why = text(told, "ResponseMessage").unwrap_or_default();
            return Err(Error::new(
                StatusCode::BAD_GATEWAY,
                "mpesa_failed",
                "Safaricom did not say what was paid",
            )
            .with_cause(format_args!("{code} {why}")));
        }
    }
    let mut lines = Vec::new();
    if let Some(all) = told.get("Response") {
        collect(all, &mut lines);
    }
    Ok(lines)
}

fn collect(value: &Value, lines: &mut Vec<Line>) {
    match value {
        Value::Array(items) => {
            for item in items {
                collect(item, lines);
            }
        }
        Value::Object(_) => lines.push(line(value).unwrap_or(Line::Unreadable)),
        _ => lines.push(Line::Unreadable),
    }
}

fn line(value: &Value) -> Option<Line> {
    let (at, else_at) = eat::read(&member(value, "trxDate")?, moment::now_ms())?;
    let paid = Paid {
        receipt: member(value, "transactionId").filter(|id| is_receipt(id))?,
        cents: amount::cents(&Value::from(member(value, "amount")?)).filter(|cents| *cents > 0)?,
        // The answer is about the shortcode that was asked for.
        shortcode: String::new(),
        reference: member(value, "billreference")
            .map(|text| text.trim().chars().take(40).collect())
            .unwrap_or_default(),
        phone: member(value, "msisdn").map(|text| text.chars().take(80).collect()),
        name: member(value, "sender")
            .map(|text| text.trim().chars().take(120).collect())
            .unwrap_or_default(),
        time: member(value, "trxDate").map(|text| text.chars().take(30).collect()),
    };
    Some(Line::Paid(paid, at, else_at))
}

/// A member, however its name is written: the documents differ.
fn member(value: &Value, name: &str) -> Option<String> {
    let members = value.as_object()?;
    let (name, _) = members
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    text(value, name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_within_lists_are_read_and_what_is_no_payment_is_counted() {
        let told = json!({"ResponseCode": 1000, "Response": [[
            {"transactionId": "RAB1", "trxDate": "2020-08-05 10:13:00", "msisdn": 722_000_000,
             "sender": "MPESA", "transactiontype": "c2b-pay-bill-debit", "billreference": " 37 ",
             "amount": "100.50", "organizationname": "Shop"},
            {"transactionID": "RAB2", "trxdate": "2020-08-05T10:13:00Z", "amount": 7},
            {"transactionId": "no receipt", "trxDate": "2020-08-05 10:13:00", "amount": "1"},
            {"transactionId": "RAB3", "trxDate": "yesterday", "amount": "1"},
            {"transactionId": "RAB4", "trxDate": "2020-08-05 10:13:00", "amount": "-1"},
        ], ["x"]]});
        let lines = read(&told).unwrap();
        assert_eq!(lines.len(), 6);
        let paid: Vec<_> = lines
            .into_iter()
            .filter_map(|line| match line {
                Line::Paid(paid, at, _) => Some((paid.receipt, paid.cents, paid.reference, at)),
                Line::Unreadable => None,
            })
            .collect();
        let at = 1_596_622_380_000;
        assert_eq!(
            paid,
            [
                (
                    "RAB1".to_owned(),
                    10_050,
                    "37".to_owned(),
                    at - 3 * 3_600_000
                ),
                ("RAB2".to_owned(), 700, String::new(), at),
            ]
        );
    }

    #[test]
    fn no_payments_and_no_answer_are_told_apart() {
        let none = json!({"ResponseCode": "1001", "ResponseMessage": "none"});
        assert!(read(&none).unwrap().is_empty());
        let empty = json!({"ResponseCode": "1000", "Response": [[]]});
        assert!(read(&empty).unwrap().is_empty());
        for told in [json!({}), json!({"ResponseCode": "1003", "Response": []})] {
            assert_eq!(read(&told).err().unwrap().code(), "mpesa_failed");
        }
    }
}
