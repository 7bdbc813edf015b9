//! A project's own tables on SQLite: the file `public.sqlite` in its folder,
//! made when it is first needed.

mod alter;
mod bound;
mod changes;
mod definitions;
mod describe;
mod editor;
pub(super) mod ended;
mod moving;
mod rows;
pub(super) mod rules;
mod set;
mod store;

pub(super) use bound::{Bound, until_seen};
pub(super) use moving::last_number;
pub(super) use set::refused_table;

use self::{rules::Rules, set::Policies};
use super::{
    Connection, Mode, Opening, Purpose, SqliteProjects, Target, Worker, error::Failure, limited,
    policy::Author, settle,
};
use crate::project::{
    pool::{Place, Side},
    public::{Action, Described, PolicyChange, RowPolicy, no_database, script},
};
use atlashub_core::{
    Error, ProjectId, Result,
    capability::{
        database::{Access, Reach},
        sql::{SqlRows, SqlTransaction, SqlValue},
    },
};
use std::sync::Arc;

impl From<&Access> for Target {
    fn from(access: &Access) -> Self {
        let (side, caller) = match &access.reach {
            Reach::Everything => (Side::Service, None),
            Reach::Policies(caller) => (Side::Bound, Some(Arc::clone(caller))),
        };
        Self {
            place: Place::Public(access.project, side),
            caller,
            write: access.write,
        }
    }
}

impl Opening {
    pub(super) fn open_public(&self, project: ProjectId, side: Side) -> Result<Connection> {
        let path = self.files.public(project);
        if !path.exists() {
            if !self.files.has_project(project) {
                return Err(no_database(project));
            }
            let author = Author::Public(Box::new(Rules::new(Side::Owner)));
            let made = Connection::open(&path, "public", author, Mode::Create, &self.options);
            drop(made.map_err(Failure::into_error)?);
        }
        let opened = match side {
            Side::Bound => Connection::open_bound(&path, self.mode, &self.options),
            side => {
                let author = Author::Public(Box::new(Rules::new(side)));
                Connection::open(&path, "public", author, self.mode, &self.options)
            }
        };
        opened.map_err(Failure::into_error)
    }
}

impl SqliteProjects {
    pub(in crate::project) async fn query_public(
        &self,
        access: &Access,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<SqlRows> {
        self.query(&access.into(), sql, values).await
    }

    pub(in crate::project) async fn execute_public(
        &self,
        access: &Access,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<u64> {
        self.execute(&access.into(), sql, values).await
    }

    pub(in crate::project) async fn begin_public(
        &self,
        access: &Access,
    ) -> Result<Box<dyn SqlTransaction>> {
        self.begin(&access.into()).await
    }

    /// A connection of the owner.
    async fn owner(&self, project: ProjectId, purpose: Purpose) -> Result<Worker> {
        let target = Target {
            place: Place::Public(project, Side::Owner),
            caller: None,
            write: purpose == Purpose::Write,
        };
        self.worker(&target, purpose).await
    }

    pub(in crate::project) async fn change_tables(
        &self,
        project: ProjectId,
        statements: &[String],
        mark: Option<&str>,
    ) -> Result<()> {
        let worker = self.owner(project, Purpose::Write).await?;
        let (statements, mark) = (statements.to_owned(), mark.map(str::to_owned));
        let time = self.options.migration_time;
        worker
            .run(move |connection, cancel| {
                connection.begin()?;
                let result = statements.iter().try_for_each(|sql| {
                    connection.start_run(limited(time, cancel));
                    let mut statement = connection.prepare_only(sql, false)?;
                    statement.bind(&[])?;
                    statement.finish()
                });
                let result = result
                    .and_then(|()| connection.as_host(|own| store::tidy(own.inner())))
                    .and_then(|()| match &mark {
                        Some(mark) => changes::note(connection, mark, &script(&statements)),
                        None => Ok(()),
                    });
                settle(connection, result)
            })
            .await
            .1
    }

    pub(in crate::project) async fn describe(&self, project: ProjectId) -> Result<Described> {
        let worker = self.owner(project, Purpose::Read).await?;
        let (stored, mut described) = worker
            .run(move |connection, _| {
                at_one_moment(connection, |own| {
                    let stored = set::stored(own.inner())?;
                    Ok((stored, describe::tables(own)?))
                })
            })
            .await
            .1?;
        for (lower, policies) in set::grouped(stored)? {
            let table = described
                .tables
                .iter()
                .find(|table| table.name.eq_ignore_ascii_case(&lower))
                .map(|table| table.name.clone());
            for (table, policy) in table
                .iter()
                .flat_map(|name| policies.iter().map(move |policy| (name, policy)))
            {
                described.add_policy(table, policy);
            }
        }
        Ok(described)
    }

    pub(in crate::project) async fn row_policies(
        &self,
        project: ProjectId,
        table: &str,
    ) -> Result<Vec<RowPolicy>> {
        let worker = self.owner(project, Purpose::Read).await?;
        let stored = worker
            .run(move |connection, _| connection.as_host(|own| set::stored(own.inner())))
            .await
            .1?;
        let mut policies = set::grouped(stored)?;
        Ok(policies
            .remove(&table.to_ascii_lowercase())
            .unwrap_or_default())
    }

    pub(in crate::project) async fn change_row_policies(
        &self,
        project: ProjectId,
        table: &str,
        change: PolicyChange,
    ) -> Result<bool> {
        let worker = self.owner(project, Purpose::Write).await?;
        let (path, options) = (self.files.public(project), self.options.clone());
        let table = table.to_owned();
        worker
            .run(move |connection, _| {
                // Tables and policies keep still meanwhile.
                connection.begin()?;
                let result = replace(connection, &path, &options, &table, change);
                settle(connection, result)
            })
            .await
            .1
    }
}

/// Reads in several statements what is of one moment.
fn at_one_moment<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T> {
    connection.begin_reads()?;
    let result = connection.as_host(work);
    settle(connection, result)
}

/// Makes the change of what is there, unless SQLite does not take what comes
/// of it.
fn replace(
    owner: &mut Connection,
    path: &std::path::Path,
    options: &Arc<crate::project::Options>,
    table: &str,
    change: PolicyChange,
) -> Result<bool> {
    let mut stored = set::grouped(owner.as_host(|own| set::stored(own.inner()))?)?;
    let present = stored.remove(&table.to_ascii_lowercase());
    let changed = change.apply(present.unwrap_or_default())?;
    check(owner, path, options, table, stored, &changed.policies)?;
    owner.as_host(|own| store::replace(own.inner(), table, &changed.policies))?;
    Ok(changed.is_new)
}

/// Has SQLite read the policies: one after the other, so that a failure can
/// be told of the right one, then all together.
fn check(
    owner: &mut Connection,
    path: &std::path::Path,
    options: &Arc<crate::project::Options>,
    table: &str,
    mut stored: Policies,
    policies: &[RowPolicy],
) -> Result<()> {
    let column = owner.as_host(|own| describe::shape(own.inner(), table))?;
    let column = column.anchor;
    let mut trial = Connection::open_checker(path, options)?;
    let lower = table.to_ascii_lowercase();
    let mut try_out = |own: &[RowPolicy]| {
        stored.insert(lower.clone(), own.to_owned());
        take(&mut trial, &stored, table, column.as_deref())
    };
    for policy in policies {
        // Of a row that comes to be, too, it may only ask what a reader may.
        let read = RowPolicy {
            actions: [Action::Select].into(),
            using: policy.check().cloned(),
            ..policy.clone()
        };
        for trial in [&read, policy] {
            try_out(std::slice::from_ref(trial))
                .map_err(|error| policy.invalid(error.message()))?;
        }
    }
    try_out(policies).map_err(|error| Error::invalid("invalid_policy", error.message()))
}

/// Prepares statements that meet every view and trigger of the table.
fn take(
    trial: &mut Connection,
    policies: &Policies,
    table: &str,
    column: Option<&str>,
) -> Result<()> {
    trial.make_set(Some(policies))?;
    let name = set::quoted(table);
    let mut statements = vec![format!("SELECT * FROM {name}")];
    let counted = trial.prepare_strictly(&format!("SELECT count(*) FROM {name}"));
    if column.is_some() && counted.is_err_and(|error| error.code() == "sql_denied") {
        return Err(Error::invalid(
            "invalid_policy",
            "an expression is never true: leave it out, or write `false` as a value of JSON",
        ));
    }
    if trial
        .policy
        .public()
        .is_some_and(|rules| rules.is_writable(table))
    {
        statements.push(format!("INSERT INTO public.{name} DEFAULT VALUES"));
        statements.push(format!("DELETE FROM public.{name}"));
        statements.extend(
            column.map(|column| format!("UPDATE public.{name} SET {} = NULL", set::quoted(column))),
        );
    }
    for sql in statements {
        trial.prepare_strictly(&sql)?;
    }
    Ok(())
}
