//! Moving up: an installation on SQLite and local files becomes one on
//! Postgres and S3, with the same ids, keys, passwords and secrets.
//!
//! First all of it is looked at: what Postgres has no word for is found before
//! anything is copied. Then rows of the platform, databases of projects and
//! objects are copied, step by step; a journal in the target says which are
//! done, so that a move that was cut short goes on. At last everything is read
//! once more on both sides and compared; only then is the target an
//! installation that a node starts on. The source is only read. No node runs on
//! it meanwhile, which is up to whoever calls this.
//!
//! Memory is bounded by chunks, pages of rows and a few objects on their way.

mod databases;
mod objects;
mod plan;
mod verify;

use crate::changes::chain;
use atlashub_core::{Digest, Error, Result};
use atlashub_data::{
    platform::{
        Engine, Platform,
        moving::{MoveStep, moved_tables},
    },
    project::ProjectDatabases,
};
use atlashub_storage::Storage;
use plan::Plan;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// One side of a move.
#[derive(Clone)]
pub struct MoveSide {
    /// Rows.
    pub platform: Platform,
    /// Databases of projects.
    pub databases: ProjectDatabases,
    /// Objects.
    pub storage: Storage,
}

/// What is moved, and how.
#[derive(Clone, Debug, Default)]
pub struct MoveOptions {
    /// What is left behind since Postgres has no word for it, each
    /// `<slug>:<object>`.
    pub leave_out: BTreeSet<String>,
    /// Whether objects go to another store.
    pub objects: bool,
    /// Whether archives of backups lie among the objects.
    pub archives: bool,
}

/// Hears how far a move is, a line at a time.
pub type MoveTold = Arc<dyn Fn(&str) + Send + Sync>;

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Rows of the platform and of projects.
    pub rows: u64,
    /// Projects that have a database.
    pub projects: u64,
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A move from one side to the other.
pub struct EngineMover {
    source: MoveSide,
    target: MoveSide,
    options: MoveOptions,
    told: MoveTold,
}

/// The steps of a move that are done, and those that were begun.
struct Journal {
    platform: Platform,
    steps: BTreeMap<String, MoveStep>,
}

impl EngineMover {
    /// Puts the sides together.
    ///
    /// # Errors
    /// `wrong_engine` unless it goes from SQLite to Postgres.
    pub fn new(
        source: MoveSide,
        target: MoveSide,
        options: MoveOptions,
        told: MoveTold,
    ) -> Result<Self> {
        if source.platform.engine() != Engine::Sqlite
            || target.platform.engine() != Engine::Postgres
        {
            return Err(Error::invalid(
                "wrong_engine",
                "an installation is moved from SQLite to Postgres",
            ));
        }
        // Both sides by the ids that data lie under.
        let lying = |side: MoveSide| MoveSide {
            databases: side.databases.as_they_lie(),
            storage: side.storage.as_it_lies(),
            platform: side.platform,
        };
        Ok(Self {
            source: lying(source),
            target: lying(target),
            options,
            told,
        })
    }

    fn tell(&self, line: impl AsRef<str>) {
        (self.told)(line.as_ref());
    }

    /// Looks at everything and changes nothing: what would be moved, and what
    /// is in the way. `true` when nothing is.
    ///
    /// # Errors
    /// When a side cannot be read.
    pub async fn look(&self) -> Result<bool> {
        self.check_source().await?;
        let mut fits = true;
        let rows = self.source.platform.rows_at_one_moment().await?;
        let mut total = 0;
        for table in moved_tables() {
            total += rows.count(table).await?;
        }
        drop(rows);
        self.tell(format!("platform: {total} rows"));
        let plan = self.plan().await?;
        for project in &plan.projects {
            let mut count = 0;
            for table in &project.public.tables {
                count += self
                    .source
                    .databases
                    .count_rows(project.location, "public", &table.name)
                    .await?;
            }
            let plugins: Vec<&str> = project
                .plugins
                .iter()
                .map(|plugin| plugin.scope.plugin.as_str())
                .collect();
            self.tell(format!(
                "{}: {} tables of its own with {count} rows; tables of {}",
                project.slug,
                project.public.tables.len(),
                if plugins.is_empty() {
                    "no plugin".to_owned()
                } else {
                    plugins.join(", ")
                },
            ));
        }
        if self.options.objects {
            let (objects, bytes) = self.count_objects(&self.source.storage).await?;
            self.tell(format!("objects: {objects} of {bytes} bytes"));
        }
        for line in self.in_the_way(&plan).await? {
            fits = false;
            self.tell(format!("in the way: {line}"));
        }
        for trouble in plan.troubles() {
            fits = false;
            self.tell(trouble);
        }
        Ok(fits)
    }

    /// Moves everything that has not been moved yet, and compares all of it.
    ///
    /// # Errors
    /// Says what is in the way, or what kept it from going on; asked again it
    /// goes on where it was.
    pub async fn run(&self) -> Result<Moved> {
        self.check_source().await?;
        let _lock = self.target.platform.lock_for_move().await?;
        let plan = self.plan().await?;
        let source = self.fingerprint().await?;
        let known = if self.target.platform.pending_migrations().await?.is_empty() {
            self.target.platform.engine_move().await?
        } else {
            None
        };
        match known {
            Some(found) if found.source != source => {
                return Err(Error::conflict(
                    "moved_from_elsewhere",
                    "another installation is moved, or was moved, to this database",
                ));
            }
            Some(found) if found.verified => {
                return Err(Error::conflict(
                    "moved_already",
                    "this installation was moved to this database already, and verified",
                ));
            }
            Some(_) => {
                self.tell("going on with the move that was begun");
                let lacks = self.target.databases.check_target().await?;
                refuse(lacks.into_iter().chain(plan.troubles()).collect())?;
            }
            None => {
                let lines = self.in_the_way(&plan).await?;
                refuse(lines.into_iter().chain(plan.troubles()).collect())?;
                self.target.platform.migrate().await?;
                self.target.platform.begin_move(&source).await?;
            }
        }
        let mut journal = Journal {
            platform: self.target.platform.clone(),
            steps: self.target.platform.move_steps().await?,
        };
        let mut moved = Moved::default();
        moved.rows += self.move_rows(&mut journal).await?;
        for project in &plan.projects {
            moved.rows += self.move_database(project, &mut journal).await?;
            moved.projects += 1;
        }
        if self.options.objects {
            self.move_objects(&mut journal).await?;
        }
        self.tell("comparing both sides");
        (moved.objects, moved.bytes) = self.verify(&plan, &mut journal).await?;
        self.after_move(&plan, &mut journal).await?;
        self.target.platform.finish_move().await?;
        Ok(moved)
    }

    /// Copies the platform's rows; how many.
    async fn move_rows(&self, journal: &mut Journal) -> Result<u64> {
        let rows = self.source.platform.rows_at_one_moment().await?;
        let mut total = 0;
        if !journal.steps.keys().any(|name| name.starts_with("rows/")) {
            self.target.platform.empty_moved_tables().await?;
        }
        for table in moved_tables() {
            let step = format!("rows/{table}");
            if let Some(details) = journal.done(&step) {
                total += details.get("rows").and_then(Value::as_u64).unwrap_or(0);
                continue;
            }
            let pace = self.pace(format!("platform: {table}"), "rows");
            let count = self
                .target
                .platform
                .take_table(&rows, table, &step, &pace)
                .await?;
            journal.note_done(&step, json!({ "rows": count }));
            if count > 0 {
                self.tell(format!("platform: {table}: {count} rows"));
            }
            total += count;
        }
        Ok(total)
    }

    /// Tells a growing number now and then.
    fn pace(&self, what: String, of: &'static str) -> impl Fn(u64) + Send + Sync + use<> {
        let told = Arc::clone(&self.told);
        let last = parking_lot::Mutex::new(Instant::now());
        move |count| {
            let mut last = last.lock();
            if last.elapsed() >= TOLD_EVERY {
                *last = Instant::now();
                told(&format!("{what}: {count} {of} so far"));
            }
        }
    }

    async fn check_source(&self) -> Result<()> {
        let pending = self.source.platform.pending_migrations().await?;
        if pending.is_empty() {
            return Ok(());
        }
        Err(Error::conflict(
            "source_not_current",
            "the installation was last run by an earlier version: run `atlashub migrate` on it \
             first, with this version",
        ))
    }

    /// What tells the source from other installations: the beginning of what
    /// it has noted, which nobody can change.
    async fn fingerprint(&self) -> Result<String> {
        let rows = self.source.platform.rows_at_one_moment().await?;
        let mut rows = rows.of_table("audit", "", None).await?;
        let first = rows.next().await?.into_iter().next().unwrap_or_default();
        Ok(Digest::of(first.as_bytes()).to_hex())
    }

    /// What keeps the target from being one.
    async fn in_the_way(&self, plan: &Plan) -> Result<Vec<String>> {
        let mut lines = self.target.databases.check_target().await?;
        for table in self.target.platform.tables_with_rows().await? {
            lines.push(format!(
                "the target's database is not empty: `{table}` has rows"
            ));
        }
        for project in &plan.projects {
            if self.target.databases.is_there(project.location).await? {
                lines.push(format!(
                    "the target's server has a database of {} already (proj_{})",
                    project.slug,
                    project.location.as_uuid().simple()
                ));
            }
        }
        if self.options.objects {
            match self.probe_store().await {
                Ok(()) => {
                    if let Some(key) = self.first_object().await? {
                        lines.push(format!("the target's store is not empty: it has `{key}`"));
                    }
                }
                Err(error) => lines.push(format!(
                    "the target's store cannot be used: {}",
                    chain(&error)
                )),
            }
        }
        Ok(lines)
    }
}

impl Journal {
    /// What a step that is done has noted.
    fn done(&self, name: &str) -> Option<&Value> {
        let step = self.steps.get(name)?;
        step.done.then_some(&step.details)
    }

    /// What a step has noted, done or not.
    fn begun(&self, name: &str) -> Option<&Value> {
        self.steps.get(name).map(|step| &step.details)
    }

    /// Takes note of a step that was written down as done.
    fn note_done(&mut self, name: &str, details: Value) {
        let step = MoveStep {
            done: true,
            details,
        };
        self.steps.insert(name.to_owned(), step);
    }

    async fn note(&mut self, name: &str, done: bool, details: Value) -> Result<()> {
        let step = MoveStep { done, details };
        self.platform.note_move_step(name, &step).await?;
        self.steps.insert(name.to_owned(), step);
        Ok(())
    }

    async fn forget(&mut self, begin: &str) -> Result<()> {
        self.platform.forget_move_steps(begin).await?;
        self.steps.retain(|name, _| !name.starts_with(begin));
        Ok(())
    }
}

fn refuse(lines: Vec<String>) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    Err(Error::conflict(
        "move_refused",
        format!("nothing was moved:\n  {}", lines.join("\n  ")),
    ))
}
