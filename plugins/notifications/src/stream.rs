//! `GET /notifications/stream`: what comes from now on, as server-sent
//! events. The host holds the connection; no instance is kept for it.

use crate::record;
use atlashub_sdk::prelude::*;

pub(crate) fn stream(caller: Caller, headers: Headers) -> Result<channel::Held> {
    let me = record::me(&caller)?;
    Ok(channel::hold(me, headers.get("last-event-id")))
}
