//! `/admin/v1/plugins`: the catalogue.

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod upload;

use atlashub_core::Limits;
use atlashub_data::platform::Revision;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A revision of a plugin.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct RevisionView {
    /// The revision's id.
    id: Uuid,
    /// The plugin's name.
    name: String,
    /// The version its manifest states.
    version: String,
    /// What the plugin does.
    description: String,
    /// SHA-256 of the component.
    digest: String,
    /// Size of the component.
    size_bytes: u64,
    /// Whether it came with the host.
    built_in: bool,
    /// Interfaces it imports.
    imports: Vec<String>,
    /// Interfaces it exports.
    exports: Vec<String>,
    /// Addresses it answers.
    routes: Vec<String>,
    /// What it asks for.
    grants: Vec<String>,
    /// What it may use unless an admin says otherwise.
    #[schema(value_type = Object)]
    limits: Limits,
    /// JSON Schema of its configuration.
    #[schema(value_type = Option<Object>)]
    config_schema: Option<Value>,
    /// Names of its migrations.
    migrations: Vec<String>,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<Revision> for RevisionView {
    fn from(revision: Revision) -> Self {
        let manifest = revision.manifest;
        Self {
            id: *revision.id.as_uuid(),
            name: manifest.name.into(),
            version: manifest.version.to_string(),
            description: manifest.description,
            digest: revision.digest.to_string(),
            size_bytes: revision.size_bytes,
            built_in: revision.builtin,
            imports: revision.imports,
            exports: revision.exports,
            routes: manifest
                .routes
                .into_iter()
                .map(|route| route.path)
                .collect(),
            grants: manifest.grants.iter().map(ToString::to_string).collect(),
            limits: manifest.limits,
            config_schema: manifest.config_schema,
            migrations: manifest
                .migrations
                .into_iter()
                .map(|step| step.name)
                .collect(),
            created_at: revision.created_at,
        }
    }
}
