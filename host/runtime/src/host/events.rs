//! `atlashub:events/publisher`: what happened, told to other plugins.

use crate::{
    bindings::events::publisher::{Error, Host},
    state::{State, for_guest},
};
use atlashub_core::capability::events::NewEvent;
use std::{sync::Arc, time::Duration};

type Answer = wasmtime::Result<std::result::Result<String, Error>>;

fn undeclared(name: &str) -> atlashub_core::Error {
    atlashub_core::Error::invalid(
        "event_not_declared",
        format!("the manifest declares no event `{name}`: add it to `[[events]]`"),
    )
}

impl State {
    async fn publish_after(
        &mut self,
        name: String,
        payload: String,
        key: Option<String>,
        delay: Duration,
    ) -> Answer {
        let plugin = Arc::clone(&self.hooks.plugin);
        let (request, hops) = (self.hooks.request.request_id, self.hooks.request.hops);
        let event = NewEvent::new(name, payload, key, request, hops);
        let published = match event.and_then(|event| event.after(delay)) {
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

impl Host for State {
    async fn publish(&mut self, name: String, payload: String, key: Option<String>) -> Answer {
        self.publish_after(name, payload, key, Duration::ZERO).await
    }

    async fn publish_later(
        &mut self,
        name: String,
        payload: String,
        key: Option<String>,
        seconds: u32,
    ) -> Answer {
        let delay = Duration::from_secs(seconds.into());
        self.publish_after(name, payload, key, delay).await
    }
}
