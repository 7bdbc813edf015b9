//! Tables as admins see and change them: made and altered as
//! [`schema`](crate::project::schema) says, told with all their parts, and
//! looked into page by page.

use super::RowPolicy;
use crate::project::{
    Engine, ProjectDatabases,
    schema::{self, NewTable, TableChange},
    text,
};
use atlashub_core::{
    Error, ProjectId, Result,
    capability::{
        database::{Access, Column, Database as _, Reach, Table, TableKind},
        sql::{Dialect, SqlRows, SqlValue},
    },
};

/// Rows that are counted at most; beyond, the database's estimate is told.
const MAX_COUNTED: i64 = 100_000;
/// Most rows of a page.
const MAX_PAGE: u64 = 1_000;
/// Most rows that a page may leave out before it.
const MAX_OFFSET: u64 = 1_000_000;
/// Most filters of a page.
const MAX_FILTERS: usize = 20;

/// An index of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Its columns in order, without those that are expressions.
    pub columns: Vec<String>,
    /// Whether each combination occurs once.
    pub unique: bool,
    /// The statement that makes it; empty where a constraint did.
    pub definition: String,
}

/// A condition that holds for every row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name; most have none on SQLite.
    pub name: Option<String>,
    /// The condition, SQL of the engine.
    pub expression: String,
}

/// All that there is to tell of a table or view.
#[derive(Clone, Debug)]
pub struct TableDetails {
    /// Its columns and keys.
    pub table: Table,
    /// Its indexes by name.
    pub indexes: Vec<Index>,
    /// Its checks.
    pub checks: Vec<Check>,
    /// What becomes of rows whose parent is removed, by foreign key.
    pub on_delete: Vec<(String, String)>,
    /// Its row policies by name.
    pub policies: Vec<RowPolicy>,
    /// How many rows it has: counted up to a hundred thousand, then the
    /// database's own estimate.
    pub row_estimate: i64,
}

/// What an engine tells of a table besides its columns and keys.
pub(in crate::project) struct Found {
    pub(in crate::project) indexes: Vec<Index>,
    pub(in crate::project) checks: Vec<Check>,
    pub(in crate::project) on_delete: Vec<(String, String)>,
    pub(in crate::project) estimate: i64,
}

/// The order of rows.
#[derive(Clone, Debug)]
pub struct RowOrder {
    /// By this column.
    pub column: String,
    /// From the largest.
    pub descending: bool,
}

/// Which rows.
#[derive(Clone, Debug)]
pub struct RowFilter {
    /// The column.
    pub column: String,
    /// `eq`, `neq`, `lt`, `lte`, `gt`, `gte`, `like`, or `is`.
    pub operator: String,
    /// What it is compared with; `null` and `not_null` for `is`.
    pub value: String,
}

/// Which page of a table's rows.
#[derive(Clone, Debug, Default)]
pub struct RowsQuery {
    /// Filters that all hold.
    pub filters: Vec<RowFilter>,
    /// The order; by primary key unless given.
    pub order: Option<RowOrder>,
    /// How many rows.
    pub limit: u64,
    /// How many rows before them are left out.
    pub offset: u64,
}

/// A page of a table's rows.
#[derive(Clone, Debug)]
pub struct RowPage {
    /// The columns.
    pub columns: Vec<Column>,
    /// The values, as long as `columns` each.
    pub rows: Vec<Vec<SqlValue>>,
    /// Whether there are more rows after them.
    pub more: bool,
}

impl ProjectDatabases {
    /// Makes a table; answers the statements that did. `mark` tells the
    /// change from every other.
    ///
    /// # Errors
    /// `invalid_schema`, `table_exists`, the codes of `capability::sql`.
    pub async fn create_table(
        &self,
        project: ProjectId,
        table: &NewTable,
        mark: &str,
    ) -> Result<Vec<String>> {
        let statements = match &*self.engine {
            Engine::Sqlite(_) => schema::create_on_sqlite(table),
            Engine::Postgres(_) => schema::create_on_postgres(table),
        }?;
        self.check_free(project, &table.name).await?;
        self.make_changes(project, &statements, Some(mark)).await?;
        Ok(statements)
    }

    /// Makes changes to a table in their order, all or none; answers the
    /// statements that did. Row policies stay with their table.
    ///
    /// # Errors
    /// `not_found`, `invalid_schema`, `column_in_use` where a policy or view
    /// needs a column as it is, the codes of `capability::sql`.
    pub async fn alter_table(
        &self,
        project: ProjectId,
        table: &str,
        changes: &[TableChange],
        mark: &str,
    ) -> Result<Vec<String>> {
        let policies = self.row_policies(project, table).await?;
        schema::check(changes)?;
        for change in changes {
            check_policies(change, &policies)?;
            if let TableChange::Rename { to } = change {
                self.check_free(project, to).await?;
            }
        }
        let result = match &*self.engine {
            Engine::Sqlite(sqlite) => {
                sqlite
                    .alter_table(self.at(project), table, changes, mark)
                    .await
            }
            Engine::Postgres(postgres) => {
                postgres
                    .alter_table(self.at(project), table, changes, mark)
                    .await
            }
        };
        self.tables_changed(project);
        result
    }

    /// Removes a table with its rows and policies; answers the statements
    /// that did.
    ///
    /// # Errors
    /// `not_found`, `table_in_use` where another table refers to it.
    pub async fn drop_table(
        &self,
        project: ProjectId,
        table: &str,
        mark: &str,
    ) -> Result<Vec<String>> {
        self.check_table(project, table).await?;
        for other in self.describe(project).await?.iter() {
            if other.name != table && other.foreign_keys.iter().any(|key| key.table == table) {
                return Err(Error::conflict(
                    "table_in_use",
                    format!(
                        "`{}` has a foreign key to it: remove that first",
                        other.name
                    ),
                ));
            }
        }
        let statements = vec![format!("DROP TABLE {}", self.written(table))];
        self.make_changes(project, &statements, Some(mark)).await?;
        Ok(statements)
    }

    /// A table or view with all its parts.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn table_details(&self, project: ProjectId, name: &str) -> Result<TableDetails> {
        let table = self.find_table(project, name).await?;
        let found = match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.table_found(self.at(project), name).await,
            Engine::Postgres(postgres) => postgres.table_found(self.at(project), name).await,
        }?;
        let policies = match table.kind {
            TableKind::Table => self.row_policies(project, name).await?,
            TableKind::View => Vec::new(),
        };
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM {} LIMIT {MAX_COUNTED}) AS counted",
            self.written(name)
        );
        let counted = self.query(&reader(project), &sql, Vec::new()).await?;
        let counted = match counted.rows.first().and_then(|row| row.first()) {
            Some(SqlValue::Integer(count)) => *count,
            _ => 0,
        };
        let row_estimate = if counted < MAX_COUNTED {
            counted
        } else {
            found.estimate.max(counted)
        };
        Ok(TableDetails {
            table,
            indexes: found.indexes,
            checks: found.checks,
            on_delete: found.on_delete,
            policies,
            row_estimate,
        })
    }

    /// A page of the rows of a table or view, all of them to be seen.
    ///
    /// # Errors
    /// `not_found`, `invalid_filter`, the codes of `capability::sql`.
    pub async fn table_rows(
        &self,
        project: ProjectId,
        name: &str,
        query: &RowsQuery,
    ) -> Result<RowPage> {
        let table = self.find_table(project, name).await?;
        let limit = query.limit.clamp(1, MAX_PAGE);
        let (sql, values) = self.rows_sql(&table, query, limit)?;
        let SqlRows { mut rows, .. } = self.query(&reader(project), &sql, values).await?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        Ok(RowPage {
            columns: table.columns,
            rows,
            more,
        })
    }

    fn rows_sql(
        &self,
        table: &Table,
        query: &RowsQuery,
        limit: u64,
    ) -> Result<(String, Vec<SqlValue>)> {
        if query.filters.len() > MAX_FILTERS || query.offset > MAX_OFFSET {
            return Err(invalid_filter(format!(
                "at most {MAX_FILTERS} filters and an offset of {MAX_OFFSET} are taken"
            )));
        }
        let column = |name: &str| {
            let known = table.columns.iter().find(|column| column.name == name);
            known
                .map(|column| quoted(&column.name))
                .ok_or_else(|| invalid_filter(format!("there is no column `{name}`")))
        };
        let mut values = Vec::new();
        let mut conditions = Vec::new();
        for filter in &query.filters {
            let own = column(&filter.column)?;
            let operator = match filter.operator.as_str() {
                "eq" => "=",
                "neq" => "<>",
                "lt" => "<",
                "lte" => "<=",
                "gt" => ">",
                "gte" => ">=",
                "like" => "LIKE",
                "is" => {
                    conditions.push(match filter.value.as_str() {
                        "null" => format!("{own} IS NULL"),
                        "not_null" => format!("{own} IS NOT NULL"),
                        _ => return Err(invalid_filter("`is` takes `null` or `not_null`")),
                    });
                    continue;
                }
                other => return Err(invalid_filter(format!("there is no operator `{other}`"))),
            };
            values.push(SqlValue::Text(filter.value.clone()));
            let number = values.len();
            conditions.push(match (self.dialect(), operator) {
                (_, "LIKE") => format!("CAST({own} AS text) LIKE ${number}"),
                // A text beside a number is compared as the number it is.
                (Dialect::Sqlite, _) => format!("{own} {operator} ${number}"),
                (Dialect::Postgres, _) => {
                    let known = table.columns.iter().find(|one| one.name == filter.column);
                    let kind = known.map_or("text", |one| one.data_type.as_str());
                    format!("{own} {operator} CAST(CAST(${number} AS text) AS {kind})")
                }
            });
        }
        let columns: Vec<String> = table.columns.iter().map(|own| quoted(&own.name)).collect();
        let mut order: Vec<String> = Vec::new();
        if let Some(by) = &query.order {
            let direction = if by.descending { "DESC" } else { "ASC" };
            order.push(format!("{} {direction}", column(&by.column)?));
        }
        order.extend(table.primary_key.iter().map(|key| quoted(key)));
        let mut sql = format!(
            "SELECT {} FROM {}",
            if columns.is_empty() {
                "NULL".to_owned()
            } else {
                columns.join(", ")
            },
            self.written(&table.name)
        );
        if !conditions.is_empty() {
            sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        if !order.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
        }
        sql.push_str(&format!(" LIMIT {} OFFSET {}", limit + 1, query.offset));
        Ok((sql, values))
    }

    /// The name as statements write it.
    fn written(&self, table: &str) -> String {
        match self.dialect() {
            Dialect::Sqlite => quoted(table),
            Dialect::Postgres => format!("public.{}", quoted(table)),
        }
    }

    async fn find_table(&self, project: ProjectId, name: &str) -> Result<Table> {
        let tables = self.describe(project).await?;
        let found = tables.iter().find(|own| own.name == name).cloned();
        found.ok_or_else(|| Error::not_found(format!("the table `{name}`")))
    }

    pub(super) async fn check_free(&self, project: ProjectId, name: &str) -> Result<()> {
        let tables = self.describe(project).await?;
        if tables.iter().any(|own| own.name.eq_ignore_ascii_case(name)) {
            return Err(Error::conflict(
                "table_exists",
                format!("there is a table or view `{name}` already"),
            ));
        }
        Ok(())
    }
}

/// Refuses a change to a column that a policy speaks of.
pub(in crate::project) fn check_policies(
    change: &TableChange,
    policies: &[RowPolicy],
) -> Result<()> {
    let column = match change {
        TableChange::DropColumn { column } | TableChange::RenameColumn { column, .. } => column,
        TableChange::AlterColumn {
            column,
            column_type: Some(_),
            ..
        } => column,
        _ => return Ok(()),
    };
    match policies.iter().find(|policy| policy.speaks_of(column)) {
        None => Ok(()),
        Some(policy) => Err(Error::conflict(
            "column_in_use",
            format!(
                "the policy `{}` speaks of `{column}`: change it first",
                policy.name
            ),
        )
        .with_field("policy", policy.name.clone())),
    }
}

impl RowPolicy {
    /// Whether its expressions name the column.
    fn speaks_of(&self, column: &str) -> bool {
        let mut expressions = self.using.iter().chain(&self.check);
        expressions.any(|expression| match expression {
            super::Expression::Constant(_) => false,
            super::Expression::Owner { owner } => owner.eq_ignore_ascii_case(column),
            super::Expression::Sql(sql) => {
                text::runs(sql).any(|(word, _)| word.eq_ignore_ascii_case(column))
            }
        })
    }
}

/// Everything, and nothing to be written.
fn reader(project: ProjectId) -> Access {
    Access {
        project,
        reach: Reach::Everything,
        write: false,
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn invalid_filter(message: impl Into<String>) -> Error {
    Error::invalid("invalid_filter", message)
}
