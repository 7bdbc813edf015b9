//! `ETag` and `If-Match`: what was read, and what a change is made from.

use crate::problem::Problem;
use atlashub_core::{Error, Precondition};
use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header, request::Parts};

/// What `If-Match` asks for, or `If-None-Match: *` of what shall be new.
pub(crate) struct IfMatch(pub(crate) Precondition);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self(wanted(&parts.headers)?))
    }
}

fn wanted(headers: &HeaderMap) -> Result<Precondition, Error> {
    let lines = headers.get_all(header::IF_MATCH).iter();
    let lines: Vec<_> = lines
        .map(|line| line.to_str().unwrap_or_default())
        .collect();
    if !lines.is_empty() {
        return lines.join(",").parse();
    }
    let new = headers.get(header::IF_NONE_MATCH);
    Ok(match new {
        Some(value) if value.as_bytes().trim_ascii() == b"*" => Precondition::Nothing,
        _ => Precondition::None,
    })
}

/// An answer with the tag of what it shows.
pub(crate) struct Tagged<T> {
    /// The tag, with its quotes.
    pub(crate) tag: String,
    /// The answer.
    pub(crate) answer: T,
}

impl<T: IntoResponse> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(lines: &[(&'static str, &'static str)]) -> Result<Precondition, Error> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        wanted(&headers)
    }

    #[test]
    fn a_condition_is_read_from_the_headers() {
        assert_eq!(read(&[]).unwrap(), Precondition::None);
        let both = read(&[("if-match", "\"1\""), ("if-match", "\"2\"")]).unwrap();
        let tags = ["\"1\"", "\"2\""].map(str::to_owned).to_vec();
        assert_eq!(both, Precondition::OneOf(tags));
        assert_eq!(read(&[("if-match", "*")]).unwrap(), Precondition::Anything);
        assert_eq!(
            read(&[("if-none-match", "*")]).unwrap(),
            Precondition::Nothing
        );
        assert_eq!(
            read(&[("if-none-match", "\"1\"")]).unwrap(),
            Precondition::None
        );
        let error = read(&[("if-match", "1")]).unwrap_err();
        assert_eq!(error.code(), "invalid_if_match");
    }
}
