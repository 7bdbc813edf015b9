//! `/admin/v1/projects`.

pub(crate) mod check;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod quota;
pub(crate) mod requests;
pub(crate) mod update;
pub(crate) mod usage;

use crate::state::HostState;
use atlashub_app::BegunProvided;
use atlashub_data::platform::Project;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A project.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectView {
    /// Its id.
    id: Uuid,
    /// Its name in addresses.
    slug: String,
    /// Its display name.
    name: String,
    /// What its addresses start with.
    url: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl ProjectView {
    fn of(state: &HostState, project: Project) -> Self {
        Self {
            id: *project.id.as_uuid(),
            url: state.app.directory().public_url(&project.slug),
            slug: project.slug.into(),
            name: project.name,
            created_at: project.created_at,
            updated_at: project.updated_at,
        }
    }
}

/// A job that one of the project's plugins does for the platform.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProvidedJobView {
    /// The plugin.
    plugin: String,
    /// The job, in the queue.
    job: Uuid,
}

impl From<BegunProvided> for ProvidedJobView {
    fn from(begun: BegunProvided) -> Self {
        Self {
            plugin: begun.plugin.to_string(),
            job: *begun.job.as_uuid(),
        }
    }
}
