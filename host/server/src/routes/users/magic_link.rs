//! `POST /v1/auth/magic-link`: asks for a link that signs in, or follows one.

use super::{
    caller::{FromClient, Project},
    view::TokensView,
};
use crate::{extract::Json, problem::Problem, state::HostState};
use atlashub_app::users::{Factor, MailKind, MailedLink, Onward};
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
pub(crate) struct MagicLinkBody {
    /// The address to which a mail shall go.
    email: Option<String>,
    /// Where the link leads in the end: one of the project's `redirect_urls`.
    redirect_to: Option<String>,
    /// The token in the mail.
    token: Option<String>,
    /// A code of the second factor, where one is asked for.
    totp_code: Option<String>,
}

#[utoipa::path(
    post, path = "/v1/auth/magic-link", tag = "users", operation_id = "magic_link", security(()),
    request_body = MagicLinkBody,
    responses(
        (status = 200, description = "Tokens, for the token of a mail", body = TokensView),
        (status = 202, description = "If somebody has the address, a mail is on its way"),
    )
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    Json(body): Json<MagicLinkBody>,
) -> Result<Response, Problem> {
    if let Some(token) = &body.token {
        let link = MailedLink {
            kind: MailKind::MagicLink,
            token,
        };
        let factor = Factor::Now(body.totp_code.as_deref());
        let followed = state.app.follow_mail(project.id(), link, factor, &client);
        return Ok(axum::Json(TokensView::from(followed.await?)).into_response());
    }
    let Some(email) = &body.email else {
        return Err(Problem(Error::invalid(
            "email_missing",
            "send the `email` that shall get a link, or the `token` of a mail",
        )));
    };
    let onward = Onward::to(body.redirect_to);
    state
        .app
        .ask_for_magic_link(project.id(), email, onward, &client)
        .await?;
    Ok((StatusCode::ACCEPTED, axum::Json(json!({}))).into_response())
}
