//! A condition as Postgres' catalogue writes it, in words that both engines
//! read: `(status = ANY (ARRAY['a'::text, 'b'::text]))` is
//! `status IN ('a', 'b')`.
//!
//! Nothing is guessed at: what is not one of the few forms below stays as it
//! is, and the other engine says itself whether it understands it.

use crate::project::text::identifier;

/// Types whose name behind `::` says nothing that the value does not.
const TYPES: &[&str] = &[
    "character varying",
    "double precision",
    "timestamp with time zone",
    "timestamp without time zone",
    "time without time zone",
    "text",
    "bpchar",
    "numeric",
    "integer",
    "bigint",
    "smallint",
    "real",
    "boolean",
    "date",
    "uuid",
    "jsonb",
    "json",
];

/// A token, and whether a blank stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token<'a> {
    text: &'a str,
    apart: bool,
}

/// The condition in plain words.
pub(super) fn plain(sql: &str) -> String {
    let mut all = without_casts(tokens(sql));
    loop {
        let before = all.len();
        all = without_parentheses(lists(all));
        if all.len() == before {
            break;
        }
    }
    let words = all.iter().enumerate().map(|(at, token)| {
        let blank = if token.apart && at > 0 { " " } else { "" };
        let text = match token.text {
            "~~" => "LIKE",
            "!~~" => "NOT LIKE",
            other => other,
        };
        format!("{blank}{text}")
    });
    words.collect()
}

fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = sql;
    loop {
        let trimmed = rest.trim_start();
        let apart = trimmed.len() < rest.len();
        rest = trimmed;
        let Some(first) = rest.chars().next() else {
            return found;
        };
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.');
        let length = match first {
            '\'' | '"' => {
                identifier(rest).map_or(rest.len(), |(_, after)| rest.len() - after.len())
            }
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            '(' | ')' | '[' | ']' | ',' => 1,
            _ if rest.starts_with("::") => 2,
            _ => {
                let ends = |c: char| {
                    is_word(c) || c.is_whitespace() || matches!(c, '(' | ')' | '\'' | '"' | ',')
                };
                rest.find(ends).unwrap_or(rest.len()).max(first.len_utf8())
            }
        };
        let (text, after) = rest.split_at(length);
        found.push(Token { text, apart });
        rest = after;
    }
}

/// Leaves `::text` and the like out behind literals, lists and columns.
fn without_casts(all: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let mut kept = Vec::new();
    let mut rest = all.as_slice();
    while let Some((token, after)) = rest.split_first() {
        if token.text == "::"
            && let Some(length) = type_length(after)
        {
            rest = after.get(length..).unwrap_or_default();
            continue;
        }
        kept.push(token.clone());
        rest = after;
    }
    kept
}

/// How many tokens the name of a type has that these begin with.
fn type_length(all: &[Token<'_>]) -> Option<usize> {
    let named = TYPES.iter().find_map(|name| {
        let words: Vec<&str> = name.split(' ').collect();
        let own = all.get(..words.len())?;
        let same = own
            .iter()
            .zip(&words)
            .all(|(token, word)| token.text == *word);
        same.then_some(words.len())
    })?;
    let text = |at: usize| all.get(at).map(|token| token.text);
    let is_list = text(named) == Some("[") && text(named + 1) == Some("]");
    Some(if is_list { named + 2 } else { named })
}

/// `= ANY (ARRAY[…])` as `IN (…)`, and `<> ALL (ARRAY[…])` as `NOT IN (…)`.
fn lists(all: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let word = |text| Token { text, apart: true };
    let mut kept: Vec<Token<'_>> = Vec::new();
    let mut at = 0;
    while let Some(token) = all.get(at) {
        let next = |ahead: usize| all.get(at + ahead).map_or("", |token| token.text);
        let begins = [next(0), next(1), next(2), next(3), next(4)];
        let named: &[&str] = match begins {
            ["=", "ANY", "(", "ARRAY", "["] => &["IN"],
            ["<>", "ALL", "(", "ARRAY", "["] => &["NOT", "IN"],
            _ => &[],
        };
        let inside = all.get(at + 5..).unwrap_or_default();
        let end = inside.iter().position(|token| token.text == "]");
        match end {
            Some(end) if !named.is_empty() && next(5 + end + 1) == ")" => {
                kept.extend(named.iter().map(|text| word(text)));
                kept.push(word("("));
                kept.extend(inside.iter().take(end).cloned());
                kept.push(Token {
                    text: ")",
                    apart: false,
                });
                at += 5 + end + 2;
            }
            _ => {
                kept.push(token.clone());
                at += 1;
            }
        }
    }
    kept
}

/// Without parentheses around all of it, around one word, and doubled ones.
fn without_parentheses(all: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let mut gone = vec![false; all.len()];
    let mut open = Vec::new();
    let mut pairs = Vec::new();
    for (at, token) in all.iter().enumerate() {
        match token.text {
            "(" => open.push(at),
            ")" => pairs.extend(open.pop().map(|from| (from, at))),
            _ => {}
        }
    }
    let is_pair = |from: usize, to: usize| pairs.contains(&(from, to));
    for &(from, to) in &pairs {
        let whole = from == 0 && to + 1 == all.len();
        let doubled = from
            .checked_sub(1)
            .is_some_and(|before| is_pair(before, to + 1));
        let calls = from.checked_sub(1).and_then(|before| all.get(before));
        let calls = calls.is_some_and(|before| {
            before
                .text
                .starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '"')
                && !["AND", "OR", "NOT"].contains(&before.text)
        });
        let single = to == from + 2 && !calls;
        if whole || doubled || single {
            for place in [from, to] {
                if let Some(gone) = gone.get_mut(place) {
                    *gone = true;
                }
            }
        }
    }
    let mut kept: Vec<Token<'_>> = Vec::new();
    let mut apart = false;
    for (token, gone) in all.into_iter().zip(gone) {
        if gone {
            apart |= token.apart && token.text == "(";
            continue;
        }
        kept.push(Token {
            apart: token.apart || std::mem::take(&mut apart),
            ..token
        });
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_catalogue_says_is_told_as_it_was_written() {
        for (said, plain_words) in [
            ("(length(title) > 0)", "length(title) > 0"),
            ("(n > 0)", "n > 0"),
            ("(price > (0)::numeric)", "price > 0"),
            (
                "(status = ANY (ARRAY['a'::text, 'b'::text]))",
                "status IN ('a', 'b')",
            ),
            (
                "((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
                "status IN ('a', 'b')",
            ),
            ("(n <> ALL (ARRAY[1, 2]))", "n NOT IN (1, 2)"),
            (
                "((n > 0) AND (title ~~ 'it''s (%'::text))",
                "(n > 0) AND (title LIKE 'it''s (%')",
            ),
            ("(\"Odd name\" IS NOT NULL)", "\"Odd name\" IS NOT NULL"),
            ("(at > (b)::interval)", "at > b::interval"),
            ("(lower((kind)::text) = kind)", "lower(kind) = kind"),
            ("(NOT (done))", "NOT done"),
            ("((a > 1) OR ((b > 1) AND c))", "(a > 1) OR ((b > 1) AND c)"),
        ] {
            assert_eq!(plain(said), plain_words, "{said}");
        }
    }

    #[test]
    fn plain_words_stay_as_they_are() {
        for words in [
            "length(title) > 0",
            "status IN ('a', 'b')",
            "(a > 1) OR (b > 1)",
            "coalesce(a, (1 + 2) * 3) > 0",
        ] {
            assert_eq!(plain(words), words);
        }
    }
}
