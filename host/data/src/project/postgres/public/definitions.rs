//! Definitions of a project's tables from the server's catalogue, and what of
//! some cannot be made here: that is tried in a transaction which is undone.

use super::{
    super::{PostgresProjects, error::Fault, names, session::Session, session_of},
    describe::kind_of,
    policies,
};
use crate::project::{
    public::RowPolicy,
    schema::{
        self, LeftOut, NewTable, ProjectDefinitions, TableChange, TableDefinition,
        moved::{Facts, FactsColumn, FactsIndex, FactsKey},
        told,
    },
};
use atlashub_core::{ProjectId, Result, capability::sql::Dialect};
use sqlx::{Row as _, postgres::PgRow};
use std::collections::BTreeMap;

const COLUMNS: &str = "SELECT c.relname::text, c.relkind = 'p', a.attname::text, \
       format_type(a.atttypid, a.atttypmod), b.typname::text, t.typcategory = 'A', b.typtype = 'e', \
       NOT (a.attnotnull OR t.typnotnull), \
       CASE WHEN a.attidentity <> '' THEN 'identity' \
            WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END, \
       CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END, \
       a.attcollation <> t.typcollation \
     FROM pg_class c \
     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     LEFT JOIN pg_type t ON t.oid = a.atttypid \
     LEFT JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
     LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
     ORDER BY c.relname, a.attnum";

/// Keys, uniqueness, checks and foreign keys, each with what only one kind of
/// them has.
const CONSTRAINTS: &str = "SELECT c.relname::text, f.contype::text, f.conname::text, \
       coalesce((SELECT array_agg(a.attname::text ORDER BY k.place) \
        FROM unnest(f.conkey) WITH ORDINALITY AS k(number, place) \
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number), ARRAY[]::text[]), \
       pg_get_expr(f.conbin, f.conrelid), o.relname::text, \
       coalesce((SELECT array_agg(a.attname::text ORDER BY k.place) \
        FROM unnest(f.confkey) WITH ORDINALITY AS k(number, place) \
        JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number), ARRAY[]::text[]), \
       f.confdeltype::text, f.confupdtype::text, f.condeferrable \
     FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid \
     LEFT JOIN pg_class o ON o.oid = f.confrelid \
     WHERE c.relnamespace = 'public'::regnamespace AND f.conparentid = 0 \
       AND f.contype IN ('p', 'u', 'c', 'f') \
     ORDER BY c.relname, f.conname";

const INDEXES: &str = "SELECT c.relname::text, n.relname::text, i.indisunique, \
       pg_get_indexdef(i.indexrelid), \
       CASE WHEN i.indexprs IS NULL THEN (SELECT array_agg(a.attname::text ORDER BY k.place) \
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place) \
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number \
        WHERE k.place <= i.indnkeyatts) END, \
       m.amname = 'btree' AND i.indpred IS NULL AND i.indexprs IS NULL \
         AND i.indnatts = i.indnkeyatts AND NOT EXISTS \
           (SELECT 1 FROM unnest(i.indoption::int2[]) AS o(flags) WHERE o.flags <> 0) \
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class n ON n.oid = i.indexrelid \
     JOIN pg_am m ON m.oid = n.relam \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
       AND NOT EXISTS (SELECT 1 FROM pg_constraint f WHERE f.conindid = i.indexrelid \
                       AND f.contype IN ('p', 'u')) \
     ORDER BY n.relname";

const POLICIES: &str = "SELECT c.relname::text, p.polname::text, \
       CASE WHEN starts_with(p.polname::text, 'ah/') THEN obj_description(p.oid, 'pg_policy') END \
     FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid \
     WHERE c.relnamespace = 'public'::regnamespace AND p.polname <> 'ah service' ORDER BY 1, 2";

const TRIGGERS: &str = "SELECT c.relname::text, t.tgname::text, pg_get_triggerdef(t.oid) \
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
     WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal ORDER BY 2";

const VIEWS: &str = "SELECT c.relname::text, pg_get_viewdef(c.oid) FROM pg_class c \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm') ORDER BY 1";

impl PostgresProjects {
    pub(in crate::project) async fn definitions(
        &self,
        project: ProjectId,
    ) -> Result<ProjectDefinitions> {
        let mut lease = self.owner(project).await?;
        let session = session_of(&mut lease)?;
        let parts = [COLUMNS, CONSTRAINTS, INDEXES, POLICIES, TRIGGERS, VIEWS];
        let found = session.read_of_one_moment(&parts, &[]).await;
        let found = found.map_err(Fault::into_error)?;
        let failed = |error: sqlx::Error| Fault::from(error).into_error();
        let mut found = found.iter();
        let mut rows = || found.next().map(Vec::as_slice).unwrap_or_default();
        let mut tables = Tables::default();
        tables.columns(rows()).map_err(failed)?;
        tables.constraints(rows()).map_err(failed)?;
        tables.indexes(rows()).map_err(failed)?;
        tables.policies(rows())?;
        tables.triggers(rows()).map_err(failed)?;
        let left_out = rows().iter().map(|row| {
            let why = "views are made with SQL, by an admin";
            let name: &str = row.try_get(0)?;
            let sql: String = row.try_get(1)?;
            Ok(LeftOut::new(format!("view:{name}"), why).said(sql))
        });
        let left_out = left_out.collect::<Result<_, sqlx::Error>>();
        Ok(ProjectDefinitions {
            tables: tables.told(),
            left_out: left_out.map_err(failed)?,
        })
    }

    pub(in crate::project) async fn try_tables(
        &self,
        project: ProjectId,
        definitions: &[TableDefinition],
    ) -> Result<Vec<LeftOut>> {
        let mut lease = self.owner_who_notes(project).await?;
        let session = session_of(&mut lease)?;
        session.begin(false).await.map_err(Fault::into_error)?;
        let time = self.options.migration_time;
        let result = match session.set_time(time).await {
            Ok(()) => self.attempts(session, project, definitions).await,
            Err(fault) => Err(fault.into_error()),
        };
        // A session that fails at this is not used again.
        let undone = session.rollback().await.map_err(Fault::into_error);
        result.and_then(|troubles| undone.map(|()| troubles))
    }

    async fn attempts(
        &self,
        session: &mut Session,
        project: ProjectId,
        definitions: &[TableDefinition],
    ) -> Result<Vec<LeftOut>> {
        let mut troubles = Vec::new();
        let mut made = Vec::new();
        let mut keys = Vec::new();
        for definition in definitions {
            let (table, own) = schema::without_keys(&definition.table);
            let bare = NewTable {
                checks: Vec::new(),
                indexes: Vec::new(),
                ..table.clone()
            };
            let statements = schema::create_on_postgres(&bare);
            let object = format!("table:{}", table.name);
            if !self
                .attempt(session, statements, object, &mut troubles)
                .await?
            {
                continue;
            }
            for check in table.checks {
                let object = format!(
                    "check:{}.{}",
                    table.name,
                    check.name.as_deref().unwrap_or_default()
                );
                let change = TableChange::AddCheck { check };
                let statements = schema::alter_on_postgres(&table.name, &change, None);
                let _ = self
                    .attempt(session, statements, object, &mut troubles)
                    .await?;
            }
            for index in table.indexes {
                let name = index
                    .name
                    .clone()
                    .unwrap_or_else(|| index.columns.join("_"));
                let change = TableChange::AddIndex { index };
                let statements = schema::alter_on_postgres(&table.name, &change, None);
                let object = format!("index:{name}");
                let _ = self
                    .attempt(session, statements, object, &mut troubles)
                    .await?;
            }
            keys.extend(own.into_iter().map(|key| (table.name.clone(), key)));
            made.push(definition);
        }
        for (table, foreign_key) in keys {
            let object = format!("foreign_key:{table}.{}", foreign_key.columns.join("_"));
            let change = TableChange::AddForeignKey { foreign_key };
            let statements = schema::alter_on_postgres(&table, &change, None);
            let _ = self
                .attempt(session, statements, object, &mut troubles)
                .await?;
        }
        for definition in made {
            for policy in &definition.policies {
                let table = &definition.table.name;
                savepoint(session, "SAVEPOINT trial").await?;
                let app = names::app(project);
                let own = std::slice::from_ref(policy);
                let done = policies::replace(session, table, &app, &[], own).await;
                let object = format!("policy:{table}.{}", policy.name);
                let _ = ended(session, done, object, &mut troubles).await?;
            }
        }
        Ok(troubles)
    }

    /// Whether the statements can be run.
    async fn attempt(
        &self,
        session: &mut Session,
        statements: Result<Vec<String>>,
        object: String,
        troubles: &mut Vec<LeftOut>,
    ) -> Result<bool> {
        savepoint(session, "SAVEPOINT trial").await?;
        let time = self.options.migration_time;
        let done = match statements {
            Ok(statements) => {
                let run = async {
                    for sql in &statements {
                        session.migrate(sql, time).await?;
                    }
                    Ok(())
                };
                run.await.map_err(Fault::into_error)
            }
            Err(error) => Err(error),
        };
        ended(session, done, object, troubles).await
    }
}

/// Ends an attempt, and tells what came in its way.
async fn ended(
    session: &mut Session,
    done: Result<()>,
    object: String,
    troubles: &mut Vec<LeftOut>,
) -> Result<bool> {
    match done {
        Ok(()) => {
            savepoint(session, "RELEASE SAVEPOINT trial").await?;
            Ok(true)
        }
        Err(error) if error.kind().is_server_fault() => Err(error),
        Err(error) => {
            savepoint(session, "ROLLBACK TO SAVEPOINT trial").await?;
            troubles.push(LeftOut::new(object, error.message()));
            Ok(false)
        }
    }
}

async fn savepoint(session: &mut Session, sql: &str) -> Result<()> {
    session.run(sql).await.map_err(Fault::into_error)
}

/// Tables as they are put together from the catalogue.
#[derive(Default)]
struct Tables(BTreeMap<String, Own>);

struct Own {
    facts: Facts,
    policies: BTreeMap<String, RowPolicy>,
    left_out: Vec<LeftOut>,
}

impl Tables {
    fn of(&mut self, row: &PgRow) -> Result<Option<&mut Own>, sqlx::Error> {
        Ok(self.0.get_mut(row.try_get::<&str, _>(0)?))
    }

    fn columns(&mut self, rows: &[PgRow]) -> Result<(), sqlx::Error> {
        for row in rows {
            let name: String = row.try_get(0)?;
            let is_parted: bool = row.try_get(1)?;
            let own = self.0.entry(name.clone()).or_insert_with(|| Own {
                left_out: is_parted
                    .then(|| LeftOut::new(format!("partitions:{name}"), "it has partitions"))
                    .into_iter()
                    .collect(),
                facts: Facts {
                    name,
                    columns: Vec::new(),
                    primary_key: Vec::new(),
                    counts: false,
                    last: None,
                    unique: Vec::new(),
                    checks: Vec::new(),
                    keys: Vec::new(),
                    indexes: Vec::new(),
                    collates: Vec::new(),
                    understood: true,
                },
                policies: BTreeMap::new(),
            });
            // A table may have no column at all.
            let Some(name) = row.try_get::<Option<String>, _>(2)? else {
                continue;
            };
            if row.try_get::<Option<bool>, _>(10)?.unwrap_or(false) {
                own.facts.collates.push(name.clone());
            }
            let type_name: String = row.try_get(4)?;
            own.facts.columns.push(FactsColumn {
                name,
                data_type: row.try_get(3)?,
                kind: kind_of(&type_name, row.try_get(5)?, row.try_get(6)?),
                nullable: row.try_get(7)?,
                default: row.try_get(8)?,
                generated: row.try_get(9)?,
            });
        }
        Ok(())
    }

    fn constraints(&mut self, rows: &[PgRow]) -> Result<(), sqlx::Error> {
        for row in rows {
            let Some(own) = self.of(row)? else { continue };
            let name: String = row.try_get(2)?;
            let columns: Vec<String> = row.try_get(3)?;
            match row.try_get(1)? {
                "p" => own.facts.primary_key = columns,
                "u" => own.facts.unique.push(columns),
                "c" => {
                    let expression: Option<String> = row.try_get(4)?;
                    let check = (Some(name), expression.unwrap_or_default());
                    own.facts.checks.push(check);
                }
                _ => own.facts.keys.push(FactsKey {
                    name,
                    columns,
                    table: row.try_get::<Option<String>, _>(5)?.unwrap_or_default(),
                    references: row.try_get(6)?,
                    on_delete: action(row.try_get(7)?),
                    on_update: action(row.try_get(8)?),
                    deferrable: row.try_get(9)?,
                }),
            }
        }
        Ok(())
    }

    fn indexes(&mut self, rows: &[PgRow]) -> Result<(), sqlx::Error> {
        for row in rows {
            let Some(own) = self.of(row)? else { continue };
            let columns: Option<Vec<String>> = row.try_get(4)?;
            own.facts.indexes.push(FactsIndex {
                name: row.try_get(1)?,
                unique: row.try_get(2)?,
                definition: row.try_get(3)?,
                columns: columns.map(|own| own.into_iter().map(|name| (name, false)).collect()),
                plain: row.try_get(5)?,
            });
        }
        Ok(())
    }

    fn policies(&mut self, rows: &[PgRow]) -> Result<()> {
        let failed = |error: sqlx::Error| Fault::from(error).into_error();
        for row in rows {
            let Some(own) = self.of(row).map_err(failed)? else {
                continue;
            };
            let table = own.facts.name.clone();
            match row.try_get::<Option<&str>, _>(2).map_err(failed)? {
                Some(text) => {
                    let policy = policies::parse(text)?;
                    own.policies.insert(policy.name.clone(), policy);
                }
                None => {
                    let name: &str = row.try_get(1).map_err(failed)?;
                    let why = "the policy was made with SQL, by an admin";
                    let object = format!("policy:{table}.{name}");
                    own.left_out.push(LeftOut::new(object, why));
                }
            }
        }
        Ok(())
    }

    fn triggers(&mut self, rows: &[PgRow]) -> Result<(), sqlx::Error> {
        for row in rows {
            let Some(own) = self.of(row)? else { continue };
            let (name, sql): (&str, String) = (row.try_get(1)?, row.try_get(2)?);
            let why = "triggers are written in a language of the engine's own";
            let trigger = LeftOut::new(format!("trigger:{name}"), why);
            own.left_out.push(trigger.said(sql));
        }
        Ok(())
    }

    fn told(self) -> Vec<TableDefinition> {
        let each = self.0.into_values().map(|own| {
            let (table, mut left_out) = told(&own.facts, Dialect::Postgres);
            left_out.extend(own.left_out);
            TableDefinition {
                table,
                policies: own.policies.into_values().collect(),
                left_out,
            }
        });
        each.collect()
    }
}

/// What becomes of rows with their parent, in words.
fn action(letter: &str) -> String {
    match letter {
        "c" => "CASCADE",
        "r" => "RESTRICT",
        "n" => "SET NULL",
        "d" => "SET DEFAULT",
        _ => "NO ACTION",
    }
    .to_owned()
}
