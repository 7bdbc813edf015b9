//! Tables altered as admins ask, in one transaction each, and what the
//! catalogue tells of a table besides its columns and keys.

use super::{
    super::{PostgresProjects, error::Fault, session::Session, session_of},
    changes::note,
    prepare,
};
use crate::project::{
    public::{Check, Found, Index, script},
    schema::{self, TableChange},
};
use atlashub_core::{Error, ProjectId, Result};
use sqlx::{Row as _, postgres::PgRow};

const INDEX_OF: &str = "SELECT 1 FROM pg_index i JOIN pg_class n ON n.oid = i.indexrelid \
     JOIN pg_class c ON c.oid = i.indrelid \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relname = $1 AND n.relname = $2";
const CONSTRAINT_OF: &str = "SELECT f.contype::text FROM pg_constraint f \
     JOIN pg_class c ON c.oid = f.conrelid \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relname = $1 AND f.conname = $2";
const KEYS_OF: &str = "SELECT f.conname::text, \
       ARRAY(SELECT a.attname::text FROM pg_attribute a \
        WHERE a.attrelid = c.oid AND a.attnum = ANY (f.conkey)) \
     FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relname = $1 AND f.contype::text = $2 \
     ORDER BY f.conname";

const INDEXES: &str = "SELECT n.relname::text, i.indisunique, pg_get_indexdef(i.indexrelid), \
       coalesce((SELECT array_agg(a.attname::text ORDER BY k.place) \
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place) \
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number \
        WHERE k.place <= i.indnkeyatts), ARRAY[]::text[]) \
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class n ON n.oid = i.indexrelid \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relname = $1 ORDER BY n.relname";
const CHECKS: &str = "SELECT f.conname::text, pg_get_expr(f.conbin, f.conrelid) \
     FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid \
     WHERE f.contype = 'c' AND c.relnamespace = 'public'::regnamespace AND c.relname = $1 \
     ORDER BY f.conname";
const ON_DELETE: &str = "SELECT f.conname::text, CASE f.confdeltype WHEN 'a' THEN 'NO ACTION' \
       WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' \
       ELSE 'SET DEFAULT' END \
     FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid \
     WHERE f.contype = 'f' AND c.relnamespace = 'public'::regnamespace AND c.relname = $1";
const ESTIMATE: &str = "SELECT reltuples::bigint FROM pg_class \
     WHERE relnamespace = 'public'::regnamespace AND relname = $1";

impl PostgresProjects {
    /// Makes the changes; answers the statements that did.
    pub(in crate::project) async fn alter_table(
        &self,
        project: ProjectId,
        table: &str,
        changes: &[TableChange],
        mark: &str,
    ) -> Result<Vec<String>> {
        let mut lease = self.owner_who_notes(project).await?;
        let session = session_of(&mut lease)?;
        session.begin(false).await.map_err(Fault::into_error)?;
        let result = self.alter(session, project, table, changes).await;
        let result = match result {
            Ok(statements) => note(session, mark, &script(&statements))
                .await
                .map(|()| statements),
            Err(error) => Err(error),
        };
        match result {
            Ok(statements) => session
                .commit()
                .await
                .map(|()| statements)
                .map_err(Fault::into_error),
            Err(error) => {
                // A session that fails at this is not used again.
                let _ = session.rollback().await;
                Err(error)
            }
        }
    }

    async fn alter(
        &self,
        session: &mut Session,
        project: ProjectId,
        table: &str,
        changes: &[TableChange],
    ) -> Result<Vec<String>> {
        let time = self.options.migration_time;
        session.set_time(time).await.map_err(Fault::into_error)?;
        let mut table = table.to_owned();
        let mut all = Vec::new();
        for change in changes {
            check_belongs(session, &table, change).await?;
            let present = constraint(session, &table, change).await?;
            let statements = schema::alter_on_postgres(&table, change, present.as_deref())?;
            for sql in &statements {
                session.migrate(sql, time).await.map_err(|fault| {
                    // Something depends on what goes: of a key, a foreign key.
                    let of_key = present.is_some() && fault.state_is("2BP01");
                    if of_key {
                        schema::key_in_use()
                    } else {
                        fault.into_error()
                    }
                })?;
            }
            if let TableChange::Rename { to } = change {
                table.clone_from(to);
            }
            all.extend(statements);
        }
        session
            .migrate(&prepare::reconcile(project), time)
            .await
            .map_err(Fault::into_error)?;
        Ok(all)
    }

    pub(in crate::project) async fn table_found(
        &self,
        project: ProjectId,
        table: &str,
    ) -> Result<Found> {
        let mut lease = self.owner(project).await?;
        let session = session_of(&mut lease)?;
        let parts = [INDEXES, CHECKS, ON_DELETE, ESTIMATE];
        let rows = session.read_of_one_moment(&parts, &[table]).await;
        let rows = rows.map_err(Fault::into_error)?;
        let mut rows = rows.iter();
        let mut next = || rows.next().map(Vec::as_slice).unwrap_or_default();
        read(next(), next(), next(), next()).map_err(|error| Fault::from(error).into_error())
    }
}

/// The name of the constraint that goes with a change of a key.
async fn constraint(
    session: &mut Session,
    table: &str,
    change: &TableChange,
) -> Result<Option<String>> {
    let (kind, columns) = match change {
        TableChange::DropUnique { columns } => ("u", Some(columns)),
        TableChange::SetPrimaryKey { .. } => ("p", None),
        _ => return Ok(None),
    };
    let rows = session
        .host(KEYS_OF, &[table, kind])
        .await
        .map_err(Fault::into_error)?;
    for row in &rows {
        let read = || Ok((row.try_get(0)?, row.try_get(1)?));
        let (name, own): (String, Vec<String>) =
            read().map_err(|error: sqlx::Error| Fault::from(error).into_error())?;
        if columns.is_none_or(|columns| schema::are_same(&own, columns)) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Names of indexes and constraints are looked up, so that what is removed is
/// what was meant, and of this table.
async fn check_belongs(session: &mut Session, table: &str, change: &TableChange) -> Result<()> {
    let (sql, name, kind) = match change {
        TableChange::DropIndex { name } => (INDEX_OF, name, None),
        TableChange::DropForeignKey { name } => (CONSTRAINT_OF, name, Some("f")),
        TableChange::DropCheck { name } => (CONSTRAINT_OF, name, Some("c")),
        _ => return Ok(()),
    };
    let rows = session
        .host(sql, &[table, name])
        .await
        .map_err(Fault::into_error)?;
    let fits =
        |row: &PgRow| kind.is_none_or(|kind| row.try_get(0).is_ok_and(|own: &str| own == kind));
    if rows.iter().any(fits) {
        return Ok(());
    }
    let what = match kind {
        None => "index",
        Some("f") => "foreign key",
        Some(_) => "check",
    };
    Err(Error::not_found(format!("the {what} `{name}`")))
}

fn read(
    indexes: &[PgRow],
    checks: &[PgRow],
    on_delete: &[PgRow],
    estimate: &[PgRow],
) -> Result<Found, sqlx::Error> {
    let index = |row: &PgRow| {
        Ok(Index {
            name: row.try_get(0)?,
            unique: row.try_get(1)?,
            definition: row.try_get(2)?,
            columns: row.try_get(3)?,
        })
    };
    let check = |row: &PgRow| {
        Ok(Check {
            name: Some(row.try_get(0)?),
            expression: row.try_get(1)?,
        })
    };
    let pair = |row: &PgRow| Ok((row.try_get(0)?, row.try_get(1)?));
    Ok(Found {
        indexes: indexes
            .iter()
            .map(index)
            .collect::<Result<_, sqlx::Error>>()?,
        checks: checks
            .iter()
            .map(check)
            .collect::<Result<_, sqlx::Error>>()?,
        on_delete: on_delete
            .iter()
            .map(pair)
            .collect::<Result<_, sqlx::Error>>()?,
        estimate: match estimate.first() {
            Some(row) => row.try_get(0)?,
            None => 0,
        },
    })
}
