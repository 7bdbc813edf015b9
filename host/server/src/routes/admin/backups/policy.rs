//! `GET` and `PUT /admin/v1/projects/{project}/backup-policy`, and the
//! platform's at `/admin/v1/backup-policy`.

use crate::{
    admin::AdminCaller,
    extract::{IfMatch, Json, Path, Tagged},
    problem::Problem,
    state::HostState,
};
use atlashub_app::backups::policy_tag;
use atlashub_core::{Precondition, ProjectId};
use atlashub_data::platform::BackupPolicy;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// How backups are made by themselves, and how many are kept.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BackupPolicyView {
    /// Whether they are.
    enabled: bool,
    /// How far apart, seconds; of no meaning beside a `schedule`.
    #[schema(minimum = 300, maximum = 31_622_400)]
    interval_seconds: u64,
    /// When, as a cron expression of five fields, or six with seconds first.
    #[schema(example = "0 3 * * *")]
    schedule: Option<String>,
    /// The zone of its times, as the IANA names it; UTC unless given.
    #[schema(example = "Africa/Nairobi")]
    timezone: Option<String>,
    /// Most backups that are kept; those that a restore made have a number of
    /// their own.
    #[schema(minimum = 1, maximum = 1000)]
    keep_last: u32,
    /// Days after which one goes; the newest stays whatever its age.
    #[schema(minimum = 1, maximum = 3660)]
    keep_days: Option<u32>,
    /// Whether each is loaded once, to see that it can be.
    verify: bool,
    /// Days after which the newest is loaded again, to see that it still can
    /// be; null for never.
    #[schema(minimum = 1, maximum = 366)]
    verify_every_days: Option<u32>,
    /// When the next one comes; told, and not to be set.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(read_only)]
    next_at: Option<OffsetDateTime>,
    /// When the newest is tested again; told, and not to be set.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(read_only)]
    next_test_at: Option<OffsetDateTime>,
    /// How the last one failed, while none was made and tested since; told,
    /// and not to be set.
    #[schema(read_only)]
    failure: Option<PolicyFailureView>,
}

/// How what a policy asks for failed.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyFailureView {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Why.
    error: String,
    /// Tries so far, after which it is tried again at `next_at`; 0 when it was
    /// given up until the policy's next time.
    attempt: u32,
}

impl Default for BackupPolicyView {
    fn default() -> Self {
        BackupPolicy::default().into()
    }
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/backup-policy", tag = "backups", operation_id = "get_backup_policy",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "The policy", body = BackupPolicyView, headers(("ETag" = String, description = "What `If-Match` takes"))))
)]
pub(crate) async fn show_projects(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<Tagged<axum::Json<BackupPolicyView>>, Problem> {
    let project = state.app.project(&project).await?.id;
    show(&state, Some(project)).await
}

#[utoipa::path(
    put, path = "/admin/v1/projects/{project}/backup-policy", tag = "backups", operation_id = "put_backup_policy",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of what was read: only what has it is changed"),
    ),
    request_body = BackupPolicyView,
    responses(
        (status = 200, description = "The policy now", body = BackupPolicyView, headers(("ETag" = String, description = "What `If-Match` takes"))),
        (status = 412, description = "It is another than `If-Match` says; nothing has changed"),
    )
)]
pub(crate) async fn put_projects(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(project): Path<String>,
    IfMatch(condition): IfMatch,
    Json(body): Json<BackupPolicyView>,
) -> Result<Tagged<axum::Json<BackupPolicyView>>, Problem> {
    let project = state.app.project(&project).await?.id;
    put(&state, &caller, Some(project), body, &condition).await
}

#[utoipa::path(
    get, path = "/admin/v1/backup-policy", tag = "backups", operation_id = "get_platform_backup_policy",
    responses((status = 200, description = "The platform's policy", body = BackupPolicyView, headers(("ETag" = String, description = "What `If-Match` takes"))))
)]
pub(crate) async fn show_platforms(
    State(state): State<HostState>,
    _caller: AdminCaller,
) -> Result<Tagged<axum::Json<BackupPolicyView>>, Problem> {
    show(&state, None).await
}

#[utoipa::path(
    put, path = "/admin/v1/backup-policy", tag = "backups", operation_id = "put_platform_backup_policy",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of what was read: only what has it is changed")),
    request_body = BackupPolicyView,
    responses(
        (status = 200, description = "The platform's policy now", body = BackupPolicyView, headers(("ETag" = String, description = "What `If-Match` takes"))),
        (status = 412, description = "It is another than `If-Match` says; nothing has changed"),
    )
)]
pub(crate) async fn put_platforms(
    State(state): State<HostState>,
    caller: AdminCaller,
    IfMatch(condition): IfMatch,
    Json(body): Json<BackupPolicyView>,
) -> Result<Tagged<axum::Json<BackupPolicyView>>, Problem> {
    put(&state, &caller, None, body, &condition).await
}

async fn show(
    state: &HostState,
    project: Option<ProjectId>,
) -> Result<Tagged<axum::Json<BackupPolicyView>>, Problem> {
    let policy = state.app.backups().policy(project).await?;
    let tag = policy_tag(&policy)?;
    let mut view = BackupPolicyView::from(policy);
    view.next_at = state.app.backups().next_due(project).await?;
    view.next_test_at = state.app.backups().next_test(project).await?;
    let failure = state.app.backups().turn_failure(project).await?;
    view.failure = failure.map(|failure| PolicyFailureView {
        at: failure.at,
        error: failure.error,
        attempt: failure.attempt,
    });
    Ok(Tagged {
        tag,
        answer: axum::Json(view),
    })
}

async fn put(
    state: &HostState,
    caller: &AdminCaller,
    project: Option<ProjectId>,
    body: BackupPolicyView,
    condition: &Precondition,
) -> Result<Tagged<axum::Json<BackupPolicyView>>, Problem> {
    let policy = BackupPolicy {
        enabled: body.enabled,
        interval_seconds: body.interval_seconds,
        schedule: body.schedule,
        timezone: body.timezone,
        keep_last: body.keep_last,
        keep_days: body.keep_days,
        verify: body.verify,
        verify_every_days: body.verify_every_days,
    };
    let backups = state.app.backups();
    backups
        .set_policy(&caller.actor, project, &policy, condition)
        .await?;
    show(state, project).await
}

impl From<BackupPolicy> for BackupPolicyView {
    fn from(policy: BackupPolicy) -> Self {
        Self {
            enabled: policy.enabled,
            interval_seconds: policy.interval_seconds,
            schedule: policy.schedule,
            timezone: policy.timezone,
            keep_last: policy.keep_last,
            keep_days: policy.keep_days,
            verify: policy.verify,
            verify_every_days: policy.verify_every_days,
            next_at: None,
            next_test_at: None,
            failure: None,
        }
    }
}
