//! `POST` and `DELETE /users/me/avatar`, `GET /users/{id}/avatar`: pictures of
//! users. What is sent is decoded in the sandbox; what is shown was written
//! anew there.

use super::{
    caller::{Me, Project},
    view::UserView,
};
use crate::{
    extract::{Path, Query},
    problem::{self, Problem},
    request_id::RequestTag,
    state::HostState,
};
use atlashub_app::users::{Avatar, MAX_AVATAR_BYTES};
use atlashub_core::Error;
use axum::{
    Extension,
    body::Body,
    extract::{
        Multipart, State,
        multipart::{MultipartError, MultipartRejection},
    },
    response::Response,
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Room for what stands around the image in a form, bytes.
const FORM_ROOM: usize = 64 * 1024;
/// The largest form that is read, bytes.
pub(super) const MAX_FORM: usize = MAX_AVATAR_BYTES + FORM_ROOM;

/// The form of a picture, for the description of the interface.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form, which is read field by field")]
pub(crate) struct AvatarForm {
    /// A PNG, JPEG, WebP or GIF image of at most 10 MiB and 25 million pixels;
    /// the field may also be called `file`.
    #[schema(value_type = String, format = Binary)]
    avatar: Vec<u8>,
}

/// Which square.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AvatarQuery {
    /// Pixels a side: 64, 128, 256 (as without it) or 512.
    size: Option<u32>,
    /// As it stands in the address that a profile gives: the answer may then
    /// be kept for good.
    v: Option<Uuid>,
}

#[utoipa::path(
    post, path = "/users/me/avatar", tag = "users", operation_id = "set_avatar", security(("user" = [])),
    description = "Also `/v1/auth/me/avatar`. Cut to squares; metadata is removed, an orientation is applied.",
    request_body(content = AvatarForm, content_type = "multipart/form-data"),
    responses((status = 200, description = "The user, with the address of the picture", body = UserView))
)]
pub(crate) async fn set(
    State(state): State<HostState>,
    Me(me): Me,
    Extension(tag): Extension<RequestTag>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<axum::Json<UserView>, Problem> {
    let form =
        form.map_err(|rejection| Error::bad_request("invalid_form", rejection.body_text()))?;
    let image = read(form).await?;
    let user = state.app.set_avatar(&me, tag.id(), image).await?;
    Ok(axum::Json(UserView::of(&state.app, user)))
}

#[utoipa::path(
    delete, path = "/users/me/avatar", tag = "users", operation_id = "remove_avatar", security(("user" = [])),
    description = "Also `/v1/auth/me/avatar`.",
    responses((status = 204, description = "There is no picture"))
)]
pub(crate) async fn remove(
    State(state): State<HostState>,
    Me(me): Me,
) -> Result<StatusCode, Problem> {
    state.app.remove_own_avatar(&me).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    get, path = "/users/{id}/avatar", tag = "users", operation_id = "get_avatar", security(()),
    params(("id" = String, Path, description = "The user's id"), AvatarQuery),
    responses(
        (status = 200, description = "The picture", content_type = "image/jpeg"),
        (status = 304, description = "It is the one that `If-None-Match` names"),
    )
)]
pub(crate) async fn show(
    State(state): State<HostState>,
    project: Project,
    Path(id): Path<String>,
    Query(query): Query<AvatarQuery>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = id.parse().map_err(|_| Error::not_found("user"))?;
    let avatar = state.app.avatar(project.id(), id, query.size).await?;
    let shown = answer_headers(&avatar, query.v)?;
    let is_known = shown
        .get(header::ETAG)
        .is_some_and(|tag| names(&headers, tag));
    let (status, body) = if is_known {
        (StatusCode::NOT_MODIFIED, Body::empty())
    } else if method == Method::HEAD {
        (StatusCode::OK, Body::empty())
    } else {
        let bytes = state.app.read_avatar(&avatar).await?;
        (StatusCode::OK, Body::from_stream(bytes))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = shown;
    if !is_known {
        let length = HeaderValue::from(avatar.length);
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length);
    }
    Ok(response)
}

/// The image in the form, or the first byte too many.
async fn read(mut form: Multipart) -> Result<Bytes, Problem> {
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        if !matches!(field.name(), Some("avatar" | "file")) {
            continue;
        }
        let mut all = BytesMut::new();
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            all.extend_from_slice(&chunk);
            if all.len() > MAX_AVATAR_BYTES {
                break;
            }
        }
        return Ok(all.freeze());
    }
    Err(Problem(Error::invalid(
        "avatar_needed",
        "send the image as the form's field `avatar`",
    )))
}

fn broken(error: MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem(problem::from_body_status(StatusCode::PAYLOAD_TOO_LARGE));
    }
    Problem(Error::bad_request("invalid_form", error.body_text()))
}

/// The header fields of a picture that everybody may see.
fn answer_headers(avatar: &Avatar, asked: Option<Uuid>) -> Result<HeaderMap, Problem> {
    let value = |text: &str| {
        HeaderValue::from_str(text).map_err(|error| Error::internal("write a header", error))
    };
    // Another picture has another address; without it, ask each time.
    let kept = if asked == Some(avatar.version) {
        "public, max-age=31536000, immutable"
    } else {
        "public, no-cache"
    };
    let tag = format!("\"{}-{}\"", avatar.version, avatar.size);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, value(&avatar.content_type)?);
    headers.insert(header::ETAG, value(&tag)?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    for (name, text) in [
        (header::CONTENT_DISPOSITION, "inline"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(text));
    }
    Ok(headers)
}

/// Whether `If-None-Match` names this tag (RFC 9110 §13.1.2).
fn names(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        let listed = value.to_str().unwrap_or_default();
        listed.split(',').map(str::trim).any(|listed| {
            listed == "*"
                || listed.strip_prefix("W/").unwrap_or(listed).as_bytes() == tag.as_bytes()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_among_others() {
        let tag = HeaderValue::from_static("\"a-64\"");
        let asks = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(text));
            names(&headers, &tag)
        };
        for known in ["\"a-64\"", "W/\"a-64\"", "\"b\", \"a-64\"", "*"] {
            assert!(asks(known), "{known}");
        }
        for other in ["\"a-128\"", "a-64", ""] {
            assert!(!asks(other), "{other}");
        }
    }
}
