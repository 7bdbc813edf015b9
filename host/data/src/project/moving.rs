//! Moving a project's database from SQLite to Postgres: what there is on the
//! one side, how the other side says it, its rows, and whether they are the
//! same in the end.
//!
//! Tables of the project are made from what SQLite keeps of them; what has no
//! word on Postgres is named, and left out when whoever moves says so. A
//! plugin's tables are made by its own migrations, and rows are copied into
//! those that both engines have. The rest, an index of words for one, is the
//! plugin's to fill (`after_move` of its manifest). Rows pass in chunks as
//! `COPY` reads them: memory is bounded, whatever the size of a table.
//!
//! Which projects there are and in which order all this is done is left to
//! others.

use super::{Engine, ProjectDatabases, public::RowPolicy};
use atlashub_core::{Error, ProjectId, Result, capability::PluginScope};

/// The schema of the project's own tables.
pub const PUBLIC: &str = "public";

/// A table of which rows are moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedTable {
    /// Its name.
    pub name: String,
    /// The columns whose values are copied.
    pub columns: Vec<String>,
    /// The largest number that its key has counted to.
    pub last: Option<i64>,
}

/// A statement that makes a part of a project's own tables.
#[derive(Clone, Debug)]
pub struct PlannedPart {
    /// What it makes, as whoever moves names it: `check:notes.positive`.
    pub object: String,
    /// Whether nothing can go without it.
    pub needed: bool,
    /// The statement.
    pub(in crate::project) sql: String,
}

/// How a project's own tables are made on Postgres.
#[derive(Clone, Debug, Default)]
pub struct PublicPlan {
    /// The tables, with the rows to copy.
    pub tables: Vec<MovedTable>,
    /// Makes the tables, without what slows copying down.
    pub(in crate::project) begin: Vec<PlannedPart>,
    /// Makes the rest of them once rows are there.
    pub(in crate::project) rest: Vec<PlannedPart>,
    /// Views, in the order in which they were made.
    pub(in crate::project) views: Vec<(String, PlannedPart)>,
    /// Row policies by table.
    pub(in crate::project) policies: Vec<(String, RowPolicy)>,
    /// What Postgres has no word for.
    pub troubles: Vec<Trouble>,
}

/// What cannot be moved as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What it is about, as [`PlannedPart::object`].
    pub object: String,
    /// Why.
    pub why: String,
    /// Whether the rest can do without it.
    pub may_stay: bool,
}

/// What was copied of a table, or compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedRows {
    /// Rows of the source.
    pub source: i64,
    /// Rows of the target.
    pub target: i64,
    /// Whether they are the same.
    pub same: bool,
    /// A sum over the target's rows.
    pub checksum: String,
}

/// A plugin's tables on both sides.
#[derive(Clone, Debug, Default)]
pub struct PluginTables {
    /// Those that both have, those first that others refer to.
    pub both: Vec<MovedTable>,
    /// Those that only the target has, or whose rows only the source's engine
    /// can read: the plugin fills them.
    pub derived: Vec<String>,
}

impl PublicPlan {
    /// Takes out what is not to be moved: the objects of which `leaves` says
    /// so. What nothing can go without stays.
    pub fn leave_out(&mut self, leaves: impl Fn(&str) -> bool) {
        self.rest
            .retain(|part| part.needed || !leaves(&part.object));
        self.views.retain(|(_, part)| !leaves(&part.object));
        self.policies
            .retain(|(table, policy)| !leaves(&policy_object(table, policy)));
        self.troubles
            .retain(|trouble| !(trouble.may_stay && leaves(&trouble.object)));
    }
}

/// What a policy is called as an object.
pub(in crate::project) fn policy_object(table: &str, policy: &RowPolicy) -> String {
    format!("policy:{table}.{}", policy.name)
}

impl ProjectDatabases {
    /// The schemas of a project on SQLite: `public` and those of plugins.
    ///
    /// # Errors
    /// When its folder cannot be read.
    pub async fn schemas_to_move(&self, project: ProjectId) -> Result<Vec<String>> {
        self.moved_from()?.schemas(self.at(project)).await
    }

    /// How the project's own tables are made on Postgres.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub async fn plan_public(&self, project: ProjectId) -> Result<PublicPlan> {
        self.moved_from()?.plan_public(self.at(project)).await
    }

    /// Rows of a table on SQLite.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub async fn count_rows(&self, project: ProjectId, schema: &str, table: &str) -> Result<u64> {
        let source = self.moved_from()?;
        source.count_rows(self.at(project), schema, table).await
    }

    /// The plain tables of a plugin's schema on SQLite.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub async fn plugin_tables(&self, project: ProjectId, schema: &str) -> Result<Vec<MovedTable>> {
        let source = self.moved_from()?;
        source.plain_tables(self.at(project), schema).await
    }

    /// Makes everything that is planned in a schema of the platform's own
    /// database, notes what Postgres does not take, and takes all of it back.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn try_plan(&self, plan: &mut PublicPlan) -> Result<()> {
        self.moved_to()?.try_plan(plan).await
    }

    /// Makes the project's own tables, empty, in place of any that are there.
    ///
    /// # Errors
    /// When Postgres does not take one.
    pub async fn make_public(&self, project: ProjectId, plan: &PublicPlan) -> Result<()> {
        self.moved_to()?.make_public(self.at(project), plan).await
    }

    /// Makes indexes, keys, checks, defaults, views and policies.
    ///
    /// # Errors
    /// When Postgres does not take one, or rows do not keep to it.
    pub async fn finish_public(&self, project: ProjectId, plan: &PublicPlan) -> Result<()> {
        self.moved_to()?
            .finish_public(self.at(project), plan)
            .await?;
        self.tables_changed(project);
        Ok(())
    }

    /// Which tables of a plugin both sides have. Rows that its migrations
    /// have put into the target's are removed.
    ///
    /// # Errors
    /// When the target lacks a column that the source has.
    pub async fn match_plugin(
        &self,
        scope: &PluginScope,
        source: &[MovedTable],
    ) -> Result<PluginTables> {
        let scope = self.within(scope);
        self.moved_to()?.match_plugin(&scope, source).await
    }

    /// Copies the rows of a table in place of those that are there.
    ///
    /// # Errors
    /// `value_does_not_fit` with the table and what Postgres said.
    pub async fn take_rows(
        &self,
        from: &Self,
        project: ProjectId,
        schema: &str,
        table: &MovedTable,
        told: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64> {
        let source = from.moved_from()?;
        self.moved_to()?
            .take_rows(
                source,
                (from.at(project), self.at(project)),
                schema,
                table,
                told,
            )
            .await
    }

    /// Reads the source's rows once more, and compares them with those that
    /// are here.
    ///
    /// # Errors
    /// When a database cannot.
    pub async fn compare_rows(
        &self,
        from: &Self,
        project: ProjectId,
        schema: &str,
        table: &MovedTable,
    ) -> Result<ComparedRows> {
        let source = from.moved_from()?;
        self.moved_to()?
            .compare_rows(source, (from.at(project), self.at(project)), schema, table)
            .await
    }

    /// Runs what a plugin says is to be done once its rows were moved.
    ///
    /// # Errors
    /// When Postgres does not take it.
    pub async fn after_move(&self, scope: &PluginScope, sql: &str) -> Result<()> {
        self.moved_to()?.after_move(&self.within(scope), sql).await
    }

    /// Has the server look through the tables, for its plans.
    ///
    /// # Errors
    /// When the server cannot.
    pub async fn analyze(&self, project: ProjectId) -> Result<()> {
        self.moved_to()?.analyze(self.at(project)).await
    }

    /// What the target's server lacks, in words; nothing when it fits.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn check_target(&self) -> Result<Vec<String>> {
        self.moved_to()?.check_target().await
    }

    fn moved_from(&self) -> Result<&super::sqlite::SqliteProjects> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => Ok(sqlite),
            Engine::Postgres(_) => Err(wrong_way()),
        }
    }

    fn moved_to(&self) -> Result<&super::postgres::PostgresProjects> {
        match &*self.engine {
            Engine::Postgres(postgres) => Ok(postgres),
            Engine::Sqlite(_) => Err(wrong_way()),
        }
    }
}

fn wrong_way() -> Error {
    Error::invalid(
        "wrong_engine",
        "databases are moved from SQLite to Postgres",
    )
}
