//! Errors in the form of the dialect: `{code, message}` for clients that ask
//! for the version 2024-01-01 or a later one, `{code, error_code, msg}` with
//! the status for others. Codes that the client knows take the place of the
//! host's; a server fault stays a problem document, which the client tries
//! again.

use crate::problem::Carried;
use atlashub_core::Error;
use axum::{
    Json,
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

/// Which version of the dialect a client speaks.
pub(super) const VERSION: HeaderName = HeaderName::from_static("x-supabase-api-version");
/// Since which version errors have their present form.
const PRESENT: &str = "2024-01-01";

/// The client's code and status for one of the host's errors.
fn translated(error: &Error) -> (String, u16) {
    let (code, status) = match error.code() {
        "email_taken" => ("user_already_exists", 422),
        "invalid_credentials" => ("invalid_credentials", 400),
        "invalid_email" => ("email_address_invalid", 400),
        "sign_up_closed" => ("signup_disabled", 422),
        "email_not_verified" => ("email_not_confirmed", 400),
        "totp_required" => ("insufficient_aal", 403),
        "invalid_totp_code" => ("mfa_verification_failed", 422),
        "totp_enabled" => ("too_many_enrolled_mfa_factors", 422),
        "totp_not_enrolled" => ("mfa_factor_not_found", 404),
        "invalid_refresh_token" => ("refresh_token_not_found", 400),
        "invalid_code" => ("flow_state_not_found", 404),
        "invalid_token" => ("otp_expired", 403),
        "rate_limited" => ("over_request_rate_limit", 429),
        "unauthenticated" => ("no_authorization", 401),
        "forbidden" => ("not_admin", 403),
        // What is not there and has no code of its own is a user.
        "not_found" => ("user_not_found", 404),
        "redirect_not_allowed" | "pkce_required" | "invalid_body" | "invalid_query" => {
            ("validation_failed", 400)
        }
        own => (own, error.kind().status()),
    };
    (code.to_owned(), status)
}

/// Writes errors in the form of the dialect.
pub(super) async fn translate(request: Request, next: Next) -> Response {
    let is_present = asks_for_present(request.headers());
    let mut response = next.run(request).await;
    let Some(error) = response.extensions().get::<Carried>().map(Carried::error) else {
        return response;
    };
    if error.kind().is_server_fault() {
        return response;
    }
    let (code, status) = translated(&error);
    let mut answer = answer(&error, &code, status, is_present);
    for (name, value) in response.headers() {
        if !answer.headers().contains_key(name) && name != header::CONTENT_LENGTH {
            answer.headers_mut().append(name.clone(), value.clone());
        }
    }
    let _ = response.extensions_mut().remove::<Carried>();
    std::mem::swap(answer.extensions_mut(), response.extensions_mut());
    answer
}

/// The answer to a request of this dialect that went no further than the
/// gateway; nothing when it is none, or the error is a fault of ours.
pub(crate) fn at_the_door(path: &str, headers: &HeaderMap, error: &Error) -> Option<Response> {
    if !path.starts_with("/auth/v1/") || error.kind().is_server_fault() {
        return None;
    }
    // What is refused here is no attempt to sign in: it keeps its status.
    let status = error.kind().status();
    let code = match error.code() {
        "invalid_token" => "bad_jwt".to_owned(),
        "rate_limited" => translated(error).0,
        own => own.to_owned(),
    };
    Some(answer(error, &code, status, asks_for_present(headers)))
}

fn asks_for_present(headers: &HeaderMap) -> bool {
    let asked = headers.get(VERSION).and_then(|value| value.to_str().ok());
    asked.is_some_and(|version| version >= PRESENT)
}

fn answer(error: &Error, code: &str, status: u16, is_present: bool) -> Response {
    let mut body = if is_present {
        json!({ "code": code, "message": error.message() })
    } else {
        json!({ "code": status, "error_code": code, "msg": error.message() })
    };
    if code == "weak_password"
        && let Some(members) = body.as_object_mut()
    {
        let reasons = json!({ "reasons": ["characters"] });
        members.insert("weak_password".to_owned(), reasons);
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    if is_present {
        headers.insert(VERSION, HeaderValue::from_static(PRESENT));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = error.retry_after_seconds() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use atlashub_core::ErrorKind;

    #[test]
    fn codes_that_the_client_knows_take_the_place_of_ours() {
        let of = |code: &'static str| translated(&Error::new(ErrorKind::Conflict, code, "x"));
        assert_eq!(of("email_taken"), ("user_already_exists".to_owned(), 422));
        assert_eq!(of("handle_taken"), ("handle_taken".to_owned(), 409));
    }

    #[test]
    fn what_the_gateway_refuses_has_the_same_form() {
        let error = Error::new(ErrorKind::Unauthenticated, "invalid_token", "x");
        let headers = HeaderMap::new();
        let refused = at_the_door("/auth/v1/user", &headers, &error).unwrap();
        assert_eq!(refused.status(), 401);
        assert!(refused.headers().get(VERSION).is_none());
        let mut headers = HeaderMap::new();
        headers.insert(VERSION, HeaderValue::from_static("2024-01-01"));
        let refused = at_the_door("/auth/v1/user", &headers, &error).unwrap();
        assert_eq!(refused.headers()[VERSION], PRESENT);
        assert!(at_the_door("/v1/auth/me", &headers, &error).is_none());
        let key = Error::new(ErrorKind::Unauthenticated, "invalid_credentials", "x");
        let refused = at_the_door("/auth/v1/logout", &headers, &key).unwrap();
        assert_eq!(refused.status(), 401);
        let fault = Error::internal("read", "broken");
        assert!(at_the_door("/auth/v1/user", &headers, &fault).is_none());
    }
}
