//! CSV as people and programs write it: RFC 4180, with any of the usual
//! delimiters and line ends. Cells in quotes are told from those without,
//! which is how an empty text is told from nothing.

use super::{Encoding, MAX_COLUMNS, MAX_RECORD, Source, decode::Text};
use atlashub_sdk::prelude::*;

/// Delimiters that are looked for.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) text: String,
    pub(crate) quoted: bool,
}

impl Field {
    /// Whether nothing was written.
    pub(crate) fn is_nothing(&self) -> bool {
        !self.quoted && self.text.is_empty()
    }
}

/// Reads records of a source.
#[derive(Debug)]
pub(crate) struct Csv {
    text: Text,
    delimiter: u8,
    buffer: Vec<u8>,
    /// Where the next record begins: in the buffer, and in the source.
    at: usize,
    offset: u64,
    ended: bool,
    /// Columns that there are, once that is known: with one of them an empty
    /// line is a record.
    columns: usize,
}

/// Where a record of the buffer ends.
struct End {
    /// Behind its line's end.
    next: usize,
}

impl Csv {
    /// Reads from `offset` on, which is the start of a record.
    pub(crate) fn new(
        source: &Source,
        encoding: Encoding,
        delimiter: Option<u8>,
        offset: u64,
        columns: usize,
    ) -> Result<Self> {
        let mut csv = Self {
            text: source.text(encoding, offset)?,
            delimiter: delimiter.unwrap_or(b','),
            buffer: Vec::new(),
            at: 0,
            offset,
            ended: false,
            columns,
        };
        if delimiter.is_none() {
            csv.fill()?;
            csv.delimiter = likely_delimiter(&csv.buffer);
        }
        Ok(csv)
    }

    pub(crate) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Where the next record begins, in bytes of the source.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    fn fill(&mut self) -> Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        // At least as much again, so that a long record is not looked
        // through for every piece of it.
        let wanted = (self.buffer.len() * 2).max(64 * 1024);
        while self.buffer.len() < wanted && !self.ended {
            self.ended = !self.text.more(&mut self.buffer)?;
        }
        Ok(())
    }

    /// The names of the columns: the first record.
    ///
    /// # Errors
    /// 422 `empty_source`, `invalid_header`.
    pub(crate) fn header(&mut self) -> Result<Vec<String>> {
        let Some(fields) = self.next()? else {
            return Err(Error::invalid(
                "empty_source",
                "there is nothing in the source",
            ));
        };
        let refused = |why: String| Err(Error::invalid("invalid_header", why));
        if fields.len() > MAX_COLUMNS {
            return refused(format!(
                "the first line has {} cells, and {MAX_COLUMNS} are the most: is it CSV, with this delimiter?",
                fields.len()
            ));
        }
        let names: Vec<String> = fields
            .into_iter()
            .map(|field| field.text.trim().to_owned())
            .collect();
        for (at, name) in names.iter().enumerate() {
            if name.is_empty() {
                return refused(format!(
                    "the column {} has no name in the first line",
                    at + 1
                ));
            }
            if name.len() > 200 || name.chars().any(char::is_control) {
                let shown: String = name.chars().take(50).collect();
                return refused(format!(
                    "`{shown}` in the first line cannot be the name of a column"
                ));
            }
            if names.iter().take(at).any(|other| other == name) {
                return refused(format!("the first line names `{name}` twice"));
            }
        }
        self.columns = names.len();
        Ok(names)
    }

    /// The next record; none at the end.
    ///
    /// # Errors
    /// 422 `record_too_large`, `unclosed_quote`, and those of the encoding.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<Field>>> {
        loop {
            let Some(end) = self.find_end()? else {
                return Ok(None);
            };
            let record = self.buffer.get(self.at..end.next).unwrap_or_default();
            self.offset += self.text.encoding.length(record);
            let fields = split(record, self.delimiter);
            self.at = end.next;
            let is_blank = matches!(fields.as_slice(), [only] if only.is_nothing());
            if is_blank && self.columns != 1 {
                continue;
            }
            return Ok(Some(fields));
        }
    }

    /// Hands the cells of the next record on as they stand in the source, in
    /// UTF-8, and answers what is said of them; none at the end.
    ///
    /// # Errors
    /// As [`Csv::next`].
    pub(crate) fn raw<T>(&mut self, mut take: impl FnMut(&[&[u8]]) -> T) -> Result<Option<T>> {
        loop {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            let (found, ends) = cells(rest, self.delimiter, self.columns);
            let (length, taken) = match ends {
                Some(length) if length <= MAX_RECORD => (length, self.taken(&found, &mut take)),
                None if !self.ended && rest.len() <= MAX_RECORD => {
                    self.fill()?;
                    continue;
                }
                // The last of the source, or what is wrong with it.
                _ => {
                    let Some(end) = self.find_end()? else {
                        return Ok(None);
                    };
                    let record = self.buffer.get(self.at..end.next).unwrap_or_default();
                    let (found, _) = cells(record, self.delimiter, self.columns);
                    (record.len(), self.taken(&found, &mut take))
                }
            };
            let record = self.buffer.get(self.at..self.at + length);
            self.offset += self.text.encoding.length(record.unwrap_or_default());
            self.at += length;
            if taken.is_some() {
                return Ok(taken);
            }
        }
    }

    /// What is said of a record, unless it is an empty line.
    fn taken<T>(&self, cells: &[&[u8]], take: &mut impl FnMut(&[&[u8]]) -> T) -> Option<T> {
        let is_blank = matches!(cells, [only] if only.is_empty());
        (!is_blank || self.columns == 1).then(|| take(cells))
    }

    fn find_end(&mut self) -> Result<Option<End>> {
        loop {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            if rest.is_empty() && self.ended {
                return Ok(None);
            }
            match record_length(rest, self.delimiter) {
                Some(length) if length <= MAX_RECORD => {
                    return Ok(Some(End {
                        next: self.at + length,
                    }));
                }
                None if self.ended && rest.len() <= MAX_RECORD => {
                    if ends_in_quotes(rest, self.delimiter) {
                        return Err(Error::invalid(
                            "unclosed_quote",
                            format!(
                                "a quote that begins in the record at byte {} does not end",
                                self.offset
                            ),
                        )
                        .with_field("offset", self.offset));
                    }
                    return Ok(Some(End {
                        next: self.buffer.len(),
                    }));
                }
                None if rest.len() <= MAX_RECORD && !self.ended => self.fill()?,
                _ => {
                    return Err(Error::invalid(
                        "record_too_large",
                        format!(
                            "the record at byte {} has more than {MAX_RECORD} bytes: does a quote not end?",
                            self.offset
                        ),
                    )
                    .with_field("offset", self.offset));
                }
            }
        }
    }
}

/// Walks through a record: what stands between its cells, and where it ends.
struct Walk<'a> {
    bytes: &'a [u8],
    delimiter: u8,
    at: usize,
}

/// A cell of the bytes.
struct Cell {
    start: usize,
    end: usize,
    quoted: bool,
    /// What came behind it: a delimiter, the end of the line, or the end of
    /// what there is.
    then: Then,
    /// Behind that.
    next: usize,
}

#[derive(PartialEq, Eq)]
enum Then {
    Cell,
    Line,
    Nothing,
    /// In the middle of quotes.
    Open,
}

impl Walk<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn cell(&mut self) -> Cell {
        let start = self.at;
        let quoted = self.byte(start) == Some(b'"');
        let mut at = start;
        if quoted {
            at += 1;
            loop {
                let rest = self.bytes.get(at..).unwrap_or_default();
                let Some(found) = rest.iter().position(|byte| *byte == b'"') else {
                    let next = self.bytes.len();
                    return self.ended(start, next, quoted, Then::Open, next);
                };
                at += found + 1;
                if self.byte(at) != Some(b'"') {
                    break;
                }
                at += 1;
            }
        }
        let rest = self.bytes.get(at..).unwrap_or_default();
        let stop = rest
            .iter()
            .position(|byte| *byte == self.delimiter || *byte == b'\n' || *byte == b'\r');
        let Some(stop) = stop else {
            let next = self.bytes.len();
            return self.ended(start, next, quoted, Then::Nothing, next);
        };
        let end = at + stop;
        match self.byte(end) {
            Some(b'\r') => match self.byte(end + 1) {
                Some(b'\n') => self.ended(start, end, quoted, Then::Line, end + 2),
                // Whether a line feed follows is not known yet.
                None => self.ended(start, end, quoted, Then::Nothing, end + 1),
                Some(_) => self.ended(start, end, quoted, Then::Line, end + 1),
            },
            Some(b'\n') => self.ended(start, end, quoted, Then::Line, end + 1),
            _ => self.ended(start, end, quoted, Then::Cell, end + 1),
        }
    }

    fn ended(&mut self, start: usize, end: usize, quoted: bool, then: Then, next: usize) -> Cell {
        self.at = next;
        Cell {
            start,
            end,
            quoted,
            then,
            next,
        }
    }
}

/// The cells of the first record, and where it ends with its line; none when
/// that is not there.
fn cells(bytes: &[u8], delimiter: u8, expected: usize) -> (Vec<&[u8]>, Option<usize>) {
    let mut cells = Vec::with_capacity(expected);
    let mut walk = Walk {
        bytes,
        delimiter,
        at: 0,
    };
    loop {
        let cell = walk.cell();
        cells.push(bytes.get(cell.start..cell.end).unwrap_or_default());
        match cell.then {
            Then::Cell => {}
            Then::Line => return (cells, Some(cell.next)),
            Then::Nothing | Then::Open => return (cells, None),
        }
    }
}

/// Bytes of the first record with its line's end; none when that is not there.
fn record_length(bytes: &[u8], delimiter: u8) -> Option<usize> {
    let mut walk = Walk {
        bytes,
        delimiter,
        at: 0,
    };
    loop {
        let cell = walk.cell();
        match cell.then {
            Then::Cell => {}
            Then::Line => return Some(cell.next),
            Then::Nothing | Then::Open => return None,
        }
    }
}

fn ends_in_quotes(bytes: &[u8], delimiter: u8) -> bool {
    let mut walk = Walk {
        bytes,
        delimiter,
        at: 0,
    };
    loop {
        match walk.cell().then {
            Then::Cell => {}
            Then::Open => return true,
            Then::Line | Then::Nothing => return false,
        }
    }
}

fn split(record: &[u8], delimiter: u8) -> Vec<Field> {
    let mut walk = Walk {
        bytes: record,
        delimiter,
        at: 0,
    };
    let mut fields = Vec::new();
    loop {
        let cell = walk.cell();
        let bytes = record.get(cell.start..cell.end).unwrap_or_default();
        let text = String::from_utf8_lossy(bytes);
        let text = if cell.quoted {
            unquoted(&text)
        } else {
            text.into_owned()
        };
        fields.push(Field {
            text,
            quoted: cell.quoted,
        });
        if cell.then != Then::Cell {
            return fields;
        }
    }
}

/// Without its quotes. What stands behind the last of them belongs to it, as
/// most programs have it.
fn unquoted(text: &str) -> String {
    let inner = text.strip_prefix('"').unwrap_or(text);
    let mut whole = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, after)) = rest.split_once('"') {
        whole.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                whole.push('"');
                rest = after;
            }
            None => {
                whole.push_str(after);
                return whole;
            }
        }
    }
    whole.push_str(rest);
    whole
}

/// The delimiter that the first line has most of.
fn likely_delimiter(bytes: &[u8]) -> u8 {
    let mut counts = [0_usize; DELIMITERS.len()];
    let mut within = false;
    for byte in bytes {
        match byte {
            b'"' => within = !within,
            b'\n' | b'\r' if !within => break,
            other if !within => {
                for (count, delimiter) in counts.iter_mut().zip(DELIMITERS) {
                    *count += usize::from(*other == delimiter);
                }
            }
            _ => {}
        }
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    let found = counts
        .iter()
        .zip(DELIMITERS)
        .find(|(count, _)| **count == most);
    found.map_or(b',', |(_, delimiter)| delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Vec<Field>> {
        let mut rest = text.as_bytes();
        let delimiter = likely_delimiter(rest);
        let mut records = Vec::new();
        while !rest.is_empty() {
            let length = record_length(rest, delimiter).unwrap_or(rest.len());
            let (record, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            records.push(split(record, delimiter));
            rest = after;
        }
        records
    }

    fn texts(records: &[Vec<Field>]) -> Vec<Vec<&str>> {
        records
            .iter()
            .map(|fields| fields.iter().map(|field| field.text.as_str()).collect())
            .collect()
    }

    #[test]
    fn cells_are_read_as_they_were_written() {
        for text in ["a,b\n1,2\n", "a;b\r\n1;2", "a\tb\r1\t2\r"] {
            assert_eq!(texts(&read(text)), [["a", "b"], ["1", "2"]], "{text:?}");
        }
        let records = read("a,\"b \"\"c\"\", d\r\ne\",\n,\"\",x\"y\n");
        assert_eq!(
            texts(&records),
            [["a", "b \"c\", d\r\ne", ""], ["", "", "x\"y"]]
        );
        let nothing: Vec<bool> = records.iter().flatten().map(Field::is_nothing).collect();
        assert_eq!(nothing, [false, false, true, true, false, false]);
    }

    #[test]
    fn a_record_ends_where_its_quotes_do() {
        for (text, length) in [
            ("a,b\nc", Some(4)),
            ("\"a\nb\"\nc", Some(6)),
            ("a\r\nb", Some(3)),
            ("a\rb", Some(2)),
            ("a\r", None),
            ("\"a\n", None),
            ("\"a\"\"\n", None),
        ] {
            assert_eq!(record_length(text.as_bytes(), b','), length, "{text:?}");
        }
        assert!(ends_in_quotes(b"a,\"b\nc", b','));
        assert!(!ends_in_quotes(b"a,\"b\"", b','));
    }
}
