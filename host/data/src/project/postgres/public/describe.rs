//! What is in a project's schema `public`, from the server's catalogue.

use super::{
    super::{PostgresProjects, error::Fault, session_of},
    policies,
};
use crate::project::public::Described;
use atlashub_core::{
    ProjectId, Result,
    capability::database::{Audience, Column, ColumnKind, EVERYBODY, ForeignKey, Table, TableKind},
};
use sqlx::{Row as _, postgres::PgRow};
use std::collections::BTreeMap;

const COLUMNS: &str = "SELECT c.relname::text, c.relkind IN ('v', 'm'), a.attname::text, \
       format_type(a.atttypid, a.atttypmod), b.typname::text, \
       t.typcategory = 'A', b.typtype = 'e', \
       NOT (a.attnotnull OR t.typnotnull), \
       CASE WHEN a.attidentity <> '' THEN 'identity' \
            WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END, \
       a.attgenerated <> '' OR a.attidentity = 'a' \
     FROM pg_class c \
     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     LEFT JOIN pg_type t ON t.oid = a.atttypid \
     LEFT JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
     LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') \
       AND NOT c.relispartition \
     ORDER BY c.relname, a.attnum";

const KEYS: &str = "SELECT c.relname::text, i.indisprimary, \
       (SELECT array_agg(a.attname::text ORDER BY k.place) \
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place) \
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number \
        WHERE k.place <= i.indnkeyatts) \
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class n ON n.oid = i.indexrelid \
     WHERE c.relnamespace = 'public'::regnamespace AND i.indisunique AND i.indisvalid \
       AND i.indpred IS NULL AND i.indexprs IS NULL \
     ORDER BY c.relname, n.relname";

const FOREIGN_KEYS: &str = "SELECT c.relname::text, f.conname::text, \
       (SELECT array_agg(a.attname::text ORDER BY k.place) \
        FROM unnest(f.conkey) WITH ORDINALITY AS k(number, place) \
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number), \
       o.relname::text, \
       (SELECT array_agg(a.attname::text ORDER BY k.place) \
        FROM unnest(f.confkey) WITH ORDINALITY AS k(number, place) \
        JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number) \
     FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class o ON o.oid = f.confrelid \
     WHERE f.contype = 'f' AND f.conparentid = 0 \
       AND c.relnamespace = 'public'::regnamespace AND o.relnamespace = 'public'::regnamespace \
     ORDER BY c.relname, f.conname";

/// What admins wrote in SQL has no comment of ours; it is taken as for all.
const POLICIES: &str = "SELECT c.relname::text, \
       CASE WHEN starts_with(p.polname::text, 'ah/') THEN obj_description(p.oid, 'pg_policy') END \
     FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid \
     WHERE c.relnamespace = 'public'::regnamespace AND p.polpermissive \
       AND p.polname <> 'ah service'";

const READS: &str = "SELECT DISTINCT v.relname::text, \
       CASE WHEN t.relnamespace = v.relnamespace THEN t.relname::text ELSE t.oid::regclass::text END \
     FROM pg_rewrite r JOIN pg_class v ON v.oid = r.ev_class \
     LEFT JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid \
       AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid \
     LEFT JOIN pg_class t ON t.oid = d.refobjid \
     WHERE v.relkind = 'v' AND v.relnamespace = 'public'::regnamespace";

impl PostgresProjects {
    pub(in crate::project) async fn describe(&self, project: ProjectId) -> Result<Described> {
        let mut lease = self.owner(project).await?;
        let session = session_of(&mut lease)?;
        let parts = [COLUMNS, KEYS, FOREIGN_KEYS, POLICIES, READS];
        let found = session.read_of_one_moment(&parts, &[]).await;
        let found = found.map_err(Fault::into_error)?;
        let mut found = found.iter();
        let mut rows = || found.next().map(Vec::as_slice).unwrap_or_default();
        let tables = read(rows(), rows(), rows());
        let mut described = Described {
            tables: tables.map_err(|error| Fault::from(error).into_error())?,
            ..Described::default()
        };
        read_policies(&mut described, rows())?;
        read_reads(&mut described, rows()).map_err(|error| Fault::from(error).into_error())?;
        Ok(described)
    }
}

fn read_policies(described: &mut Described, rows: &[PgRow]) -> Result<()> {
    let failed = |error: sqlx::Error| Fault::from(error).into_error();
    for row in rows {
        let table: &str = row.try_get(0).map_err(failed)?;
        match row.try_get::<Option<&str>, _>(1).map_err(failed)? {
            Some(text) => described.add_policy(table, &policies::parse(text)?),
            None => {
                let roles = described.roles.entry(table.to_owned()).or_default();
                roles.insert(EVERYBODY.to_owned());
            }
        }
    }
    Ok(())
}

fn read_reads(described: &mut Described, rows: &[PgRow]) -> Result<(), sqlx::Error> {
    for row in rows {
        let (view, read): (String, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
        described.reads.entry(view).or_default().extend(read);
    }
    Ok(())
}

fn read(
    columns: &[PgRow],
    keys: &[PgRow],
    foreign_keys: &[PgRow],
) -> Result<Vec<Table>, sqlx::Error> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for row in columns {
        let name: String = row.try_get(0)?;
        let table = tables.entry(name.clone()).or_insert_with(|| Table {
            name,
            kind: TableKind::Table,
            columns: Vec::new(),
            primary_key: Vec::new(),
            unique: Vec::new(),
            foreign_keys: Vec::new(),
            audience: Audience::nobody(),
        });
        if row.try_get(1)? {
            table.kind = TableKind::View;
        }
        // A table may have no column at all.
        let Some(name) = row.try_get::<Option<String>, _>(2)? else {
            continue;
        };
        let type_name: String = row.try_get(4)?;
        table.columns.push(Column {
            name,
            data_type: row.try_get(3)?,
            kind: kind_of(&type_name, row.try_get(5)?, row.try_get(6)?),
            nullable: row.try_get(7)?,
            default: row.try_get(8)?,
            generated: row.try_get(9)?,
        });
    }
    for row in keys {
        let columns: Option<Vec<String>> = row.try_get(2)?;
        if let (Some(table), Some(columns)) = (tables.get_mut(row.try_get::<&str, _>(0)?), columns)
        {
            if row.try_get(1)? {
                table.primary_key = columns;
            } else {
                table.unique.push(columns);
            }
        }
    }
    for row in foreign_keys {
        if let Some(table) = tables.get_mut(row.try_get::<&str, _>(0)?) {
            table.foreign_keys.push(ForeignKey {
                name: row.try_get(1)?,
                columns: row.try_get(2)?,
                table: row.try_get(3)?,
                references: row.try_get(4)?,
            });
        }
    }
    Ok(tables.into_values().collect())
}

pub(super) fn kind_of(name: &str, is_array: bool, is_enum: bool) -> ColumnKind {
    match name {
        _ if is_array => ColumnKind::Array,
        _ if is_enum => ColumnKind::Text,
        "text" | "varchar" | "bpchar" | "char" | "name" | "citext" => ColumnKind::Text,
        "int2" | "int4" | "int8" | "oid" => ColumnKind::Integer,
        "float4" | "float8" => ColumnKind::Real,
        "numeric" | "money" => ColumnKind::Numeric,
        "bool" => ColumnKind::Boolean,
        "json" | "jsonb" => ColumnKind::Json,
        "timestamp" | "timestamptz" => ColumnKind::Timestamp,
        "date" => ColumnKind::Date,
        "time" | "timetz" => ColumnKind::Time,
        "uuid" => ColumnKind::Uuid,
        "bytea" => ColumnKind::Bytes,
        _ => ColumnKind::Other,
    }
}
