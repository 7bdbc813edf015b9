//! Calls between the plugins of one project.

use super::Directory;
use atlashub_core::{Error, PluginName, ProjectId, Result};
use atlashub_runtime::{PluginCalls, RequestContext, WasiBody};
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt;
use std::sync::{Arc, OnceLock, Weak};

/// Finds the plugin that another one calls. Made before the directory, which
/// needs the runtime, which needs this.
#[derive(Default)]
pub struct ProjectCalls(Arc<OnceLock<Weak<Directory>>>);

impl ProjectCalls {
    /// A handle for the runtime, to be connected later.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Connects it to the directory; only the first call counts.
    pub fn connect(&self, directory: &Arc<Directory>) {
        let _ = self.0.set(Arc::downgrade(directory));
    }
}

impl PluginCalls for ProjectCalls {
    fn call(
        &self,
        project: ProjectId,
        name: &PluginName,
        request: Request<WasiBody>,
        context: RequestContext,
    ) -> BoxFuture<'static, Result<Response<WasiBody>>> {
        let directory = self.0.get().and_then(Weak::upgrade);
        let name = name.clone();
        Box::pin(async move {
            let missing = || Error::not_found(format!("plugin `{name}`"));
            let directory = directory.ok_or_else(missing)?;
            let entry = directory.by_id(project).ok_or_else(missing)?;
            let routes = directory.routes(&entry).await?;
            let live = Arc::clone(routes.plugin(&name).ok_or_else(missing)?.live()?);
            let response = live.handle(request, context).await?;
            Ok(response.map(BodyExt::boxed_unsync))
        })
    }
}
