//! Time: this plugin looks after announced uploads by an event to itself, when
//! the first of them is overdue, whether anybody calls or not. Without
//! announced uploads there is none on its way.

use crate::{objects, settings::Settings};
use atlashub_sdk::prelude::*;
use std::time::Duration;

/// From event to event it takes as long as makes it a timer, not a loop.
const LEAST: Duration = Duration::from_secs(3_600);
/// The longest that an event waits.
const MOST: Duration = Duration::from_secs(30 * 24 * 3_600);
/// So long after its time it is not on its way any more, milliseconds.
const LOST: i64 = 600_000;
/// Steps of one look.
const STEPS: usize = 50;

/// The events that it takes, of this plugin.
pub(crate) fn subscriptions() -> Subscriptions {
    Subscriptions::new().on("storage.due", look_after)
}

/// Nothing but that it is time.
#[derive(Debug, Serialize, Deserialize)]
struct Due {}

/// An upload was announced that is overdue after that time. A failure is for
/// the log: the next one tries again.
pub(crate) fn within(time: Duration) {
    if let Err(error) = expect(time) {
        log::warn!("it was not arranged to look after uploads: {error}");
    }
}

fn expect(time: Duration) -> Result<()> {
    let time = time.clamp(LEAST, MOST);
    let now = moment::now_ms();
    let later =
        |time: Duration| now.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    let known: Option<i64> =
        sql::query_optional("SELECT at FROM storage.due WHERE one = 1", params![])?;
    // A little later does.
    if known.is_some_and(|at| at > now.saturating_sub(LOST) && at <= later(time + time / 4)) {
        return Ok(());
    }
    // Published before it is noted: one too many does no harm.
    events::publish_later("due", &Due {}, None, time)?;
    sql::execute(
        "INSERT INTO storage.due (one, at) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET at = excluded.at",
        params![later(time)],
    )?;
    Ok(())
}

/// It is time.
fn look_after(Payload(Due {}): Payload<Due>, Config(settings): Config<Settings>) -> Result<()> {
    sql::execute("DELETE FROM storage.due WHERE one = 1", params![])?;
    for _ in 0..STEPS {
        if objects::drop_overdue(&settings)? == 0 {
            break;
        }
    }
    match objects::next_overdue()? {
        Some(at) => {
            let left = u64::try_from(at.saturating_sub(moment::now_ms())).unwrap_or_default();
            expect(Duration::from_millis(left))
        }
        None => Ok(()),
    }
}
