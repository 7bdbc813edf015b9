//! What a change was made from, so that nobody overwrites unseen what
//! somebody else has changed meanwhile: tags of what was read, and the
//! condition on them (RFC 9110, sections 8.8.3 and 13.1.1).

use crate::{Digest, Error, ErrorKind, Result};
use serde::Serialize;
use std::str::FromStr;

/// Most bytes of a condition.
const MAX_BYTES: usize = 4_096;

/// What has to be there for a change to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Whatever is there.
    #[default]
    None,
    /// Something.
    Anything,
    /// Nothing: what is put shall be new.
    Nothing,
    /// What has one of these tags.
    OneOf(Vec<String>),
}

impl Precondition {
    /// Whether it holds of what has this tag, or of nothing.
    #[must_use]
    pub fn holds(&self, tag: Option<&str>) -> bool {
        match self {
            Self::None => true,
            Self::Anything => tag.is_some(),
            Self::Nothing => tag.is_none(),
            Self::OneOf(tags) => tag.is_some_and(|tag| tags.iter().any(|own| own == tag)),
        }
    }

    /// Refuses a change of `what`, which has this tag now.
    ///
    /// # Errors
    /// `precondition_failed` (412) with the present tag as `etag`.
    pub fn check(&self, what: &str, tag: Option<&str>) -> Result<()> {
        if self.holds(tag) {
            return Ok(());
        }
        let error = match self {
            Self::Nothing => refusal(format!("{what} is there already: change that one")),
            _ => failed(what),
        };
        Err(error.with_field("etag", tag))
    }

    /// Refuses a change of `what`, whose tag is only looked at for a condition.
    ///
    /// # Errors
    /// As [`Precondition::check`]; what `tag` says.
    pub fn check_with(
        &self,
        what: &str,
        tag: impl FnOnce() -> Result<Option<String>>,
    ) -> Result<()> {
        match self {
            Self::None => Ok(()),
            _ => self.check(what, tag()?.as_deref()),
        }
    }
}

/// The refusal of a change of what is another meanwhile.
#[must_use]
pub fn failed(what: &str) -> Error {
    refusal(format!(
        "{what} was changed since you read it: read it again"
    ))
}

fn refusal(message: String) -> Error {
    Error::new(
        ErrorKind::PreconditionFailed,
        "precondition_failed",
        message,
    )
}

impl FromStr for Precondition {
    type Err = Error;

    /// `*`, or tags with commas between them. A weak tag never holds.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Anything);
        }
        let mut tags = Vec::new();
        let mut rest = text;
        while rest.len() <= MAX_BYTES {
            let weak = rest.strip_prefix("W/");
            let quoted = weak.unwrap_or(rest).strip_prefix('"');
            let Some((tag, after)) = quoted.and_then(|quoted| quoted.split_once('"')) else {
                break;
            };
            if weak.is_none() {
                tags.push(format!("\"{tag}\""));
            }
            let after = after.trim_start();
            if after.is_empty() {
                return Ok(Self::OneOf(tags));
            }
            let Some(next) = after.strip_prefix(',') else {
                break;
            };
            rest = next.trim_start();
        }
        Err(Error::bad_request(
            "invalid_if_match",
            "`If-Match` is `*`, or an `etag` as it was answered, with its quotes",
        ))
    }
}

/// The tag of what grows with each change.
#[must_use]
pub fn tag_of_generation(generation: i64) -> String {
    format!("\"{generation}\"")
}

/// The tag of a content.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn tag_of(content: &impl Serialize) -> Result<String> {
    let text = serde_json::to_vec(content)
        .map_err(|error| Error::internal("write what a tag is made of", error))?;
    let mut digest = Digest::of(&text).to_hex();
    digest.truncate(32);
    Ok(format!("\"{digest}\""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(text: &str) -> Precondition {
        text.parse().unwrap()
    }

    #[test]
    fn a_change_is_made_from_what_is_there() {
        let tags = read("\"7\" , W/\"8\",\"a,b\"");
        assert!(tags.holds(Some("\"7\"")) && tags.holds(Some("\"a,b\"")));
        assert!(!tags.holds(Some("\"8\"")) && !tags.holds(Some("\"9\"")) && !tags.holds(None));
        assert!(read(" * ").holds(Some("\"1\"")) && !read("*").holds(None));
        assert!(Precondition::Nothing.holds(None) && !Precondition::Nothing.holds(Some("\"1\"")));
        assert!(!read("W/\"7\"").holds(Some("\"7\"")));
        assert!(Precondition::None.holds(None) && Precondition::None.holds(Some("\"1\"")));
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in ["", "7", "\"7", "\"7\" \"8\"", "\"7\",", ",\"7\"", "w/\"7\""] {
            let error = text.parse::<Precondition>().unwrap_err();
            assert_eq!(error.code(), "invalid_if_match", "{text}");
        }
        let long = vec!["\"7\""; MAX_BYTES].join(",");
        assert!(long.parse::<Precondition>().is_err());
    }

    #[test]
    fn a_refusal_says_what_is_there() {
        let error = read("\"1\"").check("the role", Some("\"2\"")).unwrap_err();
        assert_eq!(
            (error.kind().status(), error.code()),
            (412, "precondition_failed")
        );
        assert_eq!(error.fields().get("etag").unwrap(), "\"2\"");
    }

    #[test]
    fn a_tag_tells_contents_apart() {
        assert_eq!(tag_of(&["a"]).unwrap(), tag_of(&["a"]).unwrap());
        assert_ne!(tag_of(&["a"]).unwrap(), tag_of(&["b"]).unwrap());
        assert_eq!(
            read(&tag_of(&["a"]).unwrap()),
            Precondition::OneOf(vec![tag_of(&["a"]).unwrap()])
        );
    }
}
