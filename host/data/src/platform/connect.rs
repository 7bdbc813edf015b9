//! Opens the platform database.
//!
//! SQLite: a write-ahead log, one connection that writes and a few that only
//! read, so that reads never wait for a write. A commit has reached the
//! operating system before it is acknowledged, so it survives the process;
//! [`Synchronous::Full`] makes it survive a power failure too.
//! Postgres: one pool for everything.

use super::failure::failed;
use atlashub_core::{Clock, Error, Result, SystemClock};
use sea_orm::{
    DatabaseConnection, SqlxPostgresConnector, SqlxSqliteConnector,
    sqlx::{
        ConnectOptions as _, Connection as _,
        postgres::{PgConnectOptions, PgPoolOptions},
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};
use std::{path::Path, str::FromStr as _, sync::Arc, time::Duration};

/// Which database holds the platform's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// A SQLite file: one node.
    Sqlite,
    /// A Postgres database: any number of nodes.
    Postgres,
}

/// How far a commit on SQLite is carried before it is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// To the operating system: survives the end of the process.
    #[default]
    Normal,
    /// To the disk: survives a power failure. Slower.
    Full,
}

/// How the platform database is opened.
#[derive(Clone)]
pub struct PlatformOptions {
    /// Most connections: to Postgres, or for reading from SQLite.
    pub max_connections: u32,
    /// The longest wait for a connection, and for a locked SQLite file.
    pub busy_timeout: Duration,
    /// Durability on SQLite.
    pub synchronous: Synchronous,
    /// The longest that one statement may run on Postgres.
    pub statement_timeout: Duration,
    /// The most that one plugin's key-value pairs may take in one project,
    /// bytes, roughly.
    pub kv_bytes_per_plugin: u64,
    /// Tells the time for expiry and for `created_at`.
    pub clock: Arc<dyn Clock>,
}

impl Default for PlatformOptions {
    fn default() -> Self {
        Self {
            max_connections: 8,
            busy_timeout: Duration::from_secs(10),
            synchronous: Synchronous::default(),
            statement_timeout: Duration::from_secs(30),
            kv_bytes_per_plugin: 64 * 1024 * 1024,
            clock: Arc::new(SystemClock),
        }
    }
}

/// The pools behind a platform.
pub(super) struct Pools {
    pub(super) engine: Engine,
    /// Reads only, on SQLite.
    pub(super) read: DatabaseConnection,
    pub(super) write: DatabaseConnection,
    /// For a connection that listens, on Postgres.
    pub(super) listen: Option<PgConnectOptions>,
}

/// Opens the database that `url` names.
pub(super) async fn open(url: &str, options: &PlatformOptions) -> Result<Pools> {
    if let Some(rest) = url.strip_prefix("sqlite:") {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        if path.is_empty() || path == ":memory:" {
            return Err(Error::invalid(
                "invalid_database_url",
                "a SQLite database needs a file, write `sqlite:<path>`",
            ));
        }
        open_sqlite(Path::new(path), options).await
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        open_postgres(url, options).await
    } else {
        Err(Error::invalid(
            "invalid_database_url",
            "a database address starts with `sqlite:` or `postgres://`",
        ))
    }
}

async fn open_sqlite(path: &Path, options: &PlatformOptions) -> Result<Pools> {
    prepare_file(path)?;
    let common = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(options.busy_timeout)
        .foreign_keys(true)
        .disable_statement_logging();
    let writer = common
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match options.synchronous {
            Synchronous::Normal => SqliteSynchronous::Normal,
            Synchronous::Full => SqliteSynchronous::Full,
        })
        .pragma("journal_size_limit", "67108864");
    let write = SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(1)
        .acquire_timeout(options.busy_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(writer)
        .await
        .map_err(|error| cannot_open(error.into()))?;
    let read = SqlitePoolOptions::new()
        .max_connections(options.max_connections.clamp(1, 16))
        .acquire_timeout(options.busy_timeout)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(common.pragma("query_only", "ON"));
    Ok(Pools {
        engine: Engine::Sqlite,
        read: SqlxSqliteConnector::from_sqlx_sqlite_pool(read),
        write: SqlxSqliteConnector::from_sqlx_sqlite_pool(write),
        listen: None,
    })
}

/// Makes the folder and the file, the file readable by its owner alone.
fn prepare_file(path: &Path) -> Result<()> {
    let failed = |error: std::io::Error| cannot_open(error.into());
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = std::fs::OpenOptions::new();
    file.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(path).map(drop).map_err(failed)
}

async fn open_postgres(url: &str, options: &PlatformOptions) -> Result<Pools> {
    let listen = PgConnectOptions::from_str(url)
        .map_err(|error| {
            Error::invalid(
                "invalid_database_url",
                "the database address is not a valid `postgres://` address",
            )
            .with_source(error)
        })?
        .application_name("atlashub")
        .disable_statement_logging();
    let connect = listen.clone().options([(
        "statement_timeout",
        options.statement_timeout.as_millis().to_string(),
    )]);
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections.max(2))
        .acquire_timeout(options.busy_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, state| {
            // A connection used a moment ago is taken as alive.
            Box::pin(async move {
                if state.idle_for > Duration::from_secs(10) {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(connect)
        .await
        .map_err(|error| cannot_open(error.into()))?;
    let pool = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    Ok(Pools {
        engine: Engine::Postgres,
        read: pool.clone(),
        write: pool,
        listen: Some(listen),
    })
}

fn cannot_open(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::internal("open the platform database", error)
}

impl Pools {
    /// Whether the database answers.
    pub(super) async fn ping(&self) -> Result<()> {
        self.read
            .ping()
            .await
            .map_err(failed("reach the platform database"))
    }

    /// Ends all connections, after what is under way.
    pub(super) async fn close(&self) -> Result<()> {
        let context = failed("close the platform database");
        self.read.close_by_ref().await.map_err(&context)?;
        self.write.close_by_ref().await.map_err(&context)
    }
}
