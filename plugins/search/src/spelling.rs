//! The words of the index and their parts of three letters, to find what
//! somebody meant who wrote a word that is not there. The same tables on both
//! engines: no extension has to be there. They have no owner, and words of
//! files that are gone stay in them: a word is told only when it stands in
//! what the caller may see.

use crate::access::{EVERYTHING, Sight};
use atlashub_sdk::prelude::*;
use std::collections::BTreeSet;

/// Shorter words are not corrected: too many others are near.
const SHORTEST: usize = 4;
/// Longer ones are not either.
const LONGEST: usize = 24;
/// New words that one file may add. What has more is a list of something.
const MAX_NEW: usize = 2_000;
/// Words that are compared with the one that was meant.
const COMPARED: u32 = 400;
/// Near words that are looked for in what the caller may see.
const LOOKED_FOR: usize = 40;
/// Words that stand for one that is not there.
const MAX_MEANT: usize = 5;

/// Notes the words of a text.
pub(crate) fn learn(transaction: &sql::Transaction, folded: &str) -> Result<()> {
    let words: BTreeSet<&str> = folded
        .split(' ')
        .filter(|word| (SHORTEST..=LONGEST).contains(&word.chars().count()))
        .filter(|word| word.chars().all(char::is_alphabetic))
        .take(MAX_NEW * 4)
        .collect();
    let words: Vec<&str> = words.into_iter().take(MAX_NEW).collect();
    if words.is_empty() {
        return Ok(());
    }
    let new: Vec<String> = transaction.query(
        &format!(
            "INSERT INTO search.terms (term) SELECT value FROM {} WHERE TRUE \
             ON CONFLICT DO NOTHING RETURNING term",
            elements()
        ),
        params![sql::Value::json(&words)?],
    )?;
    let grams: Vec<[String; 2]> = new
        .iter()
        .flat_map(|term| grams(term).into_iter().map(|gram| [gram, term.clone()]))
        .collect();
    if grams.is_empty() {
        return Ok(());
    }
    let pairs = match sql::dialect() {
        sql::Dialect::Sqlite => {
            "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each($1)"
        }
        sql::Dialect::Postgres => {
            "SELECT value ->> 0, value ->> 1 FROM json_array_elements(CAST($1 AS text)::json) AS pairs(value)"
        }
    };
    transaction.execute(
        &format!("INSERT INTO search.grams (gram, term) {pairs} WHERE TRUE ON CONFLICT DO NOTHING"),
        params![sql::Value::json(&grams)?],
    )?;
    Ok(())
}

/// The words of the index that `word` may stand for: itself when anything
/// there begins so, otherwise the nearest. Only words count that stand in what
/// the caller may see: others are as if they were nowhere.
pub(crate) fn meant(word: &str, sight: &Sight) -> Result<Vec<String>> {
    let length = word.chars().count();
    let itself = || Ok(vec![word.to_owned()]);
    if !(SHORTEST..=LONGEST).contains(&length) || !word.chars().all(char::is_alphabetic) {
        return itself();
    }
    if stands(word, true, sight)? {
        return itself();
    }
    let most = if length < 8 { 1 } else { 2 };
    let mut parameters = params![sql::Value::json(&grams(word))?];
    for bound in [length.saturating_sub(most), length + most] {
        parameters.push(i64::try_from(bound).unwrap_or(i64::MAX).into());
    }
    let near: Vec<String> = sql::query(
        &format!(
            "SELECT term FROM search.grams WHERE gram IN (SELECT value FROM {}) \
             AND length(term) BETWEEN CAST($2 AS INTEGER) AND CAST($3 AS INTEGER) \
             GROUP BY term ORDER BY count(*) DESC, term LIMIT {COMPARED}",
            elements()
        ),
        parameters,
    )?;
    let mut near: Vec<(usize, String)> = near
        .into_iter()
        .map(|term| (strsim::osa_distance(word, &term), term))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    near.sort_unstable();
    let mut meant = Vec::new();
    for (_, term) in near.into_iter().take(LOOKED_FOR) {
        if stands(&term, false, sight)? {
            meant.push(term);
        }
        if meant.len() == MAX_MEANT {
            break;
        }
    }
    if meant.is_empty() {
        return itself();
    }
    Ok(meant)
}

/// Whether a word stands in anything that the caller may see, or one that
/// begins so.
fn stands(word: &str, begins: bool, sight: &Sight) -> Result<bool> {
    let mut parameters = Vec::new();
    let visible = sight.condition(&mut parameters)?;
    let place = parameters.len() + 1;
    let query = format!("to_tsquery('simple', CAST(${place} AS text))");
    let found = if visible == EVERYTHING {
        format!("matching({query}, 1)")
    } else {
        format!("matching_all({query})")
    };
    let (statement, expression) = match sql::dialect() {
        sql::Dialect::Sqlite => (
            format!(
                "SELECT 1 FROM search.words JOIN search.entries ON entries.number = words.rowid \
                 WHERE words MATCH ${place} AND {visible} LIMIT 1"
            ),
            format!("\"{word}\"{}", if begins { "*" } else { "" }),
        ),
        sql::Dialect::Postgres => (
            format!(
                "SELECT 1 FROM search.{found} \
                 AS found (number) JOIN search.entries ON entries.number = found.number \
                 WHERE {visible} LIMIT 1"
            ),
            format!("{word}{}", if begins { ":*" } else { "" }),
        ),
    };
    parameters.push(expression.into());
    let found: Option<i64> = sql::query_optional(&statement, parameters)?;
    Ok(found.is_some())
}

/// A JSON list of texts in `$1` as rows with the column `value`.
pub(crate) fn elements() -> &'static str {
    match sql::dialect() {
        sql::Dialect::Sqlite => "json_each($1)",
        sql::Dialect::Postgres => {
            "json_array_elements_text(CAST($1 AS text)::json) AS elements(value)"
        }
    }
}

/// The parts of three letters, with a blank at either end.
fn grams(word: &str) -> BTreeSet<String> {
    let letters: Vec<char> = format!(" {word} ").chars().collect();
    letters
        .windows(3)
        .map(|part| part.iter().collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_parts() {
        let parts: Vec<String> = grams("abc").into_iter().collect();
        assert_eq!(parts, [" ab", "abc", "bc "]);
    }
}
