//! Answers as the dialect has them.

use atlashub_sdk::prelude::*;
use serde_json::json;

/// A refusal.
pub(crate) fn refused(status: StatusCode, message: &str) -> Result<Response> {
    let body = serde_json::to_vec(&json!({ "message": message }))?;
    Ok(Response::new(status)
        .with_header("content-type", "application/json")
        .with_body(body))
}

/// 401.
pub(crate) fn unauthorized() -> Result<Response> {
    let response = refused(
        StatusCode::UNAUTHORIZED,
        "Send the token of /rpc/login as `Authorization: Bearer <token>`.",
    )?;
    Ok(response.with_header("www-authenticate", "Bearer"))
}
