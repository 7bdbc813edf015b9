//! Why a request cannot be answered, in both dialects: `/v1/db` answers a
//! problem with a snake_case code, `/rest/v1` an object with a SQLSTATE or
//! a code of PostgREST's.

use atlashub_sdk::{
    identity::{self, CallerKind},
    prelude::*,
};
use serde_json::{Value, json};

/// The result of this plugin's work.
pub(crate) type Result<T, E = Fault> = std::result::Result<T, E>;

/// A refusal or a failure.
#[derive(Debug)]
pub(crate) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    /// Of `/rest/v1`.
    code: String,
    message: String,
    details: Option<String>,
    hint: Option<String>,
    /// Of `/v1/db`.
    error: Error,
}

impl Fault {
    fn new(status: u16, code: &str, own: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Self(Box::new(Inner {
            status,
            code: code.to_owned(),
            error: Error::new(status, own, message.clone()),
            message,
            details: None,
            hint: None,
        }))
    }

    /// Says more.
    pub(crate) fn with_details(mut self, details: impl Into<String>) -> Self {
        self.0.details = Some(details.into());
        self
    }

    /// Says what to do.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// 400: the query cannot be read.
    pub(crate) fn query(message: impl Into<String>) -> Self {
        Self::new(400, "PGRST100", "invalid_query", message)
    }

    /// 400: a change of all rows.
    pub(crate) fn unfiltered() -> Self {
        let message = "PATCH and DELETE need a condition; name the rows";
        Self::new(400, "21000", "filter_required", message)
    }

    /// 400: the body cannot be read.
    pub(crate) fn body(message: impl Into<String>) -> Self {
        Self::new(400, "PGRST102", "invalid_body", message)
    }

    /// 400: the project's database does not have this.
    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::new(400, "0A000", "not_supported", what)
    }

    /// 400: a value that the column cannot hold.
    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::new(400, "22P02", "invalid_value", message)
    }

    /// 400: more rows than one request may touch.
    pub(crate) fn too_many(message: impl Into<String>) -> Self {
        Self::new(400, "54000", "too_many_rows", message)
    }

    /// 403: a row policy hides the row.
    pub(crate) fn policy(table: &str) -> Self {
        let message = format!("new row violates row-level security policy for table \"{table}\"");
        Self::refused("sql_policy", message)
    }

    /// 403: the roles of the user do not allow it.
    pub(crate) fn permission(error: Error) -> Self {
        let mut fault = Self::new(403, "42501", "permission_needed", error.detail());
        fault.0.error = error;
        fault
    }

    /// 403; to the anonymous 401, which asks them to sign in.
    fn refused(own: &'static str, message: String) -> Self {
        let (rest, problem) = match identity::caller().kind {
            CallerKind::Nobody => (401, StatusCode::UNAUTHORIZED),
            // PostgREST's clients know its role as the anonymous one.
            CallerKind::PublishableKey => (401, StatusCode::FORBIDDEN),
            _ => (403, StatusCode::FORBIDDEN),
        };
        let error = Error::new(problem, own, message.clone());
        let mut fault = Self::new(rest, "42501", own, message);
        fault.0.error = error;
        fault
    }

    /// 400: one request writes the same row twice.
    pub(crate) fn twice() -> Self {
        let message = "ON CONFLICT DO UPDATE command cannot affect row a second time";
        Self::new(400, "21000", "invalid_query", message)
    }

    /// 404, naming the table.
    pub(crate) fn unknown_table(name: &str) -> Self {
        let message = format!("Could not find the table 'public.{name}' in the schema cache");
        Self::new(404, "PGRST205", "unknown_table", message)
            .with_own(format!("there is no table `{name}`"))
    }

    /// Says the same in other words to clients of the own dialect.
    fn with_own(mut self, detail: String) -> Self {
        let error = &self.0.error;
        self.0.error = Error::new(error.status(), error.code().to_owned(), detail);
        self
    }

    /// 400, naming the column.
    pub(crate) fn unknown_column(table: &str, name: &str) -> Self {
        let message = format!("column {table}.{name} does not exist");
        Self::new(400, "42703", "unknown_column", message)
    }

    /// 400: a column that is not among a table's, of a body.
    pub(crate) fn unknown_body_column(table: &str, name: &str) -> Self {
        let message =
            format!("Could not find the '{name}' column of '{table}' in the schema cache");
        Self::new(400, "PGRST204", "unknown_column", message).with_own(format!(
            "there is no column `{name}` in the table `{table}`"
        ))
    }

    /// 400: nothing connects the two.
    pub(crate) fn unknown_relation(table: &str, other: &str) -> Self {
        let message = format!(
            "Could not find a relationship between '{table}' and '{other}' in the schema cache"
        );
        Self::new(400, "PGRST200", "unknown_relation", message).with_hint(
            "a foreign key connects tables; its name, its column or the other table stands for it",
        )
    }

    /// 300: several ways connect the two.
    pub(crate) fn ambiguous_relation(table: &str, other: &str) -> Self {
        let message = format!(
            "Could not embed because more than one relationship was found for '{table}' and '{other}'"
        );
        Self::new(300, "PGRST201", "ambiguous_relation", message).with_hint(format!(
            "name the foreign key or the table between: '{other}!<foreign key>'"
        ))
    }

    /// 400: sums and counts of rows are switched off.
    pub(crate) fn aggregate() -> Self {
        let message = "Use of aggregate functions is not allowed";
        Self::new(400, "PGRST123", "not_supported", message)
            .with_hint("An admin allows them with `aggregates` in the plugin's configuration.")
    }

    /// 400: a sum of what cannot be added, and the like.
    pub(crate) fn no_aggregate(function: &str, kind: &str) -> Self {
        let message = format!("function {function}({kind}) does not exist");
        Self::new(400, "42883", "not_supported", message)
    }

    /// 400: groups have no such value to be ordered by.
    pub(crate) fn not_grouped(column: &str) -> Self {
        let message = format!(
            "column \"{column}\" must appear in the GROUP BY clause or be used in an aggregate function"
        );
        Self::new(400, "42803", "invalid_query", message)
            .with_hint("rows that are summed up are ordered by the columns in `select`")
    }

    /// 405: an address of `PUT` names one row by its primary key.
    pub(crate) fn put_filter() -> Self {
        let message = "Filters must include all and only primary key columns with 'eq' operators";
        Self::new(405, "PGRST105", "invalid_query", message)
    }

    /// 400: one row has no pages.
    pub(crate) fn paged_put() -> Self {
        let message = "limit/offset querystring parameters are not allowed for PUT";
        Self::new(400, "PGRST114", "invalid_query", message)
    }

    /// 400: the row is another than the address says.
    pub(crate) fn put_key() -> Self {
        let message = "Payload values do not match URL in primary key column(s)";
        Self::new(400, "PGRST115", "invalid_body", message)
    }

    /// 400: many rows cannot be spread into one.
    pub(crate) fn spread(table: &str, other: &str) -> Self {
        let message = "A spread operation on a to-many relationship is not offered";
        Self::new(400, "PGRST119", "not_supported", message).with_details(format!(
            "'{table}' and '{other}' do not form a to-one relationship"
        ))
    }

    /// 400: a name that leads to no embedded table.
    pub(crate) fn not_embedded(name: &str) -> Self {
        let message = format!("'{name}' is not an embedded resource in this request");
        Self::new(400, "PGRST108", "invalid_query", message).with_hint(format!(
            "Verify that '{name}' is included in the 'select' query parameter."
        ))
    }

    /// 406: none of the forms that the client accepts.
    pub(crate) fn not_acceptable(accept: &str) -> Self {
        let message = format!("None of these media types are available: {accept}");
        Self::new(406, "PGRST107", "not_acceptable", message)
    }

    /// 406: only `public` can be reached.
    pub(crate) fn schema(name: &str) -> Self {
        let message = format!("Invalid schema: {name}");
        Self::new(406, "PGRST106", "unknown_schema", message)
            .with_hint("Only the following schemas are exposed: public")
    }

    /// 404: there are no functions to call.
    pub(crate) fn unknown_function(name: &str) -> Self {
        let message = format!("Could not find the function public.{name} in the schema cache");
        Self::new(404, "PGRST202", "unknown_function", message)
    }

    /// 406: not the one row that was asked for.
    pub(crate) fn not_single(rows: u64) -> Self {
        let message = "Cannot coerce the result to a single JSON object";
        Self::new(406, "PGRST116", "not_single", message)
            .with_details(format!("The result contains {rows} rows"))
    }

    /// 400: a change of more rows than the client allows.
    pub(crate) fn beyond_max_affected(rows: u64) -> Self {
        let message = "Query result exceeds max-affected preference constraint";
        Self::new(400, "PGRST124", "max_affected", message)
            .with_details(format!("The query affects {rows} rows"))
    }

    /// 400: preferences that are not known, where they must be.
    pub(crate) fn preferences(unknown: &str) -> Self {
        let message = "Invalid preferences given with handling=strict";
        Self::new(400, "PGRST122", "invalid_preferences", message)
            .with_details(format!("Invalid preferences: {unknown}"))
    }

    /// 416: a page behind the last row.
    pub(crate) fn range(details: impl Into<String>) -> Self {
        Self::new(
            416,
            "PGRST103",
            "invalid_range",
            "Requested range not satisfiable",
        )
        .with_details(details)
    }

    /// 415 for what a body is written in.
    pub(crate) fn media_type(message: impl Into<String>) -> Self {
        Self::new(415, "PGRST102", "unsupported_media_type", message)
    }

    /// 405: not with this method, not on a view.
    pub(crate) fn not_writable(table: &str) -> Self {
        let message = format!("cannot write to \"{table}\"");
        Self::new(405, "0A000", "not_writable", message)
    }

    /// 500, with its cause for the log.
    pub(crate) fn internal(cause: &str) -> Self {
        Error::internal(cause).into()
    }

    /// The answer of `/rest/v1`.
    pub(crate) fn into_rest(self) -> Response {
        let Inner {
            status,
            code,
            message,
            details,
            hint,
            error,
        } = *self.0;
        if status.is_server_error() {
            // The SDK logs the cause of these, and says when to come again.
            let problem = error.into_response();
            let mut response = Response::new(status).with_header("content-type", REST_JSON);
            if let Some(after) = problem.header("retry-after") {
                response = response.with_header("retry-after", after.to_owned());
            }
            let body = json!({ "code": code, "message": message, "details": null, "hint": null });
            return response.with_body(body.to_string().into_bytes());
        }
        let body: Value =
            json!({ "code": code, "message": message, "details": details, "hint": hint });
        Response::new(status)
            .with_header("content-type", REST_JSON)
            .with_body(body.to_string().into_bytes())
    }

    /// The problem of `/v1/db`.
    pub(crate) fn into_own(self) -> Error {
        self.0.error
    }
}

const REST_JSON: &str = "application/json; charset=utf-8";

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Error::from(error).into()
    }
}

/// What the database answered.
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let state = error.sqlstate().unwrap_or_default().to_owned();
        let said = error.cause().unwrap_or(error.detail()).to_owned();
        let (status, own) = match (state.as_str(), state.get(..2).unwrap_or_default()) {
            ("23505", _) => (409, "sql_constraint_unique"),
            ("23503", _) => (409, "sql_constraint_foreign_key"),
            (_, "23") => (400, "sql_constraint"),
            ("42501", _) if error.code() == "sql_policy" => {
                return Self::refused("sql_policy", said);
            }
            // A caller who may only read; on Postgres with a state of its own.
            ("42501" | "25006", _) => return Self::refused("forbidden", said),
            _ if error.code() == "sql_denied" => return Self::refused("forbidden", said),
            ("42883", _) => (400, "not_supported"),
            ("42P01", _) => (404, "unknown_table"),
            ("42703", _) => (400, "unknown_column"),
            ("21000", _) => (400, "invalid_query"),
            (_, "22") => (400, "invalid_value"),
            (_, "42" | "0A" | "P0" | "54") => (400, "invalid_query"),
            _ => {
                let message = error.detail().to_owned();
                let status = error.status();
                let code = if state.is_empty() {
                    error.code().to_owned()
                } else {
                    state
                };
                return Self(Box::new(Inner {
                    status,
                    code,
                    message,
                    details: None,
                    hint: None,
                    error,
                }));
            }
        };
        Self::new(status, &state, own, said)
    }
}
