//! The words of the index and their parts of three letters, to find what
//! somebody meant who wrote a word that is not there. The same tables on both
//! engines: no extension has to be there.

use atlashub_sdk::prelude::*;
use std::collections::BTreeSet;

/// Shorter words are not corrected: too many others are near.
const SHORTEST: usize = 4;
/// Longer ones are not either.
const LONGEST: usize = 24;
/// New words that one file may add. What has more is a list of something.
const MAX_NEW: usize = 2_000;
/// Words that are compared with the one that was meant.
const COMPARED: u32 = 40;
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
/// there begins so, otherwise the nearest.
pub(crate) fn meant(word: &str) -> Result<Vec<String>> {
    let length = word.chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) || !word.chars().all(char::is_alphabetic) {
        return Ok(vec![word.to_owned()]);
    }
    let begins: Option<String> = sql::query_optional(
        "SELECT term FROM search.terms WHERE term >= $1 AND term < $2 LIMIT 1",
        params![word, format!("{word}\u{10ffff}")],
    )?;
    if begins.is_some() {
        return Ok(vec![word.to_owned()]);
    }
    let near: Vec<String> = sql::query(
        &format!(
            "SELECT term FROM search.grams WHERE gram IN (SELECT value FROM {}) \
             GROUP BY term ORDER BY count(*) DESC, term LIMIT {COMPARED}",
            elements()
        ),
        params![sql::Value::json(&grams(word))?],
    )?;
    let most = if length < 8 { 1 } else { 2 };
    let mut near: Vec<(usize, String)> = near
        .into_iter()
        .map(|term| (strsim::osa_distance(word, &term), term))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    near.sort_unstable();
    let mut meant: Vec<String> = near.into_iter().map(|(_, term)| term).collect();
    meant.truncate(MAX_MEANT);
    if meant.is_empty() {
        meant.push(word.to_owned());
    }
    Ok(meant)
}

/// A JSON list of texts in `$1` as rows with the column `value`.
fn elements() -> &'static str {
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
