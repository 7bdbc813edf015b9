//! Which transaction a client means: by its id, or by the receipt.

use crate::{callback::is_receipt, record::Row};
use atlashub_sdk::prelude::*;

/// What a client wants undone or asks about: one of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    transaction_id: Option<String>,
    receipt_number: Option<String>,
    pub(super) account: Option<String>,
    pub(super) remarks: Option<String>,
}

impl About {
    /// The receipt, and the transaction where it is one of ours.
    pub(super) fn find(&self) -> Result<(Option<String>, Option<Row>)> {
        if let Some(id) = &self.transaction_id {
            let row = Row::by_id(id)?.ok_or_else(|| Error::not_found("the transaction"))?;
            return Ok((row.receipt.clone(), Some(row)));
        }
        let receipt = self.receipt_number.clone().filter(|text| is_receipt(text));
        let receipt = receipt.ok_or_else(|| {
            Error::invalid(
                "invalid_receipt",
                "say which by `transaction_id` or by `receipt_number`",
            )
        })?;
        let row = Row::find("WHERE receipt = $1", params![&receipt])?;
        Ok((Some(receipt), row))
    }
}
