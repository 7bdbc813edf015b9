//! Payments by M-Pesa, over Safaricom's Daraja: customers are asked to pay, pay
//! from the phone's menu, and are paid.
//!
//! It owns transactions, every change of their states, what the other side sent
//! as it came, and a ledger with one row for what moved. A state only goes
//! forward, and money is believed only to who holds a payment's own word or
//! answered when asked. A push whose answer was lost is never sent again: what
//! came of it is found out, and payments that were never told are asked for.
//! Bounded are bodies, pushes of a user, and the time
//! after which a person has to look. Times of the other side are East Africa
//! Time, of one clock. Credentials stay with the host.

mod amount;
mod c2b;
mod callback;
mod check;
mod daraja;
mod due;
mod eat;
mod export;
mod initiated;
mod list;
mod origin;
mod phone;
mod pull;
mod push;
mod query;
mod rates;
mod reconcile;
mod record;
mod review;
mod settings;
mod settle;
mod state;
mod tell;
mod word;

pub use amount::{cents, shillings};
pub use eat::{compact as eat_compact, day as eat_day};
pub use phone::normalised as normalised_phone;

use atlashub_sdk::prelude::*;

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .post("/mpesa/stkpush", push::push)
        .post("/mpesa/callback", callback::bare)
        .post("/mpesa/callback/{token}", callback::of_push)
        .get("/mpesa/transactions", list::list)
        .get("/mpesa/transactions/{id}", list::get)
        .get("/mpesa/transactions/{id}/history", list::history)
        .post("/mpesa/transactions/{id}/query", query::query)
        .post("/mpesa/transactions/{id}/review", review::review)
        .post("/mpesa/check", check::check)
        .post("/mpesa/c2b/register", c2b::register)
        .post("/mpesa/c2b/validation/{token}", c2b::validate)
        .post("/mpesa/c2b/confirmation/{token}", c2b::confirm)
        .post("/lipa/validation/{token}", c2b::validate)
        .post("/lipa/confirmation/{token}", c2b::confirm)
        .post("/mpesa/pull/register", pull::register)
        .post("/mpesa/pull", pull::pull)
        .get("/mpesa/pull", pull::list)
        .post("/lipa/pulled/{token}", pull::told)
        .post("/mpesa/b2c", initiated::payout)
        .post("/mpesa/reversals", initiated::reverse)
        .post("/mpesa/status", initiated::status)
        .post("/mpesa/balance", initiated::balance)
        .post("/lipa/result/{token}", initiated::result)
        .post("/lipa/timeout/{token}", initiated::timeout)
        .get("/mpesa/reconciliation", reconcile::report)
        .post("/mpesa/reconciliation", reconcile::compare)
        .get("/mpesa/export", export::export)
}

/// The events that it takes, all of its own.
#[must_use]
pub fn subscriptions() -> Subscriptions {
    Subscriptions::new()
        .on("mpesa.due", due::look_after)
        .on("mpesa.sweep", due::sweep)
}

/// What it does by the clock.
#[must_use]
pub fn work() -> Jobs {
    Jobs::new().on("pull", pull::pull_all)
}

atlashub_sdk::plugin!(routes, events = subscriptions, jobs = work);

#[cfg(test)]
mod tests;
