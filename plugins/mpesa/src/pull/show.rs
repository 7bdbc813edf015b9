//! `GET /mpesa/pull`: which shortcodes are asked for, and how far.

use super::Pull;
use crate::record::oversee;
use atlashub_sdk::prelude::*;

/// A shortcode, as clients see it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    account: String,
    shortcode: String,
    registered_at: String,
    pulled_to: Option<String>,
    asked_at: Option<String>,
    found: i64,
    error: Option<String>,
}

/// All of them.
#[derive(Debug, Serialize)]
pub(crate) struct All {
    items: Vec<Shown>,
}

pub(crate) fn list(caller: Caller) -> Result<Json<All>> {
    oversee(&caller)?;
    let shown = |pull: Pull| Shown {
        account: pull.account,
        shortcode: pull.shortcode,
        registered_at: moment::rfc3339(pull.registered_at),
        pulled_to: pull.pulled_to.map(moment::rfc3339),
        asked_at: pull.asked_at.map(moment::rfc3339),
        found: pull.found,
        error: pull.error,
    };
    let items = Pull::all()?.into_iter().map(shown).collect();
    Ok(Json(All { items }))
}
