//! How failures of a store look to the rest of the host.

use atlashub_core::{Error, ErrorKind};

/// 404 `object_not_found`.
pub(crate) fn not_found() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "object_not_found",
        "the object does not exist",
    )
}

/// 409 `object_exists`.
pub(crate) fn exists() -> Error {
    Error::conflict(
        "object_exists",
        "an object with this key exists, choose another key",
    )
}

/// 413 `object_too_large`.
pub(crate) fn too_large(limit: u64) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "object_too_large",
        format!("the object may have at most {limit} bytes"),
    )
    .with_field("limit_bytes", limit)
}

/// 416 `invalid_range`.
pub(crate) fn invalid_range(size: Option<u64>) -> Error {
    let error = Error::new(
        ErrorKind::RangeNotSatisfiable,
        "invalid_range",
        "the range lies outside the object",
    );
    match size {
        Some(size) => error.with_field("size", size),
        None => error,
    }
}

/// What an operator's failure means; its text is for the log only.
pub(crate) fn of_operator(doing: &'static str, error: opendal::Error) -> Error {
    use opendal::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound => not_found(),
        Kind::AlreadyExists | Kind::ConditionNotMatch => exists(),
        Kind::RangeNotSatisfied => invalid_range(None),
        Kind::RateLimited => unavailable(error),
        // What is still temporary or persistent after the retries is an
        // outage rather than a fault of ours.
        _ if !error.is_permanent() => unavailable(error),
        _ => Error::internal(doing, error),
    }
}

fn unavailable(error: opendal::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "storage_unavailable",
        "the object store does not answer, try again",
    )
    .with_retry_after(5)
    .with_source(error)
}
