//! Dumps of a project's database by Postgres's own programs, and loading them.
//!
//! One transaction exports the moment that all dumps show, a schema each. A
//! dump is loaded by the role that owns its schema, into a database that is
//! not in use yet: owners and rights are not taken from a dump, so that
//! nothing in it can reach further than its plugin. `pg_restore` writes the
//! script and says to `psql` that nothing in it may be taken as a command.

use super::{
    PostgresProjects,
    names::{self, quoted},
    provision::{Admin, failed, run},
    public::prepare,
};
use crate::project::archive::{CHUNK, Dump, DumpPart, LoadOptions, LoadPart, Renaming};
use async_trait::async_trait;
use atlashub_core::{Error, ErrorKind, PluginName, ProjectId, Result, capability::PluginScope};
use bytes::Bytes;
use secrecy::ExposeSecret as _;
use sqlx::{Connection as _, PgConnection};
use std::{collections::VecDeque, path::PathBuf, process::Stdio, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
};

/// What the project's own tables are called.
const PUBLIC: &str = "public";
/// How much of what a program complains of is kept, bytes.
const COMPLAINT: u64 = 16 * 1024;
/// Parameters of an address that are not the client library's.
const OWN_PARAMETERS: &[&str] = &["statement-cache-capacity"];
/// What loading needs that callers must not have.
const LOADER_MAY: &str = "GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO ";
const LOADER_MAY_NOT: &str =
    "REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM ";

struct PostgresDump {
    admin: Arc<Admin>,
    database: String,
    /// Holds the moment.
    _transaction: PgConnection,
    snapshot: String,
    waiting: VecDeque<String>,
}

struct PostgresDumpPart {
    schema: String,
    child: Child,
    output: ChildStdout,
    complaint: JoinHandle<String>,
    ended: bool,
}

struct PostgresLoadPart {
    schema: String,
    reader: Child,
    input: Option<ChildStdin>,
    writer: Child,
    passing: JoinHandle<std::io::Result<()>>,
    complaints: [JoinHandle<String>; 2],
}

impl PostgresProjects {
    pub(in crate::project) async fn check_tools(&self) -> Result<()> {
        let help = Command::new(self.admin.program("pg_restore"))
            .arg("--help")
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|error| missing("pg_restore", error))?;
        if !String::from_utf8_lossy(&help.stdout).contains("--restrict-key") {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "backup_tools_missing",
                "the Postgres client programs are too old to load a dump safely: install \
                 13.22, 14.19, 15.14, 16.10, 17.6 or later",
            ));
        }
        for name in ["pg_dump", "psql"] {
            Command::new(self.admin.program(name))
                .arg("--version")
                .stdin(Stdio::null())
                .output()
                .await
                .map_err(|error| missing(name, error))?;
        }
        Ok(())
    }

    pub(in crate::project) async fn is_there(&self, project: ProjectId) -> Result<bool> {
        self.admin.exists(project).await
    }

    pub(in crate::project) async fn dump(&self, project: ProjectId) -> Result<Box<dyn Dump>> {
        self.check_tools().await?;
        let database = names::database(project);
        let mut connection = self.admin.connect(&database).await.map_err(failed)?;
        run(
            &mut connection,
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
             SET LOCAL idle_in_transaction_session_timeout = 0",
        )
        .await?;
        let snapshot: String = sqlx::query_scalar("SELECT pg_export_snapshot()")
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?;
        let schemas: Vec<String> = sqlx::query_scalar(
            "SELECT nspname::text FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' \
             AND nspname NOT IN ('information_schema', $1) ORDER BY 1",
        )
        .bind(prepare::SCHEMA)
        .fetch_all(&mut connection)
        .await
        .map_err(failed)?;
        Ok(Box::new(PostgresDump {
            admin: Arc::clone(&self.admin),
            database,
            _transaction: connection,
            snapshot,
            waiting: schemas.into(),
        }))
    }

    pub(in crate::project) async fn load(
        &self,
        project: ProjectId,
        schema: &str,
        options: &LoadOptions,
    ) -> Result<Box<dyn LoadPart>> {
        let database = names::database(project);
        let role = if schema == PUBLIC {
            names::owner(project)
        } else {
            let scope = scope(project, schema)?;
            self.admin.provision_plugin(&scope).await?;
            names::plugin(&scope)
        };
        let password = self.admin.password(project, &role).await?;
        let mut inside = self.admin.connect(&database).await.map_err(failed)?;
        run(&mut inside, &format!("{LOADER_MAY}{}", quoted(&role))).await?;
        // Indexes are sorted in files that callers could not have.
        let unbounded = format!(
            "ALTER ROLE {} IN DATABASE {} SET temp_file_limit = -1",
            quoted(&role),
            quoted(&database)
        );
        if let Err(error) = run(&mut inside, &unbounded).await {
            tracing::debug!(?error, role, "the role's temporary files stay bounded");
        }
        inside.close().await.map_err(failed)?;

        let mut reader = Command::new(self.admin.program("pg_restore"))
            .args(["--no-owner", "--no-privileges", "--file=-"])
            .arg(format!("--schema={schema}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| missing("pg_restore", error))?;
        let mut writer = self
            .admin
            .client("psql", &database, Some((&role, password.expose_secret())))
            .args(["--no-psqlrc", "--quiet", "--single-transaction"])
            .args(["--set=ON_ERROR_STOP=1", "--output=/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| missing("psql", error))?;
        let names: Vec<(String, String)> = names::role_prefixes(options.from)
            .into_iter()
            .zip(names::role_prefixes(project))
            .collect();
        let renaming = Renaming::new(&names, options.ids.clone());
        let (Some(input), Some(script), Some(sink)) = (
            reader.stdin.take(),
            reader.stdout.take(),
            writer.stdin.take(),
        ) else {
            return Err(Error::internal("load a dump", "a program has no pipes"));
        };
        let complaints = [complaint(&mut reader), complaint(&mut writer)];
        Ok(Box::new(PostgresLoadPart {
            schema: schema.to_owned(),
            reader,
            input: Some(input),
            writer,
            passing: tokio::spawn(pass(script, sink, renaming)),
            complaints,
        }))
    }

    pub(in crate::project) async fn finish_load(&self, project: ProjectId) -> Result<()> {
        let database = names::database(project);
        let mut inside = self.admin.connect(&database).await.map_err(failed)?;
        let roles: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT rolname::text FROM pg_roles WHERE oid IN \
             (SELECT nspowner FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' \
             AND nspname NOT IN ('information_schema', 'public', $1)) OR rolname = $2",
        )
        .bind(prepare::SCHEMA)
        .bind(names::owner(project))
        .fetch_all(&mut inside)
        .await
        .map_err(failed)?;
        let prefixes = names::role_prefixes(project);
        for role in roles {
            if !prefixes.iter().any(|prefix| role.starts_with(prefix)) {
                continue;
            }
            run(&mut inside, &format!("{LOADER_MAY_NOT}{}", quoted(&role))).await?;
            let bounded = format!(
                "ALTER ROLE {} IN DATABASE {} RESET temp_file_limit",
                quoted(&role),
                quoted(&database)
            );
            if let Err(error) = run(&mut inside, &bounded).await {
                tracing::debug!(?error, role, "the role's temporary files were not bounded");
            }
        }
        run(&mut inside, "ANALYZE").await?;
        inside.close().await.map_err(failed)?;
        // Rights are not in a dump: they follow from what there is.
        self.change_tables(project, &[], None).await
    }
}

/// The plugin whose schema it is.
fn scope(project: ProjectId, schema: &str) -> Result<PluginScope> {
    let plugin: PluginName = schema
        .replace('_', "-")
        .parse()
        .map_err(|_| damaged("it has a schema that no plugin can have"))?;
    Ok(PluginScope { project, plugin })
}

impl Admin {
    /// A program of the client package.
    fn program(&self, name: &str) -> PathBuf {
        match &self.limits().client_programs {
            Some(folder) => folder.join(name),
            None => PathBuf::from(name),
        }
    }

    /// A program that logs in to `database`, as the server's admin or as
    /// `role`. The password is not among its arguments, which others see.
    fn client(&self, name: &str, database: &str, role: Option<(&str, &str)>) -> Command {
        let mut url = self.url().clone();
        let has_host = url.has_host();
        let admins = url.password().map(str::to_owned);
        let mut parameters: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| !OWN_PARAMETERS.contains(&name.as_ref()))
            .filter(|(name, _)| name != "dbname" && (role.is_none() || name != "user"))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        if let Some((role, _)) = role.filter(|_| !has_host) {
            parameters.push(("user".to_owned(), role.to_owned()));
        }
        url.set_path(database);
        url.set_query(None);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        // An address without a host takes neither, and then has none.
        let _ = url.set_password(None);
        let password = match role {
            Some((role, password)) => {
                let _ = url.set_username(role);
                Some(password.to_owned())
            }
            None => admins.map(|text| percent_decoded(&text)),
        };
        let mut command = Command::new(self.program(name));
        command.arg("--dbname").arg(url.as_str());
        if let Some(password) = password {
            command.env("PGPASSWORD", password);
        }
        command
            .env("PGAPPNAME", "atlashub backup")
            .env("PGTZ", "UTC")
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// A password as it was before it was written into an address.
fn percent_decoded(text: &str) -> String {
    let decoded = url::form_urlencoded::parse(text.replace('+', "%2B").as_bytes())
        .map(|(name, _)| name.into_owned())
        .next();
    decoded.unwrap_or_else(|| text.to_owned())
}

#[async_trait]
impl Dump for PostgresDump {
    async fn next(&mut self) -> Result<Option<Box<dyn DumpPart>>> {
        let Some(schema) = self.waiting.pop_front() else {
            return Ok(None);
        };
        let mut child = self
            .admin
            .client("pg_dump", &self.database, None)
            .args([
                "--format=custom",
                "--no-owner",
                "--no-privileges",
                "--compress=1",
            ])
            .arg(format!("--snapshot={}", self.snapshot))
            .arg(format!("--schema={}", quoted(&schema)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| missing("pg_dump", error))?;
        let complaint = complaint(&mut child);
        let output = child
            .stdout
            .take()
            .ok_or_else(|| Error::internal("dump a schema", "a program has no pipes"))?;
        Ok(Some(Box::new(PostgresDumpPart {
            schema,
            child,
            output,
            complaint,
            ended: false,
        })))
    }
}

#[async_trait]
impl DumpPart for PostgresDumpPart {
    fn name(&self) -> &str {
        &self.schema
    }

    async fn read(&mut self) -> Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        let bytes = read_some(&mut self.output)
            .await
            .map_err(|error| Error::internal("read a dump", error))?;
        if let Some(bytes) = bytes {
            return Ok(Some(bytes));
        }
        self.ended = true;
        let status = self
            .child
            .wait()
            .await
            .map_err(|error| Error::internal("wait for a dump", error))?;
        if status.success() {
            return Ok(None);
        }
        let said = (&mut self.complaint).await.unwrap_or_default();
        Err(Error::internal(
            "dump a project's database",
            format!("pg_dump ended with {status}: {said}"),
        ))
    }
}

#[async_trait]
impl LoadPart for PostgresLoadPart {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let Some(input) = &mut self.input else {
            return Ok(());
        };
        if input.write_all(&bytes).await.is_err() {
            // It ended; why is told at the end.
            self.input = None;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        // What it did not want to read was not needed: it says so at its end.
        drop(self.input.take());
        let waiting = |error| Error::internal("wait for a dump to be loaded", error);
        let read = self.reader.wait().await.map_err(waiting)?;
        let passed = (&mut self.passing).await;
        let wrote = self.writer.wait().await.map_err(waiting)?;
        if read.success() && wrote.success() && matches!(passed, Ok(Ok(()))) {
            return Ok(());
        }
        let [reader, writer] = &mut self.complaints;
        let said = (
            reader.await.unwrap_or_default(),
            writer.await.unwrap_or_default(),
        );
        Err(
            damaged(&format!("the schema `{}` cannot be loaded", self.schema)).with_source(
                std::io::Error::other(format!(
                    "pg_restore ended with {read}: {}; psql ended with {wrote}: {}",
                    said.0, said.1
                )),
            ),
        )
    }
}

/// Hands a script on, with other names in it.
async fn pass(
    mut script: ChildStdout,
    mut sink: ChildStdin,
    mut renaming: Renaming,
) -> std::io::Result<()> {
    while let Some(bytes) = read_some(&mut script).await? {
        sink.write_all(&renaming.pass(&bytes)).await?;
    }
    sink.write_all(&renaming.finish()).await?;
    sink.shutdown().await
}

async fn read_some(source: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<Bytes>> {
    let mut bytes = Vec::with_capacity(CHUNK);
    while bytes.len() < CHUNK {
        if source.read_buf(&mut bytes).await? == 0 {
            break;
        }
    }
    Ok((!bytes.is_empty()).then(|| bytes.into()))
}

/// Keeps the beginning of what a program complains of.
fn complaint(child: &mut Child) -> JoinHandle<String> {
    let errors = child.stderr.take();
    tokio::spawn(async move {
        let Some(mut errors) = errors else {
            return String::new();
        };
        let mut kept = Vec::new();
        let _ = (&mut errors).take(COMPLAINT).read_to_end(&mut kept).await;
        // The rest is read, so that the program does not wait for it.
        let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
        String::from_utf8_lossy(&kept).trim().to_owned()
    })
}

fn missing(program: &str, error: std::io::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "backup_tools_missing",
        format!(
            "the Postgres client program `{program}` cannot be run: install the client package, \
             or name its folder in ATLASHUB_PG_BIN"
        ),
    )
    .with_retry_after(60)
    .with_source(error)
}

fn damaged(why: &str) -> Error {
    Error::invalid("archive_damaged", format!("the archive is damaged: {why}"))
}
