//! Looking after users, with a secret key or the role `admin`.

use super::{
    factors::no_factor,
    mails::Leads,
    view::{self, Metadata, not_here},
};
use crate::{
    extract::{Json, Path, Query},
    problem::Problem,
    routes::users::{caller::UserAdmin, manage::UserPath},
    state::HostState,
};
use atlashub_app::users::{AccountPatch, AddUser, GenerateLink, MailKind};
use atlashub_core::{ProjectId, UserId};
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderName, HeaderValue, header};
use serde::Deserialize;
use serde_json::{Value, json};

/// Users on a page, unless it is said how many.
const PER_PAGE: u64 = 50;
/// Most users on a page.
const MOST: u64 = 1_000;
/// Users that are paged through by number: what comes late costs more.
const REACH: u64 = 1_000_000;
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Account {
    email: Option<String>,
    password: Option<String>,
    email_confirm: Option<bool>,
    user_metadata: Metadata,
    app_metadata: Roles,
    ban_duration: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Roles {
    roles: Option<Vec<String>>,
}

/// Which page, from 1 on. The client sends empty texts for what is not said.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Paging {
    page: String,
    per_page: String,
}

#[derive(Deserialize)]
pub(super) struct Invited {
    email: String,
    #[serde(default)]
    data: Metadata,
}

#[derive(Deserialize)]
pub(super) struct LinkWanted {
    r#type: String,
    email: String,
    password: Option<String>,
    #[serde(default)]
    data: Metadata,
}

impl Paging {
    fn number(text: &str, otherwise: u64) -> Result<u64, Problem> {
        if text.is_empty() {
            return Ok(otherwise);
        }
        let number = text.parse();
        number.map_err(|_| not_here("`page` and `per_page` are numbers"))
    }

    /// The page and how many users are on one.
    fn read(&self) -> Result<(u64, u64), Problem> {
        let page = Self::number(&self.page, 1)?.max(1);
        let per_page = Self::number(&self.per_page, PER_PAGE)?;
        let per_page = per_page.clamp(1, MOST);
        if page.saturating_mul(per_page) > REACH {
            return Err(not_here(
                "so many users are listed by cursor: /v1/auth/admin/users",
            ));
        }
        Ok((page, per_page))
    }
}

pub(super) async fn list(
    State(state): State<HostState>,
    caller: UserAdmin,
    Query(paging): Query<Paging>,
) -> Result<Response, Problem> {
    let (page, per_page) = paging.read()?;
    let listed = state
        .app
        .users_by_number(caller.project, (page - 1) * per_page, per_page);
    let (users, total) = listed.await?;
    let shown: Vec<Value> = users.iter().map(|user| view::user(user, &[])).collect();
    let body = axum::Json(json!({ "users": shown, "aud": "authenticated" }));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(TOTAL, HeaderValue::from(total));
    if let Some(links) = links(page, per_page, total) {
        headers.insert(header::LINK, links);
    }
    Ok(response)
}

/// Where further pages are, as the client reads it: `page` comes first.
fn links(page: u64, per_page: u64, total: u64) -> Option<HeaderValue> {
    let last = total.div_ceil(per_page).max(1);
    let link = |page: u64, rel: &str| {
        format!("</admin/users?page={page}&per_page={per_page}>; rel=\"{rel}\"")
    };
    let mut links = Vec::new();
    if page < last {
        links.push(link(page + 1, "next"));
    }
    links.push(link(last, "last"));
    HeaderValue::from_str(&links.join(", ")).ok()
}

async fn shown(
    state: &HostState,
    project: ProjectId,
    id: UserId,
) -> Result<axum::Json<Value>, Problem> {
    let user = state.app.user(project, id).await?;
    let identities = state.app.identities_of(project, id).await?;
    Ok(axum::Json(view::user(&user, &identities)))
}

pub(super) async fn read(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<UserPath>,
) -> Result<axum::Json<Value>, Problem> {
    shown(&state, caller.project, path.id.parse()?).await
}

pub(super) async fn add(
    State(state): State<HostState>,
    caller: UserAdmin,
    Json(body): Json<Account>,
) -> Result<axum::Json<Value>, Problem> {
    let Some(email) = body.email else {
        return Err(not_here("send an `email`"));
    };
    let wanted = AddUser {
        email,
        password: body.password.map(Into::into),
        name: body.user_metadata.name.flatten(),
        handle: body.user_metadata.handle.flatten(),
        roles: body.app_metadata.roles,
        email_verified: body.email_confirm.unwrap_or_default(),
    };
    let added = state.app.add_user(&caller.actor, caller.project, wanted);
    Ok(axum::Json(view::user(&added.await?, &[])))
}

pub(super) async fn change(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<UserPath>,
    Json(body): Json<Account>,
) -> Result<axum::Json<Value>, Problem> {
    let wanted = AccountPatch {
        email: body.email,
        email_verified: body.email_confirm,
        password: body.password.map(Into::into),
        name: body.user_metadata.name,
        handle: body.user_metadata.handle,
        roles: body.app_metadata.roles,
        // Any time is for good here; `none` lets in again.
        disabled: body.ban_duration.map(|time| time != "none"),
    };
    let id = path.id.parse()?;
    let changed = state
        .app
        .change_user(&caller.actor, caller.project, id, wanted);
    let _ = changed.await?;
    shown(&state, caller.project, id).await
}

pub(super) async fn remove(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<UserPath>,
) -> Result<axum::Json<Value>, Problem> {
    let id = path.id.parse()?;
    let removed = state.app.delete_user(&caller.actor, caller.project, id);
    removed.await?;
    Ok(axum::Json(json!({})))
}

/// Adds a user without a password, who gets a mail to join.
pub(super) async fn invite(
    State(state): State<HostState>,
    caller: UserAdmin,
    Query(leads): Query<Leads>,
    Json(body): Json<Invited>,
) -> Result<axum::Json<Value>, Problem> {
    let wanted = newcomer(body.email, None, body.data);
    let onward = super::mails::onward(leads, None, None)?;
    let (app, project) = (&state.app, caller.project);
    let user = app.add_user(&caller.actor, project, wanted).await?;
    app.invite_user(&caller.actor, project, user.id, onward)
        .await?;
    Ok(axum::Json(view::user(&user, &[])))
}

fn newcomer(email: String, password: Option<String>, said: Metadata) -> AddUser {
    AddUser {
        email,
        password: password.map(Into::into),
        name: said.name.flatten(),
        handle: said.handle.flatten(),
        roles: None,
        email_verified: false,
    }
}

/// A link as a mail would have it, for who sends mails of their own.
pub(super) async fn generate_link(
    State(state): State<HostState>,
    caller: UserAdmin,
    Query(leads): Query<Leads>,
    Json(body): Json<LinkWanted>,
) -> Result<axum::Json<Value>, Problem> {
    let kind = [
        MailKind::VerifyEmail,
        MailKind::MagicLink,
        MailKind::ResetPassword,
        MailKind::Invite,
    ]
    .into_iter()
    .find(|kind| kind.in_dialect() == body.r#type)
    .ok_or_else(|| not_here("`type` is signup, magiclink, recovery or invite"))?;
    let wanted = GenerateLink {
        kind,
        user: newcomer(body.email, body.password, body.data),
        onward: super::mails::onward(leads, None, None)?,
    };
    let made = state
        .app
        .generate_link(&caller.actor, caller.project, wanted);
    let made = made.await?;
    let mut shown = view::user(&made.user, &[]);
    if let Some(members) = shown.as_object_mut() {
        for (name, value) in [
            ("action_link", json!(made.link)),
            ("email_otp", json!(made.token)),
            ("hashed_token", json!(made.token)),
            ("redirect_to", json!(made.redirect)),
            ("verification_type", json!(kind.in_dialect())),
        ] {
            members.insert(name.to_owned(), value);
        }
    }
    Ok(axum::Json(shown))
}

/// A user's factors: the one that is there, or none.
pub(super) async fn factors(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<UserPath>,
) -> Result<axum::Json<Value>, Problem> {
    let user = state.app.user(caller.project, path.id.parse()?).await?;
    Ok(axum::Json(view::factors(&user)))
}

#[derive(Deserialize)]
pub(super) struct FactorPath {
    id: String,
    factor: String,
}

/// Takes away the factor of a user who lost it; all sessions end.
pub(super) async fn remove_factor(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<FactorPath>,
) -> Result<axum::Json<Value>, Problem> {
    let id: UserId = path.id.parse()?;
    if path.factor != id.to_string() {
        return Err(no_factor());
    }
    let reset = state
        .app
        .reset_second_factor(&caller.actor, caller.project, id);
    reset.await.map_err(|error| match error.code() {
        "not_found" => no_factor(),
        _ => Problem(error),
    })?;
    Ok(axum::Json(json!({ "id": id })))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn further_pages_are_said_as_the_client_reads_it() {
        let links = |page, total| links(page, 2, total).unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            links(1, 5),
            "</admin/users?page=2&per_page=2>; rel=\"next\", \
             </admin/users?page=3&per_page=2>; rel=\"last\""
        );
        assert_eq!(
            links(3, 5),
            "</admin/users?page=3&per_page=2>; rel=\"last\""
        );
        assert_eq!(
            links(1, 0),
            "</admin/users?page=1&per_page=2>; rel=\"last\""
        );
    }
}
