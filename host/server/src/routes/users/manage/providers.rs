//! `/admin/v1/projects/{project}/auth/providers`: with whom the users of a
//! project may sign in.

use crate::{
    admin::AdminCaller,
    extract::{IfMatch, Json, List, Path, Tagged},
    problem::Problem,
    state::HostState,
};
use atlashub_app::users::{ConfigureProvider, provider_tag};
use atlashub_core::{ProviderName, Result as CoreResult, Slug};
use atlashub_data::platform::AuthProvider;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A provider.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderView {
    /// Its name in addresses.
    name: String,
    /// `google`, `github`, `microsoft` or `oidc`.
    kind: &'static str,
    /// Who vouches.
    issuer: String,
    /// What the project is called there.
    client_id: String,
    /// Whether a client secret is kept; it is never shown.
    has_client_secret: bool,
    /// What is asked for.
    scopes: Vec<String>,
    /// Whether one can sign in with it.
    enabled: bool,
    /// Whether somebody who is no user yet becomes one.
    sign_up: bool,
    /// Where the provider has to lead back to: register it there.
    callback_url: String,
    /// What `If-Match` takes, with its quotes: another with each change.
    etag: String,
    /// When it was set up.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// A provider to be set up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderBody {
    /// `google`, `github`, `microsoft` or `oidc`.
    kind: String,
    /// Who vouches. Google's is known; of GitHub and Microsoft it is given for
    /// an enterprise server, and for one tenant.
    issuer: Option<String>,
    /// What the project is called there.
    client_id: String,
    /// The secret that goes with it; the one before stays unless it is given.
    #[schema(format = Password)]
    client_secret: Option<String>,
    /// What is asked for; who it is, and the address, unless given.
    scopes: Option<Vec<String>>,
    /// Whether one can sign in with it; yes unless given.
    #[serde(default = "yes")]
    enabled: bool,
    /// Whether somebody who is no user yet becomes one, where the project is
    /// open to new users; yes unless given.
    #[serde(default = "yes")]
    sign_up: bool,
}

fn yes() -> bool {
    true
}

impl ProviderView {
    fn of(state: &HostState, slug: &Slug, provider: AuthProvider) -> CoreResult<Self> {
        Ok(Self {
            etag: provider_tag(&provider)?,
            callback_url: state.app.oauth_callback(slug, &provider.name),
            name: provider.name.to_string(),
            kind: provider.kind.as_str(),
            issuer: provider.issuer,
            client_id: provider.client_id,
            has_client_secret: provider.sealed_client_secret.is_some(),
            scopes: provider.scopes,
            enabled: provider.enabled,
            sign_up: provider.sign_up,
            created_at: provider.created_at,
            updated_at: provider.updated_at,
        })
    }

    fn tagged(self) -> Tagged<axum::Json<Self>> {
        Tagged {
            tag: self.etag.clone(),
            answer: axum::Json(self),
        }
    }
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/auth/providers", tag = "users", operation_id = "list_auth_providers",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "Providers, by name", body = List<ProviderView>))
)]
pub(crate) async fn list(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<axum::Json<List<ProviderView>>, Problem> {
    let project = state.app.project(&project).await?;
    let providers = state.app.auth_providers(project.id).await?;
    let providers = providers
        .into_iter()
        .map(|provider| ProviderView::of(&state, &project.slug, provider));
    let providers: Vec<ProviderView> = providers.collect::<CoreResult<_>>()?;
    Ok(axum::Json(List::whole(providers)))
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/auth/providers/{name}", tag = "users", operation_id = "get_auth_provider",
    params(("project" = String, Path, description = "Id or slug"), ("name" = String, Path, description = "The provider's name")),
    responses((status = 200, description = "The provider", body = ProviderView, headers(("ETag" = String, description = "What `If-Match` takes"))))
)]
pub(crate) async fn get(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path((project, name)): Path<(String, String)>,
) -> Result<Tagged<axum::Json<ProviderView>>, Problem> {
    let project = state.app.project(&project).await?;
    let name: ProviderName = name.parse()?;
    let provider = state.app.auth_provider(project.id, &name).await?;
    Ok(ProviderView::of(&state, &project.slug, provider)?.tagged())
}

#[utoipa::path(
    put, path = "/admin/v1/projects/{project}/auth/providers/{name}", tag = "users", operation_id = "put_auth_provider",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("name" = String, Path, description = "1 to 32 lower-case letters, digits and single dashes"),
        ("If-Match" = Option<String>, Header, description = "An `etag`: only what has it is changed"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only where there is none of that name"),
    ),
    request_body = ProviderBody,
    responses(
        (status = 200, description = "The provider, in place of one of that name", body = ProviderView, headers(("ETag" = String, description = "What `If-Match` takes"))),
        (status = 412, description = "It is another than `If-Match` says; nothing has changed"),
    )
)]
pub(crate) async fn put(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, name)): Path<(String, String)>,
    IfMatch(condition): IfMatch,
    Json(body): Json<ProviderBody>,
) -> Result<Tagged<axum::Json<ProviderView>>, Problem> {
    let project = state.app.project(&project).await?;
    let name: ProviderName = name.parse()?;
    let wanted = ConfigureProvider {
        kind: body.kind.parse()?,
        issuer: body.issuer,
        client_id: body.client_id,
        client_secret: body.client_secret.map(Into::into),
        scopes: body.scopes,
        enabled: body.enabled,
        sign_up: body.sign_up,
    };
    let stored = state
        .app
        .put_auth_provider(&caller.actor, project.id, &name, wanted, &condition)
        .await?;
    Ok(ProviderView::of(&state, &project.slug, stored)?.tagged())
}

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/auth/providers/{name}", tag = "users", operation_id = "delete_auth_provider",
    params(("project" = String, Path, description = "Id or slug"), ("name" = String, Path, description = "The provider's name")),
    responses((status = 204, description = "Nobody signs in with it any more; sessions that are there go on"))
)]
pub(crate) async fn delete(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, name)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let project = state.app.project(&project).await?;
    let name: ProviderName = name.parse()?;
    state
        .app
        .delete_auth_provider(&caller.actor, project.id, &name)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
