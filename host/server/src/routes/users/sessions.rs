//! `/v1/auth/sessions`: where the user is signed in.

use super::{
    caller::{FromClient, Me},
    view::UserSessionView,
};
use crate::{
    extract::{List, Path},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};
use http::StatusCode;

#[utoipa::path(
    get, path = "/v1/auth/sessions", tag = "users", operation_id = "list_my_sessions", security(("user" = [])),
    responses((status = 200, description = "Sessions, newest first", body = List<UserSessionView>))
)]
pub(crate) async fn list(
    State(state): State<HostState>,
    Me(me): Me,
) -> Result<Json<List<UserSessionView>>, Problem> {
    let sessions = state.app.user_sessions(&me).await?;
    let shown = sessions.into_iter().map(|session| {
        let current = session.id == me.session;
        UserSessionView::of(session, current)
    });
    Ok(Json(List::whole(shown)))
}

#[utoipa::path(
    delete, path = "/v1/auth/sessions/{id}", tag = "users", operation_id = "end_my_session", security(("user" = [])),
    params(("id" = String, Path, description = "The session's id")),
    responses((status = 204, description = "The session has ended, on every node within a second"))
)]
pub(crate) async fn end(
    State(state): State<HostState>,
    Me(me): Me,
    FromClient(client): FromClient,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    state
        .app
        .end_user_session(&me, id.parse()?, &client)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
