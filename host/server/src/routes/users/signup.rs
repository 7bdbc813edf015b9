//! `POST /v1/auth/signup`: becomes a user.

use super::{
    caller::{FromClient, Project},
    view::{TokensView, UserView},
};
use crate::{extract::Json, problem::Problem, state::HostState};
use atlashub_app::users::{Onward, SignUp};
use axum::extract::State;
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
    Json(body): Json<SignUpBody>,
) -> Result<(StatusCode, axum::Json<SignedUpView>), Problem> {
    let wanted = SignUp {
        email: body.email,
        password: body.password.into(),
        name: body.name,
        handle: body.handle,
        onward: Onward::default(),
    };
    let made = state.app.sign_up(project.id(), wanted, &client).await?;
    let view = SignedUpView {
        user: UserView::of(&state.app, made.user),
        verification_required: made.tokens.is_none(),
        tokens: made.tokens.map(TokensView::from),
    };
    Ok((StatusCode::CREATED, axum::Json(view)))
}
