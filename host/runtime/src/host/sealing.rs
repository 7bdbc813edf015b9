//! `atlashub:secret/sealing`: what a plugin is told in confidence, sealed for
//! it alone.

use crate::{
    bindings::secret::sealing::{Error, Host},
    state::{State, for_guest},
};
use atlashub_core::Result;
use secrecy::ExposeSecret as _;

fn told<T>(outcome: Result<T>) -> std::result::Result<T, Error> {
    outcome.map_err(|error| {
        let (code, message) = for_guest(&error);
        Error { code, message }
    })
}

impl Host for State {
    fn seal(
        &mut self,
        context: String,
        plain: Vec<u8>,
    ) -> wasmtime::Result<std::result::Result<String, Error>> {
        let plugin = self.plugin();
        let sealing = &plugin.services.sealing;
        Ok(told(sealing.seal(&plugin.scope, &context, &plain)))
    }

    fn open(
        &mut self,
        context: String,
        sealed: String,
    ) -> wasmtime::Result<std::result::Result<Vec<u8>, Error>> {
        let plugin = self.plugin();
        let opened = plugin
            .services
            .sealing
            .open(&plugin.scope, &context, &sealed);
        Ok(told(opened.map(|plain| plain.expose_secret().to_vec())))
    }

    fn renew(
        &mut self,
        context: String,
        sealed: String,
    ) -> wasmtime::Result<std::result::Result<Option<String>, Error>> {
        let plugin = self.plugin();
        let sealing = &plugin.services.sealing;
        Ok(told(sealing.renew(&plugin.scope, &context, &sealed)))
    }
}
