//! `atlashub:identity/caller`: who is calling, and in which project.

use crate::{
    bindings::identity::caller::{Caller, Host, Project},
    state::State,
};

impl Host for State {
    fn get_project(&mut self) -> wasmtime::Result<Project> {
        let plugin = self.plugin();
        Ok(Project {
            id: plugin.scope.project.to_string(),
            slug: plugin.slug.to_string(),
        })
    }

    fn get_caller(&mut self) -> wasmtime::Result<Caller> {
        let request = &self.hooks.request;
        Ok(Caller {
            kind: request.caller.kind().to_owned(),
            id: request.caller.id(),
            roles: request.caller.roles(),
            via_plugin: request.via_plugin.as_ref().map(ToString::to_string),
        })
    }

    fn get_request_id(&mut self) -> wasmtime::Result<String> {
        Ok(self.hooks.request.request_id.to_string())
    }

    fn get_public_url(&mut self) -> wasmtime::Result<String> {
        Ok(self.plugin().public_url.clone())
    }
}
