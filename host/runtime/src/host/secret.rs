//! `atlashub:secret/stand-ins`: secrets that a plugin uses without having
//! them.

use crate::{
    bindings::secret::stand_ins::{Error, Host},
    state::{State, for_guest},
};
use atlashub_core::{Error as CoreError, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};

impl State {
    fn stand_in(
        &mut self,
        name: &str,
        shape: impl FnOnce(&SecretString) -> SecretString,
    ) -> Result<String> {
        let secrets = &self.hooks.plugin.secrets;
        let found = secrets.iter().find(|(own, _)| own == name);
        let (_, secret) = found.ok_or_else(|| {
            CoreError::invalid(
                "no_secret",
                format!("the configuration has no secret `{name}`"),
            )
        })?;
        let shaped = shape(secret);
        self.hooks.secrets.add(shaped)
    }
}

fn told(outcome: Result<String>) -> std::result::Result<String, Error> {
    outcome.map_err(|error| {
        let (code, message) = for_guest(&error);
        Error { code, message }
    })
}

impl Host for State {
    fn plain(&mut self, name: String) -> wasmtime::Result<std::result::Result<String, Error>> {
        Ok(told(self.stand_in(&name, SecretString::clone)))
    }

    fn base64(
        &mut self,
        before: String,
        name: String,
        behind: String,
    ) -> wasmtime::Result<std::result::Result<String, Error>> {
        let shape = |secret: &SecretString| {
            let text = format!("{before}{}{behind}", secret.expose_secret());
            SecretString::from(STANDARD.encode(text))
        };
        Ok(told(self.stand_in(&name, shape)))
    }
}
