//! The text that SQLite keeps of a table, taken apart as far as is needed to
//! put it together again with a column or constraint more, less or changed.
//!
//! SQLite reads what comes out of it again, under the owner's rules; what this
//! does not understand is refused rather than guessed at.

use super::{invalid, names::quoted};
use crate::project::text::{identifier, next_definition, skip_blanks};
use atlashub_core::{Error, Result};

/// A `CREATE TABLE` statement.
#[derive(Clone, Debug)]
pub(in crate::project) struct TableText {
    /// Columns, then constraints.
    pub(in crate::project) parts: Vec<Part>,
    /// What follows the closing parenthesis, such as `STRICT`.
    options: String,
}

/// One of the definitions between the parentheses.
#[derive(Clone, Debug)]
pub(in crate::project) enum Part {
    /// A column.
    Column(ColumnText),
    /// A constraint of the table.
    Constraint(Clause),
}

/// A column's definition.
#[derive(Clone, Debug)]
pub(in crate::project) struct ColumnText {
    /// Its name.
    pub(in crate::project) name: String,
    /// Its type with the comment that says more.
    pub(super) type_text: String,
    /// Its constraints.
    pub(in crate::project) clauses: Vec<Clause>,
}

/// A constraint of a column or a table.
#[derive(Clone, Debug)]
pub(in crate::project) struct Clause {
    /// Its name.
    pub(in crate::project) name: Option<String>,
    /// What it is.
    pub(in crate::project) kind: Kind,
    /// All of it.
    pub(in crate::project) text: String,
    /// What stands between its first parentheses.
    pub(in crate::project) inside: String,
}

/// What a constraint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::project) enum Kind {
    PrimaryKey,
    NotNull,
    Null,
    Unique,
    Check,
    Default,
    Collate,
    References,
    Generated,
}

impl Clause {
    /// A clause that is written as `text`.
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut found = clauses(&tokens(text))?;
        match (found.pop(), found.pop()) {
            (Some(clause), None) => Ok(clause),
            _ => Err(not_understood()),
        }
    }

    /// Whether its first list of columns has this one.
    pub(super) fn lists(&self, column: &str) -> bool {
        self.columns()
            .iter()
            .any(|own| own.eq_ignore_ascii_case(column))
    }

    /// Its first list of columns.
    pub(in crate::project) fn columns(&self) -> Vec<String> {
        let mut columns = Vec::new();
        let mut rest = self.inside.as_str();
        while let Some((name, after)) = identifier(skip_blanks(rest)) {
            columns.push(name);
            match next_definition(after) {
                Some(next) => rest = next,
                None => break,
            }
        }
        columns
    }
}

impl TableText {
    /// Reads what SQLite keeps of a table.
    ///
    /// # Errors
    /// `cannot_alter` when it is not understood.
    pub(in crate::project) fn read(sql: &str) -> Result<Self> {
        let body = sql
            .strip_prefix("CREATE TABLE")
            .and_then(|named| identifier(skip_blanks(named)))
            .map(|(_, rest)| skip_blanks(rest))
            .filter(|rest| rest.starts_with('('))
            .ok_or_else(not_understood)?;
        let group = group(body).ok_or_else(not_understood)?;
        let options = body.get(group.len()..).unwrap_or_default().trim();
        let mut rest = group
            .get(1..group.len().saturating_sub(1))
            .ok_or_else(not_understood)?;
        let mut parts = Vec::new();
        loop {
            let next = next_definition(rest);
            let length = rest.len() - next.map_or(0, |next| next.len() + 1);
            parts.push(Part::read(rest.get(..length).unwrap_or_default())?);
            match next {
                Some(next) => rest = next,
                None => break,
            }
        }
        Ok(Self {
            parts,
            options: options.to_owned(),
        })
    }

    /// The statement that makes it, under another name.
    pub(super) fn create(&self, name: &str) -> String {
        let parts: Vec<String> = self.parts.iter().map(Part::sql).collect();
        let options = if self.options.is_empty() {
            String::new()
        } else {
            format!(" {}", self.options)
        };
        format!(
            "CREATE TABLE {} (\n  {}\n){options}",
            quoted(name),
            parts.join(",\n  ")
        )
    }

    /// Its columns.
    pub(in crate::project) fn columns(&self) -> impl Iterator<Item = &ColumnText> {
        self.parts.iter().filter_map(|part| match part {
            Part::Column(column) => Some(column),
            Part::Constraint(_) => None,
        })
    }

    /// The column of that name.
    pub(super) fn column_mut(&mut self, name: &str) -> Result<&mut ColumnText> {
        self.parts
            .iter_mut()
            .find_map(|part| match part {
                Part::Column(column) if column.name.eq_ignore_ascii_case(name) => Some(column),
                _ => None,
            })
            .ok_or_else(|| Error::not_found(format!("the column `{name}`")))
    }

    /// Adds a column behind the others.
    pub(super) fn add_column(&mut self, column: ColumnText) {
        let at = self.columns().count();
        self.parts.insert(at, Part::Column(column));
    }

    /// Every constraint, with the column whose definition it stands in.
    pub(in crate::project) fn constraints(&self) -> impl Iterator<Item = (Option<&str>, &Clause)> {
        self.parts.iter().flat_map(|part| {
            let (column, clauses) = match part {
                Part::Column(column) => (Some(column.name.as_str()), column.clauses.as_slice()),
                Part::Constraint(clause) => (None, std::slice::from_ref(clause)),
            };
            clauses.iter().map(move |clause| (column, clause))
        })
    }

    /// Removes the constraints that `goes` picks; answers how many went.
    pub(super) fn remove_constraints(
        &mut self,
        goes: impl Fn(Option<&str>, &Clause) -> bool,
    ) -> usize {
        let before = self.constraints().count();
        self.parts.retain_mut(|part| match part {
            Part::Constraint(clause) => !goes(None, clause),
            Part::Column(column) => {
                let name = column.name.clone();
                column.clauses.retain(|clause| !goes(Some(&name), clause));
                true
            }
        });
        before - self.constraints().count()
    }
}

impl Part {
    fn read(text: &str) -> Result<Self> {
        let text = skip_blanks(text).trim_end();
        let all = tokens(text);
        let first = all.first().copied().unwrap_or_default();
        let begins = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];
        if begins.iter().any(|word| first.eq_ignore_ascii_case(word)) {
            return Clause::read(text).map(Self::Constraint);
        }
        ColumnText::read(text).map(Self::Column)
    }

    fn sql(&self) -> String {
        match self {
            Self::Constraint(clause) => clause.text.clone(),
            Self::Column(column) => column.sql(),
        }
    }
}

impl ColumnText {
    pub(super) fn read(text: &str) -> Result<Self> {
        let (name, rest) = identifier(text).ok_or_else(not_understood)?;
        let all = tokens(rest);
        let start = all
            .iter()
            .position(|token| starts_clause(token))
            .unwrap_or(all.len());
        let (kind, constraints) = all.split_at(start);
        Ok(Self {
            name,
            type_text: kind.join(" "),
            clauses: clauses(constraints)?,
        })
    }

    pub(super) fn sql(&self) -> String {
        let mut text = quoted(&self.name);
        if !self.type_text.is_empty() {
            text.push(' ');
            text.push_str(&self.type_text);
        }
        for clause in &self.clauses {
            text.push(' ');
            text.push_str(&clause.text);
        }
        text
    }

    /// Puts `text` in the place of clauses of this kind, or takes them away.
    pub(super) fn replace(&mut self, kind: Kind, text: Option<&str>) -> Result<()> {
        self.clauses.retain(|clause| clause.kind != kind);
        if let Some(text) = text {
            self.clauses.push(Clause::read(text)?);
        }
        Ok(())
    }
}

/// The words, quoted texts, groups in parentheses and comments of a text.
fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' => group(rest).map_or(rest.len(), str::len),
            '"' | '`' | '\'' | '[' => {
                identifier(rest).map_or(rest.len(), |(_, after)| rest.len() - after.len())
            }
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => {
                let belongs = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.');
                let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
                // The quoted part of a blob such as `x'00'`.
                let blob = rest.split_at(end).1;
                let quoted = (blob.starts_with('\'') && end == 1)
                    .then(|| identifier(blob))
                    .flatten();
                let more = quoted.map_or(0, |(_, after)| blob.len() - after.len());
                (end + more).max(first.len_utf8())
            }
        };
        let (token, after) = rest.split_at(length);
        // A comment to the end of the line would swallow what comes after it.
        if !token.starts_with("--") {
            found.push(token);
        }
        rest = after.trim_start();
    }
    found
}

/// The group in parentheses that `text` starts with.
fn group(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('(')?;
    let mut rest = inside;
    while let Some(next) = next_definition(rest) {
        rest = next;
    }
    // `next_definition` stops at the parenthesis that closes the group; find
    // it in the last definition.
    let mut depth = 0_usize;
    loop {
        let c = rest.chars().next()?;
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return text.get(..text.len() - rest.len() + 1),
            ')' => depth -= 1,
            '"' | '`' | '\'' | '[' => {
                rest = identifier(rest)?.1;
                continue;
            }
            '-' if rest.starts_with("--") => {
                rest = rest.split_once('\n')?.1;
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = rest.split_once("*/")?.1;
                continue;
            }
            _ => {}
        }
        rest = rest.get(c.len_utf8()..)?;
    }
}

fn starts_clause(token: &str) -> bool {
    kind_of(token).is_some() || token.eq_ignore_ascii_case("CONSTRAINT")
}

fn kind_of(word: &str) -> Option<Kind> {
    Some(match word.to_ascii_uppercase().as_str() {
        "PRIMARY" => Kind::PrimaryKey,
        "NOT" => Kind::NotNull,
        "NULL" => Kind::Null,
        "UNIQUE" => Kind::Unique,
        "CHECK" => Kind::Check,
        "DEFAULT" => Kind::Default,
        "COLLATE" => Kind::Collate,
        "REFERENCES" | "FOREIGN" => Kind::References,
        "GENERATED" | "AS" => Kind::Generated,
        _ => return None,
    })
}

/// The clauses that tokens make.
fn clauses(all: &[&str]) -> Result<Vec<Clause>> {
    let mut found: Vec<Vec<&str>> = Vec::new();
    let mut previous = "";
    for (at, token) in all.iter().enumerate() {
        let before = |word: &str| previous.eq_ignore_ascii_case(word);
        let next = all.get(at + 1).copied().unwrap_or_default();
        let belongs = match token.to_ascii_uppercase().as_str() {
            "NULL" => before("NOT") || before("SET") || before("DEFAULT"),
            "NOT" => next.eq_ignore_ascii_case("DEFERRABLE"),
            "DEFAULT" => before("SET"),
            "AS" => before("ALWAYS"),
            "REFERENCES" => found.last().is_some_and(|clause| is_foreign(clause)),
            _ => false,
        };
        let named = found.last().is_some_and(|clause| is_name_alone(clause));
        if starts_clause(token) && !belongs && !named {
            found.push(Vec::new());
        }
        found.last_mut().ok_or_else(not_understood)?.push(token);
        previous = token;
    }
    found.into_iter().map(|tokens| clause(&tokens)).collect()
}

fn is_name_alone(clause: &[&str]) -> bool {
    clause.len() == 2 && clause.first().is_some_and(|first| is_constraint(first))
}

fn is_constraint(token: &str) -> bool {
    token.eq_ignore_ascii_case("CONSTRAINT")
}

fn is_foreign(clause: &[&str]) -> bool {
    clause
        .iter()
        .any(|token| token.eq_ignore_ascii_case("FOREIGN"))
}

fn clause(tokens: &[&str]) -> Result<Clause> {
    let (name, rest) = match tokens {
        [first, name, rest @ ..] if is_constraint(first) => (identifier(name), rest),
        _ => (None, tokens),
    };
    let kind = rest
        .first()
        .and_then(|word| kind_of(word))
        .ok_or_else(not_understood)?;
    let inside = rest
        .iter()
        .find_map(|token| token.strip_prefix('(')?.strip_suffix(')'))
        .unwrap_or_default();
    Ok(Clause {
        name: name.map(|(name, _)| name),
        kind,
        text: tokens.join(" "),
        inside: inside.trim().to_owned(),
    })
}

fn not_understood() -> Error {
    invalid("the table was made in words that cannot be altered here: alter it with SQL")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    const TEXT: &str = "CREATE TABLE \"a,(b\" (\n  \"id\" TEXT /* uuid */ NOT NULL DEFAULT (lower(',')),\n  \
        n INTEGER CONSTRAINT \"at )\" CHECK (n > 0) DEFAULT NULL COLLATE NOCASE, -- a, comment\n  \
        p INTEGER REFERENCES other (id) ON DELETE SET NULL NOT DEFERRABLE NOT NULL,\n  \
        s TEXT GENERATED ALWAYS AS (n || ')') STORED UNIQUE,\n  \
        CONSTRAINT k FOREIGN KEY (\"n\", p) REFERENCES o (x, y) ON DELETE SET DEFAULT,\n  \
        UNIQUE (n, p), CHECK (n <> ')'), PRIMARY KEY (\"id\")) STRICT, WITHOUT ROWID";

    #[test]
    fn a_table_is_taken_apart_and_put_together() {
        let table = TableText::read(TEXT).unwrap();
        let names: Vec<&str> = table.columns().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["id", "n", "p", "s"]);
        let first = table.columns().next().unwrap();
        assert_eq!(first.type_text, "TEXT /* uuid */");
        let kinds: Vec<Kind> = table.constraints().map(|(_, clause)| clause.kind).collect();
        use Kind as K;
        let wanted = [
            K::NotNull,
            K::Default,
            K::Check,
            K::Default,
            K::Collate,
            K::References,
            K::NotNull,
            K::Generated,
            K::Unique,
            K::References,
            K::Unique,
            K::Check,
            K::PrimaryKey,
        ];
        assert_eq!(kinds, wanted);
        let named: Vec<&str> = table
            .constraints()
            .filter_map(|(_, c)| c.name.as_deref())
            .collect();
        assert_eq!(named, ["at )", "k"]);
        let again = TableText::read(&table.create("a,(b")).unwrap();
        assert_eq!(again.create("x"), table.create("x"));
        assert!(again.create("x").ends_with(") STRICT, WITHOUT ROWID"));
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let plain = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT DEFAULT 'x,)' CHECK (b <> ''), UNIQUE (b))";
        let text = TableText::read(plain).unwrap().create("t2");
        connection.execute_batch(&text).unwrap();
    }

    #[test]
    fn constraints_go_by_what_they_list() {
        let mut table = TableText::read(TEXT).unwrap();
        let gone =
            table.remove_constraints(|_, clause| clause.kind == Kind::Unique && clause.lists("P"));
        assert_eq!(gone, 1);
        assert_eq!(
            table.remove_constraints(|_, clause| clause.name.as_deref() == Some("k")),
            1
        );
        assert!(!table.create("x").contains("FOREIGN"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "CREATE VIRTUAL TABLE t USING fts5 (a)",
            "CREATE TABLE t",
            "CREATE TABLE t (a",
        ] {
            assert_eq!(
                TableText::read(text).unwrap_err().code(),
                "invalid_schema",
                "{text}"
            );
        }
    }
}
