//! `POST /v1/auth/forgot-password` and `/reset-password`: a new password by a
//! link in a mail.

use super::caller::{FromClient, Project};
use crate::{extract::Json, problem::Problem, state::HostState};
use atlashub_app::users::Onward;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Whom a mail is for.
#[derive(Deserialize, ToSchema)]
pub(crate) struct AskBody {
    /// The address.
    email: String,
    /// Where the mail leads: one of the project's `redirect_urls`; the first
    /// of them unless given.
    redirect_to: Option<String>,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ResetBody {
    /// The token in the mail.
    token: String,
    /// The new password.
    #[schema(format = Password)]
    password: String,
}

#[utoipa::path(
    post, path = "/v1/auth/forgot-password", tag = "users", operation_id = "forgot_password", security(()),
    request_body = AskBody,
    responses((status = 202, description = "If somebody has the address, a mail is on its way", body = Value))
)]
pub(crate) async fn ask(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    Json(body): Json<AskBody>,
) -> Result<(StatusCode, axum::Json<Value>), Problem> {
    state
        .app
        .ask_to_reset(
            project.id(),
            &body.email,
            Onward::to(body.redirect_to),
            &client,
        )
        .await?;
    Ok((StatusCode::ACCEPTED, axum::Json(json!({}))))
}

#[utoipa::path(
    post, path = "/v1/auth/reset-password", tag = "users", operation_id = "reset_password", security(()),
    request_body = ResetBody,
    responses((status = 204, description = "The password is set, and all sessions have ended"))
)]
pub(crate) async fn reset(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    Json(body): Json<ResetBody>,
) -> Result<StatusCode, Problem> {
    state
        .app
        .reset_password(project.id(), &body.token, body.password.into(), &client)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
