//! Separated values: a line a record, a space between fields.

use crate::{Found, charset, text::Text};
use csv::{ReaderBuilder, StringRecord};

/// Lines that are looked at to tell what separates fields.
const LOOKED_AT: usize = 20;

/// A table.
pub(crate) fn read(bytes: &[u8], text: &mut Text) -> Found {
    let (source, encoding) = charset::decode(bytes, None);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator(&source))
        .from_reader(source.as_bytes());
    let mut record = StringRecord::new();
    // The source is a string, so no field can be wrong.
    while !text.is_full()
        && reader
            .read_record(&mut record)
            .is_ok_and(|is_there| is_there)
    {
        for field in &record {
            text.push(field);
            text.space();
        }
        text.line();
    }
    Found {
        encoding: Some(encoding),
        ..Found::default()
    }
}

/// The mark that stands equally often, and most often, in the first lines.
fn separator(source: &str) -> u8 {
    let lines: Vec<&str> = source
        .lines()
        .take(LOOKED_AT)
        .filter(|line| !line.is_empty())
        .collect();
    let least = |mark: u8| {
        let counts = lines
            .iter()
            .map(|line| line.bytes().filter(|byte| *byte == mark).count());
        counts.min().unwrap_or(0)
    };
    // Of equals, `max_by_key` answers the last.
    [b'|', b'\t', b';', b',']
        .into_iter()
        .max_by_key(|mark| least(*mark))
        .unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> String {
        let mut text = Text::default();
        read(source.as_bytes(), &mut text);
        text.into_string()
    }

    #[test]
    fn fields_and_records_stand_apart() {
        assert_eq!(of("a,b\n\"c, d\",\"e \"\"f\"\"\"\n"), "a b\nc, d e \"f\"");
        assert_eq!(of("a;b,c\nd;e\n"), "a b,c\nd e");
        assert_eq!(of("a\tb\nc\td"), "a b\nc d");
        assert_eq!(of("one line"), "one line");
        assert_eq!(of("\"never closed, a"), "never closed, a");
    }
}
