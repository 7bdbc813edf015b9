//! Asks the other side for a shortcode's payments: `POST /mpesa/pull`, and by
//! the schedule.

use super::{
    AGAIN, KEPT, Pull,
    page::{self, Line},
    take::{self, Found},
};
use crate::{daraja, eat, settings::Settings};
use atlashub_sdk::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

/// The path of the question there.
const PATH: &str = "/pulltransactions/v1/query";
/// Most questions for one window.
const MOST_PAGES: usize = 100;

/// From when to when, milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    from: i64,
    to: i64,
}

impl Window {
    /// What is not known since the last question.
    pub(super) fn since_the_last(pull: &Pull, now: i64) -> Self {
        let oldest = now - KEPT;
        let from = pull.pulled_to.map_or(oldest, |to| (to - AGAIN).max(oldest));
        Self { from, to: now }
    }

    /// What a client asks for, within what the other side keeps.
    fn asked(pull: &Pull, wish: &Wish) -> Result<Self> {
        let now = moment::now_ms();
        let default = Self::since_the_last(pull, now);
        let at = |name: &str, text: Option<&String>, other: i64| match text {
            None => Ok(other),
            Some(text) => moment::parse(text).ok_or_else(|| {
                Error::invalid(
                    "invalid_time",
                    format!("`{name}` is a time such as 2026-01-31T08:00:00Z"),
                )
            }),
        };
        let window = Self {
            from: at("from", wish.from.as_ref(), default.from)?,
            to: at("to", wish.to.as_ref(), default.to)?.min(now),
        };
        if window.from < now - KEPT || window.from >= window.to {
            return Err(Error::invalid(
                "invalid_window",
                "`from` lies before `to`, and within the last 48 hours: Safaricom keeps no more",
            ));
        }
        Ok(window)
    }
}

/// What a client asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    account: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Pulled {
    account: String,
    from: String,
    to: String,
    /// Payments that the other side has.
    seen: usize,
    /// Those that were not known: the transactions that they are now.
    found: Vec<String>,
    /// Those that cannot be read.
    unreadable: usize,
}

/// `POST /mpesa/pull`.
pub(crate) fn pull(
    Config(settings): Config<Settings>,
    Json(wish): Json<Wish>,
) -> Result<Json<Pulled>> {
    users::require("mpesa:manage")?;
    let account = settings.account(wish.account.as_deref())?;
    let pull = Pull::of(&account.name)?;
    let window = Window::asked(&pull, &wish)?;
    Ok(Json(pull_window(&settings, &pull, window)?))
}

/// Asks for all payments of a window and writes down what was not known; then
/// how far that was.
pub(super) fn pull_window(settings: &Settings, pull: &Pull, window: Window) -> Result<Pulled> {
    let pulled = ask(settings, pull, window);
    let now = moment::now_ms();
    match pulled {
        Ok(pulled) => {
            let found = i64::try_from(pulled.found.len()).unwrap_or(i64::MAX);
            sql::execute(
                // A gap before the window stays one.
                "UPDATE mpesa.pulls SET asked_at = $2, error = NULL, found = found + $3, \
                 pulled_to = CASE WHEN COALESCE(pulled_to, $4) >= $4 \
                 AND COALESCE(pulled_to, 0) < $5 THEN $5 ELSE pulled_to END WHERE account = $1",
                params![&pull.account, now, found, window.from, window.to],
            )?;
            Ok(pulled)
        }
        Err(error) => {
            sql::execute(
                "UPDATE mpesa.pulls SET asked_at = $2, error = $3 WHERE account = $1",
                params![&pull.account, now, error.code().to_owned()],
            )?;
            Err(error)
        }
    }
}

fn ask(settings: &Settings, pull: &Pull, window: Window) -> Result<Pulled> {
    let account = settings.account(Some(&pull.account))?;
    if account.shortcode != pull.shortcode {
        return Err(Error::conflict(
            "not_registered",
            "the account has another shortcode by now: register it anew",
        ));
    }
    let mut pulled = Pulled {
        account: account.name.clone(),
        from: moment::rfc3339(window.from),
        to: moment::rfc3339(window.to),
        seen: 0,
        found: Vec::new(),
        unreadable: 0,
    };
    let mut seen = BTreeSet::new();
    let mut offset = 0;
    for _ in 0..MOST_PAGES {
        let body = json!({
            "ShortCode": account.shortcode,
            "StartDate": eat::written(window.from),
            "EndDate": eat::written(window.to),
            "OffSetValue": offset.to_string(),
        });
        let told = daraja::call(&account, PATH, &body).map_err(daraja::Trouble::into_error)?;
        let lines = page::read(&told)?;
        let count = lines.len();
        offset += count;
        let mut is_new = false;
        for line in lines {
            let Line::Paid(paid, at, else_at) = line else {
                pulled.unreadable += 1;
                continue;
            };
            if !seen.insert(paid.receipt.clone()) {
                continue;
            }
            is_new = true;
            pulled.seen += 1;
            if let Found::New(id) = take::take(&account, &paid, at, else_at)? {
                pulled.found.push(id);
            }
        }
        // No more, or the same again.
        if count == 0 || !is_new {
            return Ok(pulled);
        }
    }
    Err(Error::conflict(
        "too_many_payments",
        "there are more payments than are asked for at once: ask for a shorter time",
    ))
}
