//! Asking the other side what came of a payment: by a timer until it is
//! settled, and when a client wants to know.

use crate::{
    callback, daraja, due, initiated,
    push::password,
    record::{Row, Sees, Shown},
    settings::Settings,
    settle::{self, Change, Outcome},
    state::{self, Meaning, Reason, State},
    tell,
};
use atlashub_sdk::prelude::*;
use serde_json::json;
use std::time::Duration;

/// How soon a client may have the other side asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// `POST /mpesa/transactions/{id}/query`.
pub(crate) fn query(
    Path(id): Path<String>,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Json<Shown>> {
    let sees = Sees::of(&caller)?;
    users::require("mpesa:pay")?;
    let row = sees.row(&id)?;
    let unanswered = row.state.is_open() || row.state == State::NeedsReview;
    if row.kind == "push" && unanswered && row.checkout_request_id.is_some() {
        let asked = format!("asked/{id}");
        if kv::compare_and_swap(&asked, None, &true, Some(AGAIN))?.is_some() {
            ask(&row, &settings)?;
        }
    }
    Ok(Json(sees.row(&id)?.shown()))
}

/// It is time: asks, or gives up asking.
pub(crate) fn find_out(row: &Row, settings: &Settings) -> Result<()> {
    let Some(due_at) = row.due_at else {
        return Ok(());
    };
    // One that timed out is asked about so often, and not for ever.
    let next = match row.state.is_open() || row.queries + 1 < due::MOST_DOUBTS {
        true => Some(due::later(
            &row.id,
            settings.wait(row.queries.saturating_add(1)),
        )?),
        false => None,
    };
    let mine = sql::execute(
        "UPDATE mpesa.transactions SET due_at = $3, queries = queries + 1 \
         WHERE id = $1 AND due_at = $2",
        params![&row.id, due_at, next],
    )?;
    if mine == 0 {
        // Another event for the same payment.
        return Ok(());
    }
    let age = moment::now_ms() - row.created_at;
    let patience = match (row.kind.as_str(), &row.checkout_request_id) {
        ("push", Some(_)) => {
            ask(row, settings)?;
            settings.give_up_ms()
        }
        ("payout", _) => {
            initiated::ask_about(row, settings)?;
            settings.give_up_ms()
        }
        // Due is due, whatever the clock of another node says.
        ("status" | "balance" | "reversal", _) => 0,
        _ => settings.lost_ms().min(settings.give_up_ms()),
    };
    if age >= patience {
        give_up(&row.id)?;
    }
    Ok(())
}

/// Nobody says what came of it: a person has to look. What is told later is
/// still heard.
fn give_up(id: &str) -> Result<()> {
    let change = sql::transaction(|transaction| {
        let row = Row::locked(transaction, id)?;
        if !row.state.is_open() {
            return Ok(None);
        }
        let (next, reason) = initiated::unanswered(&row);
        settle::advance(
            transaction,
            &row,
            next,
            reason,
            "timer",
            Reason::NoAnswer.name(),
            None,
        )
    })?;
    tell::change(change.as_ref());
    Ok(())
}

/// Asks the other side. That it does not know, or says so in one of its ways,
/// is no outcome.
fn ask(row: &Row, settings: &Settings) -> Result<()> {
    let Some(checkout) = &row.checkout_request_id else {
        return Ok(());
    };
    let account = match settings.account(Some(&row.account)) {
        Ok(account) if account.shortcode == row.shortcode => account,
        _ => {
            log::warn!(
                "{} belongs to an account that is not set up any more",
                row.id
            );
            return Ok(());
        }
    };
    let told = password(&account).and_then(|(password, timestamp)| {
        let body = json!({
            "BusinessShortCode": account.shortcode,
            "Password": password,
            "Timestamp": timestamp,
            "CheckoutRequestID": checkout,
        });
        daraja::call(&account, "/mpesa/stkpushquery/v1/query", &body)
    });
    let told = match told {
        Ok(told) => told,
        Err(trouble) => {
            let (code, text) = trouble.words();
            log::info!("no answer about {}: {code} {text}", row.id);
            return Ok(());
        }
    };
    let Some(code) = daraja::text(&told, "ResultCode") else {
        return Ok(());
    };
    let outcome = Outcome {
        meaning: state::of_push(&code),
        code,
        text: daraja::text(&told, "ResultDesc").unwrap_or_default(),
        receipt: None,
        guessed: false,
        cents: None,
        at: None,
        source: "query",
        details: None,
    };
    if row.due_at.is_none() {
        due::tell_later(&row.id);
    }
    let change = settled(&row.id, outcome)?;
    tell::change(change.as_ref());
    Ok(())
}

/// Writes down what the other side answered.
fn settled(id: &str, outcome: Outcome) -> Result<Option<Change>> {
    if outcome.meaning == Meaning::Processing {
        return Ok(None);
    }
    let made = sql::transaction(|transaction| {
        let row = Row::locked(transaction, id)?;
        let mut outcome = outcome.clone();
        if outcome.meaning == Meaning::Paid
            && let Some(told) = callback::told_before(transaction, &row)?
        {
            outcome.receipt = told.receipt;
            outcome.cents = told.cents;
            outcome.at = told.at;
        }
        settle::apply(transaction, &row, &outcome)
    })?;
    Ok(made.change())
}
