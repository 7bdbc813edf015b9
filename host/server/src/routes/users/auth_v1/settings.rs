//! What the client may know of a project's sign-in.

use crate::{problem::Problem, routes::users::caller::Project, state::HostState};
use atlashub_app::users::SignUpPolicy;
use axum::{Json, extract::State};
use serde_json::{Map, Value, json};

pub(super) async fn read(
    State(state): State<HostState>,
    project: Project,
) -> Result<Json<Value>, Problem> {
    let settings = state.app.auth_settings(project.id()).await?;
    let mut external = Map::new();
    for provider in state.app.auth_providers(project.id()).await? {
        external.insert(provider.name.to_string(), provider.enabled.into());
    }
    external.insert("email".to_owned(), settings.enabled.into());
    external.insert("phone".to_owned(), false.into());
    Ok(Json(json!({
        "external": external,
        "disable_signup": settings.sign_up != SignUpPolicy::Open,
        "mailer_autoconfirm": !settings.require_verified_email,
        "phone_autoconfirm": false, "sms_provider": "", "saml_enabled": false,
    })))
}
