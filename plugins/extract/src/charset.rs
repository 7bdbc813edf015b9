//! Bytes of plain text, brought to Unicode: by their byte order mark, as
//! UTF-8, or by what their encoding most likely is.

use crate::{Found, text::Text};
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};
use std::borrow::Cow;

/// Bytes that are looked at to tell an encoding. What they cost to look at
/// grows with them, and what they tell hardly does.
const LOOKED_AT: usize = 256 * 1024;

/// Plain text.
pub(crate) fn read(bytes: &[u8], text: &mut Text) -> Found {
    let (decoded, encoding) = decode(bytes, None);
    text.push(&decoded);
    Found {
        encoding: Some(encoding),
        ..Found::default()
    }
}

/// Text, and the name of its encoding. `declared` is what the text says about
/// itself; a byte order mark knows better.
pub(crate) fn decode<'a>(bytes: &'a [u8], declared: Option<&str>) -> (Cow<'a, str>, &'static str) {
    let marked = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    let encoding = marked
        .or_else(|| Encoding::for_label(declared?.as_bytes()))
        .unwrap_or_else(|| guess(bytes));
    let (decoded, encoding, _) = encoding.decode(bytes);
    (decoded, encoding.name())
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    if std::str::from_utf8(bytes).is_ok() {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    let looked_at = bytes.get(..LOOKED_AT).unwrap_or(bytes);
    detector.feed(looked_at, looked_at.len() == bytes.len());
    detector.guess(None, Utf8Detection::Allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told() {
        let written = "Ärger über süße Öfen, große Mühe und viele Grüße aus Köln. ".repeat(4);
        let (latin, ..) = encoding_rs::WINDOWS_1252.encode(&written);
        assert_eq!(
            decode(&latin, None),
            (written.as_str().into(), "windows-1252")
        );
        assert_eq!(decode(written.as_bytes(), None).1, "UTF-8");

        let russian = "Съешь же ещё этих мягких французских булок, да выпей чаю. ".repeat(4);
        let (cyrillic, ..) = encoding_rs::WINDOWS_1251.encode(&russian);
        assert_eq!(decode(&cyrillic, None).0, russian);

        let wide: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain("höher".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        assert_eq!(decode(&wide, Some("latin1")), ("höher".into(), "UTF-16LE"));
        assert_eq!(decode(&[0xe4], Some("latin1")).0, "ä");
    }
}
