//! Time: a payment is looked after by an event to this plugin itself, until it
//! is settled. It is published before the payment is written down and before
//! each question is asked, so that a kill loses none; one too many finds
//! nothing to do. Should one be lost nevertheless, because the plugin was off,
//! the sweep finds the payment, once an hour.

use crate::{query, rates, record::Row, settings::Settings, tell};
use atlashub_sdk::prelude::*;
use std::{cell::Cell, time::Duration};

/// After this time what was not told is told by another than who changed it.
pub(crate) const TOLD: Duration = Duration::from_secs(15);
/// From sweep to sweep; as long as makes it a timer, not a loop.
const SWEEP: Duration = Duration::from_secs(3_600);
/// After so many milliseconds past its time an event was lost.
const LOST: i64 = 120_000;
/// What an event may be early by, milliseconds.
const EARLY: i64 = 1_500;
/// Questions about a payment that timed out, with those before.
pub(crate) const MOST_DOUBTS: i64 = 8;
/// Payments that one sweep looks for.
const MOST: u32 = 500;
/// Where the next sweep is noted.
const KEY: &str = "sweep";

thread_local! {
    /// When the next sweep is, as far as this instance knows; milliseconds.
    static KNOWN: Cell<i64> = const { Cell::new(0) };
}

/// Which payment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Due {
    id: String,
}

/// Nothing but that it is time.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sweep {}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Has a payment looked after, after some time; when that is.
pub(crate) fn later(id: &str, wait: Duration) -> Result<i64> {
    let due = Due { id: id.to_owned() };
    // Before it is published, however long that takes: an event that comes before
    // its time is not heard.
    let at = moment::now_ms().saturating_add(milliseconds(wait));
    events::publish_later("due", &due, None, wait)?;
    Ok(at)
}

/// Should this end before others are told of a change, they are told then. A
/// failure is for the log: what the other side tells, it may tell once only.
pub(crate) fn tell_later(id: &str) {
    if let Err(error) = later(id, TOLD) {
        log::warn!("changes of {id} are not looked for: {error}");
    }
    expect_sweep();
}

/// Has a payment looked after at once. A failure is for the log: it is looked
/// after anyhow, later.
pub(crate) fn at_once(id: &str) {
    let due = Due { id: id.to_owned() };
    let now = moment::now_ms();
    let brought_forward = sql::execute(
        "UPDATE mpesa.transactions SET due_at = $2 WHERE id = $1 AND due_at IS NOT NULL",
        params![id, now],
    );
    let published = events::publish("due", &due, None).map(drop);
    if let Err(error) = brought_forward.map(drop).and(published) {
        log::warn!("{id} is not looked after at once: {error}");
    }
}

/// Has a payment that timed out asked about again, as long as that was not done
/// often.
pub(crate) fn in_doubt(id: &str) {
    let doubted = sql::execute(
        "UPDATE mpesa.transactions SET due_at = $2 WHERE id = $1 AND state = 'timed_out' \
         AND kind = 'push' AND due_at IS NULL AND queries < $3",
        params![id, moment::now_ms(), MOST_DOUBTS],
    );
    match doubted {
        Ok(0) => {}
        Ok(_) => at_once(id),
        Err(error) => log::warn!("{id} is not asked about again: {error}"),
    }
}

/// It is time to look after a payment.
pub(crate) fn look_after(
    Payload(due): Payload<Due>,
    Config(settings): Config<Settings>,
) -> Result<()> {
    // None: a kill before it was written down, or it proved to be another.
    let row = Row::by_id(&due.id)?;
    let left = tell::rest(Some(&due.id))?;
    match row.and_then(|row| row.due_at.map(|at| (row, at))) {
        Some((row, at)) if at <= moment::now_ms() + EARLY => query::find_out(&row, &settings),
        Some(_) => Ok(()),
        // Then it is for telling, also of the other.
        None => {
            if left {
                later(&due.id, TOLD)?;
            }
            tell::rest(None).map(drop)
        }
    }
}

/// Makes sure that there is a sweep. A failure is for the log: the next payment
/// tries again.
pub(crate) fn expect_sweep() {
    if let Err(error) = try_expect_sweep() {
        log::warn!("no sweep was arranged: {error}");
    }
}

fn try_expect_sweep() -> Result<()> {
    let now = moment::now_ms();
    let on_its_way = (now - milliseconds(SWEEP))..=(now + 2 * milliseconds(SWEEP));
    if on_its_way.contains(&KNOWN.get()) {
        return Ok(());
    }
    if let Some(known) = kv::get::<i64>(KEY)?.filter(|known| on_its_way.contains(known)) {
        KNOWN.set(known);
        return Ok(());
    }
    events::publish_later("sweep", &Sweep {}, None, SWEEP)?;
    let at = now + milliseconds(SWEEP);
    kv::set(KEY, &at, None)?;
    KNOWN.set(at);
    Ok(())
}

/// Looks for payments that nobody looks after, and changes that nobody was told.
pub(crate) fn sweep(Payload(Sweep {}): Payload<Sweep>) -> Result<()> {
    let now = moment::now_ms();
    let open: Vec<i64> = sql::query(
        "SELECT count(*) FROM mpesa.transactions WHERE due_at IS NOT NULL",
        params![],
    )?;
    let left: Vec<String> = sql::query(
        &format!(
            "SELECT id FROM mpesa.transactions WHERE due_at < $1 ORDER BY due_at LIMIT {MOST}"
        ),
        params![now - LOST],
    )?;
    for id in &left {
        later(id, Duration::ZERO)?;
    }
    if let Err(error) = tell::rest(None) {
        log::warn!("nobody was told of what was left: {error}");
    }
    let untold: Vec<i64> = sql::query(
        "SELECT count(*) FROM mpesa.transitions WHERE told = 0",
        params![],
    )?;
    rates::forget()?;
    kv::delete(KEY)?;
    KNOWN.set(0);
    if open.iter().chain(&untold).any(|count| *count > 0) {
        try_expect_sweep()?;
    }
    Ok(())
}
