use crate::{Error, FromRequest, Headers, Request, Result};
use http::StatusCode;

/// What a change was made from: `If-Match` and `If-None-Match` of a request
/// that changes something (RFC 9110 §13.1), so that nobody overwrites unseen
/// what somebody else has changed meanwhile.
///
/// Answer the `ETag` of what is read, take this as an argument of the handler
/// that changes it, and check it where nobody else can come in between: in
/// the transaction that writes, or with the tag's number in its `WHERE`.
///
/// ```
/// # use atlashub_sdk::prelude::*;
/// fn change(Path(id): Path<String>, expected: Precondition) -> Result<StatusCode> {
///     let revision: i64 = sql::query_one("SELECT revision FROM notes WHERE id = $1", params![&id])?;
///     expected.check(Some(&format!("\"{revision}\"")))?;
///     // UPDATE … WHERE id = $1 AND revision = $2
///     Ok(StatusCode::NO_CONTENT)
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Precondition {
    some: Option<String>,
    none: Option<String>,
}

impl Precondition {
    /// Those of a request's header fields.
    #[must_use]
    pub fn of(headers: &Headers) -> Self {
        let named = |name| headers.get(name).map(str::to_owned);
        Self {
            some: named("if-match"),
            none: named("if-none-match"),
        }
    }

    /// Looks at what is there now: something with this entity tag, in its
    /// quotes, or nothing.
    ///
    /// # Errors
    /// 412 `precondition_failed`, with the present tag as `etag`, when
    /// something else was named.
    pub fn check(&self, etag: Option<&str>) -> Result<()> {
        let is_listed = |list: &String, weak| etag.is_some_and(|etag| lists(list, etag, weak));
        let holds = self.some.as_ref().is_none_or(|list| is_listed(list, false))
            && !self.none.as_ref().is_some_and(|list| is_listed(list, true));
        if holds {
            return Ok(());
        }
        let message = match (etag, &self.none) {
            (None, _) => "it is not there any more",
            (Some(_), None) => {
                "somebody has changed it since you saw it: look at it, and try again"
            }
            (Some(_), Some(_)) => "there is one already",
        };
        let error = Error::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            message,
        );
        Err(error.with_field("etag", etag))
    }
}

impl FromRequest for Precondition {
    fn from_request(request: &mut Request) -> Result<Self> {
        Ok(Self::of(request.headers()))
    }
}

/// Whether a list of entity tags has this one, or is `*`. Weak tags match
/// only where a weak comparison is asked for (RFC 9110 §8.8.3.2).
#[must_use]
pub fn lists(list: &str, etag: &str, weak: bool) -> bool {
    list.trim() == "*"
        || list
            .split(',')
            .map(str::trim)
            .any(|own| own == etag || (weak && own.strip_prefix("W/") == Some(etag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_for_what_was_named() {
        let holds = |name: &str, value: &str, there| {
            let mut headers = Headers::default();
            headers.append(name, value);
            Precondition::of(&headers).check(there).is_ok()
        };
        assert!(Precondition::default().check(None).is_ok());
        assert!(Precondition::default().check(Some("\"a\"")).is_ok());
        for (list, there, met) in [
            ("*", Some("\"a\""), true),
            ("*", None, false),
            ("\"x\", \"a\"", Some("\"a\""), true),
            ("W/\"a\"", Some("\"a\""), false),
            ("\"x\"", Some("\"a\""), false),
            ("\"a\"", None, false),
        ] {
            assert_eq!(holds("if-match", list, there), met, "{list} {there:?}");
        }
        for (list, there, met) in [
            ("*", Some("\"a\""), false),
            ("*", None, true),
            ("W/\"a\"", Some("\"a\""), false),
            ("\"x\"", Some("\"a\""), true),
        ] {
            assert_eq!(holds("if-none-match", list, there), met, "{list} {there:?}");
        }
    }

    #[test]
    fn a_refusal_names_the_present_tag() {
        let mut headers = Headers::default();
        headers.append("if-match", "\"1\"");
        let refused = Precondition::of(&headers).check(Some("\"2\"")).unwrap_err();
        assert_eq!(refused.status(), StatusCode::PRECONDITION_FAILED);
        assert_eq!(refused.code(), "precondition_failed");
        assert_eq!(refused.fields()["etag"], "\"2\"");
    }
}
