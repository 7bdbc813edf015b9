//! `atlashub:events/publisher`: what happened, told to other plugins.

use crate::{
    bindings::events::publisher::{Error, Host},
    state::{State, for_guest},
};
use atlashub_core::capability::events::NewEvent;
use std::sync::Arc;

fn undeclared(name: &str) -> atlashub_core::Error {
    atlashub_core::Error::invalid(
        "event_not_declared",
        format!("the manifest declares no event `{name}`: add it to `[[events]]`"),
    )
}

impl Host for State {
    async fn publish(
        &mut self,
        name: String,
        payload: String,
        key: Option<String>,
    ) -> wasmtime::Result<std::result::Result<String, Error>> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let (request, hops) = (self.hooks.request.request_id, self.hooks.request.hops);
        let published = match NewEvent::new(name, payload, key, request, hops) {
            Ok(event) if !plugin.events.contains(&event.name) => Err(undeclared(&event.name)),
            Ok(event) => plugin.services.events.publish(&plugin.scope, event).await,
            Err(error) => Err(error),
        };
        Ok(published.map(|id| id.to_string()).map_err(|error| {
            let (code, message) = for_guest(&error);
            Error { code, message }
        }))
    }
}
