//! Row policies as row-level security. The database's catalogue is where
//! they are kept: each action of a policy is a policy there, and a comment on
//! it has the policy as the admin wrote it. So they move with the database,
//! and follow tables and columns that are renamed.

use super::super::{
    PostgresProjects,
    error::Fault,
    names::{literal, quoted},
    session::Session,
    session_of,
};
use super::prepare::SCHEMA;
use crate::project::public::{Action, Expression, PolicyChange, RowPolicy};
use atlashub_core::{Error, ProjectId, Result};
use sqlx::Row as _;
use std::collections::{BTreeMap, HashMap};

/// What the names of our policies in the catalogue begin with.
const PREFIX: &str = "ah/";

const READ: &str = "SELECT p.polname::text, obj_description(p.oid, 'pg_policy') \
     FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relname = $1 \
     AND starts_with(p.polname::text, 'ah/') ORDER BY 1";
const TYPES: &str = "SELECT a.attname::text, t.typname::text \
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relname = $1 \
     AND a.attnum > 0 AND NOT a.attisdropped";

impl PostgresProjects {
    pub(in crate::project) async fn row_policies(
        &self,
        project: ProjectId,
        table: &str,
    ) -> Result<Vec<RowPolicy>> {
        let mut lease = self.owner(project).await?;
        let rows = read(session_of(&mut lease)?, table)
            .await
            .map_err(Fault::into_error)?;
        parsed(&rows)
    }

    pub(in crate::project) async fn change_row_policies(
        &self,
        project: ProjectId,
        table: &str,
        change: PolicyChange,
    ) -> Result<bool> {
        let mut lease = self.owner(project).await?;
        let session = session_of(&mut lease)?;
        session.begin(false).await.map_err(Fault::into_error)?;
        let app = super::super::names::app(project);
        match make(session, table, &app, change).await {
            Ok(is_new) => {
                let made = session.commit().await;
                made.map(|()| is_new).map_err(Fault::into_error)
            }
            Err(error) => {
                // A session that fails at this is not used again.
                let _ = session.rollback().await;
                Err(error)
            }
        }
    }
}

/// Makes the change of what is there. The lock comes first: what it waits for
/// is then seen by the statements after it.
async fn make(session: &mut Session, table: &str, app: &str, change: PolicyChange) -> Result<bool> {
    let lock = format!(
        "LOCK TABLE public.{} IN ACCESS EXCLUSIVE MODE",
        quoted(table)
    );
    session.run(&lock).await.map_err(Fault::into_error)?;
    let rows = read(session, table).await.map_err(Fault::into_error)?;
    let changed = change.apply(parsed(&rows)?)?;
    replace(session, table, app, &rows, &changed.policies).await?;
    Ok(changed.is_new)
}

/// Reads what a comment keeps.
pub(super) fn parse(text: &str) -> Result<RowPolicy> {
    serde_json::from_str(text).map_err(|error| Error::internal("read a row policy", error))
}

/// The policies that the catalogue keeps, each once.
fn parsed(rows: &[(String, Option<String>)]) -> Result<Vec<RowPolicy>> {
    let mut policies = BTreeMap::new();
    for text in rows.iter().filter_map(|(_, text)| text.as_deref()) {
        let policy = parse(text)?;
        policies.insert(policy.name.clone(), policy);
    }
    Ok(policies.into_values().collect())
}

async fn read(session: &mut Session, table: &str) -> Result<Vec<(String, Option<String>)>, Fault> {
    let rows = session.host(READ, &[table]).await?;
    let pair = |row: &sqlx::postgres::PgRow| Ok((row.try_get(0)?, row.try_get(1)?));
    rows.iter()
        .map(pair)
        .collect::<Result<_, sqlx::Error>>()
        .map_err(Fault::from)
}

pub(super) async fn replace(
    session: &mut Session,
    table: &str,
    app: &str,
    present: &[(String, Option<String>)],
    policies: &[RowPolicy],
) -> Result<()> {
    let on = format!("public.{}", quoted(table));
    for (name, _) in present {
        let sql = format!("DROP POLICY {} ON {on}", quoted(name));
        session.run(&sql).await.map_err(Fault::into_error)?;
    }
    let rows = session
        .host(TYPES, &[table])
        .await
        .map_err(Fault::into_error)?;
    let types: HashMap<String, String> = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<_, sqlx::Error>>()
        .map_err(|error| Fault::from(error).into_error())?;
    for policy in policies {
        let said = serde_json::to_string(policy)
            .map_err(|error| Error::internal("write a row policy", error))?;
        for action in &policy.actions {
            let name = quoted(&format!("{PREFIX}{}/{action}", policy.name));
            let parts = parts(policy, *action, &types);
            let sql = format!(
                "CREATE POLICY {name} ON {on} FOR {action} TO {} {parts}",
                quoted(app)
            );
            session
                .run(&sql)
                .await
                .map_err(|fault| policy.invalid(fault.into_error().message()))?;
            let sql = format!("COMMENT ON POLICY {name} ON {on} IS {}", literal(&said));
            session.run(&sql).await.map_err(Fault::into_error)?;
        }
    }
    Ok(())
}

/// The clauses of a policy for one action.
fn parts(policy: &RowPolicy, action: Action, types: &HashMap<String, String>) -> String {
    let clause = |word: &str, expression: Option<&Expression>| {
        let rows = expression.map_or_else(|| "false".to_owned(), |rows| condition(rows, types));
        match roles(policy) {
            None => format!("{word} ({rows}) "),
            Some(roles) => format!("{word} ({roles} AND ({rows})) "),
        }
    };
    let mut text = String::new();
    if action != Action::Insert {
        text.push_str(&clause("USING", policy.using()));
    }
    if matches!(action, Action::Insert | Action::Update) {
        text.push_str(&clause("WITH CHECK", policy.check()));
    }
    text
}

fn condition(expression: &Expression, types: &HashMap<String, String>) -> String {
    match expression {
        Expression::Constant(value) => value.to_string(),
        // Asked for in a query of its own, which the server runs once and
        // not for each row.
        Expression::Owner { owner } => {
            let column = quoted(owner);
            let id = format!("(SELECT {SCHEMA}.caller_id())");
            match types.get(owner).map(String::as_str) {
                Some("uuid") => format!("{column} = {id}"),
                Some("text" | "varchar") => format!("{column} = {id}::text"),
                _ => format!("{column}::text = {id}::text"),
            }
        }
        Expression::Sql(sql) => sql.clone(),
    }
}

/// Whom a policy is for, unless it is for all.
fn roles(policy: &RowPolicy) -> Option<String> {
    if policy.is_for_all() {
        return None;
    }
    let each: Vec<String> = policy
        .roles
        .iter()
        .map(|role| format!("(SELECT {SCHEMA}.caller_has_role({}))", literal(role)))
        .collect();
    Some(format!("({})", each.join(" OR ")))
}
