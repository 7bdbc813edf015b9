//! The stems of a text's words, by its language.

use rust_stemmers::{Algorithm, Stemmer};
use std::collections::BTreeMap;
use unicode_segmentation::UnicodeSegmentation as _;

/// How much of a text is looked at, bytes.
const LOOKED_AT: usize = 256 * 1024;
/// Shorter words say little of what a text is about.
const SHORTEST: usize = 3;
/// Stems that are kept of a text.
pub(crate) const KEPT: usize = 80;

/// The stem of one word.
pub(crate) fn of_word(word: &str, language: Option<&str>) -> String {
    let word = word.to_lowercase();
    match algorithm(language) {
        Some(algorithm) => Stemmer::create(algorithm).stem(&word).into_owned(),
        None => word,
    }
}

/// How often each stem stands in the text.
pub(crate) fn count(text: &str, language: Option<&str>) -> BTreeMap<String, i64> {
    let text = text
        .get(..text.floor_char_boundary(LOOKED_AT))
        .unwrap_or_default();
    let stemmer = algorithm(language).map(Stemmer::create);
    let mut counts = BTreeMap::new();
    for word in text.unicode_words() {
        let word = word.to_lowercase();
        if word.chars().count() < SHORTEST || !word.chars().all(char::is_alphabetic) {
            continue;
        }
        let stem = match &stemmer {
            Some(stemmer) => stemmer.stem(&word).into_owned(),
            None => word,
        };
        *counts.entry(stem).or_default() += 1;
    }
    counts
}

/// Those that stand most often, in the order of their letters.
pub(crate) fn frequent(counts: &BTreeMap<String, i64>) -> Vec<(&str, i64)> {
    let mut all: Vec<(&str, i64)> = counts
        .iter()
        .map(|(stem, count)| (stem.as_str(), *count))
        .collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all.truncate(KEPT);
    all.sort_unstable();
    all
}

fn algorithm(language: Option<&str>) -> Option<Algorithm> {
    Some(match language? {
        "ara" => Algorithm::Arabic,
        "dan" => Algorithm::Danish,
        "nld" => Algorithm::Dutch,
        "eng" => Algorithm::English,
        "fin" => Algorithm::Finnish,
        "fra" => Algorithm::French,
        "deu" => Algorithm::German,
        "ell" => Algorithm::Greek,
        "hun" => Algorithm::Hungarian,
        "ita" => Algorithm::Italian,
        "nob" => Algorithm::Norwegian,
        "por" => Algorithm::Portuguese,
        "ron" => Algorithm::Romanian,
        "rus" => Algorithm::Russian,
        "spa" => Algorithm::Spanish,
        "swe" => Algorithm::Swedish,
        "tam" => Algorithm::Tamil,
        "tur" => Algorithm::Turkish,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_by_their_stems() {
        let counts = count("Payments, payment; paid! 2024 an", Some("eng"));
        assert_eq!(counts.get("payment"), Some(&2));
        assert_eq!(counts.len(), 2);
        assert_eq!(of_word("Rechnungen", Some("deu")), "rechnung");
        assert_eq!(of_word("Payments", None), "payments");
        assert_eq!(frequent(&counts), [("paid", 1), ("payment", 2)]);
    }
}
