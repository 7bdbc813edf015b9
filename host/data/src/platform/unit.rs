//! Where a repository's statements run, and units of work.
//!
//! A repository made from a [`Platform`] commits each call by itself; one
//! made from a [`Unit`] takes part in that unit, which commits as a whole.
//! Changes that other nodes must take up are collected and written at the
//! very end of the outermost unit, so that the feed's lock is held briefly
//! and no row lock is taken after it.

use super::{
    Admins, AppPasswords, Audit, AuthProviders, AuthStore, Backups, Buckets, Changes,
    ChannelMessages, Credentials, DirectUploads, Domains, Engine, IdempotencyKeys, Identities,
    Installations, Invitations, Keys, KvStore, Nodes, OAuthCodes, OAuthSignIns, OneTimeTokens,
    Platform, PluginLogs, ProjectMigrations, Projects, Queue, Requests, Revisions, Roles,
    SavedQueries, Schedules, Series, Sessions, SqlHistory, Tries, Usage, UserSessions, Users,
    changes::{self, NewChange},
    failure::failed,
    instant,
};
use atlashub_core::Result;
use parking_lot::Mutex;
use sea_orm::{
    ConnectionTrait as _, DatabaseExecutor, DatabaseTransaction, DbBackend, DbErr, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _, Value,
};
use std::sync::Arc;

/// Several changes that take effect together or not at all. Dropped without
/// [`commit`](Unit::commit), it leaves nothing behind.
///
/// On SQLite it holds the only connection that writes: keep it short, and do
/// no other I/O inside.
pub struct Unit {
    platform: Platform,
    transaction: DatabaseTransaction,
    changes: Arc<Mutex<Vec<NewChange>>>,
    parent: Option<Arc<Mutex<Vec<NewChange>>>>,
}

impl Unit {
    /// Makes everything done in this unit last, and tells other nodes.
    ///
    /// # Errors
    /// When the database cannot; then nothing of it has happened.
    pub async fn commit(self) -> Result<()> {
        let changes = std::mem::take(&mut *self.changes.lock());
        let announces = !changes.is_empty();
        match &self.parent {
            Some(parent) => parent.lock().extend(changes),
            None => changes::append(&self, changes).await?,
        }
        self.transaction
            .commit()
            .await
            .map_err(failed("commit a change"))?;
        if announces && self.parent.is_none() {
            self.platform.hint();
        }
        Ok(())
    }

    /// Takes back everything done in this unit.
    ///
    /// # Errors
    /// When the database cannot be reached; it takes the changes back itself.
    pub async fn roll_back(self) -> Result<()> {
        self.transaction
            .rollback()
            .await
            .map_err(failed("take a change back"))
    }

    /// Tells other nodes of `change` once this unit has been committed.
    pub(super) fn announce(&self, change: NewChange) {
        self.changes.lock().push(change);
    }

    /// Where this unit's statements run.
    pub(super) fn executor(&self) -> DatabaseExecutor<'_> {
        DatabaseExecutor::Transaction(&self.transaction)
    }

    /// The database at hand.
    pub(super) fn engine(&self) -> Engine {
        self.platform.engine()
    }

    /// Runs a statement that Postgres alone knows, and nothing elsewhere.
    pub(super) async fn on_postgres(&self, sql: &'static str) -> Result<(), DbErr> {
        if self.engine() == Engine::Postgres {
            self.executor()
                .execute_raw(statement(Engine::Postgres, sql, []))
                .await?;
        }
        Ok(())
    }

    /// Now, as rows have it: microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn now(&self) -> i64 {
        instant::to_micros(self.platform.now())
    }
}

/// Where a repository runs.
#[derive(Clone, Copy)]
pub(super) enum Db<'a> {
    /// Each call by itself.
    Pool(&'a Platform),
    /// Within a unit of work.
    Unit(&'a Unit),
}

impl<'a> Db<'a> {
    /// For statements that only read.
    pub(super) fn read(self) -> DatabaseExecutor<'a> {
        match self {
            Self::Pool(platform) => DatabaseExecutor::Connection(&platform.pools().read),
            Self::Unit(unit) => unit.executor(),
        }
    }

    /// For a single statement that writes and announces nothing.
    pub(super) fn write(self) -> DatabaseExecutor<'a> {
        match self {
            Self::Pool(platform) => DatabaseExecutor::Connection(&platform.pools().write),
            Self::Unit(unit) => unit.executor(),
        }
    }

    /// A unit of work, within the one at hand if there is one.
    pub(super) async fn begin(self) -> Result<Unit> {
        let options = TransactionOptions {
            // A deferred transaction that writes after reading could find the
            // file changed and fail; an immediate one waits for its turn.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let (platform, parent) = match self {
            Self::Pool(platform) => (platform.clone(), None),
            Self::Unit(unit) => (unit.platform.clone(), Some(Arc::clone(&unit.changes))),
        };
        let transaction = self
            .write()
            .begin_with_options(options)
            .await
            .map_err(failed("begin a change"))?;
        Ok(Unit {
            platform,
            transaction,
            changes: Arc::default(),
            parent,
        })
    }

    /// The platform.
    pub(super) fn platform(self) -> &'a Platform {
        match self {
            Self::Pool(platform) => platform,
            Self::Unit(unit) => &unit.platform,
        }
    }

    /// The database at hand.
    pub(super) fn engine(self) -> Engine {
        self.platform().engine()
    }

    /// The database at hand, as queries are built for it.
    pub(super) fn backend(self) -> DbBackend {
        backend(self.engine())
    }

    /// The stored form of now.
    pub(super) fn now(self) -> i64 {
        instant::to_micros(self.platform().now())
    }
}

/// A statement in the SQL that both engines share, its parameters written
/// `$1`, `$2`, …
pub(super) fn statement(
    engine: Engine,
    sql: &'static str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(backend(engine), sql, values)
}

/// As [`statement`], for one that is put together once, of the host's own
/// words alone.
pub(super) fn dynamic(
    engine: Engine,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(backend(engine), sql, values)
}

fn backend(engine: Engine) -> DbBackend {
    match engine {
        Engine::Sqlite => DbBackend::Sqlite,
        Engine::Postgres => DbBackend::Postgres,
    }
}

/// Runs a statement that changes one row and returns of it. All rows are
/// fetched: on SQLite a statement that writes has taken effect for others
/// only when it has run to its end.
pub(super) async fn returning(
    executor: &DatabaseExecutor<'_>,
    statement: Statement,
) -> Result<Option<QueryResult>, sea_orm::DbErr> {
    Ok(executor.query_all_raw(statement).await?.pop())
}

macro_rules! repositories {
    ($($(#[$doc:meta])* $method:ident: $repository:ident),+ $(,)?) => {
        impl Platform {
            $($(#[$doc])*
            #[must_use]
            pub fn $method(&self) -> $repository<'_> {
                $repository::new(Db::Pool(self))
            })+
        }

        impl Unit {
            $($(#[$doc])*
            #[must_use]
            pub fn $method(&self) -> $repository<'_> {
                $repository::new(Db::Unit(self))
            })+
        }
    };
}

repositories! {
    /// Projects.
    projects: Projects,
    /// Host names of projects.
    domains: Domains,
    /// API keys.
    keys: Keys,
    /// Platform admins.
    admins: Admins,
    /// Invitations of platform admins.
    invitations: Invitations,
    /// Sessions of platform admins.
    sessions: Sessions,
    /// Plugin revisions.
    revisions: Revisions,
    /// Plugins installed in projects, and their history.
    installations: Installations,
    /// Buckets.
    buckets: Buckets,
    /// Backups, the work on them, policies.
    backups: Backups,
    /// Storage in use, limits and reservations.
    usage: Usage,
    /// Uploads that were announced.
    direct_uploads: DirectUploads,
    /// Small values of plugins.
    kv: KvStore,
    /// Log lines of plugins.
    plugin_logs: PluginLogs,
    /// Requests that projects were asked.
    requests: Requests,
    /// The audit.
    audit: Audit,
    /// Answers kept for `Idempotency-Key`.
    idempotency: IdempotencyKeys,
    /// What other nodes must take up.
    changes: Changes,
    /// Messages to held streams.
    channel_messages: ChannelMessages,
    /// Tries at signing in and the like.
    tries: Tries,
    /// The nodes that are up.
    nodes: Nodes,
    /// Work that plugins are to do.
    queue: Queue,
    /// Times at which jobs come by themselves.
    schedules: Schedules,
    /// What projects did over time.
    series: Series,
    /// Changes to projects' tables.
    project_migrations: ProjectMigrations,
    /// What the SQL editor ran.
    sql_history: SqlHistory,
    /// Statements that were kept to be run again.
    saved_queries: SavedQueries,
    /// Sealed passwords of database roles.
    credentials: Credentials,
    /// End users of projects.
    users: Users,
    /// Roles that projects made.
    roles: Roles,
    /// Sessions of end users, and their refresh tokens.
    user_sessions: UserSessions,
    /// Passwords that end users made for single programs.
    app_passwords: AppPasswords,
    /// Tokens that were sent to end users by mail.
    one_time_tokens: OneTimeTokens,
    /// Who end users are elsewhere.
    identities: Identities,
    /// With whom end users may sign in.
    auth_providers: AuthProviders,
    /// Sign-ins with others that are under way.
    oauth_sign_ins: OAuthSignIns,
    /// Codes that end such sign-ins.
    oauth_codes: OAuthCodes,
    /// How end users get in, and the keys that sign their tokens.
    auth: AuthStore,
}
