//! The text that is being gathered: white space brought into order, control
//! characters left out, and never longer than [`MAX_TEXT`].

use unicode_segmentation::UnicodeSegmentation as _;

/// Most text that is kept of a document, bytes.
pub(crate) const MAX_TEXT: usize = 4 * 1024 * 1024;
/// Longest title, characters.
const MAX_TITLE: usize = 300;

/// White space that stands between what was added and what comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
    Paragraph,
}

/// Text in the making.
#[derive(Debug, Default)]
pub(crate) struct Text {
    kept: String,
    gap: Gap,
    is_full: bool,
}

impl Text {
    /// Adds text as it stands; runs of blanks become one, of line breaks two.
    pub(crate) fn push(&mut self, text: &str) {
        // As most come that are given letter by letter.
        if let [byte] = text.as_bytes()
            && byte.is_ascii_graphic()
        {
            return self.push_letter(char::from(*byte));
        }
        for letter in text.chars() {
            if self.is_full {
                return;
            }
            match letter {
                '\n' if self.gap >= Gap::Line => self.gap = Gap::Paragraph,
                '\n' | '\u{2028}' => self.gap = Gap::Line,
                '\u{2029}' | '\u{c}' => self.gap = Gap::Paragraph,
                _ if letter.is_whitespace() => self.widen(Gap::Space),
                // Marks of where a word may be broken, and of byte order.
                '\u{ad}' | '\u{200b}' | '\u{feff}' => {}
                _ if letter.is_control() => {}
                _ => self.push_letter(letter),
            }
        }
    }

    /// What comes stands apart, at least by a space.
    pub(crate) fn space(&mut self) {
        self.widen(Gap::Space);
    }

    /// What comes stands on a new line.
    pub(crate) fn line(&mut self) {
        self.widen(Gap::Line);
    }

    /// What comes is a paragraph of its own.
    pub(crate) fn paragraph(&mut self) {
        self.widen(Gap::Paragraph);
    }

    /// Whether no more is taken: a reader can stop.
    pub(crate) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// The text.
    pub(crate) fn into_string(self) -> String {
        self.kept
    }

    fn widen(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    fn push_letter(&mut self, letter: char) {
        let gap = match self.gap {
            Gap::None => "",
            _ if self.kept.is_empty() => "",
            Gap::Space => " ",
            Gap::Line => "\n",
            Gap::Paragraph => "\n\n",
        };
        if self.kept.len() + gap.len() + letter.len_utf8() > MAX_TEXT {
            self.is_full = true;
            return;
        }
        self.gap = Gap::None;
        self.kept.push_str(gap);
        self.kept.push(letter);
    }
}

/// One line of a title, or nothing when nothing is written there.
pub(crate) fn line(title: &str) -> Option<String> {
    let letters = title
        .chars()
        .filter(|letter| !letter.is_control() || letter.is_whitespace());
    let letters: String = letters.take(MAX_TITLE).collect();
    let words: Vec<&str> = letters.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// How many words there are, by the rules of Unicode.
pub(crate) fn count_words(text: &str) -> usize {
    // What stands between blanks and is letters and digits of ASCII is one, and
    // need not be looked at more closely.
    text.split_whitespace()
        .map(|piece| {
            if piece.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                1
            } else {
                piece.unicode_words().count()
            }
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_brought_into_order() {
        let mut text = Text::default();
        text.push(" \n a \t b\r\n\r\n\r\nc\u{0}d\u{ad}e ");
        text.line();
        text.push("f\n");
        text.paragraph();
        assert_eq!(text.into_string(), "a b\n\ncde\nf");
    }

    #[test]
    fn text_beyond_the_limit_is_left_out_between_letters() {
        let mut text = Text::default();
        text.push(&"ä".repeat(MAX_TEXT));
        assert!(text.is_full());
        text.push("more");
        assert_eq!(text.into_string().len(), MAX_TEXT);
    }

    #[test]
    fn words_are_counted_by_the_rules_of_unicode() {
        for text in [
            "",
            "a b2 c",
            "don't stop -- 3.14",
            "naïve,  東京 x",
            "a.b a,b",
        ] {
            assert_eq!(count_words(text), text.unicode_words().count(), "{text}");
        }
    }

    #[test]
    fn titles_are_one_line() {
        assert_eq!(line(" A\n title\u{0} ").as_deref(), Some("A title"));
        assert_eq!(line(" \n"), None);
        assert_eq!(
            line(&"a".repeat(999)).map(|title| title.len()),
            Some(MAX_TITLE)
        );
    }
}
