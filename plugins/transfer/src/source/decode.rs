//! Bytes of an encoding as text, with their places: what is at some place of
//! the text is at a place of the source that can be counted.

use atlashub_sdk::prelude::*;
use encoding_rs::{Decoder, DecoderResult};

/// How text is written in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Encoding {
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "utf-16le")]
    Utf16Le,
    #[serde(rename = "utf-16be")]
    Utf16Be,
    #[serde(rename = "windows-1252")]
    Windows1252,
}

impl Encoding {
    /// The encoding of that name, or what the first bytes tell; and how many
    /// of them only say so.
    ///
    /// # Errors
    /// 422 `unknown_encoding`.
    pub(crate) fn of(named: Option<&str>, head: &[u8]) -> Result<(Self, u64)> {
        let marks: [(&[u8], Self); 3] = [
            (b"\xEF\xBB\xBF", Self::Utf8),
            (b"\xFF\xFE", Self::Utf16Le),
            (b"\xFE\xFF", Self::Utf16Be),
        ];
        let mark = marks.iter().find(|(mark, _)| head.starts_with(mark));
        let marked = mark.map(|(mark, encoding)| (*encoding, mark.len() as u64));
        let named = match named.map(str::to_ascii_lowercase).as_deref() {
            None => return Ok(marked.unwrap_or_else(|| (guessed(head), 0))),
            Some("utf-8" | "utf8") => Self::Utf8,
            Some("utf-16") => {
                return Ok(marked.unwrap_or((
                    if guessed(head) == Self::Utf16Be {
                        Self::Utf16Be
                    } else {
                        Self::Utf16Le
                    },
                    0,
                )));
            }
            Some("utf-16le") => Self::Utf16Le,
            Some("utf-16be") => Self::Utf16Be,
            Some("windows-1252" | "latin1" | "iso-8859-1" | "cp1252") => Self::Windows1252,
            Some(other) => {
                return Err(Error::invalid(
                    "unknown_encoding",
                    format!(
                        "`{other}` is none of `utf-8`, `utf-16`, `utf-16le`, `utf-16be`, `windows-1252`"
                    ),
                ));
            }
        };
        let skipped = marked.filter(|(encoding, _)| *encoding == named);
        Ok((named, skipped.map_or(0, |(_, length)| length)))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// Bytes that such text has in the source.
    pub(super) fn length(self, text: &[u8]) -> u64 {
        // In UTF-8 each character has one byte that does not go on.
        let characters = || text.iter().filter(|byte| (**byte & 0xC0) != 0x80).count();
        let length = match self {
            Self::Utf8 => text.len(),
            Self::Windows1252 => characters(),
            // Those of four bytes are two units.
            Self::Utf16Le | Self::Utf16Be => {
                2 * (characters() + text.iter().filter(|byte| **byte >= 0xF0).count())
            }
        };
        length as u64
    }

    fn decoder(self) -> Option<Decoder> {
        let encoding = match self {
            Self::Utf8 => return None,
            Self::Utf16Le => encoding_rs::UTF_16LE,
            Self::Utf16Be => encoding_rs::UTF_16BE,
            Self::Windows1252 => encoding_rs::WINDOWS_1252,
        };
        Some(encoding.new_decoder_without_bom_handling())
    }
}

/// Without a mark: every other byte of UTF-16 is zero in most scripts' files,
/// whose separators are of ASCII.
fn guessed(head: &[u8]) -> Encoding {
    let zeros = |from: usize| {
        head.iter()
            .skip(from)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let (even, odd, half) = (zeros(0), zeros(1), head.len() / 2);
    match () {
        () if odd * 5 > half && odd > even * 3 => Encoding::Utf16Le,
        () if even * 5 > half && even > odd * 3 => Encoding::Utf16Be,
        () => Encoding::Utf8,
    }
}

/// Text as it arrives.
pub(super) struct Text {
    body: Body,
    pub(super) encoding: Encoding,
    decoder: Option<Decoder>,
    /// Bytes of a character that is not whole yet.
    rest: Vec<u8>,
    /// How many bytes of the source have been read.
    read: u64,
    ended: bool,
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Text")
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}

impl Text {
    pub(super) fn new(body: Body, encoding: Encoding, offset: u64) -> Self {
        Self {
            body,
            encoding,
            decoder: encoding.decoder(),
            rest: Vec::new(),
            read: offset,
            ended: false,
        }
    }

    /// Adds the next text to `buffer`; false at the end.
    ///
    /// # Errors
    /// 422 `wrong_encoding` with the place.
    pub(super) fn more(&mut self, buffer: &mut Vec<u8>) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let chunk = self.body.chunk()?;
        self.ended = chunk.is_none();
        let chunk = chunk.unwrap_or_default();
        match &mut self.decoder {
            None => self.plain(&chunk, buffer)?,
            Some(decoder) => {
                let most = decoder.max_utf8_buffer_length_without_replacement(chunk.len());
                let mut text = String::with_capacity(most.unwrap_or(chunk.len() * 3 + 16));
                let (result, read) =
                    decoder.decode_to_string_without_replacement(&chunk, &mut text, self.ended);
                if let DecoderResult::Malformed(length, after) = result {
                    let end = self.read + read as u64;
                    let at = end.saturating_sub(u64::from(length) + u64::from(after));
                    return Err(self.wrong(at));
                }
                buffer.extend_from_slice(text.as_bytes());
            }
        }
        self.read += chunk.len() as u64;
        Ok(!self.ended)
    }

    fn plain(&mut self, chunk: &[u8], buffer: &mut Vec<u8>) -> Result<()> {
        let before = self.rest.len() as u64;
        let joined;
        let bytes = if self.rest.is_empty() {
            chunk
        } else {
            let mut all = std::mem::take(&mut self.rest);
            all.extend_from_slice(chunk);
            joined = all;
            &joined
        };
        let valid = match std::str::from_utf8(bytes) {
            Ok(_) => bytes.len(),
            Err(error) if error.error_len().is_none() && !self.ended => error.valid_up_to(),
            Err(error) => {
                let at = self.read - before + error.valid_up_to() as u64;
                return Err(self.wrong(at));
            }
        };
        let (whole, rest) = bytes.split_at_checked(valid).unwrap_or((bytes, &[]));
        buffer.extend_from_slice(whole);
        self.rest = rest.to_vec();
        Ok(())
    }

    fn wrong(&self, at: u64) -> Error {
        let name = self.encoding.name();
        Error::invalid(
            "wrong_encoding",
            format!("the bytes at {at} are not text in {name}: name another encoding in `encoding`, such as `windows-1252`"),
        )
        .with_field("offset", at)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn read(bytes: &[u8], named: Option<&str>) -> Result<String> {
        let (encoding, skipped) = Encoding::of(named, bytes)?;
        let bytes = bytes.get(usize::try_from(skipped).unwrap()..).unwrap();
        let mut text = Text::new(Body::from(bytes.to_vec()), encoding, 0);
        let mut buffer = Vec::new();
        while text.more(&mut buffer)? {}
        assert_eq!(encoding.length(&buffer), bytes.len() as u64);
        Ok(String::from_utf8(buffer).unwrap())
    }

    fn utf16(text: &str, mark: bool, little: bool) -> Vec<u8> {
        let units = mark
            .then_some(0xFEFF)
            .into_iter()
            .chain(text.encode_utf16());
        let bytes = |unit: u16| {
            if little {
                unit.to_le_bytes()
            } else {
                unit.to_be_bytes()
            }
        };
        units.flat_map(bytes).collect()
    }

    #[test]
    fn text_is_read_in_every_encoding_and_its_places_are_counted() {
        let text = "a,b\r\nü€,😀\r\n";
        for (bytes, named) in [
            (text.as_bytes().to_vec(), None),
            ([b"\xEF\xBB\xBF", text.as_bytes()].concat(), None),
            ([b"\xEF\xBB\xBF", text.as_bytes()].concat(), Some("UTF-8")),
            (utf16(text, true, true), None),
            (utf16(text, true, false), Some("utf-16")),
            (utf16(text, false, true), None),
            (utf16(text, false, false), Some("utf-16be")),
        ] {
            assert_eq!(read(&bytes, named).unwrap(), text, "{named:?}");
        }
        assert_eq!(read(b"\xFC\x80,x", Some("windows-1252")).unwrap(), "ü€,x");
    }

    #[test]
    fn what_is_no_such_text_is_told_with_its_place() {
        let error = read(b"abc\xFCdef", None).unwrap_err();
        assert_eq!(error.code(), "wrong_encoding");
        assert_eq!(error.fields().get("offset"), Some(&3.into()));
        let cut = read(b"ab\xC3", None).unwrap_err();
        assert_eq!(cut.fields().get("offset"), Some(&2.into()));
        let odd = read(b"a\0b", Some("utf-16le")).unwrap_err();
        assert_eq!(odd.code(), "wrong_encoding");
        assert_eq!(
            read(b"", Some("ebcdic")).unwrap_err().code(),
            "unknown_encoding"
        );
    }
}
