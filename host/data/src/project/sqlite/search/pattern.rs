//! Regular expressions of Postgres, read by a library that takes linear time.
//! Back references and looking around, which would not, are refused.

use regex::{Regex, RegexBuilder};

/// Longest pattern, bytes.
const MAX_PATTERN_BYTES: usize = 4096;
/// Most memory that a pattern becomes, bytes.
const MAX_COMPILED_BYTES: usize = 256 * 1024;
/// Most memory for going through a text quickly, bytes.
const MAX_CACHE_BYTES: usize = 1024 * 1024;
/// Deepest nesting of a pattern.
const MAX_DEPTH: u32 = 50;

/// The pattern; what is wrong with it otherwise.
pub(super) fn read(pattern: &str, fold: bool) -> Result<Regex, String> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!("it may have {MAX_PATTERN_BYTES} bytes"));
    }
    RegexBuilder::new(&translated(pattern))
        .case_insensitive(fold)
        // As Postgres has it unless told otherwise.
        .dot_matches_new_line(true)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_CACHE_BYTES)
        .nest_limit(MAX_DEPTH)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            // Its first lines show the place; the last says what it is.
            other => {
                let text = other.to_string();
                let last = text.lines().last().unwrap_or_default();
                last.trim_start_matches("error: ").to_owned()
            }
        })
}

/// What Postgres writes in another way, as the library writes it.
fn translated(pattern: &str) -> String {
    let mut written = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut class = Class::Outside;
    while let Some(c) = chars.next() {
        match (c, class) {
            ('\\', _) => {
                let Some(next) = chars.next() else {
                    written.push('\\');
                    break;
                };
                match (next, class) {
                    ('m', Class::Outside) => written.push_str(r"\b{start}"),
                    ('M', Class::Outside) => written.push_str(r"\b{end}"),
                    ('y', Class::Outside) => written.push_str(r"\b"),
                    ('Y', Class::Outside) => written.push_str(r"\B"),
                    ('Z', Class::Outside) => written.push_str(r"\z"),
                    _ => written.extend(['\\', next]),
                }
                class = class.further();
            }
            ('{', Class::Outside) if !chars.peek().is_some_and(char::is_ascii_digit) => {
                written.push_str(r"\{");
            }
            ('[', Class::Outside) => {
                written.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    written.push('^');
                }
                class = Class::Begun;
            }
            ('[', _) if chars.peek() == Some(&':') => {
                // `[:alpha:]`, up to its end.
                written.push('[');
                for c in chars.by_ref() {
                    written.push(c);
                    if c == ']' {
                        break;
                    }
                }
                class = Class::Inside;
            }
            (']', Class::Begun) => {
                written.push_str(r"\]");
                class = Class::Inside;
            }
            (']', Class::Inside) => {
                written.push(']');
                class = Class::Outside;
            }
            ('[' | '&' | '~', Class::Begun | Class::Inside) => {
                written.extend(['\\', c]);
                class = Class::Inside;
            }
            _ => {
                written.push(c);
                class = class.further();
            }
        }
    }
    written
}

/// Where in a bracket expression a character stands.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    Outside,
    /// Nothing has come yet: `]` is itself.
    Begun,
    Inside,
}

impl Class {
    fn further(self) -> Self {
        match self {
            Self::Outside => Self::Outside,
            Self::Begun | Self::Inside => Self::Inside,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_to_postgres() {
        for (pattern, text, found) in [
            ("^a.c$", "a\nc", true),
            (r"\mcat\M", "a cat sat", true),
            (r"\mcat\M", "concat", false),
            (r"\ycat", "a cat", true),
            ("[]a]+", "]", true),
            ("[^]a]", "]a", false),
            ("[[:digit:]]{2}", "a12", true),
            ("[a&&b]", "&", true),
            ("[[]", "[", true),
            ("{a}", "{a}", true),
            ("a{2}", "aa", true),
            (r"\d+\.\d", "3.5", true),
            ("(?i)ABC", "abc", true),
            ("häuser?", "häuse", true),
        ] {
            assert_eq!(
                read(pattern, false).unwrap().is_match(text),
                found,
                "{pattern} in {text:?}"
            );
        }
        assert!(read("ABC", true).unwrap().is_match("abc"));
    }

    #[test]
    fn what_could_take_long_is_refused() {
        for pattern in [
            r"(a)\1",
            "(?=a)",
            "a{1000}{1000}",
            r"(\w{100}){50}",
            "(",
            &"(".repeat(200),
            &"a".repeat(MAX_PATTERN_BYTES + 1),
        ] {
            let refused = read(pattern, false).unwrap_err();
            assert!(!refused.is_empty() && !refused.contains('\n'), "{refused}");
        }
    }
}
