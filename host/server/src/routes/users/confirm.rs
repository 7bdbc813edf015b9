//! `/v1/auth/confirm`: the page that links in mails lead to. Looking at it
//! changes nothing, since mail servers and scanners look, too: a button does.

use super::{
    caller::{FromClient, Project},
    view::TokensView,
};
use crate::{extract::Query, problem::Problem, state::HostState};
use atlashub_app::{
    App,
    users::{AuthSettings, Client, Factor, MailKind, MailedLink, escape_html},
};
use atlashub_core::{Error, ErrorKind, ProjectId, Result};
use axum::{
    Form,
    extract::State,
    response::{Html, IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use url::{Url, form_urlencoded};
use utoipa::{IntoParams, ToSchema};

/// The page may post to itself and be led on; it runs nothing.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
);

/// Where the page sends, seen from itself.
const ACTION: &str = "confirm";

/// What a link in a mail says.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Link {
    /// `verify_email`, `magic_link`, `reset_password` or `invite`.
    #[param(value_type = String)]
    pub(super) r#type: MailKind,
    /// The token.
    pub(super) token: String,
    /// Where it leads on.
    pub(super) redirect_to: Option<String>,
    /// Whether it signs in, whatever the mail was for.
    #[serde(default)]
    pub(super) signs_in: bool,
    /// The challenge of an application that fetches the tokens with a code.
    pub(super) code_challenge: Option<String>,
}

/// What the page sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Confirmation {
    /// `verify_email`, `magic_link`, `reset_password` or `invite`.
    #[schema(value_type = String)]
    r#type: MailKind,
    /// The token.
    token: String,
    /// Where it leads on.
    redirect_to: Option<String>,
    /// Whether it signs in, whatever the mail was for.
    #[serde(default)]
    signs_in: bool,
    /// The challenge of an application that fetches the tokens with a code.
    code_challenge: Option<String>,
    /// The new password.
    #[schema(format = Password)]
    password: Option<String>,
    /// A code of the second factor.
    totp_code: Option<String>,
}

impl From<Confirmation> for Link {
    fn from(sent: Confirmation) -> Self {
        Self {
            r#type: sent.r#type,
            token: sent.token,
            redirect_to: sent.redirect_to,
            signs_in: sent.signs_in,
            code_challenge: sent.code_challenge,
        }
    }
}

#[utoipa::path(
    get, path = "/v1/auth/confirm", tag = "users", operation_id = "show_confirmation", security(()),
    params(Link),
    responses((status = 200, description = "A page with a button; nothing has changed", body = String, content_type = "text/html"))
)]
pub(crate) async fn show(project: Project, Query(link): Query<Link>) -> Result<Response, Problem> {
    let _ = project;
    Ok(ask(&link, ACTION))
}

#[utoipa::path(
    post, path = "/v1/auth/confirm", tag = "users", operation_id = "confirm", security(()),
    request_body(content = Confirmation, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A page that says that it is done", body = String, content_type = "text/html"),
        (status = 303, description = "Leads on; after a sign-in the tokens stand in the fragment, or a code for them in the query"),
    )
)]
pub(crate) async fn confirm(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Problem> {
    let (app, id) = (&state.app, project.id());
    let settings = app.auth_settings(id).await?;
    let redirect = redirect(&settings, sent.redirect_to.as_deref())?;
    let done = follow(app, id, &sent, &client).await;
    match (done, redirect) {
        (Ok(done), Some(to)) => Ok(led_on(to, &sent, done)),
        (Ok(_), None) => Ok(page(
            StatusCode::OK,
            "<p>Done. You can close this page.</p>",
        )),
        (Err(error), _) if error.kind() == ErrorKind::Internal => Err(Problem(error)),
        (Err(error), _) => {
            let status = StatusCode::from_u16(error.kind().status())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Ok(page(status, &form(&sent.into(), ACTION, Some(&error))))
        }
    }
}

/// The page with the button, which sends to `action`.
pub(super) fn ask(link: &Link, action: &str) -> Response {
    page(StatusCode::OK, &form(link, action, None))
}

/// What came of a link.
enum Done {
    Nothing,
    Tokens(TokensView),
    Code(String),
}

async fn follow(
    app: &App,
    project: ProjectId,
    sent: &Confirmation,
    client: &Client,
) -> Result<Done> {
    let link = MailedLink {
        kind: sent.r#type,
        token: &sent.token,
    };
    match (sent.r#type, &sent.code_challenge) {
        (_, Some(challenge)) if sent.signs_in => {
            let code = app.follow_mail_for_code(project, link, challenge).await?;
            Ok(Done::Code(code))
        }
        (kind, _) if sent.signs_in || kind == MailKind::MagicLink => {
            let factor = Factor::Now(sent.totp_code.as_deref());
            let tokens = app.follow_mail(project, link, factor, client).await?;
            Ok(Done::Tokens(tokens.into()))
        }
        (MailKind::VerifyEmail, _) => {
            app.verify_email(project, &sent.token, client).await?;
            Ok(Done::Nothing)
        }
        _ => {
            let password = sent.password.clone().unwrap_or_default();
            app.reset_password(project, &sent.token, password.into(), client)
                .await?;
            Ok(Done::Nothing)
        }
    }
}

/// Where to lead on: only what the project allows.
fn redirect(settings: &AuthSettings, wanted: Option<&str>) -> Result<Option<Url>> {
    match wanted.filter(|text| !text.is_empty()) {
        Some(wanted) => settings.redirect(Some(wanted)),
        None => Ok(None),
    }
}

fn led_on(mut to: Url, sent: &Confirmation, done: Done) -> Response {
    let mut fragment = form_urlencoded::Serializer::new(String::new());
    let kind = if sent.signs_in {
        sent.r#type.in_dialect()
    } else {
        sent.r#type.as_str()
    };
    fragment.append_pair("type", kind);
    match done {
        Done::Nothing => to.set_fragment(Some(&fragment.finish())),
        Done::Tokens(tokens) => {
            for (name, value) in tokens.pairs() {
                fragment.append_pair(name, &value);
            }
            to.set_fragment(Some(&fragment.finish()));
        }
        Done::Code(code) => {
            to.query_pairs_mut().append_pair("code", &code);
        }
    }
    match HeaderValue::from_str(to.as_str()) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => page(StatusCode::OK, "<p>Done. You can close this page.</p>"),
    }
}

fn form(link: &Link, action: &str, error: Option<&Error>) -> String {
    let hidden = |name: &str, value: &str| {
        format!(
            "<input type=\"hidden\" name=\"{name}\" value=\"{}\">",
            escape_html(value)
        )
    };
    let mut html = String::new();
    if let Some(error) = error {
        html.push_str(&format!(
            "<p role=\"alert\">{}.</p>",
            escape_html(error.message())
        ));
    }
    html.push_str(&format!("<form method=\"post\" action=\"{action}\">"));
    html.push_str(&hidden("type", link.r#type.as_str()));
    html.push_str(&hidden("token", &link.token));
    if let Some(to) = &link.redirect_to {
        html.push_str(&hidden("redirect_to", to));
    }
    if link.signs_in {
        html.push_str(&hidden("signs_in", "true"));
    }
    if let Some(challenge) = &link.code_challenge {
        html.push_str(&hidden("code_challenge", challenge));
    }
    let asks_code =
        error.is_some_and(|error| matches!(error.code(), "totp_required" | "invalid_totp_code"));
    if asks_code {
        html.push_str(
            "<label>Code <input name=\"totp_code\" autocomplete=\"one-time-code\" required></label>",
        );
    }
    let button = match link.r#type {
        MailKind::VerifyEmail => "Confirm the address",
        MailKind::MagicLink => "Sign in",
        MailKind::ResetPassword | MailKind::Invite if link.signs_in => "Go on",
        MailKind::ResetPassword | MailKind::Invite => {
            html.push_str(
                "<label>New password <input type=\"password\" name=\"password\" autocomplete=\"new-password\" required></label>",
            );
            "Set the password"
        }
    };
    html.push_str(&format!("<button>{button}</button></form>"));
    html
}

/// A page of the host's own.
pub(super) fn page(status: StatusCode, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>AtlasHub</title>\
         <style>body{{font:1rem system-ui;max-width:24rem;margin:4rem auto;padding:0 1rem}}\
         form{{display:grid;gap:1rem}}input,button{{font:inherit;padding:.5rem}}</style></head>\
         <body><main>{body}</main></body></html>"
    );
    (
        status,
        [(header::CONTENT_SECURITY_POLICY, POLICY)],
        Html(html),
    )
        .into_response()
}
