//! `PUT /admin/v1/projects/{project}/tables/{table}/policies/{name}`: sets a
//! row policy.

use super::{PolicyRules, PolicyView};
use crate::{
    admin::AdminCaller,
    extract::{IfMatch, Json, Path, Tagged},
    problem::Problem,
    state::HostState,
};
use atlashub_core::Error;
use atlashub_data::project::public::RowPolicy;
use axum::extract::State;
use http::StatusCode;
use serde_json::json;

#[utoipa::path(
    put, path = "/admin/v1/projects/{project}/tables/{table}/policies/{name}", tag = "tables", operation_id = "put_policy",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("table" = String, Path, description = "Its name"),
        ("name" = String, Path, description = "The policy's name"),
        ("If-Match" = Option<String>, Header, description = "An `etag`: only what has it is changed"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only where there is none of that name"),
    ),
    request_body = PolicyRules,
    responses(
        (status = 200, description = "The policy was changed", body = PolicyView),
        (status = 201, description = "The policy is new", body = PolicyView),
        (status = 412, description = "It is another than `If-Match` says; nothing has changed"),
        (status = 422, description = "The database does not take it, and why; nothing has changed"),
    )
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, table, name)): Path<(String, String, String)>,
    IfMatch(condition): IfMatch,
    Json(rules): Json<PolicyRules>,
) -> Result<Tagged<(StatusCode, axum::Json<PolicyView>)>, Problem> {
    let project = state.app.project(&project).await?;
    let policy = read(name, rules)?;
    let is_new = state
        .app
        .put_row_policy(&caller.actor, project.id, &table, policy.clone(), condition)
        .await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let view = PolicyView::try_from(policy)?;
    Ok(Tagged {
        tag: view.etag.clone(),
        answer: (status, axum::Json(view)),
    })
}

fn read(name: String, rules: PolicyRules) -> Result<RowPolicy, Error> {
    let mut policy = json!({ "name": name, "roles": rules.roles, "actions": rules.actions });
    for (member, expression) in [("using", rules.using), ("check", rules.check)] {
        if let Some(expression) = expression
            && let Some(members) = policy.as_object_mut()
        {
            members.insert(member.to_owned(), expression);
        }
    }
    serde_json::from_value(policy).map_err(|error| {
        Error::invalid(
            "invalid_policy",
            format!(
                "`actions` are select, insert, update, delete; `using` and `check` are true, \
                 false, {{\"owner\": \"<column>\"}} or SQL: {error}"
            ),
        )
    })
}
