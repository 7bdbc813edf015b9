//! A transaction as it is kept and shown, and who may see it.

use crate::state::State;
use atlashub_sdk::{identity::CallerKind, prelude::*, sql::Transaction};

/// The columns of a [`Row`].
pub(crate) const COLUMNS: &str = "id, kind, account, shortcode, state, reason, amount, cents, \
     phone, reference, user_id, fingerprint, merchant_request_id, checkout_request_id, receipt, \
     receipt_guessed, \
     result_code, result_desc, details, about, queries, due_at, created_at, updated_at";

/// A row of `mpesa.transactions`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) account: String,
    pub(crate) shortcode: String,
    pub(crate) state: State,
    pub(crate) reason: Option<String>,
    /// Shillings.
    pub(crate) amount: Option<i64>,
    pub(crate) cents: Option<i64>,
    pub(crate) phone: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) fingerprint: Option<String>,
    pub(crate) merchant_request_id: Option<String>,
    pub(crate) checkout_request_id: Option<String>,
    pub(crate) receipt: Option<String>,
    /// Whether that was taken for its own by amount, reference and time.
    pub(crate) receipt_guessed: i64,
    pub(crate) result_code: Option<String>,
    result_desc: Option<String>,
    pub(crate) details: Option<String>,
    pub(crate) about: Option<String>,
    pub(crate) queries: i64,
    pub(crate) due_at: Option<i64>,
    pub(crate) created_at: i64,
    updated_at: i64,
}

/// A transaction, as clients see it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: String,
    kind: String,
    status: State,
    account: String,
    amount: Option<i64>,
    phone_number: Option<String>,
    account_reference: Option<String>,
    receipt_number: Option<String>,
    result_code: Option<String>,
    result_desc: Option<String>,
    review_reason: Option<String>,
    merchant_request_id: Option<String>,
    checkout_request_id: Option<String>,
    user_id: Option<String>,
    about: Option<String>,
    details: Option<serde_json::Value>,
    created_at: String,
    updated_at: String,
}

impl Row {
    pub(crate) fn find(filter: &str, parameters: Vec<sql::Value>) -> Result<Option<Self>> {
        let sql = format!("SELECT {COLUMNS} FROM mpesa.transactions {filter}");
        sql::query_optional(&sql, parameters)
    }

    pub(crate) fn by_id(id: &str) -> Result<Option<Self>> {
        Self::find("WHERE id = $1", params![id])
    }

    /// The row that a word belongs to, for those kinds.
    ///
    /// # Errors
    /// 404 when there is none.
    pub(crate) fn by_word(digest: &str, kinds: &[&str]) -> Result<Self> {
        let found = Self::find("WHERE token_digest = $1", params![digest])?;
        found
            .filter(|row| kinds.contains(&row.kind.as_str()))
            .ok_or_else(|| Error::not_found("the payment"))
    }

    /// The row, which nobody else changes before this transaction ends.
    pub(crate) fn locked(transaction: &Transaction, id: &str) -> Result<Self> {
        let lock = match sql::dialect() {
            sql::Dialect::Postgres => "FOR UPDATE",
            // A transaction that writes is alone.
            sql::Dialect::Sqlite => "",
        };
        let sql = format!("SELECT {COLUMNS} FROM mpesa.transactions WHERE id = $1 {lock}");
        let found = transaction.query_optional(&sql, params![id])?;
        found.ok_or_else(|| Error::not_found("the payment"))
    }

    pub(crate) fn shown(&self) -> Shown {
        let details = self.details.as_deref();
        Shown {
            id: self.id.clone(),
            kind: self.kind.clone(),
            status: self.state,
            account: self.account.clone(),
            amount: self.amount,
            phone_number: self.phone.clone(),
            account_reference: self.reference.clone(),
            receipt_number: self.receipt.clone(),
            result_code: self.result_code.clone(),
            result_desc: self.result_desc.clone(),
            review_reason: self.reason.clone(),
            merchant_request_id: self.merchant_request_id.clone(),
            checkout_request_id: self.checkout_request_id.clone(),
            user_id: self.user_id.clone(),
            about: self.about.clone(),
            details: details.and_then(|text| serde_json::from_str(text).ok()),
            created_at: moment::rfc3339(self.created_at),
            updated_at: moment::rfc3339(self.updated_at),
        }
    }
}

/// Lets through who looks after the project's money, and admins who only read.
///
/// # Errors
/// As [`users::require`].
pub(crate) fn oversee(caller: &Caller) -> Result<()> {
    if caller.kind == CallerKind::Admin {
        return Ok(());
    }
    users::require("mpesa:manage")
}

/// Whose payments a caller sees: everybody's, or one's own.
#[derive(Clone, Debug)]
pub(crate) enum Sees {
    All,
    Of(String),
}

impl Sees {
    /// What this caller sees.
    ///
    /// # Errors
    /// 401 without credentials, 403 for those who may see none.
    pub(crate) fn of(caller: &Caller) -> Result<Self> {
        if users::has_permission("mpesa:manage") || caller.kind == CallerKind::Admin {
            return Ok(Self::All);
        }
        let id = caller.require_id()?;
        users::require("mpesa:read")?;
        Ok(Self::Of(id.to_owned()))
    }

    /// The transaction of that id; another's is as unknown as none.
    ///
    /// # Errors
    /// 404 when this caller knows of none.
    pub(crate) fn row(&self, id: &str) -> Result<Row> {
        Row::by_id(id)?
            .filter(|row| match self {
                Self::All => true,
                Self::Of(user) => row.user_id.as_ref() == Some(user),
            })
            .ok_or_else(|| Error::not_found("the transaction"))
    }
}
