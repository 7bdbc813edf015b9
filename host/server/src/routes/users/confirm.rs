//! `/v1/auth/confirm`: the page that links in mails lead to. Looking at it
//! changes nothing, since mail servers and scanners look, too: a button does.

use super::{
    caller::{FromClient, Project},
    view::TokensView,
};
use crate::{extract::Query, problem::Problem, state::HostState};
use atlashub_app::users::{AuthSettings, MailKind, escape_html};
use atlashub_core::{Error, ErrorKind, Result};
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

/// What a link in a mail says.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Link {
    /// `verify_email`, `magic_link`, `reset_password` or `invite`.
    #[param(value_type = String)]
    r#type: MailKind,
    /// The token.
    token: String,
    /// Where it leads on.
    redirect_to: Option<String>,
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
    /// The new password.
    #[schema(format = Password)]
    password: Option<String>,
    /// A code of the second factor.
    totp_code: Option<String>,
}

#[utoipa::path(
    get, path = "/v1/auth/confirm", tag = "users", operation_id = "show_confirmation", security(()),
    params(Link),
    responses((status = 200, description = "A page with a button; nothing has changed", body = String, content_type = "text/html"))
)]
pub(crate) async fn show(project: Project, Query(link): Query<Link>) -> Result<Response, Problem> {
    let _ = project;
    Ok(page(StatusCode::OK, &form(&link, None)))
}

#[utoipa::path(
    post, path = "/v1/auth/confirm", tag = "users", operation_id = "confirm", security(()),
    request_body(content = Confirmation, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A page that says that it is done", body = String, content_type = "text/html"),
        (status = 303, description = "Leads on; after a sign-in the tokens stand in the fragment"),
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
    let done = match sent.r#type {
        MailKind::VerifyEmail => app.verify_email(id, &sent.token).await.map(|()| None),
        MailKind::MagicLink => {
            let code = sent.totp_code.as_deref();
            let tokens = app.follow_magic_link(id, &sent.token, code, &client).await;
            tokens.map(|tokens| Some(TokensView::from(tokens)))
        }
        MailKind::ResetPassword | MailKind::Invite => {
            let password = sent.password.clone().unwrap_or_default();
            let reset = app.reset_password(id, &sent.token, password.into(), &client);
            reset.await.map(|()| None)
        }
    };
    match (done, redirect) {
        (Ok(tokens), Some(to)) => Ok(led_on(to, sent.r#type, tokens)),
        (Ok(_), None) => Ok(page(
            StatusCode::OK,
            "<p>Done. You can close this page.</p>",
        )),
        (Err(error), _) if error.kind() == ErrorKind::Internal => Err(Problem(error)),
        (Err(error), _) => {
            let status = StatusCode::from_u16(error.kind().status())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let link = Link {
                r#type: sent.r#type,
                token: sent.token,
                redirect_to: sent.redirect_to,
            };
            Ok(page(status, &form(&link, Some(&error))))
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

fn led_on(mut to: Url, kind: MailKind, tokens: Option<TokensView>) -> Response {
    let mut fragment = form_urlencoded::Serializer::new(String::new());
    fragment.append_pair("type", kind.as_str());
    if let Some(tokens) = tokens {
        for (name, value) in tokens.pairs() {
            fragment.append_pair(name, &value);
        }
    }
    to.set_fragment(Some(&fragment.finish()));
    match HeaderValue::from_str(to.as_str()) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => page(StatusCode::OK, "<p>Done. You can close this page.</p>"),
    }
}

fn form(link: &Link, error: Option<&Error>) -> String {
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
    html.push_str("<form method=\"post\" action=\"confirm\">");
    html.push_str(&hidden("type", link.r#type.as_str()));
    html.push_str(&hidden("token", &link.token));
    if let Some(to) = &link.redirect_to {
        html.push_str(&hidden("redirect_to", to));
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
