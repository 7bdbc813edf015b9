//! `POST /v1/auth/verify-email`: proves that an address is the user's, or asks
//! for the mail once more.

use super::caller::{FromClient, Project};
use crate::{extract::Json, problem::Problem, state::HostState};
use atlashub_app::users::Onward;
use atlashub_core::Error;
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

/// The token in the mail, or whom a mail is for.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct VerifyBody {
    /// The token in the mail.
    token: Option<String>,
    /// The address to which a mail shall go; the own one of who is signed in.
    email: Option<String>,
    /// Where the mail leads in the end: one of the project's `redirect_urls`.
    redirect_to: Option<String>,
}

#[utoipa::path(
    post, path = "/v1/auth/verify-email", tag = "users", operation_id = "verify_email", security((), ("user" = [])),
    request_body = VerifyBody,
    responses(
        (status = 204, description = "The address is proven"),
        (status = 202, description = "If somebody has the address, a mail is on its way"),
    )
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    Json(body): Json<VerifyBody>,
) -> Result<Response, Problem> {
    let onward = Onward::to(body.redirect_to);
    match (&body.token, &body.email, &project.0.user) {
        (Some(token), ..) => {
            state.app.verify_email(project.id(), token, &client).await?;
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        (None, Some(email), _) => {
            let asked = state
                .app
                .ask_to_verify(project.id(), email, onward, &client);
            asked.await?;
        }
        (None, None, Some(me)) => {
            state.app.ask_to_verify_me(me, onward, &client).await?;
        }
        (None, None, None) => {
            return Err(Problem(Error::invalid(
                "token_missing",
                "send the `token` of the mail, or the `email` that shall get one",
            )));
        }
    }
    Ok((StatusCode::ACCEPTED, axum::Json(json!({}))).into_response())
}
