//! The words of a text, with their places.

use std::collections::BTreeMap;

/// Longest word, characters; of a longer one, this is what counts.
const MAX_WORD: usize = 255;

/// Words in small letters, each with the places where it stands.
pub(super) struct Index {
    words: BTreeMap<String, Vec<u32>>,
}

impl Index {
    pub(super) fn of(text: &str) -> Self {
        let mut words: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (place, word) in (0..).zip(self::words(text)) {
            words.entry(word).or_default().push(place);
        }
        Self { words }
    }

    /// Where the word stands, or all that begin with it.
    pub(super) fn places(&self, word: &str, is_prefix: bool) -> Vec<u32> {
        if !is_prefix {
            return self.words.get(word).cloned().unwrap_or_default();
        }
        let from = self.words.range(word.to_owned()..);
        let mut places: Vec<u32> = from
            .take_while(|(own, _)| own.starts_with(word))
            .flat_map(|(_, places)| places)
            .copied()
            .collect();
        places.sort_unstable();
        places
    }
}

/// The words of a text, in order: letters and digits with what is combined
/// with them, whatever stands between.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    let is_part = |c: char| c.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&c);
    text.split(move |c| !is_part(c))
        .filter(|word| !word.is_empty())
        .map(|word| {
            word.chars()
                .take(MAX_WORD)
                .flat_map(char::to_lowercase)
                .collect()
        })
}
