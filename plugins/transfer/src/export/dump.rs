//! Every table of a project as one text of SQL, for the programs of the
//! engine that it is on: `psql`, `sqlite3`. The database writes the rows'
//! statements itself.

use super::{
    database::{Asked, Definitions, asked},
    pages::{Pages, Place},
    parts::{self, Parts},
    statements::{Table, head, views},
};
use crate::{
    job::{Ended, Turn},
    names,
};
use atlashub_sdk::{database, prelude::*};

/// Which tables there are to be exported.
pub(super) fn ask() -> Result<Asked> {
    asked(false)
}

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// Tables that are written.
    tables: usize,
    /// Where the next one is.
    place: Option<Place>,
    page: u64,
    parts: u64,
    complete: bool,
}

/// A turn at a dump.
pub(super) fn work(turn: &mut Turn) -> Result<Ended> {
    let (asked, mut state): (Asked, State) = turn.kept()?;
    let dialect = database::dialect();
    let mut parts = Parts::new(state.parts);
    if state.parts == 0 {
        parts.push(head(dialect).as_bytes());
    }
    let mut known = Definitions::default();
    while let Some(name) = asked.tables.get(state.tables) {
        let own = names::table(name)?;
        let definition = known.of(name)?;
        let table = Table {
            own: &own,
            definition: &definition,
            dialect,
        };
        if state.place.is_none() {
            parts.push(table.create().as_bytes());
        }
        let mut pages = Pages::new(&own, &table.insert(), "\n", state.page)?;
        loop {
            let page = pages.next(state.place.as_ref(), |text| {
                parts.push(text.as_bytes());
                Ok(())
            })?;
            turn.job.rows_done += page.rows;
            state.page = pages.size();
            if page.rows > 0 {
                parts.push(b"\n");
            }
            let Some(place) = page.last else {
                break;
            };
            state.place = Some(place);
            let over = turn.is_over();
            if (parts.is_full() || over) && !flush(turn, &mut parts, &mut state)? {
                return Ok(Ended::Lost);
            }
            if over {
                return Ok(Ended::GoesOn);
            }
        }
        state.tables += 1;
        state.place = None;
        state.page = 0;
    }
    if !state.complete {
        parts.push(foot(&asked, &mut known)?.as_bytes());
        state.complete = true;
        if !flush(turn, &mut parts, &mut state)? {
            return Ok(Ended::Lost);
        }
    }
    let outcome = parts::join(turn, "database.sql".to_owned(), "application/sql")?;
    turn.finish(Some(outcome))
}

fn flush(turn: &mut Turn, parts: &mut Parts, state: &mut State) -> Result<bool> {
    turn.job.bytes_done += parts.len();
    state.parts = parts.number() + 1;
    parts.write(turn, state)
}

/// What comes when all rows are there.
fn foot(asked: &Asked, known: &mut Definitions) -> Result<String> {
    let dialect = database::dialect();
    let described = database::describe()?;
    let mut text = "\n".to_owned();
    for own in described
        .iter()
        .filter(|own| asked.tables.contains(&own.name))
    {
        let table = Table {
            own,
            definition: &known.of(&own.name)?,
            dialect,
        };
        text.push_str(&table.finish());
    }
    text.push_str(&views(known.of_no_table()?, dialect));
    text.push_str("COMMIT;\n");
    Ok(text)
}
