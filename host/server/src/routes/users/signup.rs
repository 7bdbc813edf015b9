//! `POST /v1/auth/signup`: becomes a user.

use super::{
    caller::{FromClient, Project},
    kept::{Browser, Keeper},
    view::{TokensView, UserView},
};
use crate::{extract::Json, problem::Problem, state::HostState};
use atlashub_app::users::{Onward, SignUp};
use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who wants to be a user.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SignUpBody {
    /// The address.
    email: String,
    /// The password.
    #[schema(format = Password)]
    password: String,
    /// The name that others shall see.
    name: Option<String>,
    /// The handle.
    handle: Option<String>,
    /// Who keeps the refresh token.
    #[serde(default)]
    session: Keeper,
}

/// A new user, with tokens unless the address has to be proven first.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedUpView {
    /// The user.
    user: UserView,
    /// Whether the address has to be proven before signing in.
    verification_required: bool,
    #[serde(flatten)]
    tokens: Option<TokensView>,
}

#[utoipa::path(
    post, path = "/v1/auth/signup", tag = "users", operation_id = "sign_up_user", security(()),
    request_body = SignUpBody,
    responses((status = 201, description = "The user, signed in unless the address has to be proven first", body = SignedUpView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    browser: Browser,
    Json(body): Json<SignUpBody>,
) -> Result<Response, Problem> {
    let keeper = body.session;
    browser.check(keeper)?;
    let wanted = SignUp {
        email: body.email,
        password: body.password.into(),
        name: body.name,
        handle: body.handle,
        onward: Onward::default(),
    };
    let made = state.app.sign_up(project.id(), wanted, &client).await?;
    let user = UserView::of(&state.app, made.user);
    let view = |tokens: Option<TokensView>| SignedUpView {
        user,
        verification_required: tokens.is_none(),
        tokens,
    };
    Ok(browser.answer(StatusCode::CREATED, keeper, made.tokens, view))
}
