//! A project's database as it goes into an archive and comes out of it.
//!
//! A [`Dump`] shows the database as it was at one moment while it goes on
//! changing: on SQLite each file through its backup interface, on Postgres
//! each schema through `pg_dump`. A load fills the database of a project
//! that was provisioned and that nobody uses yet, with the rights of its own
//! roles, so that nothing in a dump can do more than its project could.
//! Memory is bounded: what is on its way is a few chunks.

mod ids;
mod rename;

pub use ids::NewIds;
pub(in crate::project) use rename::Renaming;

use super::{Engine, ProjectDatabases};
use async_trait::async_trait;
use atlashub_core::{ProjectId, Result};
use bytes::Bytes;
use std::{path::Path, sync::Arc};

/// Bytes handed on at once.
pub(in crate::project) const CHUNK: usize = 256 * 1024;

/// What is loaded, and what becomes of the names in it.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The id under which the database lay that was dumped.
    pub from: ProjectId,
    /// End users who get other ids, wherever those stand as text.
    pub ids: Option<Arc<NewIds>>,
}

/// A project's database at one moment. Ends with this.
#[async_trait]
pub trait Dump: Send {
    /// The next part; `None` after the last.
    ///
    /// # Errors
    /// When the database or its programs cannot.
    async fn next(&mut self) -> Result<Option<Box<dyn DumpPart>>>;
}

/// One part of a dump.
#[async_trait]
pub trait DumpPart: Send {
    /// What it is called: names it for the load.
    fn name(&self) -> &str;

    /// The next bytes; `None` when all were read and the part is whole.
    ///
    /// # Errors
    /// When the part broke off.
    async fn read(&mut self) -> Result<Option<Bytes>>;
}

/// A part on its way into a database.
#[async_trait]
pub trait LoadPart: Send {
    /// Takes in bytes.
    ///
    /// # Errors
    /// When the database cannot.
    async fn write(&mut self, bytes: Bytes) -> Result<()>;

    /// Ends the part, and checks what can be checked of it.
    ///
    /// # Errors
    /// `archive_damaged` when it is not whole.
    async fn finish(self: Box<Self>) -> Result<()>;
}

impl ProjectDatabases {
    /// Looks at a project's database as it is at this moment. `scratch` is a
    /// folder for what has to lie somewhere meanwhile.
    ///
    /// # Errors
    /// `backup_tools_missing`, or when the database cannot.
    pub async fn dump(&self, project: ProjectId, scratch: &Path) -> Result<Box<dyn Dump>> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.dump(self.at(project), scratch).await,
            Engine::Postgres(postgres) => postgres.dump(self.at(project)).await,
        }
    }

    /// Begins to load the part `name` into the database of `project`, which
    /// was provisioned and is not in use.
    ///
    /// # Errors
    /// `archive_damaged` when there can be no such part.
    pub async fn load(
        &self,
        project: ProjectId,
        name: &str,
        options: &LoadOptions,
    ) -> Result<Box<dyn LoadPart>> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.load(self.at(project), name, options).await,
            Engine::Postgres(postgres) => postgres.load(self.at(project), name, options).await,
        }
    }

    /// Says that all parts are loaded: callers are let in again as before.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn finish_load(&self, project: ProjectId) -> Result<()> {
        match &*self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(postgres) => postgres.finish_load(self.at(project)).await,
        }
    }

    /// Keeps a project's database to the host itself: nodes that have not
    /// heard yet that it is closed cannot write into it. On SQLite there is no
    /// other node.
    ///
    /// # Errors
    /// When the database server cannot.
    pub async fn fence(&self, project: ProjectId) -> Result<()> {
        match &*self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(postgres) => postgres.fence(self.at(project)).await,
        }
    }

    /// Opens what [`fence`](Self::fence) closed; fine when nothing did.
    ///
    /// # Errors
    /// When the database server cannot.
    pub async fn unfence(&self, project: ProjectId) -> Result<()> {
        match &*self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(postgres) => postgres.unfence(self.at(project)).await,
        }
    }

    /// Whether there is a database under this id, whoever made it.
    ///
    /// # Errors
    /// When the database server cannot be asked.
    pub async fn is_there(&self, project: ProjectId) -> Result<bool> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.is_there(self.at(project)).await,
            Engine::Postgres(postgres) => postgres.is_there(self.at(project)).await,
        }
    }

    /// Says that dumps can be made and loaded here.
    ///
    /// # Errors
    /// `backup_tools_missing` with what to install.
    pub async fn check_tools(&self) -> Result<()> {
        match &*self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(postgres) => postgres.check_tools().await,
        }
    }
}
