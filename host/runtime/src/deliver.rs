//! The road of an event: the same admission, instances, limits and breaker as
//! a request's, and a call of the guest's handler in place of HTTP.

use crate::{bindings::event::Event, cpu::wall_clock, plugin::LivePlugin, runtime::RequestContext};
use atlashub_core::{
    Error, ErrorKind, Result,
    capability::events::{DeliveredEvent, EventRefusal},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

impl LivePlugin {
    /// Hands an event to the plugin; what it answers is the inner result.
    /// Dropping the future ends the guest.
    ///
    /// # Errors
    /// `no_event_handler` when the plugin takes none; `saturated` and
    /// `plugin_cut_off` (503, with a time to wait), when it was not asked;
    /// `plugin_trapped` (502), `cpu_exceeded` and `deadline_exceeded` (504).
    pub async fn deliver(
        self: &Arc<Self>,
        event: DeliveredEvent,
        context: RequestContext,
    ) -> Result<std::result::Result<(), EventRefusal>> {
        if self.revision().event_handler.is_none() {
            return Err(no_handler());
        }
        let began = Instant::now();
        let (runtime, visit, mut instance) = self.enter(context).await?;
        let meter = instance.meter();
        let limit = Duration::from_millis(u64::from(self.limits().wall_ms));
        let event = guest_event(event);
        let work = async move {
            let outcome = match &instance.event_handler {
                Some(exports) => {
                    let handler = exports.atlashub_events_handler();
                    handler.call_handle(&mut instance.store, &event).await
                }
                None => Err(wasmtime::format_err!("the instance takes no events")),
            };
            (instance, outcome)
        };
        let (instance, outcome) = tokio::select! {
            done = self.place(&runtime, work, &meter, began) => done,
            () = wall_clock(Arc::clone(&meter), began, limit) => {
                let why = format!("did not take an event within {} ms", limit.as_millis());
                return Err(self.timed_out(&visit.context, &meter, "deadline_exceeded", &why));
            }
        };
        match outcome {
            Ok(answer) => {
                self.returned(instance);
                Ok(answer.map_err(|error| EventRefusal {
                    code: error.code,
                    message: error.message,
                    retry: error.retry,
                }))
            }
            Err(error) => Err(self.fell(&visit.context, instance, &error, &meter)),
        }
    }
}

fn no_handler() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "no_event_handler",
        "the plugin does not export `atlashub:events/handler@0.1.0`",
    )
}

fn guest_event(event: DeliveredEvent) -> Event {
    let published = event.published_at.unix_timestamp_nanos() / 1_000_000;
    Event {
        id: event.id.to_string(),
        name: event.name,
        payload: event.payload,
        key: event.key,
        published_ms: u64::try_from(published).unwrap_or(0),
        attempt: event.attempt,
        max_attempts: event.max_attempts,
    }
}
