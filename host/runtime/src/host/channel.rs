//! `atlashub:channel/hub`: connections that the host holds, and what is
//! pushed to them.

use super::not_granted;
use crate::{
    bindings::channel::hub::{Error, Host},
    state::{PluginShared, State, for_guest},
};
use atlashub_core::{
    Grant, Result,
    capability::channel::{self, HeldStream, Holder, NewMessage},
};
use futures::StreamExt as _;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use std::sync::Arc;
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::types::HostOutgoingResponse;

type Answer<T> = wasmtime::Result<std::result::Result<T, Error>>;

impl PluginShared {
    fn may_use_channels(&self) -> Result<()> {
        if self.grants.contains(&Grant::Channel) {
            Ok(())
        } else {
            Err(not_granted("channel"))
        }
    }

    async fn hold(
        &self,
        channel: &str,
        last_id: Option<&str>,
        holder: &Holder,
    ) -> Result<HeldStream> {
        self.may_use_channels()?;
        channel::check_channel(channel)?;
        let channels = &self.services.channels;
        channels.hold(&self.scope, channel, last_id, holder).await
    }

    async fn publish_message(
        &self,
        channel: String,
        event: String,
        data: String,
    ) -> Result<String> {
        self.may_use_channels()?;
        let message = NewMessage::new(channel, event, data)?;
        let published = self.services.channels.publish(&self.scope, message);
        Ok(published.await?.to_string())
    }
}

fn told<T>(outcome: Result<T>) -> std::result::Result<T, Error> {
    outcome.map_err(|error| {
        let (code, message) = for_guest(&error);
        Error { code, message }
    })
}

impl Host for State {
    async fn hold(
        &mut self,
        channel: String,
        last_id: Option<String>,
        response: Resource<HostOutgoingResponse>,
    ) -> Answer<()> {
        if self.table.get(&response)?.body.is_some() {
            return Ok(told(Err(atlashub_core::Error::bad_request(
                "body_taken",
                "the response has a body already; call `hold` before taking it",
            ))));
        }
        let plugin = Arc::clone(&self.hooks.plugin);
        let request = &self.hooks.request;
        let holder = Holder {
            caller: request.caller.clone(),
            session: request.session,
            client: request.client,
        };
        let held = plugin.hold(&channel, last_id.as_deref(), &holder).await;
        let outcome = match held {
            Ok(stream) => {
                let frames = stream.map(|bytes| Ok(Frame::data(bytes)));
                let body = StreamBody::new(frames).boxed_unsync();
                self.table.get_mut(&response)?.body = Some(body);
                Ok(())
            }
            Err(error) => Err(error),
        };
        Ok(told(outcome))
    }

    async fn publish(&mut self, channel: String, event: String, data: String) -> Answer<String> {
        let plugin = Arc::clone(&self.hooks.plugin);
        Ok(told(plugin.publish_message(channel, event, data).await))
    }
}
