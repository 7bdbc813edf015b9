//! As much of SQL's lexical rules as is needed to tell what a statement
//! begins with and where it ends. Good messages and the choice of a
//! connection come from here; isolation never does.

/// The first word of a statement in upper case, after blanks, comments and
/// opening parentheses; empty when there is none.
pub(super) fn first_word(sql: &str) -> String {
    words(sql).next().unwrap_or_default()
}

/// The words at the start of a statement in upper case, as long as nothing
/// else stands between them.
pub(super) fn words(sql: &str) -> impl Iterator<Item = String> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        rest = skip_blanks(rest).trim_start_matches('(');
        rest = skip_blanks(rest);
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then(|| word.to_ascii_uppercase())
    })
}

/// Whether a statement begins like one that only reads. `WITH` may turn out
/// to write.
pub(super) fn may_only_read(sql: &str) -> bool {
    let start = sql.trim_start();
    let begins = |word: &str| {
        start
            .get(..word.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(word))
            && start
                .get(word.len()..)
                .and_then(|tail| tail.chars().next())
                .is_none_or(|next| !(next.is_ascii_alphanumeric() || next == '_'))
    };
    if begins("select") {
        return true;
    }
    matches!(
        first_word(sql).as_str(),
        "SELECT" | "VALUES" | "WITH" | "EXPLAIN" | "PRAGMA" | "TABLE" | "SHOW"
    )
}

/// `text` without the blanks and comments at its start.
pub(super) fn skip_blanks(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        if let Some(comment) = text.strip_prefix("--") {
            text = comment.split_once('\n').map_or("", |(_, rest)| rest);
        } else if text.starts_with("/*") {
            text = text.get(block_comment(text)..).unwrap_or_default();
        } else {
            return text;
        }
    }
}

/// The length of the block comment that `text` starts with. They nest, as on
/// Postgres.
fn block_comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth = depth.saturating_sub(1);
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The statements of a Postgres text, without the semicolons between them
/// and without empty ones. Quotes, dollar quotes and comments are passed
/// over whole, and so is the body of a `BEGIN ATOMIC … END` function.
pub(super) fn split_postgres(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut statements = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let mut atomic = 0_usize;
    let mut previous = "";
    while let Some(&byte) = bytes.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        match byte {
            b'-' if rest.starts_with("--") => {
                at += rest.find('\n').unwrap_or(rest.len());
            }
            b'/' if rest.starts_with("/*") => at += block_comment(rest),
            b'\'' => {
                let escapes = previous.eq_ignore_ascii_case("e") && at > 0 && ends_word(bytes, at);
                at += quoted(rest, '\'', escapes);
            }
            b'"' => at += quoted(rest, '"', false),
            b'$' => at += dollar_quoted(rest, at > 0 && ends_word(bytes, at)),
            b';' if atomic == 0 => {
                statements.push(text.get(start..at).unwrap_or_default());
                at += 1;
                start = at;
                previous = "";
            }
            _ if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => {
                let end = rest
                    .bytes()
                    .position(|c| !(c.is_ascii_alphanumeric() || c == b'_' || c >= 0x80))
                    .unwrap_or(rest.len());
                let word = rest.get(..end).unwrap_or_default();
                let is = |other: &str| word.eq_ignore_ascii_case(other);
                let opens = is("atomic") && previous.eq_ignore_ascii_case("begin");
                if opens || (atomic > 0 && is("case")) {
                    atomic += 1;
                } else if atomic > 0 && is("end") {
                    atomic -= 1;
                }
                previous = word;
                at += end.max(1);
            }
            _ => {
                at += 1;
                while !text.is_char_boundary(at) {
                    at += 1;
                }
            }
        }
    }
    statements.push(text.get(start..).unwrap_or_default());
    statements.retain(|statement| !skip_blanks(statement).is_empty());
    statements
}

/// Whether `text` could stand as one expression between parentheses: it
/// closes what it opens, in this order, and ends no statement.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn check_expression(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    let mut open = Vec::new();
    let mut at = 0;
    let mut empty = true;
    while let Some(&byte) = bytes.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        match byte {
            b'-' if rest.starts_with("--") => return Err("leave comments out of an expression"),
            b'/' if rest.starts_with("/*") => return Err("leave comments out of an expression"),
            b'\'' | b'"' | b'`' => {
                let length = quoted(rest, char::from(byte), false);
                let closed = rest.get(..length).unwrap_or_default();
                if length < 2 || !closed.ends_with(char::from(byte)) {
                    return Err("a quote is not closed");
                }
                if byte == b'\'' && at > 0 && ends_word(bytes, at) {
                    return Err("write strings as 'text', without a letter before the quote");
                }
                at += length;
                empty = false;
                continue;
            }
            b'$' => return Err("there are no parameters in an expression"),
            b';' => return Err("an expression is not a statement"),
            b'(' | b'[' => open.push(byte),
            b')' if open.pop() != Some(b'(') => return Err("the parentheses do not match"),
            b']' if open.pop() != Some(b'[') => return Err("the brackets do not match"),
            0 => return Err("it contains a NUL character"),
            _ => {}
        }
        empty &= byte.is_ascii_whitespace();
        at += 1;
    }
    if !open.is_empty() {
        return Err("the parentheses do not match");
    }
    if empty {
        return Err("an expression is empty");
    }
    Ok(())
}

/// Splits a statement of Postgres' that begins with `WITH` before what it is
/// for: behind the queries that it names. `None` where that is not found.
pub(super) fn split_with(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    // The last word or mark outside of parentheses.
    let mut previous = "";
    // Whether a named query has ended, so that the statement may begin.
    let mut may_begin = false;
    while let Some(&byte) = bytes.get(at) {
        let rest = text.get(at..)?;
        let length = match byte {
            b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => block_comment(rest),
            b'\'' => {
                let escapes = previous.eq_ignore_ascii_case("e") && ends_word(bytes, at);
                quoted(rest, '\'', escapes)
            }
            b'"' => {
                let length = quoted(rest, '"', false);
                if depth == 0 {
                    previous = "\"";
                }
                length
            }
            b'$' => dollar_quoted(rest, at > 0 && ends_word(bytes, at)),
            b'(' => {
                if depth == 0 && previous == ")" {
                    return text.split_at_checked(at);
                }
                depth += 1;
                1
            }
            b')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    (previous, may_begin) = (")", true);
                }
                1
            }
            b',' => {
                if depth == 0 {
                    previous = ",";
                }
                1
            }
            _ if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => {
                let belongs = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
                let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len()).max(1);
                let word = rest.get(..end)?;
                if depth == 0 && may_begin && begins_statement(word, previous) {
                    return text.split_at_checked(at);
                }
                previous = word;
                end
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        at += length.max(1);
    }
    None
}

/// Whether a word behind a named query begins the statement itself, and is no
/// name: of the next query, or in its `SEARCH` and `CYCLE`.
fn begins_statement(word: &str, previous: &str) -> bool {
    const VERBS: [&str; 7] = [
        "select", "values", "table", "insert", "update", "delete", "merge",
    ];
    const BEFORE_NAMES: [&str; 7] = [",", "by", "set", "to", "default", "using", "cycle"];
    let is_one_of =
        |words: &[&str], word: &str| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    is_one_of(&VERBS, word) && !is_one_of(&BEFORE_NAMES, previous)
}

/// The words of a text: all runs of letters, digits, `_` and `$`, also
/// within quotes and comments, with whether a parenthesis follows. A name
/// made of such characters cannot be written without being one of them.
pub(super) fn runs(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let belongs = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(belongs)?;
        let word = rest.get(start..)?;
        let end = word.find(|c| !belongs(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        rest = after;
        Some((word, after.trim_start().starts_with('(')))
    })
}

/// A name at the start of `text`, quoted or not, and what follows it.
pub(super) fn identifier(text: &str) -> Option<(String, &str)> {
    let close = match text.chars().next()? {
        '[' => ']',
        quote @ ('"' | '`' | '\'') => quote,
        _ => {
            let end = text
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            return (!name.is_empty()).then(|| (name.to_owned(), rest));
        }
    };
    let mut name = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != close {
            name.push(c);
        } else if close != ']' && chars.peek().is_some_and(|(_, next)| *next == close) {
            name.push(c);
            chars.next();
        } else {
            return Some((name, text.get(at + c.len_utf8()..)?));
        }
    }
    None
}

/// What follows the comma that ends this definition.
pub(super) fn next_definition(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let mut rest = text;
    loop {
        let c = rest.chars().next()?;
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return None,
            ')' => depth -= 1,
            ',' if depth == 0 => return rest.get(1..),
            '"' | '`' | '\'' | '[' => {
                rest = identifier(rest)?.1;
                continue;
            }
            '-' if rest.starts_with("--") => {
                rest = rest.split_once('\n')?.1;
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = rest.split_once("*/")?.1;
                continue;
            }
            _ => {}
        }
        rest = rest.get(c.len_utf8()..)?;
    }
}

/// Whether the byte before `at` belongs to a word.
fn ends_word(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1)
        .and_then(|before| bytes.get(before))
        .is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80)
}

/// The length of the quoted text that `rest` starts with.
fn quoted(rest: &str, quote: char, escapes: bool) -> usize {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == quote {
            if chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
            } else {
                return at + 1;
            }
        }
    }
    rest.len()
}

/// The length of the dollar-quoted text that `rest` starts with, or of the
/// dollar alone.
fn dollar_quoted(rest: &str, within_word: bool) -> usize {
    let Some(close) = rest.get(1..).and_then(|tail| tail.find('$')) else {
        return 1;
    };
    let tag = rest.get(..close + 2).unwrap_or_default();
    let name = rest.get(1..=close).unwrap_or_default();
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if within_word || !plain {
        return 1;
    }
    rest.get(tag.len()..)
        .and_then(|body| body.find(tag))
        .map_or(rest.len(), |end| tag.len() * 2 + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_found_behind_the_queries_that_it_names() {
        for (with, statement) in [
            ("WITH a AS (DELETE FROM x RETURNING *) ", "SELECT * FROM a"),
            ("with a as (select ')') /* select */", "select (1)"),
            ("WITH a(b, c) AS MATERIALIZED (SELECT $$)$$) ", "(SELECT 1)"),
            (
                "WITH delete AS (SELECT E'\\')'), \"select\" AS (SELECT 1)\n",
                "DELETE FROM x",
            ),
            (
                "WITH a AS (SELECT 1), values (b) AS (SELECT 2) ",
                "VALUES (1)",
            ),
            (
                "WITH RECURSIVE a AS (SELECT 1) SEARCH DEPTH FIRST BY update SET delete ",
                "UPDATE x SET a = 1 RETURNING *",
            ),
        ] {
            let whole = format!("{with}{statement}");
            assert_eq!(split_with(&whole), Some((with, statement)), "{whole}");
        }
        for none in [
            "WITH a AS (SELECT 1)",
            "(WITH a AS (SELECT 1) SELECT 2)",
            "WITH a AS ((",
        ] {
            assert_eq!(split_with(none), None, "{none}");
        }
    }

    #[test]
    fn the_first_word_is_found_behind_comments() {
        assert_eq!(
            first_word("  /* a /* b */ */ -- c\n ((select 1))"),
            "SELECT"
        );
        assert_eq!(first_word("-- nothing"), "");
        assert_eq!(
            words("alter\n role x").take(2).collect::<Vec<_>>(),
            ["ALTER", "ROLE"]
        );
    }

    #[test]
    fn only_reads_go_to_readers() {
        for sql in [
            "select 1",
            " SELECT(1)",
            "/* x */ values (1)",
            "with a as (select 1) select 1",
        ] {
            assert!(may_only_read(sql), "{sql}");
        }
        for sql in [
            "selects",
            "insert into a values (1)",
            "update a set b = 1",
            "",
            "create table a (b)",
        ] {
            assert!(!may_only_read(sql), "{sql}");
        }
    }

    #[test]
    fn an_expression_closes_what_it_opens() {
        for good in ["true", "(a = 1) OR b IN ('x)', \"y(\")", "a[1] = 'it''s'"] {
            assert_eq!(check_expression(good), Ok(()), "{good}");
        }
        for bad in [
            "", " ", "(", ")", "a) OR (b", "'open", "\"open", "a; b", "a -- b", "a /* b", "$1",
            "E'\\''", "(]", "$$a$$",
        ] {
            assert!(check_expression(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_found_however_they_are_written() {
        let text = "INSERT OR REPLACE INTO \"a_b\" SELECT replace (x) /* [c$d] */ ä";
        let found: Vec<_> = runs(text).collect();
        assert!(found.contains(&("REPLACE", false)));
        assert!(found.contains(&("replace", true)));
        for word in ["a_b", "c$d", "ä"] {
            assert!(found.iter().any(|(own, _)| *own == word), "{word}");
        }
    }

    #[test]
    fn a_text_is_split_between_its_statements_only() {
        let text = "create table a (b text default ';'); -- a; b\n\
                    create function f() returns int language plpgsql as $body$ begin; return 1; end $body$;;\n\
                    insert into \"x;y\" values (E'it\\'s; ok', $1, 'a''b;');\n\
                    create function g() returns int language sql begin atomic select case when true then 1 end; select 2; end;\n\
                    select ä$1; /* ; /* ; */ ; */";
        let statements = split_postgres(text);
        assert_eq!(statements.len(), 5, "{statements:#?}");
        assert!(
            statements
                .iter()
                .all(|statement| !statement.trim().is_empty())
        );
    }
}
