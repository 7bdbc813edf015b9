//! The query of a request, decoded.

use crate::{
    fault::{Fault, Result},
    model::{MAX_PARTS, MAX_QUERY_BYTES},
};
use atlashub_sdk::{Body, prelude::*};

/// Most bytes of a body.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Names with values, in the order in which the client wrote them.
///
/// # Errors
/// 400 for one that is too long.
pub(crate) fn pairs(request: &Request) -> Result<Vec<(String, String)>> {
    let query = request.query();
    if query.len() > MAX_QUERY_BYTES {
        return Err(Fault::query(format!(
            "the query is longer than {MAX_QUERY_BYTES} bytes"
        )));
    }
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    if pairs.len() > MAX_PARTS {
        return Err(Fault::query("the query has too many parts"));
    }
    if pairs
        .iter()
        .any(|(name, value)| name.contains('\0') || value.contains('\0'))
    {
        return Err(Fault::query("the query has a NUL character in it"));
    }
    Ok(pairs)
}

/// A whole number.
///
/// # Errors
/// 400 naming the parameter.
pub(crate) fn number(name: &str, text: &str) -> Result<u64> {
    text.trim()
        .parse::<u64>()
        .ok()
        // More is more than any table has, and than a database takes.
        .filter(|number| i64::try_from(*number).is_ok())
        .ok_or_else(|| Fault::query(format!("`{name}` is a whole number from 0 on")))
}

/// The body.
///
/// # Errors
/// 413 for one that is too large.
pub(crate) fn body(request: &mut Request) -> Result<Vec<u8>> {
    let body: Body = request.take_body();
    Ok(body.bytes(MAX_BODY_BYTES)?)
}
