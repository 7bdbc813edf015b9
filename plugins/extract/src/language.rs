//! The language that a text is written in.

/// Bytes of a text that are looked at.
const LOOKED_AT: usize = 32 * 1024;

/// Its ISO 639-3 code, where that can be told.
pub(crate) fn tell(text: &str) -> Option<&'static str> {
    let end = text.floor_char_boundary(LOOKED_AT);
    let found = whatlang::detect(text.get(..end)?)?;
    found.is_reliable().then(|| found.lang().code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_when_there_is_enough_text() {
        for (text, code) in [
            (
                "The quick brown fox jumps over the lazy dog, and nobody in the village was surprised by that.",
                "eng",
            ),
            (
                "Der schnelle braune Fuchs springt über den faulen Hund, und niemand im Dorf war darüber erstaunt.",
                "deu",
            ),
            (
                "Съешь же ещё этих мягких французских булок, да выпей чаю.",
                "rus",
            ),
            ("これは日本語で書かれた文章です。", "jpn"),
        ] {
            assert_eq!(tell(text), Some(code), "{text}");
        }
        assert_eq!(tell(""), None);
        assert_eq!(tell("12345"), None);
    }
}
