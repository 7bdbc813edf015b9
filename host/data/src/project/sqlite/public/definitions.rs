//! Definitions of a project's tables, and what of some cannot be made here.
//!
//! That is found out in a file of its own, which has the project's tables
//! without their rows and lives as long as the question: nothing of the
//! project's own is touched.

use super::{
    super::{
        Connection, Mode, SqliteProjects, error::Failure, limited, policy::Author, settle,
        watch::Cancel,
    },
    Purpose, at_one_moment, describe, moving, replace,
    rules::{Rules, is_ours},
    store,
};
use crate::project::{
    Options,
    pool::Side,
    public::{PolicyChange, RowPolicy},
    schema::{
        LeftOut, NewTable, ProjectDefinitions, TableDefinition, bare, check_table_name,
        create_on_sqlite, told,
    },
};
use atlashub_core::{Error, ProjectId, Result, capability::sql::Dialect};
use rusqlite::Connection as Inner;
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use uuid::Uuid;

impl SqliteProjects {
    pub(in crate::project) async fn definitions(
        &self,
        project: ProjectId,
    ) -> Result<ProjectDefinitions> {
        let worker = self.owner(project, Purpose::Read).await?;
        let (facts, policies, triggers, views) = worker
            .run(move |connection, _| {
                at_one_moment(connection, |own| {
                    let inner = own.inner();
                    Ok((
                        moving::all_facts(inner)?,
                        store::all(inner)?,
                        made(inner, "trigger")?,
                        made(inner, "view")?,
                    ))
                })
            })
            .await
            .1?;
        let mut of_table: HashMap<String, Vec<RowPolicy>> = HashMap::new();
        for (table, text) in policies {
            let own = of_table.entry(table.to_ascii_lowercase()).or_default();
            own.push(store::parse(&text)?);
        }
        let mut definitions = ProjectDefinitions::default();
        for facts in &facts {
            let (table, mut left_out) = told(facts, Dialect::Sqlite);
            let own = triggers
                .iter()
                .filter(|own| own.table.eq_ignore_ascii_case(&facts.name));
            left_out.extend(own.map(|trigger| {
                let why = "triggers are written in a language of the engine's own";
                LeftOut::new(format!("trigger:{}", trigger.name), why).said(&trigger.sql)
            }));
            definitions.tables.push(TableDefinition {
                policies: of_table
                    .remove(&facts.name.to_ascii_lowercase())
                    .unwrap_or_default(),
                table,
                left_out,
            });
        }
        definitions.left_out.extend(views.iter().map(|view| {
            let why = "views are made with SQL, by an admin";
            LeftOut::new(format!("view:{}", view.name), why).said(&view.sql)
        }));
        Ok(definitions)
    }

    pub(in crate::project) async fn try_tables(
        &self,
        project: ProjectId,
        definitions: Vec<TableDefinition>,
    ) -> Result<Vec<LeftOut>> {
        let worker = self.owner(project, Purpose::Read).await?;
        let folder = self
            .files
            .folder(project)
            .with_extension(format!("trial-{}", Uuid::now_v7()));
        let options = Arc::clone(&self.options);
        worker
            .run(move |connection, cancel| {
                let (schema, policies) = at_one_moment(connection, |own| {
                    let inner = own.inner();
                    Ok((statements(inner)?, store::all(inner)?))
                })?;
                let mut trial = Trial::open(folder, options)?;
                trial.fill(&schema, &policies)?;
                trial.run(&definitions, cancel)
            })
            .await
            .1
    }
}

/// What an admin made by hand.
struct Made {
    name: String,
    table: String,
    sql: String,
}

fn made(connection: &Inner, kind: &str) -> rusqlite::Result<Vec<Made>> {
    let found = describe::rows(
        connection,
        "SELECT name, tbl_name, sql FROM public.sqlite_schema WHERE type = ?1 ORDER BY rowid",
        &[&kind],
        |row| {
            Ok(Made {
                name: row.get(0)?,
                table: row.get(1)?,
                sql: row.get(2)?,
            })
        },
    )?;
    Ok(found
        .into_iter()
        .filter(|own| !is_ours(&own.name))
        .collect())
}

/// The statements that made everything.
fn statements(connection: &Inner) -> rusqlite::Result<Vec<String>> {
    describe::rows(
        connection,
        "SELECT sql FROM public.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END, rowid",
        &[],
        |row| row.get(0),
    )
}

/// A file in which tables are tried; it goes with this.
///
/// Fields are dropped in order: the connection before its file.
struct Trial {
    owner: Connection,
    options: Arc<Options>,
    folder: Folder,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, "a file in which tables were tried was not removed");
        }
    }
}

impl Folder {
    fn file(&self) -> PathBuf {
        self.0.join("public.sqlite")
    }
}

impl Trial {
    fn open(folder: PathBuf, options: Arc<Options>) -> Result<Self> {
        fs::create_dir(&folder)
            .map_err(|error| Error::internal("make a folder to try in", error))?;
        let folder = Folder(folder);
        let author = Author::Public(Box::new(Rules::new(Side::Owner)));
        let opened = Connection::open(&folder.file(), "public", author, Mode::Create, &options);
        let owner = opened.map_err(Failure::into_error)?;
        Ok(Self {
            folder,
            owner,
            options,
        })
    }

    /// Brings what is there already, without its rows.
    fn fill(&mut self, schema: &[String], policies: &[(String, String)]) -> Result<()> {
        let mut by_table: HashMap<&str, Vec<RowPolicy>> = HashMap::new();
        for (table, text) in policies {
            by_table.entry(table).or_default().push(store::parse(text)?);
        }
        self.owner.as_host(|own| {
            for sql in schema {
                let done = own.inner().execute_batch(sql);
                // A view of what is gone is there all the same.
                if sql.starts_with("CREATE TABLE") {
                    done?;
                }
            }
            for (table, policies) in by_table {
                store::replace(own.inner(), table, &policies)?;
            }
            Ok(())
        })
    }

    /// Makes everything; what cannot be made is told.
    fn run(&mut self, definitions: &[TableDefinition], cancel: &Cancel) -> Result<Vec<LeftOut>> {
        let mut troubles = Vec::new();
        for definition in definitions {
            self.table(&definition.table, cancel, &mut troubles)?;
        }
        let names = self.owner.as_host(|own| describe::objects(own.inner()))?;
        let is_there = |name: &str| names.iter().any(|own| own.name.eq_ignore_ascii_case(name));
        for TableDefinition {
            table, policies, ..
        } in definitions
        {
            if !is_there(&table.name) {
                continue;
            }
            for key in &table.foreign_keys {
                if !is_there(&key.table) {
                    troubles.push(LeftOut::new(
                        format!("foreign_key:{}.{}", table.name, key.columns.join("_")),
                        format!("there is no table `{}`", key.table),
                    ));
                }
            }
            for policy in policies {
                if let Err(error) = self.policy(&table.name, policy) {
                    let object = format!("policy:{}.{}", table.name, policy.name);
                    troubles.push(LeftOut::new(object, of_user(error)?));
                }
            }
        }
        Ok(troubles)
    }

    fn table(
        &mut self,
        table: &NewTable,
        cancel: &Cancel,
        troubles: &mut Vec<LeftOut>,
    ) -> Result<()> {
        let before = troubles.len();
        let place = |kind: &str, own: &str| format!("{kind}:{}.{own}", table.name);
        if let Err(error) = check_table_name(&table.name) {
            troubles.push(LeftOut::new(
                format!("table:{}", table.name),
                of_user(error)?,
            ));
            return Ok(());
        }
        for column in &table.columns {
            let bare = NewTable {
                columns: vec![column.clone()],
                ..bare(table)
            };
            if let Err(error) = create_on_sqlite(&bare) {
                let kind = if column.default.is_some() {
                    "default"
                } else {
                    "column"
                };
                troubles.push(LeftOut::new(place(kind, &column.name), of_user(error)?));
            }
        }
        if troubles.len() > before {
            return Ok(());
        }
        let Err(error) = self.make(table, cancel) else {
            return Ok(());
        };
        // Which part it is: each alone.
        for check in &table.checks {
            let alone = NewTable {
                checks: vec![check.clone()],
                ..bare(table)
            };
            if let Err(error) = self.make_and_remove(&alone, cancel) {
                let name = check.name.clone().unwrap_or_default();
                troubles.push(LeftOut::new(place("check", &name), of_user(error)?));
            }
        }
        for index in &table.indexes {
            let alone = NewTable {
                indexes: vec![index.clone()],
                ..bare(table)
            };
            if let Err(error) = self.make_and_remove(&alone, cancel) {
                let name = index
                    .name
                    .clone()
                    .unwrap_or_else(|| index.columns.join("_"));
                troubles.push(LeftOut::new(format!("index:{name}"), of_user(error)?));
            }
        }
        if troubles.len() == before {
            troubles.push(LeftOut::new(
                format!("table:{}", table.name),
                of_user(error)?,
            ));
        }
        Ok(())
    }

    fn make(&mut self, table: &NewTable, cancel: &Cancel) -> Result<()> {
        let statements = create_on_sqlite(table)?;
        self.owner.begin()?;
        let done = statements
            .iter()
            .try_for_each(|sql| self.statement(sql, cancel));
        settle(&mut self.owner, done)
    }

    fn make_and_remove(&mut self, table: &NewTable, cancel: &Cancel) -> Result<()> {
        let statements = create_on_sqlite(table)?;
        self.owner.begin()?;
        let done = statements
            .iter()
            .try_for_each(|sql| self.statement(sql, cancel));
        self.owner.rollback()?;
        done
    }

    fn statement(&mut self, sql: &str, cancel: &Cancel) -> Result<()> {
        let time = self.options.migration_time;
        self.owner.start_run(limited(time, cancel));
        let mut statement = self.owner.prepare_only(sql, false)?;
        statement.bind(&[])?;
        statement.finish()
    }

    fn policy(&mut self, table: &str, policy: &RowPolicy) -> Result<bool> {
        let (path, change): (&Path, _) = (&self.folder.file(), PolicyChange::Put(policy.clone()));
        self.owner.begin()?;
        let done = replace(&mut self.owner, path, &self.options, table, change);
        settle(&mut self.owner, done)
    }
}

/// What to tell of an error that is about what was asked for.
fn of_user(error: Error) -> Result<String> {
    if error.kind().is_server_fault() {
        return Err(error);
    }
    Ok(error.message().to_owned())
}
