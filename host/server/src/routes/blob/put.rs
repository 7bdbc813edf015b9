//! `PUT /_/blob/{token}`: uploads an object; its bytes go to the store as
//! they come, no more slowly than any upload may.

use crate::{extract::Path, problem::Problem, state::HostState};
use async_trait::async_trait;
use atlashub_core::{
    Result,
    capability::blob::ByteSource,
    upload_pace::{UploadWatch, interrupted},
};
use axum::{
    Json,
    body::{Body, BodyDataStream},
    extract::State,
};
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, Method, header};
use serde_json::{Value, json};
use std::time::Instant;

#[utoipa::path(
    put, path = "/_/blob/{token}", tag = "signed links", operation_id = "upload_blob", security(()),
    params(("token" = String, Path, description = "From a signed link")),
    request_body(content_type = "application/octet-stream", description = "The object's bytes"),
    responses((status = 200, description = "The object is stored: its size and SHA-256"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> std::result::Result<Json<Value>, Problem> {
    let blobs = state.app.blobs();
    let link = blobs.verify_link(&token, &Method::PUT)?;
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &http::HeaderValue| value.to_str().ok())
    };
    let length = text(header::CONTENT_LENGTH).and_then(|value| value.parse().ok());
    let mut source = BodySource {
        body: body.into_data_stream(),
        watch: UploadWatch::new(state.config.limits.uploads()),
    };
    let stored = blobs
        .write_link(&link, text(header::CONTENT_TYPE), length, &mut source)
        .await?;
    Ok(Json(
        json!({ "size": stored.info.size, "sha256": stored.sha256 }),
    ))
}

/// A request's body as it comes.
struct BodySource {
    body: BodyDataStream,
    watch: UploadWatch,
}

#[async_trait]
impl ByteSource for BodySource {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let began = Instant::now();
            let next = tokio::time::timeout(self.watch.patience(), self.body.next()).await;
            let waited = began.elapsed();
            match next {
                Err(_) => self.watch.count(waited, 0)?,
                Ok(None) => return Ok(None),
                Ok(Some(Ok(bytes))) => {
                    self.watch.count(waited, bytes.len())?;
                    return Ok(Some(bytes));
                }
                Ok(Some(Err(error))) => {
                    return Err(interrupted("the connection broke").with_source(error));
                }
            }
        }
    }
}
