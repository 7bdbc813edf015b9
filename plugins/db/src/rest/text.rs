//! The parts that PostgREST's queries are made of: names, lists, brackets
//! and quotes.

use crate::fault::{Fault, Result};

/// What is left of a text that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'t>(&'t str);

impl<'t> Text<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self(text)
    }

    pub(super) fn rest(&self) -> &'t str {
        self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.0.chars().next()
    }

    /// Passes over `part`, if it comes next.
    pub(super) fn eat(&mut self, part: &str) -> bool {
        match self.0.strip_prefix(part) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Passes over `part`, which must come next.
    pub(super) fn expect(&mut self, part: &str) -> Result<()> {
        if self.eat(part) {
            return Ok(());
        }
        Err(self.unexpected(&format!("`{part}`")))
    }

    /// The error for what comes next.
    pub(super) fn unexpected(&self, expected: &str) -> Fault {
        let found: String = self.0.chars().take(20).collect();
        let found = if found.is_empty() {
            "the end".to_owned()
        } else {
            format!("`{found}`")
        };
        Fault::query(format!(
            "failed to parse the query: {expected} expected, {found} found"
        ))
    }

    /// What comes before the first character that ends it.
    fn until(&mut self, ends: impl Fn(&str) -> bool) -> &'t str {
        let end = self
            .0
            .char_indices()
            .map(|(at, _)| at)
            .find(|at| self.0.get(*at..).is_some_and(&ends))
            .unwrap_or(self.0.len());
        let (found, rest) = self.0.split_at(end);
        self.0 = rest;
        found
    }

    /// A name, plain or in quotes.
    pub(super) fn name(&mut self) -> Result<String> {
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let found = self.until(|rest| {
            rest.starts_with([',', '(', ')', ':', '!', '.', '"', '{', '}'])
                || rest.starts_with("->")
        });
        let name = found.trim();
        if name.is_empty() {
            return Err(self.unexpected("a name"));
        }
        Ok(name.to_owned())
    }

    /// A word of letters and `_`.
    pub(super) fn word(&mut self) -> &'t str {
        self.until(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    }

    /// A text in quotes; `\` takes the meaning of what follows.
    fn quoted(&mut self) -> Result<String> {
        self.expect("\"")?;
        let mut value = String::new();
        let mut chars = self.0.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = self.0.get(at + 1..).unwrap_or_default();
                    return Ok(value);
                }
                '\\' => value.extend(chars.next().map(|(_, c)| c)),
                c => value.push(c),
            }
        }
        Err(Fault::query(
            "failed to parse the query: a quote is not closed",
        ))
    }

    /// A value within a list or a condition among others.
    pub(super) fn value(&mut self) -> Result<String> {
        match self.peek() {
            Some('"') => self.quoted(),
            Some('{') => self.braces(),
            _ => Ok(self.until(|rest| rest.starts_with([',', ')'])).to_owned()),
        }
    }

    /// A text from a brace to the one that closes it.
    fn braces(&mut self) -> Result<String> {
        let mut depth = 0_usize;
        let mut quoted = false;
        let mut escaped = false;
        for (at, c) in self.0.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = !quoted,
                '{' if !quoted => depth += 1,
                '}' if !quoted => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let (found, rest) = self.0.split_at(at + 1);
                self.0 = rest;
                return Ok(found.to_owned());
            }
        }
        Err(Fault::query(
            "failed to parse the query: a brace is not closed",
        ))
    }

    /// `(a,"b c",d)`, with the brackets given.
    pub(super) fn list(&mut self, open: &str, close: &str) -> Result<Vec<String>> {
        self.expect(open)?;
        let mut values = Vec::new();
        if self.eat(close) {
            return Ok(values);
        }
        loop {
            values.push(if self.peek() == Some('"') {
                self.quoted()?
            } else {
                self.until(|rest| rest.starts_with(',') || rest.starts_with(close))
                    .to_owned()
            });
            if self.eat(close) {
                return Ok(values);
            }
            self.expect(",")?;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn lists_may_have_quotes() {
        let mut text = Text::new("(1,\"a,b)\\\"\",c d),x");
        assert_eq!(text.list("(", ")").unwrap(), ["1", "a,b)\"", "c d"]);
        assert_eq!(text.rest(), ",x");
        for bad in ["(1", "(\"a)", "1)", "(\"a\"b)"] {
            assert!(Text::new(bad).list("(", ")").is_err(), "{bad}");
        }
    }

    #[test]
    fn values_end_where_the_condition_ends() {
        let mut text = Text::new("{a,\"}\",{b}},next");
        assert_eq!(text.value().unwrap(), "{a,\"}\",{b}}");
        let mut text = Text::new("plain.value)");
        assert_eq!(text.value().unwrap(), "plain.value");
        assert!(Text::new("{a").value().is_err());
    }

    #[test]
    fn names_end_before_what_has_a_meaning() {
        let mut text = Text::new("made-at->>a");
        assert_eq!(text.name().unwrap(), "made-at");
        assert_eq!(text.rest(), "->>a");
        assert!(Text::new(",").name().is_err());
    }
}
