//! What plugins can ask of the host, as traits with plain types. The runtime
//! translates WIT calls into these after checking the grant; `data`,
//! `storage` and `app` implement them.

pub mod audit;
pub mod blob;
pub mod bulk;
pub mod channel;
pub mod check;
pub mod database;
pub mod definitions;
pub mod events;
pub mod jobs;
pub mod kv;
pub mod log;
pub mod mail;
pub mod sealing;
pub mod sign_in;
pub mod sql;
pub mod users;

use crate::{PluginName, ProjectId};

/// On whose behalf a capability is used. The project is never a guest's to
/// name: the host knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PluginScope {
    /// The project.
    pub project: ProjectId,
    /// The plugin within it.
    pub plugin: PluginName,
}
