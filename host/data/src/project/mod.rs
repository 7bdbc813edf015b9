//! Project databases: making and removing them, each plugin's schema in
//! them, and connections that can reach that schema and nothing else.
//!
//! Two engines stand behind one type. On SQLite a project is a folder and a
//! plugin's schema is a file of its own, the only one that its connections
//! have open. On Postgres a project is a database and a plugin's schema
//! belongs to a login role that has no other right. Isolation is the
//! database's work on both; no SQL text is parsed for it.
//!
//! Bounded by [`Options`] and by the limits in `capability::sql`. Who may
//! ask, quotas, and the platform's own tables are left to others.

pub mod archive;
mod lines;
mod migration;
pub mod moving;
mod pool;
mod postgres;
pub mod public;
pub mod schema;
mod sqlite;
mod text;

use async_trait::async_trait;
use atlashub_core::{
    Error, ErrorKind, Locations, ProjectId, Result,
    capability::{
        PluginScope,
        sql::{
            Dialect, MAX_PARAMETERS, MAX_SQL_BYTES, Sql, SqlCursor, SqlRows, SqlTransaction,
            SqlValue,
        },
    },
    manifest::Migration,
};
use secrecy::SecretString;
use std::{borrow::Cow, path::PathBuf, sync::Arc, time::Duration};

/// How much the project databases may use. The same for both engines.
#[derive(Clone, Debug)]
pub struct Options {
    /// Open connections over all projects; beyond it the least recently used
    /// idle one is closed. On Postgres it must stay below the server's own
    /// `max_connections`.
    pub max_connections: u32,
    /// Connections of one plugin: on SQLite readers beside the one writer,
    /// on Postgres all.
    pub connections_per_plugin: u32,
    /// An idle connection is closed after this.
    pub idle_time: Duration,
    /// How long a statement waits for a connection or a lock before
    /// `sql_busy`.
    pub queue_time: Duration,
    /// How long a statement may run before `sql_timeout`.
    pub statement_time: Duration,
    /// How long one statement of a migration may run.
    pub migration_time: Duration,
    /// SQLite: how long a read may hold the calling thread before it is
    /// started again on a thread for blocking work.
    pub inline_time: Duration,
    /// SQLite: the most bytes that one plugin's file may have.
    pub max_plugin_bytes: u64,
    /// Postgres: the folder of its client programs, which dump and load
    /// databases; `None` to look for them in `PATH`.
    pub client_programs: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 64,
            connections_per_plugin: 8,
            idle_time: Duration::from_secs(60),
            queue_time: Duration::from_secs(5),
            statement_time: Duration::from_secs(5),
            migration_time: Duration::from_secs(60),
            inline_time: Duration::from_millis(5),
            max_plugin_bytes: 16 * 1024 * 1024 * 1024,
            client_programs: None,
        }
    }
}

/// Keeps the passwords of the database roles, sealed.
///
/// A password is put before its role is made, so that a provisioning that
/// was cut short can be taken up again.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// The password of `role` in `project`, if one was put.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn get(&self, project: ProjectId, role: &str) -> Result<Option<SecretString>>;

    /// Keeps the password of `role`, unless there is one already; answers
    /// the one that stands.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn put(
        &self,
        project: ProjectId,
        role: &str,
        password: SecretString,
    ) -> Result<SecretString>;

    /// Forgets the passwords of `project`: of `role` alone when one is named.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn forget(&self, project: ProjectId, role: Option<&str>) -> Result<()>;
}

/// The databases of all projects. Cheap to clone.
///
/// Implements [`Sql`] for plugins. In a transaction any failed statement
/// ends it on both engines: what follows fails until it is rolled back.
#[derive(Clone)]
pub struct ProjectDatabases {
    engine: Arc<Engine>,
    versions: Arc<public::Versions>,
    /// Where databases lie that are not under their project's id.
    locations: Locations,
}

enum Engine {
    Sqlite(sqlite::SqliteProjects),
    Postgres(Box<postgres::PostgresProjects>),
}

impl ProjectDatabases {
    /// Keeps each project's databases as SQLite files in a folder of `root`.
    ///
    /// One process owns the folder: it holds an operating system lock on
    /// every file that it has open. After a kill of the process everything
    /// that was committed is there; after a loss of power the last commits
    /// may be missing, and the files are whole.
    #[must_use]
    pub fn sqlite(root: PathBuf, options: Options) -> Self {
        Self {
            engine: Arc::new(Engine::Sqlite(sqlite::SqliteProjects::new(root, options))),
            versions: Arc::default(),
            locations: Locations::default(),
        }
    }

    /// Keeps each project in a database of its own on the Postgres server
    /// (15 or later) of `admin_url`, whose user is a superuser or may create
    /// databases and roles. Must be called within the Tokio runtime.
    ///
    /// # Errors
    /// `invalid_database_url` when the address cannot be read.
    pub fn postgres(
        admin_url: &str,
        credentials: Arc<dyn CredentialStore>,
        options: Options,
    ) -> Result<Self> {
        let projects = postgres::PostgresProjects::new(admin_url, credentials, options)?;
        Ok(Self {
            engine: Arc::new(Engine::Postgres(Box::new(projects))),
            versions: Arc::default(),
            locations: Locations::default(),
        })
    }

    /// Where databases lie that are not under their project's id: whoever
    /// learns of a restored project says so here.
    #[must_use]
    pub fn locations(&self) -> &Locations {
        &self.locations
    }

    /// The same databases by the ids that they lie under.
    #[must_use]
    pub fn as_they_lie(&self) -> Self {
        Self {
            engine: Arc::clone(&self.engine),
            versions: Arc::default(),
            locations: Locations::default(),
        }
    }

    /// The id that the project's database lies under.
    fn at(&self, project: ProjectId) -> ProjectId {
        self.locations.of(project)
    }

    fn within<'a>(&self, scope: &'a PluginScope) -> Cow<'a, PluginScope> {
        let project = self.at(scope.project);
        if project == scope.project {
            return Cow::Borrowed(scope);
        }
        Cow::Owned(PluginScope {
            project,
            plugin: scope.plugin.clone(),
        })
    }

    /// Makes a project's database; whatever of it exists already is kept.
    ///
    /// # Errors
    /// When the database refuses; asking again takes the work up.
    pub async fn provision(&self, project: ProjectId) -> Result<()> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.provision(self.at(project)).await,
            Engine::Postgres(postgres) => postgres.provision(self.at(project)).await,
        }
    }

    /// Removes a project's database with everything in it, and its roles.
    ///
    /// # Errors
    /// When the database refuses; asking again takes the work up.
    pub async fn drop(&self, project: ProjectId) -> Result<()> {
        self.versions.remove(project);
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.remove(self.at(project)).await,
            Engine::Postgres(postgres) => postgres.remove(self.at(project)).await,
        }
    }

    /// Makes a plugin's schema in a project that was provisioned; one that
    /// exists is kept.
    ///
    /// # Errors
    /// When the database refuses; asking again takes the work up.
    pub async fn provision_plugin(&self, scope: &PluginScope) -> Result<()> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.provision_plugin(&self.within(scope)).await,
            Engine::Postgres(postgres) => postgres.provision_plugin(&self.within(scope)).await,
        }
    }

    /// Removes a plugin's schema with all its tables.
    ///
    /// # Errors
    /// `sql_busy` while its statements still run; asking again takes the
    /// work up.
    pub async fn drop_plugin(&self, scope: &PluginScope) -> Result<()> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.drop_plugin(&self.within(scope)).await,
            Engine::Postgres(postgres) => postgres.drop_plugin(&self.within(scope)).await,
        }
    }

    /// Runs those of a plugin's migrations that have not run yet, in order,
    /// each in a transaction with its record in the schema's table
    /// `_migrations`; answers their names.
    ///
    /// # Errors
    /// `migration_changed` when the text of one that ran is different now;
    /// `migration_failed` with the statement that failed, in which case that
    /// migration has changed nothing and those before it stand.
    pub async fn migrate_plugin(
        &self,
        scope: &PluginScope,
        migrations: &[Migration],
    ) -> Result<Vec<String>> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.migrate_plugin(&self.within(scope), migrations).await,
            Engine::Postgres(postgres) => {
                postgres
                    .migrate_plugin(&self.within(scope), migrations)
                    .await
            }
        }
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.open_connections(),
            Engine::Postgres(postgres) => postgres.open_connections(),
        }
    }

    /// Closes connections that nobody has used for `age`. Done by itself
    /// after [`Options::idle_time`].
    pub fn close_idle(&self, age: Duration) {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.close_idle(age),
            Engine::Postgres(postgres) => postgres.close_idle(age),
        }
    }
}

#[async_trait]
impl Sql for ProjectDatabases {
    fn dialect(&self) -> Dialect {
        match &*self.engine {
            Engine::Sqlite(_) => Dialect::Sqlite,
            Engine::Postgres(_) => Dialect::Postgres,
        }
    }

    async fn query(
        &self,
        scope: &PluginScope,
        sql: &str,
        parameters: Vec<SqlValue>,
    ) -> Result<SqlRows> {
        check_call(sql, &parameters)?;
        match &*self.engine {
            Engine::Sqlite(sqlite) => {
                sqlite
                    .query(&self.within(scope).as_ref().into(), sql, parameters)
                    .await
            }
            Engine::Postgres(postgres) => {
                postgres.query(&self.within(scope), sql, parameters).await
            }
        }
    }

    async fn execute(
        &self,
        scope: &PluginScope,
        sql: &str,
        parameters: Vec<SqlValue>,
    ) -> Result<u64> {
        check_call(sql, &parameters)?;
        match &*self.engine {
            Engine::Sqlite(sqlite) => {
                sqlite
                    .execute(&self.within(scope).as_ref().into(), sql, parameters)
                    .await
            }
            Engine::Postgres(postgres) => {
                postgres.execute(&self.within(scope), sql, parameters).await
            }
        }
    }

    async fn begin(&self, scope: &PluginScope) -> Result<Box<dyn SqlTransaction>> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.begin(&self.within(scope).as_ref().into()).await,
            Engine::Postgres(postgres) => postgres.begin(&self.within(scope)).await,
        }
    }

    async fn cursor(
        &self,
        scope: &PluginScope,
        sql: &str,
        parameters: Vec<SqlValue>,
    ) -> Result<Box<dyn SqlCursor>> {
        check_call(sql, &parameters)?;
        match &*self.engine {
            Engine::Sqlite(sqlite) => {
                sqlite
                    .cursor(&self.within(scope).as_ref().into(), sql, parameters)
                    .await
            }
            Engine::Postgres(postgres) => {
                postgres.cursor(&self.within(scope), sql, parameters).await
            }
        }
    }
}

/// Refuses a call that is too large to look at, or that no engine can take.
fn check_call(sql: &str, parameters: &[SqlValue]) -> Result<()> {
    let too_large = |message: String| Err(Error::new(ErrorKind::TooLarge, "sql_failed", message));
    if sql.len() > MAX_SQL_BYTES {
        return too_large(format!(
            "the statement is longer than {MAX_SQL_BYTES} bytes"
        ));
    }
    if parameters.len() > MAX_PARAMETERS {
        return too_large(format!(
            "the statement has more than {MAX_PARAMETERS} parameters"
        ));
    }
    if sql.contains('\0') {
        return Err(Error::invalid(
            "sql_syntax",
            "the statement contains a NUL character",
        ));
    }
    // SQLite would take it, Postgres cannot: both refuse alike.
    let has_nul = |value: &SqlValue| matches!(value, SqlValue::Text(text) if text.contains('\0'));
    if parameters.iter().any(has_nul) {
        return Err(Error::invalid(
            "sql_invalid_text",
            "a text value contains a NUL character: leave it out, or keep the value as bytes",
        ));
    }
    Ok(())
}

/// The error for a result of too many rows or bytes.
fn too_many_rows() -> Error {
    use atlashub_core::capability::sql::{MAX_RESULT_BYTES, MAX_ROWS};
    Error::new(
        ErrorKind::TooLarge,
        "sql_too_many_rows",
        format!(
            "the result has more than {MAX_ROWS} rows or {MAX_RESULT_BYTES} bytes: add a limit, \
             or read it with a cursor"
        ),
    )
}

/// The error for a statement that sorts or keeps more than it may on the way.
fn too_much_kept() -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "sql_failed",
        "the statement sorts or keeps too much on its way: read fewer rows, or with an index",
    )
}

/// The error for a value or row that does not fit into a page.
fn row_too_large() -> Error {
    use atlashub_core::capability::sql::MAX_RESULT_BYTES;
    Error::new(
        ErrorKind::TooLarge,
        "sql_too_many_rows",
        format!("a row has more than {MAX_RESULT_BYTES} bytes: select a part of it"),
    )
}

/// The error for a statement whose rows nobody could measure.
fn unmeasurable() -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "sql_too_many_rows",
        "the rows of a statement in parentheses that writes within `WITH` cannot be bounded: \
         write it without the parentheses",
    )
}

/// The error for a statement that ran too long.
fn timed_out() -> Error {
    Error::new(
        ErrorKind::DeadlineExceeded,
        "sql_timeout",
        "the statement took too long and was stopped",
    )
}

/// The error for what has to wait longer than it may.
fn busy(message: &str) -> Error {
    Error::new(ErrorKind::Unavailable, "sql_busy", message).with_retry_after(1)
}

/// The error for a statement that may only be the host's.
fn denied(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Forbidden, "sql_denied", message)
}

/// The error for a transaction on a plugin's own tables.
fn no_name() -> Error {
    Error::invalid(
        "not_supported",
        "only transactions on the project's tables have names",
    )
}

/// The error for a transaction in which a statement failed.
fn transaction_over() -> Error {
    Error::conflict(
        "sql_failed",
        "a statement of this transaction failed before: roll it back and begin again",
    )
}

/// The error for a plugin that has no schema.
fn not_provisioned(scope: &PluginScope) -> Error {
    Error::conflict(
        "sql_failed",
        format!(
            "the plugin `{}` has no schema in this project",
            scope.plugin
        ),
    )
}
