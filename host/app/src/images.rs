//! Images that users sent, cut to size by the built-in component `images`:
//! whatever is wrong with them, it goes wrong in a sandbox without grants and
//! in an instance of its own. A few are decoded at once on a node, since each
//! may need a quarter of a gigabyte.

use crate::{
    directory::ProjectEntry,
    plugins::{BuiltIn, Code},
};
use atlashub_core::{
    Caller, Digest, Error, ErrorKind, GrantSet, Limits, PluginName, ProjectId, RequestId, Result,
    capability::PluginScope, component_file,
};
use atlashub_runtime::{BodyError, LivePlugin, PluginSpec, RequestContext};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use moka::sync::Cache;
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};

/// The built-in component's name.
const NAME: &str = "images";
/// Images that are decoded at once.
const AT_ONCE: usize = 2;
/// How long an image may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// Projects whose component is kept ready, and how long.
const PROJECTS: u64 = 1_000;
const READY_FOR: Duration = Duration::from_secs(600);
/// The most that the component may answer, bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// A picture as the component made it.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) bytes: Bytes,
    pub(crate) content_type: String,
}

/// The component, if this binary came with it.
struct Component {
    digest: Digest,
    name: PluginName,
    limits: Limits,
}

/// Cuts images.
pub(crate) struct Images {
    code: Code,
    component: Option<Component>,
    live: Cache<ProjectId, Arc<LivePlugin>>,
    places: Semaphore,
}

impl Images {
    /// Finds the component among those that came with this binary.
    pub(crate) fn new(code: Code, builtin: &[BuiltIn]) -> Result<Self> {
        let mut component = None;
        if let Some(plugin) = builtin.iter().find(|plugin| plugin.name == NAME)
            && let Some(manifest) = component_file::read_manifest(&plugin.component)?
        {
            component = Some(Component {
                digest: plugin.digest,
                name: manifest.name,
                limits: manifest.limits,
            });
        }
        Ok(Self {
            code,
            component,
            live: Cache::builder()
                .max_capacity(PROJECTS)
                .time_to_idle(READY_FOR)
                .build(),
            places: Semaphore::new(AT_ONCE),
        })
    }

    /// Squares of these sizes in pixels, the largest first: that one is cut
    /// from the image, the others from it.
    ///
    /// # Errors
    /// `unsupported_image` (415), `image_too_large` (413), `broken_image`
    /// (422); `saturated` and `images_unavailable` (503).
    pub(crate) async fn squares(
        &self,
        project: &ProjectEntry,
        request: RequestId,
        image: Bytes,
        sizes: &[u32],
    ) -> Result<Vec<Picture>> {
        let live = self.live(project).await?;
        let _place = timeout(PATIENCE, self.places.acquire())
            .await
            .map_err(|_| saturated())?
            .map_err(|error| Error::internal("wait for a place", error))?;
        let mut pictures: Vec<Picture> = Vec::with_capacity(sizes.len());
        for size in sizes {
            let source = pictures.first().map_or(&image, |largest| &largest.bytes);
            let made = square(&live, request, source.clone(), *size).await?;
            pictures.push(made);
        }
        Ok(pictures)
    }

    /// The component, answering for this project: what it logs is the
    /// project's to see, and what it is cut off for harms no other.
    async fn live(&self, project: &ProjectEntry) -> Result<Arc<LivePlugin>> {
        if let Some(live) = self.live.get(&project.id) {
            return Ok(live);
        }
        let component = self.component.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                "images_unavailable",
                "this server came without the component that decodes images",
            )
        })?;
        let code = self.code.load(&component.digest).await?;
        let live = self.code.runtime().plugin(
            code,
            PluginSpec {
                scope: PluginScope {
                    project: project.id,
                    plugin: component.name.clone(),
                },
                slug: project.slug.clone(),
                public_url: String::new(),
                grants: GrantSet::default(),
                permissions: Vec::new(),
                events: Vec::new(),
                jobs: Vec::new(),
                config: Vec::new(),
                told: Vec::new(),
                secrets: Vec::new(),
                limits: component.limits.clone(),
            },
        );
        self.live.insert(project.id, Arc::clone(&live));
        Ok(live)
    }
}

async fn square(
    live: &Arc<LivePlugin>,
    request: RequestId,
    image: Bytes,
    size: u32,
) -> Result<Picture> {
    let uri = format!("http://{NAME}.internal/thumbnail?width={size}&height={size}&fit=cover")
        .parse::<Uri>()
        .map_err(|error| Error::internal("ask for a picture", error))?;
    let body = Full::new(image).map_err(|never| -> BodyError { match never {} });
    let mut asked = Request::new(body);
    *asked.method_mut() = Method::POST;
    *asked.uri_mut() = uri;
    // It has no use for who sent the image.
    let context = RequestContext::new(request, Caller::Nobody);
    let response = live.handle(asked, context).await.map_err(undecodable)?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_ANSWER)
        .collect()
        .await
        .map_err(|error| Error::internal("read a picture", error))?
        .to_bytes();
    answered(Response::from_parts(head, body))
}

/// A component that was built here fails at nothing but what it was given.
fn undecodable(error: Error) -> Error {
    match error.kind() {
        ErrorKind::PluginFault | ErrorKind::DeadlineExceeded => Error::invalid(
            "broken_image",
            "the image cannot be decoded within its limits",
        )
        .with_source(error),
        _ => error,
    }
}

fn answered(response: Response<Bytes>) -> Result<Picture> {
    #[derive(Deserialize)]
    struct Refusal {
        code: String,
        detail: String,
    }
    let kind = match response.status() {
        StatusCode::OK => {
            let content_type = response
                .headers()
                .get(header::CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            if !matches!(content_type, "image/jpeg" | "image/png") {
                return Err(Error::internal("cut an image", "its type is unexpected"));
            }
            return Ok(Picture {
                content_type: content_type.to_owned(),
                bytes: response.into_body(),
            });
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorKind::UnsupportedMediaType,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::TooLarge,
        StatusCode::UNPROCESSABLE_ENTITY => ErrorKind::Invalid,
        status => return Err(Error::internal("cut an image", status.to_string())),
    };
    let refusal: Refusal = serde_json::from_slice(response.body())
        .map_err(|error| Error::internal("read why an image was refused", error))?;
    Err(Error::new(kind, refusal.code, refusal.detail))
}

fn saturated() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "saturated",
        "too many images are being decoded, try again in a moment",
    )
    .with_retry_after(5)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn answer(status: u16, content_type: &str, body: &'static str) -> Result<Picture> {
        let response = Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, content_type)
            .body(Bytes::from_static(body.as_bytes()))
            .unwrap();
        answered(response)
    }

    #[test]
    fn refusals_are_passed_on_and_surprises_are_not() {
        assert_eq!(
            answer(200, "image/png", "x").unwrap().content_type,
            "image/png"
        );
        let refused = answer(
            413,
            "",
            r#"{"code":"image_too_large","detail":"too large"}"#,
        );
        let refused = refused.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.code()),
            (ErrorKind::TooLarge, "image_too_large")
        );
        for (status, content_type) in [(200, "text/html"), (500, ""), (302, ""), (422, "")] {
            let error = answer(status, content_type, "<b>").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal, "{status}");
        }
    }
}
