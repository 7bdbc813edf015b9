//! What can go wrong with a service, in words for its user. Nothing that the
//! service said is repeated, for it may repeat what it was sent.

use atlashub_sdk::{http::Answer, prelude::*};

/// Codes of faults that lie with the service or with what it was told, not
/// with this plugin.
pub(crate) fn is_of_service(error: &Error) -> bool {
    matches!(
        error.code(),
        "address_refused"
            | "backend_timeout"
            | "backend_unreachable"
            | "backend_redirects"
            | "backend_failed"
            | "backend_busy"
            | "backend_full"
            | "credentials_refused"
            | "reconnect_needed"
            | "remote_not_found"
    )
}

/// A call that no answer came to.
pub(crate) fn unanswered(error: Error) -> Error {
    match error.code() {
        "upstream_denied" => {
            address_refused("its address is not a public one, or may not be called from here")
        }
        "upstream_timeout" => Error::new(
            StatusCode::GATEWAY_TIMEOUT,
            "backend_timeout",
            "the service took too long to answer",
        ),
        "upstream_failed" => Error::new(
            StatusCode::BAD_GATEWAY,
            "backend_unreachable",
            "the service cannot be reached: is the address right, and is it running?",
        ),
        _ => return error,
    }
    .with_cause(error)
}

/// 422: a call to there is never made.
pub(crate) fn address_refused(detail: &'static str) -> Error {
    Error::invalid("address_refused", detail)
}

/// 404: nothing lies at the path.
pub(crate) fn missing() -> Error {
    Error::new(
        StatusCode::NOT_FOUND,
        "remote_not_found",
        "the service has nothing at this path",
    )
}

/// 422: a folder lies where a file is needed.
pub(crate) fn not_a_file() -> Error {
    Error::invalid("not_a_file", "a folder lies at this path")
}

/// 502: the service answered what nobody can read.
pub(crate) fn unreadable(cause: impl std::fmt::Display) -> Error {
    Error::new(
        StatusCode::BAD_GATEWAY,
        "backend_failed",
        "the service answered something that it should not: is the address right?",
    )
    .with_cause(cause)
}

/// 422: the service does not know them.
pub(crate) fn credentials_refused() -> Error {
    Error::invalid(
        "credentials_refused",
        "the service refuses the credentials, or they do not reach this place",
    )
}

/// The answer, if it is a success; why not, otherwise.
pub(crate) fn success(answer: Answer) -> Result<Answer> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    Err(refusal(&answer))
}

fn refusal(answer: &Answer) -> Error {
    let (code, detail) = match answer.status.as_u16() {
        401 | 403 => return credentials_refused(),
        404 | 410 => return missing(),
        300..=399 => (
            "backend_redirects",
            "the service leads elsewhere, which is not followed: give its final address",
        ),
        413 | 507 => {
            return Error::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "backend_full",
                "the service has no room for this",
            );
        }
        429 | 503 => {
            let error = Error::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "backend_busy",
                "the service is busy: try again later",
            );
            let seconds = answer.headers.get("retry-after");
            let seconds = seconds.and_then(|text| text.parse::<u32>().ok());
            return match seconds {
                Some(seconds) => error.with_header("retry-after", seconds.to_string()),
                None => error,
            };
        }
        _ => (
            "backend_failed",
            "the service failed, or is none of this type: is the address right?",
        ),
    };
    Error::new(StatusCode::BAD_GATEWAY, code, detail)
        .with_cause(format_args!("it answered {}", answer.status))
}
