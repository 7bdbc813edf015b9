//! Workbooks in Office Open XML: each sheet by its name, a line a row. Cells
//! are read one after the other, so that one in the last row of the last
//! column costs no more than its neighbours.

use super::{Archive, properties};
use crate::{Found, broken, text::Text};
use atlashub_sdk::prelude::*;
use calamine::{DataRef, Reader as _, Xlsx};
use std::io::Cursor;

/// The part that every workbook has.
pub(crate) const MAIN: &str = "xl/workbook.xml";

/// A workbook.
pub(crate) fn read(bytes: Vec<u8>, text: &mut Text) -> Result<Found> {
    let mut archive = Archive::open(&bytes)?;
    let title = properties::title(&mut archive)?;
    archive.count()?;
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    let sheets = workbook.sheet_names();
    for sheet in &sheets {
        text.push(sheet);
        text.line();
        let mut cells = match workbook.worksheet_cells_reader(sheet) {
            Ok(cells) => cells,
            // A sheet that is a chart has no cells.
            Err(_) => continue,
        };
        let mut row = 0;
        while let Some(cell) = cells.next_cell().map_err(broken)? {
            if cell.get_position().0 != row {
                row = cell.get_position().0;
                text.line();
            }
            push(cell.get_value(), text);
            text.space();
            if text.is_full() {
                break;
            }
        }
        text.paragraph();
    }
    Ok(Found {
        title,
        pages: Some(sheets.len()),
        encoding: None,
    })
}

fn push(value: &DataRef<'_>, text: &mut Text) {
    match value {
        DataRef::String(words) | DataRef::DateTimeIso(words) | DataRef::DurationIso(words) => {
            text.push(words);
        }
        DataRef::SharedString(words) => text.push(words),
        DataRef::Int(number) => text.push(&number.to_string()),
        DataRef::Float(number) => text.push(&number.to_string()),
        DataRef::DateTime(moment) if moment.is_datetime() => {
            let (year, month, day, ..) = moment.to_ymd_hms_milli();
            text.push(&format!("{year:04}-{month:02}-{day:02}"));
        }
        DataRef::DateTime(_) | DataRef::Bool(_) | DataRef::Error(_) | DataRef::Empty => {}
    }
}
