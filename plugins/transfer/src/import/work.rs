//! Turns at an import.

use super::{
    Asked, Mode, OnError, Plan, Reader, Within,
    batch::Insert,
    counters::{self, Behind},
    make::Step,
    once,
    quick::{Encoder, Quick},
    refused::{Refused, refusal, refused_as, report},
    rows::{Record, Refusal, Row},
    users::{self, Found, Ids},
};
use crate::{
    job::{Ended, Job, Turn},
    names,
};
use atlashub_sdk::{
    database::{self, Column, Transaction},
    prelude::*,
};
use std::collections::HashMap;
use uuid::Uuid;

/// Rows and bytes of a batch.
const ROWS: usize = 10_000;
const BYTES: usize = 2 * 1024 * 1024;
/// Rows of a batch where one before was refused.
const FEW: usize = 100;
/// Rows that are not taken and kept in the report.
const KEPT: u64 = 1_000;

/// How far the rows are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// Where the next row begins.
    offset: u64,
    /// Rows that were read.
    row: u64,
    done: u64,
    failed: u64,
    kept: u64,
    /// Whether that was all.
    complete: bool,
}

/// How far the job is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// Pieces of an archive that were looked at.
    #[serde(default)]
    checked: usize,
    /// Whether the tables are made that were not there.
    #[serde(default)]
    step: Step,
    /// Users of the archive that were looked for here.
    #[serde(default)]
    users: Found,
    /// The table that the rest is about.
    #[serde(default)]
    table: usize,
    /// What has certainly been done.
    sure: Option<Progress>,
    /// What is done if the transaction of that name was committed.
    pending: Option<(String, Progress)>,
}

/// Rows that are to go in together.
#[derive(Default)]
struct Batch {
    rows: Vec<Row>,
    /// The number of each in the source.
    numbers: Vec<u64>,
    refused: Vec<Refused>,
    /// Where it ends.
    end: Progress,
}

struct Import<'a> {
    /// Where its notes begin.
    state: State,
    /// Bytes of the tables before.
    before: u64,
    plan: &'a Plan,
    ids: &'a Ids,
    columns: Vec<(usize, &'a Column)>,
    /// Places among the columns that make the key.
    key: Vec<usize>,
    insert: Insert<'a>,
}

/// A turn at an import.
pub(crate) fn work(turn: &mut Turn) -> Result<Ended> {
    let (asked, mut state): (Asked, State) = turn.kept()?;
    turn.job.rows_total = asked.rows;
    while let Some(check) = asked.checks.get(state.checked) {
        check.verify()?;
        state.checked += 1;
        let last = state.checked == asked.checks.len();
        if (last || turn.is_over()) && !turn.note(&state, |_| Ok(()))? {
            return Ok(Ended::Lost);
        }
        if turn.is_over() {
            return Ok(Ended::GoesOn);
        }
    }
    let mut ids = Ids::default();
    if let Some(own) = &asked.users {
        let mut found = state.users.clone();
        let note = |turn: &Turn, some: &users::Batch| {
            state.users = some.end.clone();
            turn.note(&state, |own| some.keep(own, &turn.job.id))
        };
        match own.find(turn, &mut found, note)? {
            Ended::Done => {}
            ended => return Ok(ended),
        }
        ids = Ids::of(&turn.job.id)?;
    }
    if !asked.making.is_empty() && state.step != Step::Made {
        let noted = |turn: &Turn, step: Step, outcome: Option<String>| {
            let state = State {
                step,
                ..state.clone()
            };
            turn.note(&state, |own| turn.note_outcome(own, outcome))
        };
        match asked.making.begin(turn, state.step, noted)? {
            Ended::Done => state.step = Step::Made,
            ended => return Ok(ended),
        }
    }
    let mut progress = settle(&asked, &state)?;
    loop {
        if progress.complete {
            if let Some(plan) = asked.plans.get(state.table) {
                let behind = counters::advance(plan)?;
                if !behind.is_empty() && !tell_of(turn, &state, &progress, &behind)? {
                    return Ok(Ended::Lost);
                }
            }
            state.table += 1;
            let Some(plan) = asked.plans.get(state.table) else {
                return end(turn, &asked, &state);
            };
            progress = Progress {
                offset: plan.first,
                row: 0,
                complete: false,
                ..progress
            };
        }
        let Some(plan) = asked.plans.get(state.table) else {
            return end(turn, &asked, &state);
        };
        let before = asked.plans.iter().take(state.table);
        let before = before.map(|plan| plan.source.size).sum();
        match one(turn, plan, &ids, &state, before, progress.clone())? {
            (Ended::Done, end) => progress = end,
            (ended, _) => return Ok(ended),
        }
    }
}

/// Writes down which counters are behind the rows of a table that is in; false
/// when the job is not this turn's any more.
fn tell_of(turn: &Turn, state: &State, end: &Progress, behind: &[Behind]) -> Result<bool> {
    let state = State {
        sure: Some(end.clone()),
        pending: None,
        ..state.clone()
    };
    let outcome = Job::find(&turn.job.id)?.outcome;
    let outcome = counters::told(outcome.as_deref(), behind)?;
    turn.note(&state, |own| turn.note_outcome(own, Some(outcome)))
}

/// Everything is in.
fn end(turn: &mut Turn, asked: &Asked, state: &State) -> Result<Ended> {
    asked.making.finish()?;
    // Last, as nothing takes them back.
    if let Some(users) = &asked.users {
        match users.add(turn, state)? {
            Ended::Done => {}
            ended => return Ok(ended),
        }
    }
    turn.finish(None)
}

/// A table's turn; how far it came.
fn one(
    turn: &mut Turn,
    plan: &Plan,
    ids: &Ids,
    state: &State,
    before: u64,
    progress: Progress,
) -> Result<(Ended, Progress)> {
    let table = names::table(&plan.table)?;
    let mut columns = Vec::new();
    for (at, name) in plan.to.iter().enumerate() {
        if let Some(name) = name {
            columns.push((at, names::column(&table, name)?));
        }
    }
    let place = |name: &String| columns.iter().position(|(_, column)| column.name == *name);
    let key: Option<Vec<usize>> = plan.key.iter().map(place).collect();
    let key = key.ok_or_else(|| {
        Error::invalid(
            "no_unique_key",
            format!(
                "what tells rows of `{}` apart is not among what goes in",
                plan.table
            ),
        )
    })?;
    let import = Import {
        state: state.clone(),
        before,
        insert: Insert::new(plan, &table, &columns),
        plan,
        ids,
        columns,
        key,
    };
    import.tell(turn, &progress);
    match plan.within {
        Within::Transaction => import.whole(turn),
        Within::Batches => import.batches(turn, progress),
    }
}

/// How far the job is, whatever became of the turn before.
fn settle(asked: &Asked, state: &State) -> Result<Progress> {
    let start = || Progress {
        offset: asked.plans.get(state.table).map_or(0, |plan| plan.first),
        ..Progress::default()
    };
    match &state.pending {
        Some((name, next)) if once::was_committed(name)? => Ok(next.clone()),
        _ => Ok(state.sure.clone().unwrap_or_else(start)),
    }
}

impl Import<'_> {
    fn tell(&self, turn: &mut Turn, progress: &Progress) {
        turn.job.rows_done = progress.done;
        turn.job.rows_failed = progress.failed;
        turn.job.bytes_done = self.before.saturating_add(progress.offset);
    }

    /// What is noted of the job.
    fn noted(&self, sure: Option<Progress>, pending: Option<(String, Progress)>) -> State {
        State {
            sure,
            pending,
            ..self.state.clone()
        }
    }

    /// A record as a row, with the ids that users have here.
    fn row(&self, record: Record) -> Result<Row, Refusal> {
        let mut row = record.into_row(self.plan, &self.columns)?;
        self.ids.put(&mut row);
        Ok(row)
    }

    /// Reads rows until a batch is full.
    fn gather(&self, reader: &mut Reader, from: &Progress, most: usize) -> Result<Batch> {
        let mut batch = Batch {
            end: from.clone(),
            ..Batch::default()
        };
        // Where the row with a key is: a statement cannot change a row twice,
        // and of rows with the same key the last one counts.
        let mut keys: HashMap<Vec<Option<String>>, usize> = HashMap::new();
        let mut bytes = 0;
        while batch.rows.len() + batch.refused.len() < most && bytes < BYTES {
            let Some(record) = reader.next()? else {
                batch.end.complete = true;
                break;
            };
            bytes += record.size();
            batch.end.row += 1;
            batch.end.offset = reader.offset();
            match self.row(record) {
                Ok(row) => {
                    let number = batch.end.row;
                    let at = match self.key.is_empty() {
                        true => batch.rows.len(),
                        false => *keys.entry(self.key_of(&row)).or_insert(batch.rows.len()),
                    };
                    match (batch.rows.get_mut(at), batch.numbers.get_mut(at)) {
                        (Some(before), Some(its)) => {
                            *before = row;
                            *its = number;
                            batch.end.done += 1;
                        }
                        _ => {
                            batch.rows.push(row);
                            batch.numbers.push(number);
                        }
                    }
                }
                Err(why) => batch.refused.push(Refused {
                    row: batch.end.row,
                    why,
                }),
            }
        }
        Ok(batch)
    }

    /// What tells a row apart, in one way of writing.
    fn key_of(&self, row: &Row) -> Vec<Option<String>> {
        let value = |at: &usize| {
            let text = row.get(*at)?.as_deref()?;
            let kind = self
                .columns
                .get(*at)
                .map(|(_, column)| column.kind.as_str());
            Some(plain(kind.unwrap_or_default(), text))
        };
        self.key.iter().map(value).collect()
    }

    fn batches(&self, turn: &mut Turn, mut sure: Progress) -> Result<(Ended, Progress)> {
        let mut reader = Reader::resume(self.plan, sure.offset)?;
        let (mut few_until, mut slow_until) = (0, 0);
        loop {
            if turn.is_over() {
                return Ok((Ended::GoesOn, sure));
            }
            if sure.row >= slow_until && self.is_quick() {
                match self.quick(turn, &mut reader, &sure)? {
                    (Some(end), _) if end.complete => return Ok((Ended::Done, end)),
                    (Some(end), _) => {
                        sure = end;
                        continue;
                    }
                    (None, 0) => return Ok((Ended::Lost, sure)),
                    (None, rows) => {
                        // Read again in a way that finds out which row it is.
                        slow_until = sure.row + rows;
                        reader = Reader::resume(self.plan, sure.offset)?;
                    }
                }
            }
            let most = if sure.row < few_until { FEW } else { ROWS };
            let mut batch = self.gather(&mut reader, &sure, most)?;
            let stops = self.plan.on_error == OnError::Stop && !batch.refused.is_empty();
            if stops {
                return self.stop(turn, &sure, batch.refused);
            }
            let transaction = match self.put(&batch.rows)? {
                Ok(transaction) => transaction,
                Err(_) if batch.rows.len() > FEW => {
                    // Read again in smaller batches.
                    few_until = batch.end.row;
                    reader = Reader::resume(self.plan, sure.offset)?;
                    continue;
                }
                Err(_) => {
                    self.search(&mut batch)?;
                    if self.plan.on_error == OnError::Stop && !batch.refused.is_empty() {
                        return self.stop(turn, &sure, batch.refused);
                    }
                    match self.put(&batch.rows)? {
                        Ok(transaction) => transaction,
                        Err(why) => return Err(Error::conflict("batch_refused", why.reason)),
                    }
                }
            };
            batch.end.done += batch.rows.len() as u64;
            batch.end.failed += batch.refused.len() as u64;
            if !self.commit(turn, transaction, &sure, &mut batch)? {
                return Ok((Ended::Lost, sure));
            }
            sure = batch.end;
            if sure.complete {
                return Ok((Ended::Done, sure));
            }
        }
    }

    /// Whether rows may go in many at once.
    fn is_quick(&self) -> bool {
        self.plan.mode == Mode::Insert && !self.columns.is_empty()
    }

    /// Puts a batch in without keeping its rows: how far that came; or how
    /// many rows are to be read again, none when the job is lost.
    fn quick(
        &self,
        turn: &mut Turn,
        reader: &mut Reader,
        sure: &Progress,
    ) -> Result<(Option<Progress>, u64)> {
        let encoder = Encoder::new(self.plan, &self.columns, self.ids, database::dialect());
        let is_refusal = |error: &Error| refused_as(error).is_some();
        let (writer, rows, complete) = match encoder.run(reader, is_refusal)? {
            Quick::Not(rows) => return Ok((None, rows.max(1))),
            Quick::In {
                writer,
                rows,
                complete,
            } => (writer, rows, complete),
        };
        let end = Progress {
            offset: reader.offset(),
            row: sure.row + rows,
            done: sure.done + rows,
            complete,
            ..sure.clone()
        };
        self.tell(turn, &end);
        if self.plan.dry_run {
            drop(writer);
            let noted = turn.note(&self.noted(Some(end.clone()), None), |_| Ok(()))?;
            return Ok((noted.then_some(end), 0));
        }
        let name = writer.identify()?;
        let state = self.noted(Some(sure.clone()), Some((name, end.clone())));
        let noted = turn.note(&state, |_| Ok(()))?;
        if noted {
            writer.commit()?;
        }
        Ok((noted.then_some(end), 0))
    }

    /// Makes a batch last, and notes it.
    fn commit(
        &self,
        turn: &mut Turn,
        transaction: Transaction,
        sure: &Progress,
        batch: &mut Batch,
    ) -> Result<bool> {
        let room = KEPT.saturating_sub(batch.end.kept);
        let kept = batch.refused.len().min(usize::try_from(room).unwrap_or(0));
        let first = batch.end.kept;
        batch.end.kept += kept as u64;
        self.tell(turn, &batch.end);
        let refused = batch.refused.get(..kept).unwrap_or_default();
        let id = turn.job.id.clone();
        let table = self.plan.table.as_str();
        if self.plan.dry_run {
            transaction.rollback()?;
            let state = self.noted(Some(batch.end.clone()), None);
            return turn.note(&state, |own| report(own, &id, table, first, refused));
        }
        let name = transaction.identify()?;
        let state = self.noted(Some(sure.clone()), Some((name, batch.end.clone())));
        let noted = turn.note(&state, |own| report(own, &id, table, first, refused))?;
        if noted {
            transaction.commit()?;
        } else {
            transaction.rollback()?;
        }
        Ok(noted)
    }

    /// Puts rows in, in a transaction that is not committed yet; or what the
    /// database has against them.
    fn put(&self, rows: &[Row]) -> Result<Result<Transaction, Refusal>> {
        let transaction = Transaction::begin()?;
        if rows.is_empty() {
            return Ok(Ok(transaction));
        }
        match self.insert.run(&transaction, rows) {
            Ok(_) => Ok(Ok(transaction)),
            Err(error) => {
                transaction.rollback()?;
                refusal(error).map(Err)
            }
        }
    }

    /// Takes the rows out of a batch that the database does not take; how
    /// many.
    fn search(&self, batch: &mut Batch) -> Result<usize> {
        let rows = std::mem::take(&mut batch.rows);
        let numbers = std::mem::take(&mut batch.numbers);
        let mut found = 0;
        let mut waiting = vec![(0, rows.len())];
        while let Some((start, end)) = waiting.pop() {
            let Some(part) = rows.get(start..end) else {
                continue;
            };
            let good = batch.rows.len();
            batch.rows.extend_from_slice(part);
            match self.put(&batch.rows)? {
                Ok(transaction) => {
                    transaction.rollback()?;
                    batch
                        .numbers
                        .extend(numbers.get(start..end).unwrap_or_default());
                }
                Err(why) => {
                    batch.rows.truncate(good);
                    if part.len() > 1 {
                        let middle = start + part.len() / 2;
                        // The first half is looked at first.
                        waiting.push((middle, end));
                        waiting.push((start, middle));
                    } else {
                        found += 1;
                        let row = numbers.get(start).copied().unwrap_or_default();
                        batch.refused.push(Refused { row, why });
                    }
                }
            }
        }
        batch.refused.sort_by_key(|refused| refused.row);
        Ok(found)
    }

    /// All rows in one transaction, or none.
    fn whole(&self, turn: &mut Turn) -> Result<(Ended, Progress)> {
        let start = Progress {
            offset: self.plan.first,
            ..Progress::default()
        };
        let mut sure = start.clone();
        let mut reader = Reader::resume(self.plan, sure.offset)?;
        let transaction = Transaction::begin()?;
        loop {
            if turn.is_over() {
                transaction.rollback()?;
                return Err(Error::invalid(
                    "transaction_too_long",
                    "so many rows take too long in one transaction: import them in batches",
                ));
            }
            let mut batch = self.gather(&mut reader, &sure, ROWS)?;
            if !batch.refused.is_empty() {
                transaction.rollback()?;
                return self.stop(turn, &start, batch.refused);
            }
            let put = match batch.rows.is_empty() {
                true => Ok(0),
                false => self.insert.run(&transaction, &batch.rows),
            };
            if let Err(error) = put {
                transaction.rollback()?;
                let why = refusal(error)?;
                let (first, last) = (
                    batch.numbers.first().copied(),
                    batch.numbers.last().copied(),
                );
                if self.search(&mut batch)? == 0 {
                    // It has to do with rows before it.
                    let range = format!(
                        "one of the rows {} to {}: {}",
                        first.unwrap_or_default(),
                        last.unwrap_or_default(),
                        why.reason
                    );
                    let why = Refusal {
                        reason: range,
                        ..why
                    };
                    batch.refused.push(Refused {
                        row: first.unwrap_or_default(),
                        why,
                    });
                }
                return self.stop(turn, &start, batch.refused);
            }
            batch.end.done += batch.rows.len() as u64;
            sure = batch.end.clone();
            if batch.end.complete {
                let mut done = Batch {
                    end: sure,
                    ..Batch::default()
                };
                if !self.commit(turn, transaction, &start, &mut done)? {
                    return Ok((Ended::Lost, start));
                }
                return Ok((Ended::Done, done.end));
            }
            self.tell(turn, &sure);
            // Nothing lasts yet: another turn begins at the start.
            if !turn.note(&self.state, |_| Ok(()))? {
                transaction.rollback()?;
                return Ok((Ended::Lost, sure));
            }
        }
    }

    /// The job fails for these rows.
    fn stop(
        &self,
        turn: &mut Turn,
        sure: &Progress,
        refused: Vec<Refused>,
    ) -> Result<(Ended, Progress)> {
        let mut end = sure.clone();
        end.failed += refused.len() as u64;
        let room = usize::try_from(KEPT.saturating_sub(end.kept)).unwrap_or(0);
        let kept: Vec<Refused> = refused.into_iter().take(room).collect();
        let first = end.kept;
        end.kept += kept.len() as u64;
        self.tell(turn, &end);
        let id = turn.job.id.clone();
        let state = self.noted(Some(sure.clone()), None);
        let table = self.plan.table.as_str();
        let row = kept.first().map_or(0, |refused| refused.row);
        let why = kept.first().map(|refused| refused.why.reason.clone());
        if !turn.note(&state, |own| report(own, &id, table, first, &kept))? {
            return Ok((Ended::Lost, end));
        }
        Err(Error::invalid(
            "row_refused",
            format!(
                "the row {row} cannot be taken into `{table}`: {}",
                why.unwrap_or_default()
            ),
        )
        .with_field("row", row))
    }
}

/// A value of a key in the one way of writing that it shares with all that the
/// database takes for the same: `1` for `01`, small letters for a UUID.
fn plain(kind: &str, text: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    let text = text.trim();
    if kind.contains("int") {
        let number = text.parse::<i128>();
        return number.map_or_else(|_| text.to_owned(), |number| number.to_string());
    }
    if kind == "uuid" {
        let id = Uuid::try_parse(text);
        return id.map_or_else(|_| text.to_owned(), |id| id.to_string());
    }
    let is_decimal = kind.starts_with("numeric") || kind.starts_with("decimal");
    if is_decimal && text.bytes().all(|byte| b"+-.0123456789".contains(&byte)) {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", text.trim_start_matches('+')),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
        return match (whole, part) {
            ("", "") => "0".to_owned(),
            _ => format!("{sign}{whole}.{part}"),
        };
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_key_is_the_same_however_it_is_written() {
        for (kind, one, other) in [
            ("bigint", "1", "01"),
            ("INTEGER", "+7", "7"),
            ("numeric", "1.50", "01.5"),
            ("numeric", "-0", "0.0"),
            (
                "uuid",
                "01900000-0000-7000-8000-00000000000A",
                "0190000000007000800000000000000a",
            ),
        ] {
            assert_eq!(plain(kind, one), plain(kind, other), "{kind}");
        }
        for (kind, one, other) in [
            ("text", "1", "01"),
            ("bigint", "1", "2"),
            ("numeric", "1.5", "15"),
            ("numeric", "-1", "1"),
        ] {
            assert_ne!(plain(kind, one), plain(kind, other), "{kind}");
        }
    }
}
