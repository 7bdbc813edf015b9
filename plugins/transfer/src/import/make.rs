//! Tables that an import makes before its rows go in. Whether they can be made
//! is asked beforehand, of the database itself; they are made all at once, and
//! what rows would be in the way of, row policies and foreign keys to tables
//! that come later, when all rows are there.
//!
//! An import that is all or nothing takes its tables back when it fails or is
//! cancelled; the report of another one names them.

use crate::{
    job::{Ended, Job, Turn},
    names,
};
use atlashub_sdk::{
    database::{self, Column, Table},
    definitions::{Change, Definition, ForeignKey, LeftOut, NewTable},
    prelude::*,
};
use serde_json::json;
use std::collections::BTreeSet;

/// The tables, in the order in which their rows go in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Making {
    tables: Vec<Definition>,
    /// Whether they go again when the import does not come to its end.
    undo: bool,
}

/// How far that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// Nothing was made.
    #[default]
    Nothing,
    /// They are being made: they are there, or not.
    Making,
    /// They are there.
    Made,
}

impl Making {
    /// What is to be made of these tables, without what the caller leaves out.
    ///
    /// # Errors
    /// 422 `cannot_be_made` with every part that has no words or that the
    /// database does not take.
    pub(super) fn plan(
        mut tables: Vec<Definition>,
        beside: &[LeftOut],
        leave_out: &[String],
        undo: bool,
    ) -> Result<Self> {
        let is_left = |object: &str| leave_out.iter().any(|own| own == object);
        let said = tables.iter().flat_map(|own| &own.left_out).chain(beside);
        let mut refused: Vec<LeftOut> = said
            .filter(|part| !is_left(&part.object))
            .cloned()
            .collect();
        for definition in &mut tables {
            leave(definition, &is_left);
            definition.left_out.clear();
        }
        refused.extend(definitions::check(&tables)?);
        if refused.is_empty() {
            return Ok(Self { tables, undo });
        }
        let first: Vec<String> = refused
            .iter()
            .take(3)
            .map(|part| format!("`{}`: {}", part.object, part.why))
            .collect();
        Err(Error::invalid(
            "cannot_be_made",
            format!(
                "{} of the tables cannot be made here, and nothing was: change it where it comes \
                 from, or name it in `leave_out`. {}",
                match refused.len() {
                    1 => "one part".to_owned(),
                    many => format!("{many} parts"),
                },
                first.join("; ")
            ),
        )
        .with_field("parts", serde_json::to_value(refused)?))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The table of that name, as it will be.
    pub(super) fn definition(&self, name: &str) -> Option<&Definition> {
        let mut tables = self.tables.iter();
        tables.find(|own| own.table.name == name)
    }

    /// Makes the tables; `note` writes a step down.
    pub(super) fn begin(
        &self,
        turn: &mut Turn,
        step: Step,
        note: impl Fn(&Turn, Step, Option<String>) -> Result<bool>,
    ) -> Result<Ended> {
        let there = self.there()?;
        let all = there.len() == self.tables.len();
        let once_begun = step == Step::Making;
        if !(once_begun && all) {
            if !there.is_empty() {
                // Those are somebody else's, and stay.
                let _ = note(turn, Step::Nothing, None)?;
                return Err(Error::conflict(
                    "table_exists",
                    format!("there is a table `{}` by now", there.join("`, `")),
                ));
            }
            if !note(turn, Step::Making, None)? {
                return Ok(Ended::Lost);
            }
            let bare: Vec<NewTable> = self.tables.iter().map(|own| self.first(own)).collect();
            if let Err(error) = definitions::create(&bare) {
                if error.status().is_client_error() {
                    let _ = note(turn, Step::Nothing, None)?;
                }
                return Err(error);
            }
        }
        let made = json!({ "tables_made": self.names() }).to_string();
        if note(turn, Step::Made, Some(made))? {
            return Ok(Ended::Done);
        }
        // It may have been ended while they were made.
        let job = Job::find(&turn.job.id)?;
        if matches!(job.status.as_str(), "failed" | "cancelled") && self.undo {
            self.remove()?;
        }
        Ok(Ended::Lost)
    }

    /// Adds what comes when the rows are there. It may have been done already.
    pub(super) fn finish(&self) -> Result<()> {
        for definition in &self.tables {
            let name = definition.table.name.as_str();
            let present = names::table(name)?.foreign_keys;
            let is_there = |key: &ForeignKey| {
                present
                    .iter()
                    .any(|own| own.columns == key.columns && own.table == key.table)
            };
            let changes: Vec<Change> = self
                .late(definition)
                .filter(|key| !is_there(key))
                .map(|key| Change::AddForeignKey {
                    foreign_key: key.clone(),
                })
                .collect();
            // A call makes 50 changes at most.
            for changes in changes.chunks(50) {
                definitions::alter(name, changes)?;
            }
            if !definition.policies.is_empty() {
                definitions::set_policies(name, &definition.policies)?;
            }
        }
        Ok(())
    }

    /// Takes everything back; the import was all or nothing.
    fn remove(&self) -> Result<()> {
        let mut left = self.there()?;
        left.reverse();
        while !left.is_empty() {
            let before = left.len();
            let mut still = Vec::new();
            for name in std::mem::take(&mut left) {
                match definitions::remove(&name) {
                    Ok(()) => {}
                    Err(error) if error.status() == StatusCode::NOT_FOUND => {}
                    Err(error) if error.code() == "table_in_use" => still.push(name),
                    Err(error) => return Err(error),
                }
            }
            if still.len() == before {
                self.let_go(&still)?;
            }
            left = still;
        }
        Ok(())
    }

    /// Removes foreign keys among tables that refer to each other.
    fn let_go(&self, tables: &[String]) -> Result<()> {
        let mut any = false;
        for table in database::describe()? {
            let is_of = |name: &str| tables.iter().any(|own| own == name);
            if !self.names().contains(&table.name.as_str()) {
                continue;
            }
            for key in table.foreign_keys.iter().filter(|key| is_of(&key.table)) {
                let name = key.name.clone();
                definitions::alter(&table.name, &[Change::DropForeignKey { name }])?;
                any = true;
            }
        }
        if any {
            return Ok(());
        }
        Err(Error::conflict(
            "table_in_use",
            format!(
                "the tables `{}` of an import that failed are in use by others",
                tables.join("`, `")
            ),
        ))
    }

    fn names(&self) -> Vec<&str> {
        let names = self.tables.iter().map(|own| own.table.name.as_str());
        names.collect()
    }

    /// Those that are there, in order.
    fn there(&self) -> Result<Vec<String>> {
        let present: BTreeSet<String> = database::describe()?
            .into_iter()
            .map(|table| table.name)
            .collect();
        let names = self.names().into_iter();
        Ok(names
            .filter(|name| present.contains(*name))
            .map(str::to_owned)
            .collect())
    }

    /// A table as it is before its rows are there.
    fn first(&self, definition: &Definition) -> NewTable {
        let mut table = definition.table.clone();
        let late: Vec<&ForeignKey> = self.late(definition).collect();
        table.foreign_keys.retain(|key| !late.contains(&key));
        table
    }

    /// Foreign keys to the table itself, or to one whose rows come later.
    fn late<'a>(&'a self, definition: &'a Definition) -> impl Iterator<Item = &'a ForeignKey> {
        let place = |name: &str| self.tables.iter().position(|own| own.table.name == name);
        let own = place(&definition.table.name);
        let keys = definition.table.foreign_keys.iter();
        keys.filter(move |key| place(&key.table).is_some_and(|other| Some(other) >= own))
    }
}

/// Takes back what an import made that did not come to its end, if it was all
/// or nothing.
pub(crate) fn undo(job: &Job) -> Result<()> {
    #[derive(Deserialize)]
    struct Kept {
        asked: String,
        state: String,
    }
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        making: Making,
    }
    #[derive(Default, Deserialize)]
    struct State {
        #[serde(default)]
        step: Step,
    }
    let kept: Kept = sql::query_one(
        "SELECT asked, state FROM transfer.jobs WHERE id = $1",
        params![&job.id],
    )?;
    let asked: Asked = serde_json::from_str(&kept.asked)?;
    let state: State = match kept.state.as_str() {
        "" => State::default(),
        text => serde_json::from_str(text)?,
    };
    if asked.making.undo && state.step != Step::Nothing {
        asked.making.remove()?;
        sql::execute(
            "UPDATE transfer.jobs SET outcome = NULL WHERE id = $1",
            params![&job.id],
        )?;
    }
    job.nothing_is_left()
}

/// Leaves parts out that the caller names.
fn leave(definition: &mut Definition, is_left: &impl Fn(&str) -> bool) {
    let name = definition.table.name.clone();
    let is_named = |kind: &str, own: &str| is_left(&format!("{kind}:{name}.{own}"));
    let table = &mut definition.table;
    table
        .columns
        .retain(|column| !is_named("column", &column.name));
    for column in &mut table.columns {
        if is_named("default", &column.name) {
            column.default = None;
        }
    }
    table
        .checks
        .retain(|check| !is_named("check", check.name.as_deref().unwrap_or_default()));
    table
        .foreign_keys
        .retain(|key| !is_named("foreign_key", &key.columns.join("_")));
    table.indexes.retain(|index| {
        let own = index.name.clone();
        let own = own.unwrap_or_else(|| index.columns.join("_"));
        !is_left(&format!("index:{own}"))
    });
    definition.policies.retain(|policy| {
        let own = policy.get("name").and_then(serde_json::Value::as_str);
        !is_named("policy", own.unwrap_or_default())
    });
}

/// A table as it will be told of.
pub(super) fn as_table(table: &NewTable) -> Table {
    let kind = |name: &str| match name {
        "bigint" => "integer".to_owned(),
        other => other.to_owned(),
    };
    let columns = table.columns.iter().map(|column| Column {
        name: column.name.clone(),
        data_type: column.column_type.clone(),
        kind: kind(&column.column_type),
        nullable: column.nullable,
        default: None,
        generated: false,
    });
    let indexes = table.indexes.iter().filter(|index| index.unique);
    let unique = indexes.map(|index| index.columns.clone());
    Table {
        name: table.name.clone(),
        kind: "table".to_owned(),
        columns: columns.collect(),
        primary_key: table.key(),
        unique: unique.chain(table.unique.iter().cloned()).collect(),
        foreign_keys: Vec::new(),
    }
}
