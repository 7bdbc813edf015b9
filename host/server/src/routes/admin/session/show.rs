//! `GET /admin/v1/session`: who one is.

use super::{AdminView, SessionView};
use crate::admin::AnyAdmin;
use axum::Json;

#[utoipa::path(
    get, path = "/admin/v1/session", tag = "admins", operation_id = "show_session",
    responses((status = 200, description = "Who one is", body = SessionView))
)]
pub(crate) async fn handle(AnyAdmin(caller): AnyAdmin) -> Json<SessionView> {
    let session = caller.admin.session;
    Json(SessionView {
        token: None,
        token_type: "bearer",
        expires_at: session.as_ref().map(|session| session.expires_at),
        admin: AdminView {
            id: caller.admin.id.map(|id| *id.as_uuid()),
            email: session.map(|session| session.email),
            role: caller.admin.role,
        },
    })
}
