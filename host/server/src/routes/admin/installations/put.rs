//! `PUT /admin/v1/projects/{project}/plugins/{plugin}`: installs, switches,
//! configures, upgrades, rolls back.

use super::{InstallationView, named};
use crate::{
    admin::AdminCaller,
    extract::{IfMatch, Json, Path, Tagged},
    problem::Problem,
    state::HostState,
};
use atlashub_app::plugins::{GrantsChoice, InstallPlugin};
use atlashub_core::{Error, Grant, Limits, Result as CoreResult};
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What the installation shall be; absent members stay as they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// A revision's id, digest or version; a new installation takes the
    /// newest.
    revision: Option<String>,
    /// On or off; a new installation is on.
    enabled: Option<bool>,
    /// The whole configuration.
    #[schema(value_type = Option<Object>)]
    config: Option<Value>,
    /// What is granted: a list, or `"requested"` for all that is asked for.
    grants: Option<Grants>,
    /// Where it is mounted, route for route in place of the manifest's; an
    /// empty list goes back to those.
    routes: Option<Vec<String>>,
    /// What it may use, in place of what its manifest says.
    #[schema(value_type = Option<Object>)]
    limits: Option<Limits>,
}

/// Which grants are given.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Grants {
    /// `requested`.
    Word(String),
    /// These.
    These(Vec<String>),
}

/// The installation, and what was done for it.
#[derive(Serialize, ToSchema)]
pub(crate) struct InstalledView {
    #[serde(flatten)]
    view: InstallationView,
    /// Migrations that ran.
    migrations_applied: Vec<String>,
}

#[utoipa::path(
    put, path = "/admin/v1/projects/{project}/plugins/{plugin}", tag = "plugins", operation_id = "put_installation",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("plugin" = String, Path, description = "The plugin's name"),
        ("If-Match" = Option<String>, Header, description = "An `etag`: only what has it is changed"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only where it is not installed"),
    ),
    request_body = Wanted,
    responses(
        (status = 200, description = "The installation as it is now", body = InstalledView, headers(("ETag" = String, description = "What `If-Match` takes"))),
        (status = 201, description = "The plugin is installed", body = InstalledView),
        (status = 412, description = "It is another than `If-Match` says; nothing has changed"),
    )
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, plugin)): Path<(String, String)>,
    IfMatch(condition): IfMatch,
    Json(body): Json<Wanted>,
) -> Result<Tagged<(StatusCode, axum::Json<InstalledView>)>, Problem> {
    let (project, plugin) = named(&state, &project, &plugin).await?;
    let wanted = InstallPlugin {
        revision: body.revision,
        enabled: body.enabled,
        config: body.config,
        grants: body.grants.map(choice).transpose()?,
        routes: body.routes,
        limits: body.limits,
        condition,
    };
    let outcome = state
        .app
        .install_plugin(&caller.actor, project, &plugin, wanted)
        .await?;
    let view: InstallationView = state.app.installed_plugin(project, &plugin).await?.into();
    let status = if outcome.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(Tagged {
        tag: view.etag.clone(),
        answer: (
            status,
            axum::Json(InstalledView {
                view,
                migrations_applied: outcome.migrations,
            }),
        ),
    })
}

fn choice(grants: Grants) -> CoreResult<GrantsChoice> {
    match grants {
        Grants::Word(word) if word == "requested" => Ok(GrantsChoice::Requested),
        Grants::Word(_) => Err(Error::invalid(
            "unknown_grant",
            "`grants` is a list, or the word `requested`",
        )),
        Grants::These(texts) => texts
            .iter()
            .map(|text| text.parse::<Grant>())
            .collect::<CoreResult<_>>()
            .map(GrantsChoice::These),
    }
}
