//! Pages by keyset: each begins after the last row of the one before, so the
//! last costs what the first does.

use atlashub_sdk::prelude::*;

/// Rows of a page when nothing is said, and at most.
const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// How many rows a page has.
pub(crate) fn limit(wanted: Option<u32>) -> u32 {
    wanted.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
}

/// A page's rows from what was read for it, one more than fit; and the cursor
/// of the next page, if there is one.
pub(crate) fn cut<T>(
    mut rows: Vec<T>,
    limit: u32,
    position: impl Fn(&T) -> (String, String),
) -> (Vec<T>, Option<String>) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| {
        let (position, id) = position(row);
        write(&position, &id)
    });
    (rows, next)
}

/// A row's position and id, in hexadecimal so that it passes through an
/// address as it is.
fn write(position: &str, id: &str) -> String {
    format!("{id}/{position}")
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Position and id in a cursor.
pub(crate) fn read(cursor: &str) -> Result<(String, String)> {
    let read = || {
        let bytes: Option<Vec<u8>> = cursor
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        let text = String::from_utf8(bytes?).ok()?;
        let (id, position) = text.split_once('/')?;
        Some((position.to_owned(), id.to_owned()))
    };
    read().ok_or_else(invalid)
}

/// As [`read`], for positions that are numbers.
pub(crate) fn read_number(cursor: &str) -> Result<(i64, String)> {
    let (position, id) = read(cursor)?;
    Ok((position.parse().map_err(|_| invalid())?, id))
}

fn invalid() -> Error {
    Error::bad_request(
        "invalid_cursor",
        "`cursor` is what `next_cursor` of the same list was",
    )
}
