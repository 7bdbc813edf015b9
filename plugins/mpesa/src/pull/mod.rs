//! Payments that were never told: the other side is asked from time to time for
//! all that customers paid to a shortcode, and what is not known is written
//! down, once for each receipt, as if it had been told.
//!
//! It owns which shortcodes are asked for and how far. Bounded are the time
//! that is asked for, as the other side keeps two days, and the payments of one
//! question.

mod ask;
mod page;
mod register;
mod show;
mod take;
mod work;

pub(crate) use ask::pull;
pub(crate) use register::{register, told};
pub(crate) use show::list;
pub(crate) use take::as_a_push;
pub(crate) use work::pull_all;

use atlashub_sdk::prelude::*;

/// How long the other side keeps payments, milliseconds: a little less.
const KEPT: i64 = (48 * 60 - 5) * 60_000;
/// What is asked for again with the next question: payments come late there,
/// too. Milliseconds.
const AGAIN: i64 = 2 * 3_600_000;

/// A shortcode that is asked for.
#[derive(Clone, Debug, Deserialize)]
struct Pull {
    account: String,
    shortcode: String,
    registered_at: i64,
    pulled_to: Option<i64>,
    asked_at: Option<i64>,
    found: i64,
    error: Option<String>,
}

impl Pull {
    const COLUMNS: &str = "account, shortcode, registered_at, pulled_to, asked_at, found, error";

    fn all() -> Result<Vec<Self>> {
        sql::query(
            &format!("SELECT {} FROM mpesa.pulls ORDER BY account", Self::COLUMNS),
            params![],
        )
    }

    fn of(account: &str) -> Result<Self> {
        let found = sql::query_optional(
            &format!(
                "SELECT {} FROM mpesa.pulls WHERE account = $1",
                Self::COLUMNS
            ),
            params![account],
        )?;
        found.ok_or_else(|| {
            Error::conflict(
                "not_registered",
                "the shortcode is not registered for this: `POST /mpesa/pull/register` first",
            )
        })
    }
}
