//! `Content-Disposition` (RFC 6266) with names in every script (RFC 8187).

use atlashub_sdk::prelude::*;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 8187 lets stand as it is, beside letters and digits.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Whether a file is shown in place or saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Disposition {
    /// Shown in place.
    Inline,
    /// Saved.
    Attachment,
}

/// The header's value: a name that every client understands, and the whole
/// one where that leaves something out.
pub(crate) fn header(disposition: Disposition, filename: &str) -> String {
    let kind = match disposition {
        Disposition::Inline => "inline",
        Disposition::Attachment => "attachment",
    };
    let plain =
        |c: char| (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '\\' | '%' | '/');
    let fallback: String = filename
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    if fallback == filename {
        return format!("{kind}; filename=\"{fallback}\"");
    }
    let whole = utf8_percent_encode(filename, ENCODED);
    format!("{kind}; filename=\"{fallback}\"; filename*=UTF-8''{whole}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out() {
        assert_eq!(
            header(Disposition::Inline, "a b.txt"),
            "inline; filename=\"a b.txt\""
        );
        assert_eq!(
            header(Disposition::Attachment, "a\"; x=\"€\r\n.txt"),
            "attachment; filename=\"a_; x=____.txt\"; filename*=UTF-8''a%22%3B%20x%3D%22%E2%82%AC%0D%0A.txt"
        );
    }
}
