//! `POST /admin/v1/plugins`: adds a revision to the catalogue.

use super::RevisionView;
use crate::{
    admin::AdminCaller,
    problem::{self, Problem},
    state::HostState,
};
use atlashub_app::plugins::UploadPlugin;
use atlashub_core::{Error, PluginName};
use axum::{
    Json,
    extract::{
        Multipart, State,
        multipart::{Field, MultipartError, MultipartRejection},
    },
};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use utoipa::ToSchema;

/// Longest manifest, and longest name, bytes.
const MAX_TEXT: usize = 512 * 1024;

/// The form of an upload, for the description of the interface.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form, which is read field by field")]
pub(crate) struct UploadForm {
    /// A WebAssembly component.
    #[schema(value_type = String, format = Binary)]
    component: Vec<u8>,
    /// A manifest (TOML), in place of the one in the component.
    manifest: Option<String>,
    /// A description of its routes (OpenAPI 3.1, JSON), in place of the one in
    /// the component.
    openapi: Option<String>,
    /// The name of a component that has no manifest.
    name: Option<String>,
}

#[utoipa::path(
    post, path = "/admin/v1/plugins", tag = "plugins", operation_id = "upload_plugin",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "The revision was added", body = RevisionView),
        (status = 200, description = "The same revision is there already", body = RevisionView),
    )
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    form: Result<Multipart, MultipartRejection>,
) -> Result<(StatusCode, Json<RevisionView>), Problem> {
    let form =
        form.map_err(|rejection| Error::bad_request("invalid_form", rejection.body_text()))?;
    let upload = read(form, state.config.limits.max_component()).await?;
    let outcome = state.app.upload_plugin(&caller.actor, upload).await?;
    let status = if outcome.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(outcome.revision.into())))
}

async fn read(mut form: Multipart, max_component: usize) -> Result<UploadPlugin, Problem> {
    let (mut component, mut manifest, mut openapi, mut name) = (None, None, None, None);
    while let Some(field) = form.next_field().await.map_err(broken)? {
        match field.name().unwrap_or_default() {
            "component" => component = Some(bytes(field, max_component).await?),
            "manifest" => {
                manifest =
                    Some(text(field, "manifest").await?).filter(|text| !text.trim().is_empty())
            }
            "openapi" => {
                openapi = Some(text(field, "openapi").await?).filter(|text| !text.trim().is_empty())
            }
            "name" => {
                name = Some(text(field, "name").await?).filter(|text| !text.trim().is_empty())
            }
            other => {
                let message = format!(
                    "the form has no field `{other}`: send `component`, `manifest`, `openapi` and `name`"
                );
                return Err(Problem(Error::bad_request("invalid_form", message)));
            }
        }
    }
    let component = component.ok_or_else(|| {
        Error::invalid(
            "component_needed",
            "send the component as the form's field `component`",
        )
    })?;
    let name = name
        .map(|name| name.trim().parse::<PluginName>())
        .transpose()?;
    Ok(UploadPlugin {
        component,
        manifest,
        openapi,
        name,
    })
}

/// Reads a field as it comes; stops at the first byte too many.
async fn bytes(mut field: Field<'_>, limit: usize) -> Result<Bytes, Problem> {
    let mut all = BytesMut::new();
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        if all.len().saturating_add(chunk.len()) > limit {
            let message = format!("the component has more than {limit} bytes");
            return Err(Problem(Error::invalid("component_too_large", message)));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}

async fn text(field: Field<'_>, name: &'static str) -> Result<String, Problem> {
    let bytes = bytes(field, MAX_TEXT).await?;
    String::from_utf8(bytes.into()).map_err(|_| {
        Problem(Error::bad_request(
            "invalid_form",
            format!("the field `{name}` must be UTF-8"),
        ))
    })
}

fn broken(error: MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem(problem::from_body_status(StatusCode::PAYLOAD_TOO_LARGE));
    }
    Problem(Error::bad_request("invalid_form", error.body_text()))
}
