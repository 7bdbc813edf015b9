//! A sign-in that cannot begin: a browser waits for the answer, not a program.

use super::lead_to;
use crate::{problem::Problem, routes::users::confirm::page, state::HostState};
use atlashub_app::users::escape_html;
use atlashub_core::{Error, ProjectId};
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};

/// Leads back to the application with the error, where it said whereto and
/// the project allows it; else shows a page to who reads such, and a problem
/// to who does not.
pub(in crate::routes::users) async fn answer(
    state: &HostState,
    project: ProjectId,
    wanted: Option<String>,
    headers: &HeaderMap,
    error: Error,
) -> Result<Response, Problem> {
    let to = match &wanted {
        Some(wanted) => state.app.where_to_tell(project, wanted, &error).await,
        None => None,
    };
    if let Some(response) = to.and_then(|to| lead_to(to.as_str())) {
        if error.kind().is_server_fault() {
            tracing::warn!(%project, code = error.code(), %error, "a sign-in could not begin");
        }
        return Ok(response);
    }
    if error.kind().is_server_fault() || !reads_html(headers) {
        return Err(Problem(error));
    }
    let status = StatusCode::from_u16(error.kind().status()).unwrap_or(StatusCode::BAD_REQUEST);
    let text = format!(
        "<p role=\"alert\">The sign-in cannot begin: {}.</p>",
        escape_html(error.message())
    );
    Ok(page(status, &text))
}

/// Whether HTML is named among what is accepted, as browsers do.
fn reads_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn browsers_read_html_and_programs_do_not() {
        let reads = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(text));
            reads_html(&headers)
        };
        assert!(reads("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(reads("application/json, Text/HTML;q=0.5"));
        assert!(!reads("application/json"));
        assert!(!reads("*/*"));
        assert!(!reads_html(&HeaderMap::new()));
    }
}
