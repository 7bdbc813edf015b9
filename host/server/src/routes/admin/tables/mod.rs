//! `/admin/v1/projects/{project}/tables` and what belongs to them.

pub(crate) mod alter;
pub(crate) mod create;
pub(crate) mod drop;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod migrations;
pub(crate) mod migrations_export;
pub(crate) mod policies;
pub(crate) mod policy_put;
pub(crate) mod policy_remove;
pub(crate) mod rows;

use crate::state::HostState;
use atlashub_core::{
    Error,
    capability::{
        database::{Column, ColumnKind, Table},
        sql::SqlValue,
    },
};
use atlashub_data::project::public::{Action, Expression, RowPolicy, TableDetails};
use axum::{
    Router,
    routing::{get, post, put},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// What is below `/admin`.
pub(super) fn router() -> Router<HostState> {
    Router::new()
        .route("/v1/projects/{project}/tables", get(list::handle))
        .route(
            "/v1/projects/{project}/tables/{table}",
            get(get::handle).patch(alter::handle).delete(drop::handle),
        )
        .route(
            "/v1/projects/{project}/tables/{table}/rows",
            get(rows::handle),
        )
        .route(
            "/v1/projects/{project}/tables/{table}/policies",
            get(policies::handle),
        )
        .route(
            "/v1/projects/{project}/tables/{table}/policies/{name}",
            put(policy_put::handle).delete(policy_remove::handle),
        )
        .route("/v1/projects/{project}/migrations", get(migrations::handle))
        .route(
            "/v1/projects/{project}/migrations.sql",
            get(migrations_export::handle),
        )
}

/// Creating calls, which take an `Idempotency-Key`.
pub(super) fn creating() -> Router<HostState> {
    Router::new().route("/v1/projects/{project}/tables", post(create::handle))
}

/// The largest number that every JSON reader takes exactly.
const MAX_EXACT: i64 = (1 << 53) - 1;

/// A column.
#[derive(Serialize, ToSchema)]
pub(crate) struct ColumnView {
    /// Its name.
    name: String,
    /// What it holds: `text`, `integer`, `real`, `numeric`, `boolean`,
    /// `json`, `timestamp`, `date`, `time`, `uuid`, `bytes`, `array`, `other`.
    kind: &'static str,
    /// Its type in the database's own words.
    data_type: String,
    /// Whether it takes NULL.
    nullable: bool,
    /// Its default, SQL.
    #[schema(required)]
    default: Option<String>,
    /// Whether the database alone makes its values.
    generated: bool,
}

impl From<Column> for ColumnView {
    fn from(column: Column) -> Self {
        Self {
            name: column.name,
            kind: column.kind.as_str(),
            data_type: column.data_type,
            nullable: column.nullable,
            default: column.default,
            generated: column.generated,
        }
    }
}

/// A foreign key.
#[derive(Serialize, ToSchema)]
pub(crate) struct ForeignKeyView {
    /// Its name.
    name: String,
    /// The table's own columns.
    columns: Vec<String>,
    /// The other table.
    table: String,
    /// The other table's columns in the same order.
    references: Vec<String>,
    /// What becomes of rows whose parent is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_delete: Option<String>,
}

/// A table or view.
#[derive(Serialize, ToSchema)]
pub(crate) struct TableView {
    /// Its name.
    name: String,
    /// `table` or `view`.
    kind: &'static str,
    /// Its columns in order.
    columns: Vec<ColumnView>,
    /// Columns of the primary key in order.
    primary_key: Vec<String>,
    /// Combinations of columns that occur once.
    unique: Vec<Vec<String>>,
    /// Its foreign keys.
    foreign_keys: Vec<ForeignKeyView>,
}

impl From<Table> for TableView {
    fn from(table: Table) -> Self {
        let foreign_keys = table.foreign_keys.into_iter().map(|key| ForeignKeyView {
            name: key.name,
            columns: key.columns,
            table: key.table,
            references: key.references,
            on_delete: None,
        });
        Self {
            name: table.name,
            kind: table.kind.as_str(),
            columns: table.columns.into_iter().map(ColumnView::from).collect(),
            primary_key: table.primary_key,
            unique: table.unique,
            foreign_keys: foreign_keys.collect(),
        }
    }
}

/// An index.
#[derive(Serialize, ToSchema)]
pub(crate) struct IndexView {
    /// Its name.
    name: String,
    /// Its columns in order.
    columns: Vec<String>,
    /// Whether each combination occurs once.
    unique: bool,
    /// The statement that makes it; empty where a constraint did.
    definition: String,
}

/// A condition that holds for every row.
#[derive(Serialize, ToSchema)]
pub(crate) struct CheckView {
    /// Its name.
    #[schema(required)]
    name: Option<String>,
    /// The condition, SQL of the engine.
    expression: String,
}

/// A table or view with all its parts.
#[derive(Serialize, ToSchema)]
pub(crate) struct TableDetailsView {
    #[serde(flatten)]
    table: TableView,
    /// Its indexes by name.
    indexes: Vec<IndexView>,
    /// Its checks.
    checks: Vec<CheckView>,
    /// Its row policies by name.
    policies: Vec<PolicyView>,
    /// How many rows it has: counted up to a hundred thousand, then the
    /// database's own estimate.
    row_estimate: i64,
}

impl TryFrom<TableDetails> for TableDetailsView {
    type Error = Error;

    fn try_from(details: TableDetails) -> Result<Self, Error> {
        let mut table = TableView::from(details.table);
        for key in &mut table.foreign_keys {
            let known = details.on_delete.iter().find(|(name, _)| *name == key.name);
            key.on_delete = known.map(|(_, action)| action.to_lowercase().replace(' ', "_"));
        }
        let policies = details.policies.into_iter().map(PolicyView::try_from);
        Ok(Self {
            policies: policies.collect::<Result<_, _>>()?,
            table,
            indexes: details
                .indexes
                .into_iter()
                .map(|index| IndexView {
                    name: index.name,
                    columns: index.columns,
                    unique: index.unique,
                    definition: index.definition,
                })
                .collect(),
            checks: details
                .checks
                .into_iter()
                .map(|check| CheckView {
                    name: check.name,
                    expression: check.expression,
                })
                .collect(),
            row_estimate: details.row_estimate,
        })
    }
}

/// A row policy.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyView {
    /// Its name.
    name: String,
    /// What `If-Match` takes, with its quotes: another with each change.
    etag: String,
    #[serde(flatten)]
    rules: PolicyRules,
}

/// What a row policy says.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyRules {
    /// `select`, `insert`, `update`, `delete`.
    actions: Vec<String>,
    /// Whom it is for: `anon`, `authenticated`, a role of the project, `*`.
    roles: Vec<String>,
    /// Which rows there are to see, change and remove: `true`, `false`,
    /// `{"owner": "<column>"}`, or SQL of the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    using: Option<Value>,
    /// Which rows may result; `using` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<Value>,
}

impl TryFrom<RowPolicy> for PolicyView {
    type Error = Error;

    fn try_from(policy: RowPolicy) -> Result<Self, Error> {
        let show = |expression: Expression| match expression {
            Expression::Constant(value) => json!(value),
            Expression::Owner { owner } => json!({ "owner": owner }),
            Expression::Sql(sql) => json!(sql),
        };
        Ok(Self {
            etag: policy.tag()?,
            name: policy.name,
            rules: PolicyRules {
                actions: policy.actions.iter().map(Action::to_string).collect(),
                roles: policy.roles,
                using: policy.using.map(show),
                check: policy.check.map(show),
            },
        })
    }
}

/// A value of a column as JSON. Bytes are base64; whole numbers that not
/// every reader takes exactly are text.
pub(crate) fn shown(value: SqlValue, kind: Option<ColumnKind>) -> Value {
    match (value, kind) {
        (SqlValue::Null, _) => Value::Null,
        (SqlValue::Boolean(value), _) => json!(value),
        (SqlValue::Integer(value), Some(ColumnKind::Boolean)) => json!(value != 0),
        (SqlValue::Integer(value), _) if value.abs() <= MAX_EXACT => json!(value),
        (SqlValue::Integer(value), _) => json!(value.to_string()),
        // JSON has no infinity and the like.
        (SqlValue::Real(value), _) if !value.is_finite() => json!(value.to_string()),
        (SqlValue::Real(value), _) => json!(value),
        (SqlValue::Text(text), Some(ColumnKind::Json | ColumnKind::Array)) => {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        (SqlValue::Text(text), _) => Value::String(text),
        (SqlValue::Blob(bytes), _) => json!(STANDARD.encode(bytes)),
    }
}
