//! Time: this plugin looks after a project by an event to itself, when
//! something in it falls due, whether anybody calls or not. Nothing is
//! published where nothing can fall due.
//!
//! One such event is on its way at a time, or a few when something falls due
//! earlier than what was known. When it is on its way stands in the
//! plugin's values. One that is lost, since the plugin was off or the queue
//! gave it up, is made up for by the next change.

use crate::{settings::Settings, sweep, untold};
use atlashub_sdk::prelude::*;
use std::{cell::Cell, time::Duration};

/// Where it is noted.
const KEY: &str = "due";
/// How soon after a change what was not told of it is told.
const SOON: Duration = Duration::from_secs(30);
/// From event to event it takes as long as makes it a timer, not a loop.
const LEAST: Duration = Duration::from_secs(3_600);
/// The longest that an event waits.
const MOST: Duration = Duration::from_secs(30 * 24 * 3_600);
/// So long after its time it is not on its way any more.
const LOST: Duration = Duration::from_secs(600);

thread_local! {
    /// When it falls due, as far as this instance knows; milliseconds.
    static KNOWN: Cell<i64> = const { Cell::new(0) };
}

/// The events that it takes, of this plugin.
pub(crate) fn subscriptions(subscriptions: Subscriptions) -> Subscriptions {
    subscriptions.on("files.due", look_after)
}

/// Nothing but that it is time.
#[derive(Debug, Serialize, Deserialize)]
struct Due {}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Something has changed.
pub(crate) fn soon() {
    within(SOON);
}

/// Something falls due after that time. A failure is for the log: the next
/// change tries again.
pub(crate) fn within(time: Duration) {
    if let Err(error) = expect(time) {
        log::warn!("it was not arranged to look after the project: {error}");
    }
}

fn expect(time: Duration) -> Result<()> {
    let now = moment::now_ms();
    let time = time.min(MOST);
    // A little later does.
    let until = now.saturating_add(milliseconds(time + time / 10));
    if (now..=until).contains(&KNOWN.get()) {
        return Ok(());
    }
    let known: Option<i64> = kv::get(KEY)?;
    let on_its_way = now.saturating_sub(milliseconds(LOST))..=until;
    if let Some(known) = known.filter(|known| on_its_way.contains(known)) {
        KNOWN.set(known);
        return Ok(());
    }
    // Published before it is noted: one too many does no harm.
    events::publish_later("due", &Due {}, None, time)?;
    let at = now.saturating_add(milliseconds(time));
    kv::set(KEY, &at, None)?;
    KNOWN.set(at);
    Ok(())
}

/// It is time.
fn look_after(Payload(Due {}): Payload<Due>, Config(settings): Config<Settings>) -> Result<()> {
    kv::delete(KEY)?;
    KNOWN.set(0);
    let told = untold::flush()?;
    sweep::sweep(&settings)?;
    let now = moment::now_ms();
    let next = if told {
        sweep::next(&settings)?
    } else {
        Some(now)
    };
    match next {
        Some(at) => {
            let left = u64::try_from(at.saturating_sub(now)).unwrap_or_default();
            expect(Duration::from_millis(left).max(LEAST))
        }
        None => Ok(()),
    }
}
