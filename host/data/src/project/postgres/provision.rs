//! Making and removing databases, schemas and roles, and logging in as a
//! plugin's role or one of the project's. All of it runs as the server's admin and can be taken up
//! again where it was cut short.

use super::{
    error::{is_connect_denied, is_database_missing, is_login_refused},
    names::{self, literal, quoted},
    public::prepare,
    session::Session,
};
use crate::project::{
    CredentialStore, Options, busy, denied,
    pool::{Place, Side},
};
use atlashub_core::{Error, ErrorKind, ProjectId, Result, capability::PluginScope, token};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Admin connections at most.
const ADMIN_CONNECTIONS: u32 = 4;
/// Provisionings at once: each holds a connection for its lock and needs
/// another for its statements, which those that hold one must leave it.
const AT_ONCE: usize = ADMIN_CONNECTIONS as usize / 2;
/// How long a provisioning waits for its turn. It is rare, and whoever asks
/// for it would ask again.
const TURN: Duration = Duration::from_secs(60);
/// How long a statement of the admin waits for a connection. What needs one
/// is rare and long: databases are made meanwhile, and a machine under load
/// takes its time.
const ADMIN_WAIT: Duration = Duration::from_secs(30);
/// An admin connection that nobody uses is closed after this.
const ADMIN_IDLE: Duration = Duration::from_secs(60);
/// A plugin's transaction that does nothing for so long is ended.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(60);
/// Statements that a session keeps prepared.
const CACHED_STATEMENTS: usize = 64;
/// Temporary files of one session at most.
const TEMPORARY_FILES: &str = "256MB";

/// What everyone may read by default and could tell of other projects.
const CATALOG: &str = "DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['pg_database', 'pg_roles', 'pg_user', 'pg_group',
    'pg_auth_members', 'pg_db_role_setting', 'pg_tablespace', 'pg_shdepend',
    'pg_shdescription', 'pg_shseclabel', 'pg_seclabels', 'pg_settings',
    'pg_stat_activity', 'pg_stat_database', 'pg_stat_database_conflicts', 'pg_locks',
    'pg_prepared_xacts', 'pg_stat_replication', 'pg_replication_slots', 'pg_stat_ssl',
    'pg_stat_gssapi', 'pg_stat_progress_analyze', 'pg_stat_progress_basebackup',
    'pg_stat_progress_cluster', 'pg_stat_progress_copy', 'pg_stat_progress_create_index',
    'pg_stat_progress_vacuum', 'pg_stat_wal_receiver', 'pg_stat_subscription'] LOOP
    BEGIN
      EXECUTE format('REVOKE ALL ON pg_catalog.%I FROM PUBLIC', name);
    EXCEPTION WHEN insufficient_privilege OR undefined_table THEN NULL;
    END;
  END LOOP;
  FOREACH name IN ARRAY ARRAY['pg_stat_get_activity(integer)', 'pg_lock_status()',
    'pg_prepared_xact()', 'set_config(text, text, boolean)', 'pg_cancel_backend(integer)',
    'pg_terminate_backend(integer, bigint)', 'pg_notify(text, text)', 'lo_creat(integer)', 'lo_create(oid)',
    'lo_from_bytea(oid, bytea)', 'pg_show_all_settings()'] LOOP
    BEGIN
      EXECUTE 'REVOKE ALL ON FUNCTION pg_catalog.' || name || ' FROM PUBLIC';
    EXCEPTION WHEN insufficient_privilege OR undefined_function THEN NULL;
    END;
  END LOOP;
END $$";

/// The server's admin.
pub(super) struct Admin {
    url: url::Url,
    options: PgConnectOptions,
    pool: PgPool,
    turns: Arc<Semaphore>,
    credentials: Arc<dyn CredentialStore>,
    limits: Options,
}

/// That a project is provisioned by nobody else, as long as it is held.
struct Alone {
    _lock: sqlx::Transaction<'static, sqlx::Postgres>,
    _turn: OwnedSemaphorePermit,
}

/// How long a statement waits for a lock: less than it may take, so that one
/// that waited is told to come again, and not that it was too slow.
fn lock_time(limits: &Options) -> Duration {
    limits.queue_time.min(limits.statement_time * 9 / 10)
}

impl Admin {
    pub(super) fn new(
        url: &str,
        credentials: Arc<dyn CredentialStore>,
        limits: &Options,
    ) -> Result<Self> {
        let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| {
            Error::invalid(
                "invalid_database_url",
                "the database address cannot be read",
            )
            .with_source(error)
        })?;
        let options = options
            .application_name("atlashub")
            .disable_statement_logging();
        let url = url::Url::parse(url).map_err(|error| {
            Error::invalid(
                "invalid_database_url",
                "the database address cannot be read",
            )
            .with_source(error)
        })?;
        let pool = PgPoolOptions::new()
            .max_connections(ADMIN_CONNECTIONS)
            .acquire_timeout(ADMIN_WAIT)
            .idle_timeout(ADMIN_IDLE)
            .connect_lazy_with(options.clone());
        Ok(Self {
            url,
            options,
            pool,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            credentials,
            limits: limits.clone(),
        })
    }

    /// The server's address, as it was given.
    pub(super) fn url(&self) -> &url::Url {
        &self.url
    }

    /// Connections to the platform's own database.
    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// How much may be used.
    pub(super) fn limits(&self) -> &Options {
        &self.limits
    }

    /// The password of a role that was made.
    pub(super) async fn password(&self, project: ProjectId, role: &str) -> Result<SecretString> {
        let kept = self.credentials.get(project, role).await?;
        kept.ok_or_else(|| Error::internal("log in as a role", "no password is kept of it"))
    }

    /// The project's database with its three roles.
    pub(super) async fn provision(&self, project: ProjectId) -> Result<()> {
        let _lock = self.lock(project).await?;
        let database = names::database(project);
        let roles = [
            names::owner(project),
            names::app(project),
            names::service(project),
        ];
        for role in &roles {
            self.ensure_role(project, role).await?;
        }
        if !self.exists(project).await? {
            let create = format!(
                "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'",
                quoted(&database)
            );
            run(&self.pool, &create).await?;
        }
        let name = quoted(&database);
        run(
            &self.pool,
            &format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC"),
        )
        .await?;
        run(
            &self.pool,
            &format!(
                "GRANT CONNECT ON DATABASE {name} TO {}",
                roles.each_ref().map(|role| quoted(role)).join(", ")
            ),
        )
        .await?;
        let mut inside = self.connect(&database).await.map_err(failed)?;
        for statement in prepare::database(project) {
            run(&mut inside, &statement).await?;
        }
        run(&mut inside, CATALOG).await?;
        inside.close().await.map_err(failed)
    }

    pub(super) async fn exists(&self, project: ProjectId) -> Result<bool> {
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(names::database(project))
            .fetch_one(&self.pool)
            .await
            .map_err(failed)
    }

    /// Removes the database and all roles of the project.
    pub(super) async fn remove(&self, project: ProjectId) -> Result<()> {
        let _lock = self.lock(project).await?;
        let database = quoted(&names::database(project));
        run(
            &self.pool,
            &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"),
        )
        .await?;
        let [own, hashed] = names::role_prefixes(project);
        let roles: Vec<String> = sqlx::query_scalar(
            "SELECT rolname::text FROM pg_roles \
             WHERE starts_with(rolname, $1) OR starts_with(rolname, $2)",
        )
        .bind(own)
        .bind(hashed)
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        for role in roles {
            self.drop_role(&role).await?;
        }
        self.credentials.forget(project, None).await
    }

    /// Removes a role, and first what other projects' databases say of it: who
    /// owns tables can name any role of the server in a policy or a grant, and
    /// one that is named anywhere cannot be removed.
    async fn drop_role(&self, role: &str) -> Result<()> {
        let naming: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT datname::text FROM pg_shdepend \
             JOIN pg_database ON pg_database.oid = pg_shdepend.dbid \
             JOIN pg_roles ON pg_roles.oid = pg_shdepend.refobjid \
             WHERE refclassid = 'pg_authid'::regclass AND rolname = $1",
        )
        .bind(role)
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        let role = quoted(role);
        for database in naming {
            match self.connect(&database).await {
                Ok(mut inside) => {
                    run(&mut inside, &format!("DROP OWNED BY {role} CASCADE")).await?;
                    inside.close().await.map_err(failed)?;
                }
                Err(error) if is_database_missing(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        run(&self.pool, &format!("DROP ROLE IF EXISTS {role}")).await
    }

    /// A plugin's schema and role.
    pub(super) async fn provision_plugin(&self, scope: &PluginScope) -> Result<()> {
        let _lock = self.lock(scope.project).await?;
        let (database, role) = (names::database(scope.project), names::plugin(scope));
        self.ensure_role(scope.project, &role).await?;
        let schema = scope.plugin.schema();
        let quoted_role = quoted(&role);
        for statement in [
            format!(
                "GRANT CONNECT ON DATABASE {} TO {quoted_role}",
                quoted(&database)
            ),
            format!(
                "COMMENT ON ROLE {quoted_role} IS {}",
                literal(&format!(
                    "plugin {} of project {}",
                    scope.plugin, scope.project
                ))
            ),
        ] {
            run(&self.pool, &statement).await?;
        }
        let mut inside = self.connect(&database).await.map_err(|error| {
            if is_database_missing(&error) {
                return Error::not_found(format!("the database of project {}", scope.project));
            }
            failed(error)
        })?;
        run(
            &mut inside,
            &format!(
                "CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {quoted_role}",
                quoted(&schema)
            ),
        )
        .await?;
        inside.close().await.map_err(failed)
    }

    /// Removes a plugin's schema and role.
    pub(super) async fn drop_plugin(&self, scope: &PluginScope) -> Result<()> {
        let _lock = self.lock(scope.project).await?;
        let (database, role) = (names::database(scope.project), names::plugin(scope));
        let known: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
                .bind(&role)
                .fetch_one(&self.pool)
                .await
                .map_err(failed)?;
        if known {
            sqlx::query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1",
            )
            .bind(&role)
            .execute(&self.pool)
            .await
            .map_err(failed)?;
            let quoted_role = quoted(&role);
            match self.connect(&database).await {
                Ok(mut inside) => {
                    let schema = quoted(&scope.plugin.schema());
                    run(
                        &mut inside,
                        &format!("DROP SCHEMA IF EXISTS {schema} CASCADE"),
                    )
                    .await?;
                    run(&mut inside, &format!("DROP OWNED BY {quoted_role} CASCADE")).await?;
                    inside.close().await.map_err(failed)?;
                }
                Err(error) if is_database_missing(&error) => {}
                Err(error) => return Err(failed(error)),
            }
            self.drop_role(&role).await?;
        }
        self.credentials.forget(scope.project, Some(&role)).await
    }

    /// Logs in as the role of that place; `None` when there is no such
    /// plugin's schema or project.
    pub(super) async fn open_session(&self, place: &Place) -> Result<Option<Session>> {
        let project = place.project();
        let (role, path) = match place {
            Place::Plugin(scope) => (names::plugin(scope), scope.plugin.schema()),
            Place::Public(_, side) => (
                match side {
                    Side::Owner => names::owner(project),
                    Side::Service => names::service(project),
                    Side::Bound => names::app(project),
                },
                format!("public,{}", prepare::SCHEMA),
            ),
        };
        let mut password = self.credentials.get(project, &role).await?;
        if password.is_none() && matches!(place, Place::Public(..)) && self.exists(project).await? {
            // A project that was made before there was such a role.
            self.provision(project).await?;
            password = self.credentials.get(project, &role).await?;
        }
        let Some(password) = password else {
            return Ok(None);
        };
        let milliseconds = |time: Duration| time.as_millis().to_string();
        // Settings of the connection's start outrank those of the role, which
        // the role itself could change.
        let options = self
            .options
            .clone()
            .database(&names::database(project))
            .username(&role)
            .password(password.expose_secret())
            .application_name("atlashub plugin")
            .statement_cache_capacity(CACHED_STATEMENTS)
            .options([
                ("search_path", path),
                (
                    "statement_timeout",
                    milliseconds(self.limits.statement_time),
                ),
                ("lock_timeout", milliseconds(lock_time(&self.limits))),
                (
                    "idle_in_transaction_session_timeout",
                    milliseconds(IDLE_IN_TRANSACTION),
                ),
                ("timezone", "UTC".to_owned()),
            ]);
        let mut connected = PgConnection::connect_with(&options).await;
        if let Err(error) = &connected
            && is_login_refused(error)
        {
            // A role can change its own password; it gets the kept one back.
            self.ensure_role(project, &role).await?;
            connected = PgConnection::connect_with(&options).await;
        }
        if let Err(error) = &connected
            && is_connect_denied(error)
            && matches!(place, Place::Public(..))
        {
            // A role can give up its own rights; it gets them back.
            self.provision(project).await?;
            connected = PgConnection::connect_with(&options).await;
        }
        match connected {
            Ok(mut connection) => {
                if *place == Place::Public(project, Side::Bound) {
                    settings_are_safe(&mut connection).await?;
                }
                let time = self.limits.statement_time;
                let session = Session::new(connection, role, self.pool.clone(), time).await;
                session.map(Some).map_err(failed)
            }
            Err(error) if is_database_missing(&error) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// A connection of the admin to another database.
    pub(super) async fn connect(&self, database: &str) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect_with(&self.options.clone().database(database)).await
    }

    /// A connection of the admin to the platform's own database.
    pub(super) async fn connect_to_platform(&self) -> Result<PgConnection> {
        PgConnection::connect_with(&self.options)
            .await
            .map_err(failed)
    }

    /// How somebody connects to a database of this server.
    pub(super) fn options_of(&self, database: &str) -> PgConnectOptions {
        self.options.clone().database(database)
    }

    /// Makes a login role with the password that is kept of it, or one made
    /// now.
    async fn ensure_role(&self, project: ProjectId, role: &str) -> Result<()> {
        let password = match self.credentials.get(project, role).await? {
            Some(password) => password,
            None => {
                let fresh = SecretString::from(token::generate("")?);
                self.credentials.put(project, role, fresh).await?
            }
        };
        let exists: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
                .bind(role)
                .fetch_one(&self.pool)
                .await
                .map_err(failed)?;
        let name = quoted(role);
        let verb = if exists { "ALTER" } else { "CREATE" };
        let statement = format!(
            "{verb} ROLE {name} LOGIN NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD {}",
            literal(password.expose_secret())
        );
        run(&self.pool, &statement).await?;
        // Only a superuser may set this one; without it the disk is the limit.
        let bounded = format!("ALTER ROLE {name} SET temp_file_limit = '{TEMPORARY_FILES}'");
        if let Err(error) = run(&self.pool, &bounded).await {
            tracing::debug!(?error, role, "the role's temporary files are not bounded");
        }
        Ok(())
    }

    /// One provisioning of a project at a time, over all nodes. Dropping the
    /// answer ends the lock.
    async fn lock(&self, project: ProjectId) -> Result<Alone> {
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.turns).acquire_owned());
        let turn = turn
            .await
            .map_err(|_| busy("too many projects and plugins are being set up"))?
            .map_err(|error| Error::internal("wait to provision a project", error))?;
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(names::database(project))
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        Ok(Alone {
            _lock: transaction,
            _turn: turn,
        })
    }
}

/// Refuses to let bound callers in where their statements could change who
/// they are.
async fn settings_are_safe(connection: &mut PgConnection) -> Result<()> {
    let unsafe_here: bool = sqlx::query_scalar(
        "SELECT has_function_privilege('pg_catalog.set_config(text, text, boolean)', 'EXECUTE')",
    )
    .fetch_one(connection)
    .await
    .map_err(failed)?;
    if unsafe_here {
        return Err(denied(
            "the database server's user must be a superuser, to keep callers from changing settings",
        ));
    }
    Ok(())
}

/// Runs the host's own text; its names are quoted by the caller.
pub(super) async fn run<'c>(
    executor: impl sqlx::Executor<'c, Database = sqlx::Postgres>,
    sql: &str,
) -> Result<()> {
    executor
        .execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
        .map(drop)
        .map_err(failed)
}

pub(super) fn failed(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => Error::new(
            ErrorKind::Unavailable,
            "sql_busy",
            "the database server does not answer",
        )
        .with_retry_after(1)
        .with_source(error),
        error => Error::internal("provision a project database", error),
    }
}
