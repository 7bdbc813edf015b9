//! `GET /admin/v1/settings`: what this node runs with, without secrets; and
//! `POST /admin/v1/settings/mail`, which tries whether mails can be sent.

use crate::{admin::AdminCaller, extract::Json, problem::Problem, state::HostState};
use atlashub_core::Error;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What a node runs with.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsView {
    /// The server's version.
    version: &'static str,
    /// The database's engine: `sqlite` or `postgres`.
    engine: &'static str,
    /// Each setting of the node that answers.
    items: Vec<SettingView>,
}

/// A setting.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingView {
    /// Its name in the settings file, as `network.listen`.
    name: &'static str,
    /// The variable of the environment that sets it.
    variable: &'static str,
    /// A text, a number or a list; null for a secret and for what is unset.
    /// Addresses come without names, passwords and keys.
    #[schema(value_type = Value)]
    value: Value,
    /// Whether it has been set, and is not the default.
    set: bool,
    /// Whether its value is told to nobody.
    secret: bool,
}

#[utoipa::path(
    get, path = "/admin/v1/settings", tag = "operations", operation_id = "settings",
    responses((status = 200, description = "Every setting, without secrets", body = SettingsView))
)]
pub(crate) async fn show(
    State(state): State<HostState>,
    _: AdminCaller,
) -> axum::Json<SettingsView> {
    let told = state.config.told().into_iter();
    axum::Json(SettingsView {
        version: env!("CARGO_PKG_VERSION"),
        engine: if state.config.database.is_sqlite() {
            "sqlite"
        } else {
            "postgres"
        },
        items: told
            .map(|setting| SettingView {
                name: setting.name,
                variable: setting.variable,
                value: setting.value,
                set: setting.is_set,
                secret: setting.is_secret,
            })
            .collect(),
    })
}

/// To whom a trial goes.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TrialWish {
    /// The address; the admin's own unless given.
    to: Option<String>,
}

/// Where a trial went.
#[derive(Serialize, ToSchema)]
pub(crate) struct TrialView {
    /// The address.
    to: String,
    /// Whether a mail server took it; without one it lies in the data folder.
    sent: bool,
}

#[utoipa::path(
    post, path = "/admin/v1/settings/mail", tag = "operations", operation_id = "try_mail",
    request_body = TrialWish,
    responses((status = 200, description = "The mail is on its way", body = TrialView))
)]
pub(crate) async fn try_mail(
    State(state): State<HostState>,
    caller: AdminCaller,
    Json(wish): Json<TrialWish>,
) -> Result<axum::Json<TrialView>, Problem> {
    let to = match (wish.to, caller.admin.id) {
        (Some(to), _) => to,
        (None, Some(id)) => state.app.admin(id).await?.email,
        (None, None) => {
            return Err(Problem(Error::invalid(
                "invalid_body",
                "say in `to` where the mail shall go",
            )));
        }
    };
    let to = state.app.try_mail(&caller.actor, &to).await?;
    let sent = state.config.network.smtp_url.is_some();
    Ok(axum::Json(TrialView { to, sent }))
}
