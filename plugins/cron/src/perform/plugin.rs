//! The call of a route of another plugin, whose caller is the scheduler. How
//! long it may take at most is that plugin's limit; what took longer than the
//! job may counts as late.

use super::http::Exchange;
use crate::{
    finish::Ending,
    record::{Row, Run},
    sealed::Secrets,
    settings::Settings,
    target,
    transcript::Redaction,
};
use atlashub_sdk::prelude::*;
use serde_json::Value;

/// A call.
pub(super) struct Call {
    pub(super) name: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

impl Call {
    pub(super) fn perform(self, row: &Row, run: &Run, settings: &Settings) -> Result<Ending> {
        if let Err(error) = target::check_plugin(&self.name, settings) {
            return Ok(Ending::failed(error.detail()));
        }
        let method = Method::from_bytes(self.method.as_bytes()).map_err(Error::internal)?;
        let url = format!("http://{}.internal{}", self.name, self.path);
        let mut call = http::call(method, url).header("idempotency-key", run.id.as_str());
        if let Some(body) = &self.body {
            call = call.json(body)?;
        }
        let head = format!("{} {} of the plugin {}", self.method, self.path, self.name);
        let redaction = Redaction::of(&Secrets::default());
        Ok(Exchange::new(row, run, redaction, head).of(call, settings))
    }
}
