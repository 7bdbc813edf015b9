//! What is done by mail: asked for, and followed. Following any link signs
//! in; a browser that does is asked to press a button first, since mail
//! servers and scanners follow links, too.

use super::view::{self, Metadata, not_here};
use crate::{
    extract::{Json, Query},
    problem::Problem,
    routes::users::{
        caller::{FromClient, Project},
        confirm,
    },
    state::HostState,
};
use atlashub_app::users::{Factor, MailKind, MailedLink, Onward};
use axum::{extract::State, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// Where the page with the button sends, seen from `/auth/v1/verify`.
const ACTION: &str = "../../v1/auth/confirm";

#[derive(Deserialize)]
pub(super) struct Asked {
    email: Option<String>,
    r#type: Option<String>,
    create_user: Option<bool>,
    #[serde(default)]
    data: Metadata,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
}

/// Where a mail leads.
#[derive(Deserialize)]
pub(super) struct Leads {
    redirect_to: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Followed {
    r#type: String,
    token_hash: Option<String>,
    token: Option<String>,
    /// The host's own: a code of the second factor.
    totp_code: Option<String>,
}

/// A link of a mail, followed by a browser.
#[derive(Deserialize)]
pub(super) struct Opened {
    r#type: String,
    #[serde(alias = "token_hash")]
    token: String,
    redirect_to: Option<String>,
    code_challenge: Option<String>,
}

/// Where a mail leads, and how the application goes on then.
///
/// # Errors
/// When the challenge is no SHA-256.
pub(super) fn onward(
    leads: Leads,
    challenge: Option<String>,
    method: Option<&str>,
) -> Result<Onward, Problem> {
    let challenge = challenge.filter(|text| !text.is_empty());
    if challenge.is_some() && !method.is_none_or(|method| method.eq_ignore_ascii_case("s256")) {
        return Err(not_here("`code_challenge_method` must be s256"));
    }
    Ok(Onward {
        redirect: leads.redirect_to,
        signs_in: true,
        code_challenge: challenge,
    })
}

impl Asked {
    fn address(&self) -> Result<String, Problem> {
        let email = self.email.clone();
        email.ok_or_else(|| not_here("send an `email`: there are no phones here"))
    }

    fn onward(self, leads: Leads) -> Result<Onward, Problem> {
        let method = self.code_challenge_method.as_deref();
        onward(leads, self.code_challenge, method)
    }
}

/// A link that signs in, and makes a user of who is none yet where the
/// project takes new ones.
pub(super) async fn otp(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    Query(leads): Query<Leads>,
    Json(mut asked): Json<Asked>,
) -> Result<axum::Json<Value>, Problem> {
    let email = asked.address()?;
    let may_create = asked.create_user.unwrap_or(true);
    let said = std::mem::take(&mut asked.data);
    let onward = asked.onward(leads)?;
    let app = &state.app;
    if may_create {
        let (name, handle) = (said.name.flatten(), said.handle.flatten());
        app.join_by_mail(project.id(), &email, (name, handle), &client)
            .await?;
    }
    app.ask_for_magic_link(project.id(), &email, onward, &client)
        .await?;
    Ok(axum::Json(json!({})))
}

/// A link for who forgot a password.
pub(super) async fn recover(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    Query(leads): Query<Leads>,
    Json(asked): Json<Asked>,
) -> Result<axum::Json<Value>, Problem> {
    let email = asked.address()?;
    let onward = asked.onward(leads)?;
    let sent = state
        .app
        .ask_to_reset(project.id(), &email, onward, &client);
    sent.await?;
    Ok(axum::Json(json!({})))
}

/// The link that proves an address, once more.
pub(super) async fn resend(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    Query(leads): Query<Leads>,
    Json(asked): Json<Asked>,
) -> Result<axum::Json<Value>, Problem> {
    if asked.r#type.as_deref() != Some("signup") {
        return Err(not_here("only mails of the `type` signup are sent again"));
    }
    let email = asked.address()?;
    let onward = asked.onward(leads)?;
    let sent = state
        .app
        .ask_to_verify(project.id(), &email, onward, &client);
    sent.await?;
    Ok(axum::Json(json!({})))
}

/// The kinds of mail that a `type` of the client means.
fn kinds(of: &str) -> Result<&'static [MailKind], Problem> {
    match of {
        "email" => Ok(&[MailKind::MagicLink, MailKind::VerifyEmail]),
        "magiclink" => Ok(&[MailKind::MagicLink]),
        "signup" => Ok(&[MailKind::VerifyEmail]),
        "recovery" => Ok(&[MailKind::ResetPassword]),
        "invite" => Ok(&[MailKind::Invite]),
        _ => Err(not_here(
            "`type` is email, magiclink, signup, recovery or invite",
        )),
    }
}

/// Follows a link: the answer is a session.
pub(super) async fn verify(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    Json(body): Json<Followed>,
) -> Result<axum::Json<Value>, Problem> {
    let (app, id) = (&state.app, project.id());
    let token = body.token_hash.or(body.token).unwrap_or_default();
    let kind = app.kind_of_mail(id, kinds(&body.r#type)?, &token).await?;
    let link = MailedLink {
        kind,
        token: &token,
    };
    let factor = Factor::now_or_later(body.totp_code.as_deref());
    let followed = app.follow_mail(id, link, factor, &client).await?;
    view::session(&state, id, followed).await
}

/// Shows who opened a link the button that follows it.
pub(super) async fn open(
    State(state): State<HostState>,
    project: Project,
    Query(opened): Query<Opened>,
) -> Result<Response, Problem> {
    let kinds = kinds(&opened.r#type)?;
    let kind = state
        .app
        .kind_of_mail(project.id(), kinds, &opened.token)
        .await;
    let link = confirm::Link {
        // What is void is said by the page, once the button is pressed.
        r#type: kind.or_else(|error| kinds.first().copied().ok_or(error))?,
        token: opened.token,
        redirect_to: opened.redirect_to,
        signs_in: true,
        code_challenge: opened.code_challenge,
    };
    Ok(confirm::ask(&link, ACTION))
}
