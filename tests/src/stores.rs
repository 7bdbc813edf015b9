//! Where a server keeps what must outlive it: a data folder, and on Postgres
//! a database and an object prefix of its own. Several nodes can share one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::path::Path;
use tempfile::TempDir;

/// One key for all servers, so that one takes what another has compiled.
const MASTER_KEY: [u8; 32] = *b"the-master-key-of-all-it-servers";

/// Where Debian keeps the programs of the Postgres server of the tests.
const POSTGRES_PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// What the servers of this run stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite files and a local folder.
    Sqlite,
    /// Postgres and an S3 server.
    Postgres,
}

impl Engine {
    /// The engine that `ATLASHUB_TEST_ENGINE` names.
    ///
    /// # Panics
    /// When it names none.
    #[must_use]
    pub fn of_this_run() -> Self {
        match std::env::var("ATLASHUB_TEST_ENGINE").as_deref() {
            Err(_) | Ok("sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            Ok(other) => panic!("ATLASHUB_TEST_ENGINE is `{other}`: set sqlite or postgres"),
        }
    }

    /// Whether several nodes can share its stores.
    #[must_use]
    pub fn serves_many_nodes(self) -> bool {
        self == Self::Postgres
    }
}

/// The stores of one server, or of several nodes.
#[derive(Debug)]
pub(crate) struct Stores {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
    /// The platform's database on the tests' Postgres server, which goes away
    /// with this, and each project's with it: a run makes a thousand of them.
    database: Option<String>,
}

impl Stores {
    /// Makes empty stores on the engine of this run.
    pub(crate) async fn make() -> Self {
        Self::make_on(Engine::of_this_run()).await
    }

    /// Makes empty stores on that engine.
    pub(crate) async fn make_on(engine: Engine) -> Self {
        let folder = TempDir::with_prefix("atlashub-it-").expect("make a folder");
        let mut variables = match engine {
            Engine::Sqlite => Vec::new(),
            Engine::Postgres => outside_stores().await,
        };
        variables.push(("ATLASHUB_MASTER_KEY", STANDARD.encode(MASTER_KEY)));
        let database = variables
            .iter()
            .find(|(name, _)| *name == "ATLASHUB_DATABASE_URL")
            .map(|(_, url)| url.clone());
        Self {
            folder,
            variables,
            database,
        }
    }

    /// Has node number `node` keep compiled code where all servers of this
    /// run do: each would compile the built-in plugins by itself. Where, says
    /// `ATLASHUB_TEST_COMPILED` to those of several runs.
    #[cfg(unix)]
    pub(crate) fn share_compiled_code(&self, node: usize) {
        let data = self.folder(node).join("data");
        let shared = std::env::var_os("ATLASHUB_TEST_COMPILED").map_or_else(
            || std::env::temp_dir().join("atlashub-it-compiled"),
            Into::into,
        );
        let link = data.join("compiled");
        for folder in [&data, &shared] {
            std::fs::create_dir_all(folder).expect("make a folder");
        }
        if !link.exists() {
            std::os::unix::fs::symlink(&shared, &link).expect("lead to the shared folder");
        }
    }

    /// The folder of node number `node`.
    pub(crate) fn folder(&self, node: usize) -> std::path::PathBuf {
        let path = self.folder.path().join(format!("node-{node}"));
        std::fs::create_dir_all(&path).expect("make a node's folder");
        path
    }

    /// Changes the settings that lead to services outside of this machine's
    /// folders.
    pub(crate) fn change(&mut self, mut change: impl FnMut(&str, &str) -> Option<String>) {
        for (name, value) in &mut self.variables {
            if let Some(other) = change(name, value) {
                *value = other;
            }
        }
    }

    /// Everything that lies on this machine.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The settings that lead a server to these stores.
    pub(crate) fn variables(&self) -> &[(&'static str, String)] {
        &self.variables
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        let Some(platform) = self.database.take() else {
            return;
        };
        // Whoever drops this may run in a runtime already. It is waited for:
        // the test may make databases of the same names anew.
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            if let Ok(runtime) = runtime {
                // What stays takes room on the disk until the cluster ends.
                let _ = runtime.block_on(remove_databases(&platform));
            }
        });
        let _ = removal.join();
    }
}

/// Removes the platform's database at `platform`, and those of its projects,
/// which carry the project's id in their names.
async fn remove_databases(platform: &str) -> sqlx::Result<()> {
    let (server, own) = platform.rsplit_once('/').unwrap_or((platform, ""));
    let mut inside = PgConnection::connect(&format!("{platform}?sslmode=disable")).await?;
    let mut names: Vec<String> =
        sqlx::query_scalar("SELECT 'proj_' || replace(id::text, '-', '') FROM projects")
            .fetch_all(&mut inside)
            .await?;
    inside.close().await?;
    names.push(own.to_owned());
    let mut outside = PgConnection::connect(&format!("{server}/postgres?sslmode=disable")).await?;
    for name in names {
        let statement = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
        let _ = outside.execute(sqlx::AssertSqlSafe(statement)).await?;
    }
    outside.close().await
}

async fn outside_stores() -> Vec<(&'static str, String)> {
    let variable = |name: &str| {
        std::env::var(name)
            .unwrap_or_else(|_| panic!("{name} is not set: `cargo xtask test` sets it"))
    };
    let (postgres, s3) = (
        variable("ATLASHUB_TEST_POSTGRES_URL"),
        variable("ATLASHUB_TEST_S3_URL"),
    );
    let name = format!("it_{}", uuid::Uuid::now_v7().simple());
    let mut connection = PgConnection::connect(&postgres)
        .await
        .expect("connect to Postgres");
    let statement = format!("CREATE DATABASE {name}");
    connection
        .execute(sqlx::AssertSqlSafe(statement))
        .await
        .expect("make a database");
    let _ = connection.close().await;
    let (server, _) = postgres
        .rsplit_once('/')
        .expect("a URL that names a database");
    let (bucket, query) = s3.split_once('?').expect("an S3 URL with an endpoint");
    let mut variables = vec![
        ("ATLASHUB_DATABASE_URL", format!("{server}/{name}")),
        ("ATLASHUB_STORAGE_URL", format!("{bucket}/{name}?{query}")),
        ("AWS_ACCESS_KEY_ID", variable("AWS_ACCESS_KEY_ID")),
        ("AWS_SECRET_ACCESS_KEY", variable("AWS_SECRET_ACCESS_KEY")),
    ];
    // Those of the server's own version, not of whichever is found first.
    if Path::new(POSTGRES_PROGRAMS).is_dir() {
        variables.push(("ATLASHUB_PG_BIN", POSTGRES_PROGRAMS.to_owned()));
    }
    variables
}
