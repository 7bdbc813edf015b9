//! `atlashub:audit/log`: what was done in the plugin.

use super::not_granted;
use crate::{
    bindings::audit::log::{Error, Host},
    state::{PluginShared, State, for_guest},
};
use atlashub_core::{Grant, Result, capability::audit::PluginEvent};
use std::sync::Arc;

impl PluginShared {
    async fn audit(&self, event: Result<PluginEvent>) -> Result<()> {
        if !self.grants.contains(&Grant::Audit) {
            return Err(not_granted("audit"));
        }
        self.services.audit.append(&self.scope, event?).await
    }
}

impl Host for State {
    async fn append(
        &mut self,
        action: String,
        target: Option<String>,
        details: String,
    ) -> wasmtime::Result<std::result::Result<(), Error>> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let request = &self.hooks.request;
        let event = PluginEvent::new(
            request.caller.clone(),
            request.request_id,
            action,
            target,
            &details,
        );
        Ok(plugin.audit(event).await.map_err(|error| {
            let (code, message) = for_guest(&error);
            Error { code, message }
        }))
    }
}
