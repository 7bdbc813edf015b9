//! Who is told of which table, from the policies and from what views read.

use super::RowPolicy;
use atlashub_core::capability::database::{Audience, Table, TableKind};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What an engine tells of a project's tables.
#[derive(Default)]
pub(in crate::project) struct Described {
    /// All of them; whose audience is not known yet.
    pub(in crate::project) tables: Vec<Table>,
    /// Of tables with policies, the roles that these are for.
    pub(in crate::project) roles: HashMap<String, BTreeSet<String>>,
    /// Of views, the names of what they read: tables, views, and what is
    /// neither.
    pub(in crate::project) reads: HashMap<String, BTreeSet<String>>,
}

impl Described {
    /// Notes a policy of a table.
    pub(in crate::project) fn add_policy(&mut self, table: &str, policy: &RowPolicy) {
        let roles = self.roles.entry(table.to_owned()).or_default();
        roles.extend(policy.roles.iter().cloned());
    }

    /// The tables by name, each with its audience.
    pub(in crate::project) fn into_tables(mut self) -> Vec<Table> {
        let mut tables = std::mem::take(&mut self.tables);
        let kinds: HashMap<String, TableKind> = tables
            .iter()
            .map(|table| (table.name.clone(), table.kind))
            .collect();
        for table in &mut tables {
            let mut sets = Vec::new();
            self.collect(&kinds, &table.name, &mut HashSet::new(), &mut sets);
            table.audience = Audience::new(sets);
        }
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        tables
    }

    /// The roles of each table that is read where `name` is.
    fn collect(
        &self,
        kinds: &HashMap<String, TableKind>,
        name: &str,
        seen: &mut HashSet<String>,
        sets: &mut Vec<BTreeSet<String>>,
    ) {
        if !seen.insert(name.to_owned()) {
            return;
        }
        match (kinds.get(name), self.reads.get(name)) {
            (Some(TableKind::View), Some(reads)) => {
                for read in reads {
                    self.collect(kinds, read, seen, sets);
                }
            }
            // What is unknown here is nothing to tell of.
            _ => sets.push(self.roles.get(name).cloned().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atlashub_core::capability::database::{BoundCaller, Reach};

    fn object(name: &str, kind: TableKind) -> Table {
        Table {
            name: name.to_owned(),
            kind,
            columns: Vec::new(),
            primary_key: Vec::new(),
            unique: Vec::new(),
            foreign_keys: Vec::new(),
            audience: Audience::nobody(),
        }
    }

    fn names(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn a_view_is_told_to_who_is_told_of_all_that_it_reads() {
        let views = [
            ("v_open", &["open"][..]),
            ("v_both", &["closed", "open"]),
            ("v_of_view", &["v_open"]),
            ("v_of_both", &["v_both", "v_of_both"]),
            ("v_of_unknown", &["elsewhere"]),
            ("v_of_nothing", &[]),
        ];
        let mut described = Described {
            tables: vec![
                object("open", TableKind::Table),
                object("closed", TableKind::Table),
            ],
            roles: HashMap::from([("open".to_owned(), names(&["anon"]))]),
            reads: HashMap::new(),
        };
        for (view, reads) in views {
            described.tables.push(object(view, TableKind::View));
            described.reads.insert(view.to_owned(), names(reads));
        }
        let anonymous = Reach::Policies(BoundCaller::anonymous());
        let tables = described.into_tables();
        let told: Vec<&str> = tables
            .iter()
            .filter(|table| table.audience.includes(&anonymous))
            .map(|table| table.name.as_str())
            .collect();
        assert_eq!(told, ["open", "v_of_nothing", "v_of_view", "v_open"]);
    }
}
