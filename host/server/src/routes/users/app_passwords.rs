//! `/v1/auth/app-passwords`: what a user gives to programs that cannot sign
//! in otherwise.

use super::caller::{Me, who};
use crate::{
    extract::{Json, List, Path},
    problem::Problem,
    request_id::RequestTag,
    state::HostState,
};
use atlashub_data::platform::AppPassword;
use axum::{
    Extension,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// An app password to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAppPassword {
    /// What the user calls it: 1 to 100 characters.
    name: String,
}

/// An app password, without the password.
#[derive(Serialize, ToSchema)]
pub(crate) struct AppPasswordView {
    /// Its id.
    id: Uuid,
    /// What the user calls it.
    name: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was last used.
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
}

/// An app password that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeAppPassword {
    #[serde(flatten)]
    made: AppPasswordView,
    /// The password, shown this once.
    #[schema(format = Password)]
    password: String,
}

impl From<AppPassword> for AppPasswordView {
    fn from(made: AppPassword) -> Self {
        Self {
            id: *made.id.as_uuid(),
            name: made.name,
            created_at: made.created_at,
            last_used_at: made.last_used_at,
        }
    }
}

#[utoipa::path(
    post, path = "/v1/auth/app-passwords", tag = "users", operation_id = "create_my_app_password", security(("user" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again")),
    request_body = NewAppPassword,
    responses((status = 201, description = "The password, shown this once: good with the user's address as `Authorization: Basic` at routes that take it, such as `/dav`", body = MadeAppPassword))
)]
pub(crate) async fn create(
    State(state): State<HostState>,
    Me(me): Me,
    tag: Option<Extension<RequestTag>>,
    Json(body): Json<NewAppPassword>,
) -> Result<Response, Problem> {
    let actor = who(&me, tag.as_deref());
    let (made, password) = state
        .app
        .create_app_password(&actor, &me, &body.name)
        .await?;
    let shown = MadeAppPassword {
        made: made.into(),
        password: password.expose_secret().to_owned(),
    };
    let secret = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok((StatusCode::CREATED, [secret], axum::Json(shown)).into_response())
}

#[utoipa::path(
    get, path = "/v1/auth/app-passwords", tag = "users", operation_id = "list_my_app_passwords", security(("user" = [])),
    responses((status = 200, description = "App passwords, newest first", body = List<AppPasswordView>))
)]
pub(crate) async fn list(
    State(state): State<HostState>,
    Me(me): Me,
) -> Result<axum::Json<List<AppPasswordView>>, Problem> {
    let all = state.app.app_passwords(me.project, me.id()).await?;
    Ok(axum::Json(List::whole(all.into_iter().map(Into::into))))
}

#[utoipa::path(
    delete, path = "/v1/auth/app-passwords/{id}", tag = "users", operation_id = "end_my_app_password", security(("user" = [])),
    params(("id" = String, Path, description = "The app password's id")),
    responses((status = 204, description = "It is refused, on every node within a second"))
)]
pub(crate) async fn end(
    State(state): State<HostState>,
    Me(me): Me,
    tag: Option<Extension<RequestTag>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let actor = who(&me, tag.as_deref());
    state
        .app
        .end_app_password(&actor, me.project, me.id(), id.parse()?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
