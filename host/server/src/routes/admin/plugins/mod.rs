//! `/admin/v1/plugins`: the catalogue.

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod upload;

use atlashub_core::{BuiltInRole, Limits, Manifest};
use atlashub_data::platform::Revision;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// What users may be allowed to do in a plugin.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct DeclaredPermission {
    /// `<plugin>:<action>`.
    permission: String,
    /// What it allows.
    title: String,
    /// The built-in roles that hold it, beside `admin`.
    #[schema(value_type = Vec<String>)]
    roles: Vec<BuiltInRole>,
}

impl DeclaredPermission {
    /// Those that a manifest declares.
    pub(crate) fn all(manifest: &Manifest) -> Vec<Self> {
        let shown = |declared: &atlashub_core::permission::Declaration| Self {
            permission: format!("{}:{}", manifest.name, declared.action),
            title: declared.title.clone(),
            roles: declared.roles.clone(),
        };
        manifest.permissions.iter().map(shown).collect()
    }
}

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
    /// What users may be allowed to do in it.
    permissions: Vec<DeclaredPermission>,
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
            permissions: DeclaredPermission::all(&manifest),
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
