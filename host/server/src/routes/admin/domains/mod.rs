//! `/admin/v1/projects/{project}/domains`.

pub(crate) mod add;
pub(crate) mod list;
pub(crate) mod remove;

use atlashub_data::platform::Domain;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A host name of a project.
#[derive(Serialize, ToSchema)]
pub(crate) struct DomainView {
    /// The name.
    host: String,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<Domain> for DomainView {
    fn from(domain: Domain) -> Self {
        Self {
            host: domain.host,
            created_at: domain.created_at,
        }
    }
}
