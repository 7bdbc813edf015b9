//! Every table of a project as one archive: see [`crate::archive`].

use super::{
    Delimiter, Format, Formulas,
    lines::Lines,
    pages::{Pages, Place},
    parts::{self, Parts},
};
use crate::{
    archive::{
        self, Contents, FORMAT, MANIFEST, MOST_USERS, Manifest, Piece, USERS, VERSION, hexadecimal,
        zip,
    },
    job::{Ended, Turn},
    names,
};
use atlashub_sdk::{
    database::{self, Table},
    definitions::{Definition, LeftOut},
    prelude::*,
    sql::Dialect,
};
use crc32fast::Hasher;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Most tables of an archive.
const MOST: usize = 5_000;

/// What a job is to do: which tables, as they were when it was asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) tables: Vec<String>,
    /// Whether the project's users go with them.
    #[serde(default)]
    pub(super) users: bool,
}

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// The table that is being written.
    open: Option<Open>,
    /// What is in the archive.
    entries: Vec<zip::Entry>,
    tables: Vec<Contents>,
    #[serde(default)]
    users: Option<archive::Users>,
    parts: u64,
    complete: bool,
}

/// An entry that is being written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Open {
    offset: u64,
    crc: u32,
    size: u64,
    rows: u64,
    place: Option<Place>,
    page: u64,
    /// The user behind whom the next one comes.
    #[serde(default)]
    cursor: Option<String>,
    pieces: Vec<Piece>,
}

/// Writes into the entry that is open.
struct Writer {
    parts: Parts,
    /// Bytes of the archive before the part that is being filled.
    before: u64,
    crc: Hasher,
    sha: Sha256,
    piece: u64,
}

impl Writer {
    fn offset(&self) -> u64 {
        self.before + self.parts.len()
    }

    fn data(&mut self, bytes: &[u8]) {
        self.parts.push(bytes);
        self.crc.update(bytes);
        self.sha.update(bytes);
        self.piece += bytes.len() as u64;
    }

    /// Goes on with the entry that is open, or begins this one.
    fn open(&mut self, state: &mut State, file: &str) -> Open {
        state.open.take().unwrap_or_else(|| {
            let offset = self.offset();
            self.parts.push(&zip::head(file));
            self.crc = Hasher::new();
            Open {
                offset,
                ..Open::default()
            }
        })
    }

    /// Writes the part that is being filled when it is time, with the entry
    /// still open; how the turn has ended, if it has.
    fn rest(
        &mut self,
        turn: &mut Turn,
        state: &mut State,
        open: &mut Open,
    ) -> Result<Option<Ended>> {
        let over = turn.is_over();
        if self.parts.is_full() || over {
            self.cut(open);
            state.open = Some(open.clone());
            if !flush(turn, state, self)? {
                return Ok(Some(Ended::Lost));
            }
        }
        Ok(over.then_some(Ended::GoesOn))
    }

    /// Ends the entry.
    fn close(&mut self, state: &mut State, file: &str, open: &mut Open) {
        self.cut(open);
        self.parts.push(&zip::foot(open.crc, open.size));
        state.entries.push(zip::Entry {
            name: file.to_owned(),
            crc: open.crc,
            size: open.size,
            offset: open.offset,
        });
        state.open = None;
    }

    /// Ends the piece, if it has anything.
    fn cut(&mut self, open: &mut Open) {
        open.crc = self.crc.clone().finalize();
        open.size += self.piece;
        if self.piece > 0 {
            let sha = std::mem::take(&mut self.sha).finalize();
            open.pieces.push(Piece {
                size: self.piece,
                sha256: hexadecimal(&sha),
            });
        }
        self.crc = Hasher::new_with_initial_len(open.crc, open.size);
        self.piece = 0;
    }
}

/// What tables look like, read again when they have changed.
#[derive(Default)]
pub(super) struct Definitions {
    version: Option<u64>,
    tables: BTreeMap<String, Definition>,
    left_out: Vec<LeftOut>,
}

impl Definitions {
    fn look(&mut self) -> Result<()> {
        let version = database::schema_version()?;
        if self.version == Some(version) {
            return Ok(());
        }
        let all = definitions::read()?;
        let named = |own: Definition| (own.table.name.clone(), own);
        self.tables = all.tables.into_iter().map(named).collect();
        self.left_out = all.left_out;
        self.version = Some(version);
        Ok(())
    }

    pub(super) fn of(&mut self, name: &str) -> Result<Definition> {
        self.look()?;
        let found = self.tables.get(name).cloned();
        found.ok_or_else(|| {
            Error::new(
                StatusCode::NOT_FOUND,
                "unknown_table",
                format!("there is no table `{name}` any more"),
            )
        })
    }

    /// What belongs to no table and has no words.
    pub(super) fn of_no_table(&mut self) -> Result<&[LeftOut]> {
        self.look()?;
        Ok(&self.left_out)
    }
}

/// Which tables there are to be exported.
pub(super) fn asked(users: bool) -> Result<Asked> {
    let tables: Vec<String> = database::describe()?
        .into_iter()
        .filter(|table| table.kind == "table")
        .map(|table| table.name)
        .collect();
    if tables.len() > MOST {
        return Err(Error::invalid(
            "too_many_tables",
            format!("an archive has {MOST} tables at most"),
        ));
    }
    Ok(Asked { tables, users })
}

/// A turn at an export of a project's tables.
pub(super) fn work(turn: &mut Turn) -> Result<Ended> {
    let (asked, mut state): (Asked, State) = turn.kept()?;
    let (crc, size) = state
        .open
        .as_ref()
        .map_or((0, 0), |open| (open.crc, open.size));
    let mut writer = Writer {
        parts: Parts::new(state.parts),
        before: turn.job.bytes_done,
        crc: Hasher::new_with_initial_len(crc, size),
        sha: Sha256::new(),
        piece: 0,
    };
    let mut known = Definitions::default();
    while let Some(name) = asked.tables.get(state.tables.len()) {
        match table(turn, name, &mut state, &mut writer, &mut known)? {
            Ended::Done => {}
            ended => return Ok(ended),
        }
    }
    if asked.users && state.users.is_none() {
        match all_users(turn, &mut state, &mut writer)? {
            Ended::Done => {}
            ended => return Ok(ended),
        }
    }
    if !state.complete {
        finish(&mut state, &mut writer, known.of_no_table()?.to_vec())?;
        state.complete = true;
        if !flush(turn, &mut state, &mut writer)? {
            return Ok(Ended::Lost);
        }
    }
    let outcome = parts::join(turn, "database.zip".to_owned(), "application/zip")?;
    turn.finish(Some(outcome))
}

/// Writes a table's rows; done when all are written.
fn table(
    turn: &mut Turn,
    name: &str,
    state: &mut State,
    writer: &mut Writer,
    known: &mut Definitions,
) -> Result<Ended> {
    let table: Table = names::table(name)?;
    let file = format!("tables/{:04}.ndjson", state.tables.len() + 1);
    let columns = names::columns(&table, None)?;
    let lines = Lines::new(Format::Ndjson, Delimiter::Comma, Formulas::Keep);
    let mut open = writer.open(state, &file);
    let mut pages = Pages::new(&table, &lines.of_row(&columns), lines.end(), open.page)?;
    loop {
        let page = pages.next(open.place.as_ref(), |text| {
            writer.data(text.as_bytes());
            Ok(())
        })?;
        open.page = pages.size();
        open.rows += page.rows;
        turn.job.rows_done += page.rows;
        if page.rows > 0 {
            writer.data(lines.end().as_bytes());
        }
        let Some(place) = page.last else {
            break;
        };
        open.place = Some(place);
        if let Some(ended) = writer.rest(turn, state, &mut open)? {
            return Ok(ended);
        }
    }
    writer.close(state, &file, &mut open);
    let definition = known.of(name)?;
    state.tables.push(Contents {
        name: name.to_owned(),
        file,
        definition: definition.table,
        columns: columns.iter().map(|column| column.name.clone()).collect(),
        policies: definition.policies,
        left_out: definition.left_out,
        rows: open.rows,
        size: open.size,
        pieces: open.pieces,
    });
    Ok(Ended::Done)
}

/// Writes the project's users; done when all are written. Those who are shut
/// out are not told of here.
fn all_users(turn: &mut Turn, state: &mut State, writer: &mut Writer) -> Result<Ended> {
    let mut open = writer.open(state, USERS);
    loop {
        let page = users::list(100, open.cursor.as_deref())?;
        for user in &page.users {
            let mut line = serde_json::to_vec(user)?;
            line.push(b'\n');
            writer.data(&line);
            open.rows += 1;
        }
        if open.rows > MOST_USERS {
            return Err(Error::invalid(
                "too_many_users",
                format!("an archive has {MOST_USERS} users at most"),
            ));
        }
        open.cursor = page.next_cursor;
        if open.cursor.is_none() {
            break;
        }
        if let Some(ended) = writer.rest(turn, state, &mut open)? {
            return Ok(ended);
        }
    }
    writer.close(state, USERS, &mut open);
    state.users = Some(archive::Users {
        file: USERS.to_owned(),
        rows: open.rows,
        size: open.size,
        pieces: open.pieces,
    });
    Ok(Ended::Done)
}

/// Writes the manifest, and the list of entries.
fn finish(state: &mut State, writer: &mut Writer, left_out: Vec<LeftOut>) -> Result<()> {
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        engine: match database::dialect() {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgres => "postgres",
        }
        .to_owned(),
        made_at: moment::rfc3339(moment::now_ms()),
        tables: std::mem::take(&mut state.tables),
        left_out,
        users: state.users.clone(),
    };
    let text = serde_json::to_vec(&manifest)?;
    state.tables = manifest.tables;
    let offset = writer.offset();
    let crc = crc32fast::hash(&text);
    let size = text.len() as u64;
    writer.parts.push(&zip::head(MANIFEST));
    writer.parts.push(&text);
    writer.parts.push(&zip::foot(crc, size));
    let mut entries = state.entries.clone();
    entries.push(zip::Entry {
        name: archive::MANIFEST.to_owned(),
        crc,
        size,
        offset,
    });
    let list = zip::list(&entries, writer.offset());
    writer.parts.push(&list);
    Ok(())
}

/// Writes the part that is being filled.
fn flush(turn: &mut Turn, state: &mut State, writer: &mut Writer) -> Result<bool> {
    turn.job.bytes_done += writer.parts.len();
    writer.before = turn.job.bytes_done;
    state.parts = writer.parts.number() + 1;
    writer.parts.write(turn, state)
}
