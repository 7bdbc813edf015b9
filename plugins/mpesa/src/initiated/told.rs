//! What the other side tells of what it was asked for.

use super::balance::accounts;
use crate::{
    amount,
    callback::{is_receipt, item},
    daraja::text,
    eat,
    settle::Outcome,
    state::{self, Meaning},
};
use serde_json::{Map, Value, json};

/// Most that is kept of what was told, bytes.
const MAX_DETAILS: usize = 32 * 1024;

/// What the other side tells.
pub(super) struct Told {
    code: String,
    text: String,
    pub(super) conversation: Option<String>,
    receipt: Option<String>,
    parameters: Map<String, Value>,
}

impl Told {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let told = body.get("Result")?;
        let parameters = told
            .get("ResultParameters")
            .and_then(|all| all.get("ResultParameter"));
        let named = match parameters {
            Some(Value::Array(items)) => items.iter().collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        let parameters = named.into_iter().filter_map(|one| {
            let key = one.get("Key").and_then(Value::as_str)?;
            Some((key.to_owned(), item(Some(one), "Key", key)?.clone()))
        });
        Some(Self {
            code: text(told, "ResultCode")?,
            text: text(told, "ResultDesc").unwrap_or_default(),
            conversation: text(told, "ConversationID"),
            receipt: text(told, "TransactionID").filter(|text| is_receipt(text)),
            parameters: parameters.collect(),
        })
    }

    pub(super) fn outcome(&self, kind: &str) -> Outcome {
        let meaning = state::of_result(&self.code);
        let moved = matches!(kind, "payout" | "reversal");
        let amount = match kind {
            "payout" => self.parameters.get("TransactionAmount"),
            "reversal" => self.parameters.get("Amount"),
            _ => None,
        };
        let details = if kind == "balance" {
            json!({"accounts": accounts(&self.parameters)})
        } else {
            Value::Object(self.parameters.clone())
        };
        Outcome {
            meaning,
            code: self.code.clone(),
            text: self.text.clone(),
            receipt: self
                .receipt
                .clone()
                .filter(|_| moved && meaning == Meaning::Paid),
            guessed: false,
            cents: amount.and_then(amount::cents),
            at: self.ended(&["TransactionCompletedDateTime", "TransCompletedTime"]),
            source: "callback",
            details: Some(details.to_string()).filter(|text| text.len() <= MAX_DETAILS),
        }
    }

    /// When it was done, by whichever of these names says so.
    fn ended(&self, names: &[&str]) -> Option<i64> {
        names
            .iter()
            .find_map(|name| match self.parameters.get(*name)? {
                Value::String(text) => eat::read_end(text),
                other => eat::read_end(&other.to_string()),
            })
    }

    /// What a question says of the transaction that it was about.
    pub(super) fn of_other(&self) -> Option<Outcome> {
        if state::of_result(&self.code) != Meaning::Paid {
            return None;
        }
        let status = self.parameters.get("TransactionStatus")?.as_str()?;
        let meaning = match status {
            "Completed" => Meaning::Paid,
            "Cancelled" | "Declined" | "Expired" => Meaning::Failed,
            _ => return None,
        };
        let receipt = self.parameters.get("ReceiptNo").and_then(Value::as_str);
        let paid = meaning == Meaning::Paid;
        Some(Outcome {
            meaning,
            code: if paid { "0" } else { status }.to_owned(),
            text: status.to_owned(),
            receipt: receipt
                .filter(|text| paid && is_receipt(text))
                .map(str::to_owned),
            guessed: false,
            cents: self.parameters.get("Amount").and_then(amount::cents),
            at: self.ended(&["FinalisedTime", "FinalizedTime"]),
            source: "query",
            details: None,
        })
    }
}
