//! The life of a plugin: the catalogue of revisions, installation in a
//! project, and what an admin sees of it.

mod assets;
mod builtin;
mod code;
pub(crate) mod config;
mod install;
mod remove;
mod schedules;
mod upload;
mod view;

pub use assets::{AssetBytes, RevisionAssets};
pub use builtin::BuiltIn;
pub use code::Code;
pub use install::{GrantsChoice, InstallOutcome, InstallPlugin};
pub use upload::{UploadOutcome, UploadPlugin};
pub use view::{Health, InstallationView};

use crate::directory::Directory;
use atlashub_data::{
    platform::{Platform, seal::Sealer},
    project::ProjectDatabases,
};
use atlashub_storage::Storage;
use std::sync::Arc;

/// The use cases around plugins; cheap to clone.
#[derive(Clone)]
pub struct Plugins {
    pub(crate) platform: Platform,
    pub(crate) databases: ProjectDatabases,
    pub(crate) storage: Storage,
    pub(crate) sealer: Sealer,
    pub(crate) code: Code,
    pub(crate) directory: Arc<Directory>,
}

impl Plugins {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        platform: Platform,
        databases: ProjectDatabases,
        storage: Storage,
        sealer: Sealer,
        code: Code,
        directory: Arc<Directory>,
    ) -> Self {
        Self {
            platform,
            databases,
            storage,
            sealer,
            code,
            directory,
        }
    }

    /// Where revisions' code comes from.
    #[must_use]
    pub fn code(&self) -> &Code {
        &self.code
    }
}
