//! The project's tables as they are now: every identifier of a statement is
//! one that the database named. Kept in the instance until tables change.

use crate::fault::{Fault, Result};
use atlashub_sdk::database::{self, Column, ForeignKey, Table};
use std::{cell::RefCell, rc::Rc};

/// All tables and views, by name.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    tables: Vec<Table>,
}

thread_local! {
    static KEPT: RefCell<Option<(u64, Rc<Schema>)>> = const { RefCell::new(None) };
}

/// The tables as they are now.
pub(crate) fn current() -> Result<Rc<Schema>> {
    let version = database::schema_version()?;
    let kept = KEPT.with_borrow(|kept| match kept {
        Some((seen, schema)) if *seen == version => Some(Rc::clone(schema)),
        _ => None,
    });
    if let Some(schema) = kept {
        return Ok(schema);
    }
    let schema = Rc::new(Schema {
        tables: database::describe()?,
    });
    KEPT.set(Some((version, Rc::clone(&schema))));
    Ok(schema)
}

/// How rows of one table belong to rows of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    /// The other table.
    pub(crate) target: String,
    /// Columns here with those of the other table; with a junction, those
    /// of the junction.
    pub(crate) here: Vec<(String, String)>,
    /// The table between, with its columns and those of the other table.
    pub(crate) junction: Option<Junction>,
    /// At most one row.
    pub(crate) to_one: bool,
    /// Names by which a client may ask for it.
    names: Vec<String>,
    /// Words that tell it from others of the same name.
    hints: Vec<String>,
}

/// A table whose rows connect two others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Junction {
    pub(crate) table: String,
    pub(crate) there: Vec<(String, String)>,
}

impl Schema {
    /// All of them.
    pub(crate) fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The table of that name.
    ///
    /// # Errors
    /// 404 naming it.
    pub(crate) fn table(&self, name: &str) -> Result<&Table> {
        self.find(name).ok_or_else(|| Fault::unknown_table(name))
    }

    fn find(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// The one relation from `table` that `name` stands for: a table, a
    /// foreign key, or the one column that refers to another table.
    ///
    /// # Errors
    /// 400 `PGRST200` when there is none, 300 `PGRST201` when there are
    /// several.
    pub(crate) fn relation(
        &self,
        table: &Table,
        name: &str,
        hint: Option<&str>,
    ) -> Result<Relation> {
        let mut found: Vec<Relation> = self
            .relations(table)
            .into_iter()
            .filter(|relation| {
                let has = |words: &[String], word: &str| words.iter().any(|own| own == word);
                has(&relation.names, name) && hint.is_none_or(|hint| has(&relation.hints, hint))
            })
            .collect();
        // A direct way is meant before one through a table between.
        if found.len() > 1 && found.iter().any(|relation| relation.junction.is_none()) {
            found.retain(|relation| relation.junction.is_none());
        }
        if found.len() > 1 {
            return Err(Fault::ambiguous_relation(&table.name, name));
        }
        found
            .pop()
            .ok_or_else(|| Fault::unknown_relation(&table.name, name))
    }

    fn relations(&self, table: &Table) -> Vec<Relation> {
        let mut found: Vec<Relation> = table
            .foreign_keys
            .iter()
            .map(|key| to_parent(table, key))
            .collect();
        for child in &self.tables {
            for key in child
                .foreign_keys
                .iter()
                .filter(|key| key.table == table.name)
            {
                found.push(to_children(child, key));
                let others = child.foreign_keys.iter().filter(|other| *other != key);
                found.extend(others.filter_map(|other| through(child, key, other)));
            }
        }
        found
    }
}

fn pairs(from: &[String], to: &[String]) -> Vec<(String, String)> {
    from.iter().cloned().zip(to.iter().cloned()).collect()
}

fn single(key: &ForeignKey) -> Option<String> {
    match key.columns.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    }
}

fn to_parent(table: &Table, key: &ForeignKey) -> Relation {
    let hints: Vec<String> = std::iter::once(key.name.clone())
        .chain(single(key))
        .collect();
    // In a table that refers to itself the table's name means the children.
    let other = Some(key.table.clone()).filter(|other| *other != table.name);
    let names = hints.iter().cloned().chain(other).collect();
    Relation {
        target: key.table.clone(),
        here: pairs(&key.columns, &key.references),
        junction: None,
        to_one: true,
        names,
        hints,
    }
}

fn to_children(child: &Table, key: &ForeignKey) -> Relation {
    // And the column means the parent.
    let column = single(key).filter(|_| key.table != child.name);
    Relation {
        target: child.name.clone(),
        here: pairs(&key.references, &key.columns),
        junction: None,
        to_one: is_unique(child, &key.columns),
        names: vec![child.name.clone(), key.name.clone()],
        hints: std::iter::once(key.name.clone()).chain(column).collect(),
    }
}

/// A way through a table whose primary key holds both foreign keys.
fn through(between: &Table, key: &ForeignKey, other: &ForeignKey) -> Option<Relation> {
    let held = |key: &ForeignKey| key.columns.iter().all(|c| between.primary_key.contains(c));
    (held(key) && held(other)).then(|| Relation {
        target: other.table.clone(),
        here: pairs(&key.references, &key.columns),
        junction: Some(Junction {
            table: between.name.clone(),
            there: pairs(&other.columns, &other.references),
        }),
        to_one: false,
        names: vec![other.table.clone()],
        hints: vec![between.name.clone(), key.name.clone(), other.name.clone()],
    })
}

fn is_unique(table: &Table, columns: &[String]) -> bool {
    let same = |set: &[String]| {
        set.len() == columns.len() && set.iter().all(|column| columns.contains(column))
    };
    same(&table.primary_key) || table.unique.iter().any(|set| same(set))
}

/// The column of that name.
///
/// # Errors
/// 400 naming it.
pub(crate) fn column<'a>(table: &'a Table, name: &str) -> Result<&'a Column> {
    table
        .columns
        .iter()
        .find(|column| column.name == name)
        .ok_or_else(|| Fault::unknown_column(&table.name, name))
}
