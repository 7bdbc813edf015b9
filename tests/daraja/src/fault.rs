//! What goes wrong, and how long things take.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a query is answered while a payment is under way. All three mean the
/// same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Processing {
    /// HTTP 500 with the code `500.001.1001` and a sentence.
    #[default]
    Refused,
    /// HTTP 200 with the result code `4999`.
    Code4999,
    /// HTTP 200 with the code `500.001.1001` and no sentence.
    Empty,
}

/// What a callback looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Five items, the balance without a value.
    #[default]
    Usual,
    /// Four items.
    NoBalance,
    /// The balance as a text in braces.
    BalanceText,
    /// Codes and amounts as texts.
    Texts,
    /// A success without its metadata.
    NoMetadata,
    /// A success without a receipt.
    NoReceipt,
    /// More items, in another order.
    MoreItems,
    /// The payer's number with stars.
    MaskedPhone,
    /// No JSON.
    Malformed,
}

/// What goes wrong. The defaults are a good day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// What becomes of a push: its result code.
    pub outcome: String,
    /// The same for some: by phone number, or by amount.
    pub outcomes: BTreeMap<String, String>,
    /// How long the customer takes, milliseconds.
    pub prompt_ms: u64,
    /// How long the callback takes after that, milliseconds.
    pub callback_ms: u64,
    /// How often a callback is sent.
    pub callback_copies: u32,
    /// It is not sent at all.
    pub callback_lost: bool,
    /// It is sent before the push is answered.
    pub callback_first: bool,
    /// It is kept until it is released, in reverse order.
    pub callback_held: bool,
    /// Result codes of further callbacks for the same payment, after the first.
    pub callback_then: Vec<String>,
    /// What it looks like.
    pub callback_shape: Shape,
    /// What its amount is wrong by, shillings.
    pub callback_amount: i64,
    /// It names a payment that nobody knows.
    pub callback_unknown: bool,
    /// Further header fields.
    pub callback_headers: BTreeMap<String, String>,
    /// How queries say that a payment is under way.
    pub processing: Processing,
    /// So many queries say so although it has ended.
    pub query_late: u32,
    /// What queries say in place of the outcome.
    pub query_outcome: Option<String>,
    /// So many requests for money are accepted, and their answers lost.
    pub answer_lost: u32,
    /// How long an answer takes, milliseconds.
    pub answer_ms: u64,
    /// So many calls are told that the system is busy.
    pub busy: u32,
    /// So many are told that the quota is used up.
    pub quota: u32,
    /// So many are answered by the edge, in HTML, with 503.
    pub html: u32,
    /// So many calls find their token invalid, whatever it is.
    pub token_refused: u32,
    /// How long a token holds, seconds.
    pub token_seconds: u64,
    /// `expires_in` is a text.
    pub token_text: bool,
    /// One prompt a subscriber at a time.
    pub lock_subscribers: bool,
    /// Texts have to be as short as the documentation says.
    pub strict_lengths: bool,
    /// What becomes of a payout, a reversal or a question: its result code.
    pub result: String,
    /// Results are not sent.
    pub result_lost: bool,
    /// The address for time-outs is called in place of that for results.
    pub result_timeout: bool,
    /// How long a result takes, milliseconds.
    pub result_ms: u64,
    /// So many payments are in one answer to a pull.
    pub pull_page: usize,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            outcome: "0".to_owned(),
            outcomes: BTreeMap::new(),
            prompt_ms: 0,
            callback_ms: 0,
            callback_copies: 1,
            callback_lost: false,
            callback_first: false,
            callback_held: false,
            callback_then: Vec::new(),
            callback_shape: Shape::default(),
            callback_amount: 0,
            callback_unknown: false,
            callback_headers: BTreeMap::new(),
            processing: Processing::default(),
            query_late: 0,
            query_outcome: None,
            answer_lost: 0,
            answer_ms: 0,
            busy: 0,
            quota: 0,
            html: 0,
            token_refused: 0,
            token_seconds: 3_599,
            token_text: true,
            lock_subscribers: true,
            strict_lengths: true,
            result: "0".to_owned(),
            result_lost: false,
            result_timeout: false,
            result_ms: 0,
            pull_page: 100,
        }
    }
}

impl Faults {
    /// The result code of a push.
    pub(crate) fn outcome_of(&self, phone: &str, amount: u64) -> String {
        let special = self.outcomes.get(phone);
        let special = special.or_else(|| self.outcomes.get(&amount.to_string()));
        special.unwrap_or(&self.outcome).clone()
    }
}

/// Takes one of so many; whether there was one.
pub(crate) fn take(left: &mut u32) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}
