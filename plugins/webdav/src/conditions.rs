//! The header `If` (RFC 4918 §10.4): under which state of things a request
//! is meant, and which locks its sender holds.

use crate::address::{Address, Place};
use atlashub_sdk::prelude::*;

/// Longest header, bytes.
const MAX_BYTES: usize = 8 * 1024;

/// What the header says; nothing when there is none.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    lists: Vec<List>,
}

/// Tests that all have to hold, of the tagged place or of the request's own.
#[derive(Debug)]
struct List {
    /// The place; `Some(None)` is one outside of this tree, of which nothing
    /// holds.
    tag: Option<Option<Place>>,
    tests: Vec<Test>,
}

#[derive(Debug, PartialEq, Eq)]
struct Test {
    not: bool,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Token(String),
    Etag(String),
}

impl Conditions {
    /// Reads the header.
    ///
    /// # Errors
    /// 400 `invalid_if`.
    pub(crate) fn of(request: &Request, address: &Address) -> Result<Self> {
        let Some(text) = request.header("if") else {
            return Ok(Self::default());
        };
        if text.len() > MAX_BYTES {
            return Err(refused());
        }
        let mut lists = Vec::new();
        let mut tag = None;
        let mut rest = text.trim();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('<') {
                let (uri, after) = after.split_once('>').ok_or_else(refused)?;
                tag = Some(address.place_of(uri)?);
                rest = after.trim_start();
            }
            let inner = rest.strip_prefix('(').ok_or_else(refused)?;
            let (tests, after) = tests(inner)?;
            lists.push(List {
                tag: tag.clone(),
                tests,
            });
            rest = after.trim_start();
        }
        if lists.is_empty() {
            return Err(refused());
        }
        Ok(Self { lists })
    }

    /// The lock tokens that the sender shows, whatever the conditions say of
    /// them.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = &str> {
        let tests = self.lists.iter().flat_map(|list| &list.tests);
        tests.filter_map(|test| match &test.state {
            State::Token(token) => Some(token.as_str()),
            State::Etag(_) => None,
        })
    }

    /// Refuses unless one of the lists holds. `locked` says whether a lock of
    /// that token covers a path, `etag` what a path has.
    ///
    /// # Errors
    /// 412 `precondition_failed`.
    pub(crate) fn check(
        &self,
        own: &Place,
        locked: impl Fn(&str, &str) -> bool,
        etag: impl Fn(&str) -> Result<Option<String>>,
    ) -> Result<()> {
        if self.lists.is_empty() {
            return Ok(());
        }
        for list in &self.lists {
            let place = match &list.tag {
                None => Some(own),
                Some(place) => place.as_ref(),
            };
            let mut holds = true;
            for test in &list.tests {
                let is_so = match (place, &test.state) {
                    (None, _) => false,
                    (Some(place), State::Token(token)) => locked(token, &place.path),
                    (Some(place), State::Etag(wanted)) => {
                        etag(&place.path)?.as_deref() == Some(wanted)
                    }
                };
                holds &= is_so != test.not;
            }
            if holds {
                return Ok(());
            }
        }
        Err(Error::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            "nothing that the header `If` names is so",
        ))
    }
}

/// The tests of a list up to its closing bracket, and what follows it.
fn tests(text: &str) -> Result<(Vec<Test>, &str)> {
    let mut tests = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix(')') {
            if tests.is_empty() {
                return Err(refused());
            }
            return Ok((tests, after));
        }
        let not = rest
            .get(..3)
            .is_some_and(|word| word.eq_ignore_ascii_case("not"));
        if not {
            rest = rest.get(3..).unwrap_or_default().trim_start();
        }
        let (state, after) = if let Some(after) = rest.strip_prefix('<') {
            let (token, after) = after.split_once('>').ok_or_else(refused)?;
            (State::Token(token.to_owned()), after)
        } else if let Some(after) = rest.strip_prefix('[') {
            let (etag, after) = after.split_once(']').ok_or_else(refused)?;
            (State::Etag(etag.trim().to_owned()), after)
        } else {
            return Err(refused());
        };
        tests.push(Test { not, state });
        rest = after.trim_start();
    }
}

fn refused() -> Error {
    Error::bad_request("invalid_if", "the header `If` cannot be read")
}

#[cfg(test)]
mod tests_of_conditions {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn holds(header: &str) -> bool {
        let request = Request::get("/dav/a").with_header("if", header);
        let address = Address::of(&request).unwrap();
        let conditions = Conditions::of(&request, &address).unwrap();
        let locked = |token: &str, path: &str| token == "urn:1" && path == "a";
        let etag = |path: &str| Ok((path == "a").then(|| "\"e\"".to_owned()));
        conditions.check(&address.place, locked, etag).is_ok()
    }

    #[test]
    fn a_list_holds_when_all_in_it_does_and_one_list_is_enough() {
        assert!(holds("(<urn:1> [\"e\"])"));
        assert!(holds("(Not <DAV:no-lock>)"));
        assert!(holds("(<urn:2>) (<urn:1>)"));
        assert!(holds("<http://h/dav/a> (<urn:1>)"));
        assert!(holds("<http://h/dav/b> (Not <urn:1>) (not [\"e\"])"));
        assert!(!holds("(<urn:1> [\"f\"])"));
        assert!(!holds("(<urn:1> Not [\"e\"])"));
        assert!(!holds("<http://h/dav/b> (<urn:1>)"));
        assert!(!holds("<http://h/elsewhere> (<urn:1>)"));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for header in [
            "",
            "()",
            "(",
            "(<a)",
            "<a>",
            "([\"e\")",
            "(a)",
            "<a> <b> (<c>)",
        ] {
            let request = Request::get("/dav/a").with_header("if", header);
            let address = Address::of(&request).unwrap();
            assert!(Conditions::of(&request, &address).is_err(), "{header:?}");
        }
    }
}
