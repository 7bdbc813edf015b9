//! Words as the index has them: cut by the rules of Unicode, lower-case,
//! without accents. Both engines get them from here, so that both find the
//! same.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};
use unicode_segmentation::UnicodeSegmentation as _;

/// Most words of a query.
const MAX_QUERY_WORDS: usize = 12;
/// Longest word of the index, bytes: what is longer is data, and no word.
const MAX_WORD: usize = 64;

/// The words of `text`, with the place of each in it.
pub(crate) fn cut(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.unicode_word_indices().flat_map(|(start, word)| {
        // `report_2024.pdf` is one word there, and three here.
        let mut at = start;
        word.split_inclusive(|letter: char| !letter.is_alphanumeric() && !is_combining_mark(letter))
            .filter_map(move |piece| {
                let start = at;
                at += piece.len();
                let kept = piece.trim_end_matches(|letter: char| {
                    !letter.is_alphanumeric() && !is_combining_mark(letter)
                });
                (!kept.is_empty()).then_some((start, kept))
            })
    })
}

/// A word as the index has it.
pub(crate) fn fold(word: &str) -> String {
    word.nfkd()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .filter(|letter| letter.is_alphanumeric())
        .collect()
}

/// `text` for the index: its words, a space between.
pub(crate) fn folded(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for (_, word) in cut(text) {
        let word = fold(word);
        if word.is_empty() || word.len() > MAX_WORD {
            continue;
        }
        if !all.is_empty() {
            all.push(' ');
        }
        all.push_str(&word);
    }
    all
}

/// What a query asks for, each word once.
pub(crate) fn of_query(query: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (_, word) in cut(query) {
        let word = fold(word);
        if !word.is_empty() && word.len() <= MAX_WORD && !words.contains(&word) {
            words.push(word);
        }
        if words.len() == MAX_QUERY_WORDS {
            break;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_and_folded() {
        assert_eq!(folded("Über_den-Fluß.PDF"), "uber den fluß pdf");
        assert_eq!(
            folded("Ｆｕｌｌ ﬁne e\u{301}té don't 12.5"),
            "full fine ete don t 12 5"
        );
        assert_eq!(folded("東京 2024"), "東 京 2024");
        assert_eq!(folded(" \n"), "");
        assert_eq!(of_query("b a B"), ["b", "a"]);
        let places: Vec<_> = cut("a_b c").collect();
        assert_eq!(places, [(0, "a"), (2, "b"), (4, "c")]);
    }
}
