//! The statements of a dump: what makes the tables, in the words of the engine
//! that they are on, what puts rows in, and what comes when all rows are there.
//!
//! What cannot be said in statements that run anywhere else is named in
//! comments: a dump never leaves anything out silently.

use crate::names::{literal, quoted};
use atlashub_sdk::{
    database::{self, Column},
    definitions::{Definition, ForeignKey, LeftOut},
    sql::Dialect,
};
use serde_json::Value;

/// Types that every Postgres has, up to the parentheses.
const BUILT_IN: &[&str] = &[
    "smallint",
    "integer",
    "bigint",
    "real",
    "double precision",
    "numeric",
    "boolean",
    "json",
    "jsonb",
    "timestamp",
    "date",
    "time",
    "interval",
    "uuid",
    "bytea",
    "text",
    "character varying",
    "character",
    "\"char\"",
    "name",
    "oid",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "money",
    "bit",
    "bit varying",
    "xml",
    "tsvector",
    "tsquery",
    "point",
    "line",
    "lseg",
    "box",
    "path",
    "polygon",
    "circle",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
    "daterange",
];

/// A table, as the database describes it and as its definition has it.
pub(super) struct Table<'a> {
    pub(super) own: &'a database::Table,
    pub(super) definition: &'a Definition,
    pub(super) dialect: Dialect,
}

/// What a dump begins with.
pub(super) fn head(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "PRAGMA foreign_keys = OFF;\nBEGIN;\n",
        Dialect::Postgres => {
            "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\nBEGIN;\n"
        }
    }
}

fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    names.join(", ")
}

/// A text as a line of a comment, whatever it has.
fn comment(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("-- {plain}\n")
}

/// Something that is not in the dump, with why; and how its engine says it.
fn left_out(own: &LeftOut) -> String {
    let mut text = comment(&format!("left out: {}: {}", own.object, own.why));
    for line in own.sql.iter().flat_map(|sql| sql.lines()) {
        text.push_str(&comment(&format!("    {line}")));
    }
    text
}

/// A statement of the engine's own, ended once.
fn ended(sql: &str) -> String {
    format!("{};\n", sql.trim_end().trim_end_matches(';'))
}

impl Table<'_> {
    fn name(&self) -> String {
        quoted(&self.own.name)
    }

    /// What the definition has no words for, of this kind and name.
    fn told(&self, kind: &str, name: &str) -> Option<&LeftOut> {
        let object = format!("{kind}:{}.{name}", self.own.name);
        let mut all = self.definition.left_out.iter();
        all.find(|own| own.object == object)
    }

    /// What calculates the column's values, if something does.
    fn calculated(&self, column: &Column) -> Option<&str> {
        self.told("column", &column.name)?.sql.as_deref()
    }

    /// Columns that rows have values for.
    fn stored(&self) -> impl Iterator<Item = &Column> {
        let columns = self.own.columns.iter();
        columns.filter(|column| self.calculated(column).is_none())
    }

    /// Whether the primary key is SQLite's own number of a row.
    fn has_own_number(&self) -> bool {
        let [key] = self.own.primary_key.as_slice() else {
            return false;
        };
        let mut columns = self.own.columns.iter();
        self.dialect == Dialect::Sqlite
            && columns.any(|own| own.name == *key && own.data_type.eq_ignore_ascii_case("INTEGER"))
    }

    /// The statement that makes it. Foreign keys come with it on SQLite, which
    /// cannot add them, and at the end on Postgres.
    pub(super) fn create(&self) -> String {
        let definition = &self.definition.table;
        let mut lines: Vec<String> = self
            .own
            .columns
            .iter()
            .map(|column| self.column(column))
            .collect();
        if !self.own.primary_key.is_empty() && !self.has_own_number() {
            lines.push(format!("PRIMARY KEY ({})", list(&self.own.primary_key)));
        }
        for columns in &definition.unique {
            lines.push(format!("UNIQUE ({})", list(columns)));
        }
        for check in &definition.checks {
            let named = check
                .name
                .as_ref()
                .map_or_else(String::new, |name| format!("CONSTRAINT {} ", quoted(name)));
            lines.push(format!("{named}CHECK ({})", check.expression));
        }
        if self.dialect == Dialect::Sqlite {
            lines.extend(definition.foreign_keys.iter().map(|key| self.key(key)));
        }
        let strict = self.dialect == Dialect::Sqlite
            && self.own.columns.iter().all(|column| {
                ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"]
                    .contains(&column.data_type.to_uppercase().as_str())
            });
        format!(
            "\n{}CREATE TABLE {} (\n  {}\n){};\n",
            self.without_words(),
            self.name(),
            lines.join(",\n  "),
            if strict { " STRICT" } else { "" }
        )
    }

    /// What of the table is named in comments only.
    fn without_words(&self) -> String {
        let is_one = |own: &&LeftOut| {
            let (kind, _) = own.object.split_once(':').unwrap_or_default();
            match kind {
                "column" | "default" | "on_update" | "index" => false,
                "type" => self.own.columns.iter().any(|column| {
                    own.object == format!("type:{}.{}", self.own.name, column.name)
                        && !self.is_everywhere(column)
                }),
                "trigger" => self.dialect == Dialect::Postgres,
                _ => true,
            }
        };
        let all = self.definition.left_out.iter().filter(is_one);
        let mut text: String = all.map(left_out).collect();
        if !self.definition.policies.is_empty() {
            text.push_str(&comment(&format!(
                "left out: the row policies of {}: they are for callers of a project; an archive \
                 has them",
                self.own.name
            )));
        }
        text
    }

    /// Whether every database of the engine has the column's type.
    fn is_everywhere(&self, column: &Column) -> bool {
        let own = column.data_type.as_str();
        let name = own.split(['(', '[']).next().unwrap_or(own).trim_end();
        let name = name.split_once(" with").map_or(name, |(before, _)| before);
        self.dialect == Dialect::Sqlite || BUILT_IN.contains(&name)
    }

    fn column(&self, column: &Column) -> String {
        let is_everywhere = self.is_everywhere(column);
        let own = if is_everywhere {
            &column.data_type
        } else {
            "text"
        };
        let mut text = format!("{} {own}", quoted(&column.name));
        if let Some(expression) = self.calculated(column) {
            text.push_str(&format!(" GENERATED ALWAYS AS ({expression}) STORED"));
            return text;
        }
        match self.dialect {
            Dialect::Sqlite => {
                // What the type holds is said in a comment behind it.
                let plain = matches!(
                    column.kind.as_str(),
                    "text" | "integer" | "real" | "bytes" | "other"
                );
                if !plain {
                    text.push_str(&format!(" /* {} */", column.kind));
                }
                let is_key = self.own.primary_key.as_slice() == [column.name.clone()];
                if is_key && self.has_own_number() {
                    text.push_str(" PRIMARY KEY");
                    return text;
                }
            }
            Dialect::Postgres if column.generated => {
                text.push_str(" GENERATED ALWAYS AS IDENTITY");
            }
            Dialect::Postgres if is_counted(column) => {
                text.push_str(" GENERATED BY DEFAULT AS IDENTITY");
            }
            Dialect::Postgres => {}
        }
        if !column.nullable {
            text.push_str(" NOT NULL");
        }
        let default = column.default.as_deref();
        if let Some(default) = default.filter(|_| is_everywhere && !is_counted(column)) {
            text.push_str(&match self.dialect {
                Dialect::Sqlite => format!(" DEFAULT ({default})"),
                Dialect::Postgres => format!(" DEFAULT {default}"),
            });
        }
        text
    }

    fn key(&self, key: &ForeignKey) -> String {
        let named = key
            .name
            .as_ref()
            .map_or_else(String::new, |name| format!("CONSTRAINT {} ", quoted(name)));
        let mut text = format!(
            "{named}FOREIGN KEY ({}) REFERENCES {} ({})",
            list(&key.columns),
            quoted(&key.table),
            list(&key.references)
        );
        let removed = match key.more.get("on_delete").and_then(Value::as_str) {
            Some("cascade") => " ON DELETE CASCADE",
            Some("restrict") => " ON DELETE RESTRICT",
            Some("set_null") => " ON DELETE SET NULL",
            Some("set_default") => " ON DELETE SET DEFAULT",
            _ => "",
        };
        text.push_str(removed);
        if let Some(more) = self.more_of(key).and_then(|own| own.sql.as_deref()) {
            text.push_str(&format!(" {more}"));
        }
        text
    }

    /// What a foreign key says beyond its definition.
    fn more_of(&self, key: &ForeignKey) -> Option<&LeftOut> {
        let usual = format!("{}_{}_fkey", self.own.name, key.columns.join("_"));
        self.told("on_update", key.name.as_ref().unwrap_or(&usual))
    }

    /// The expression that writes the statement of a row of `t`.
    pub(super) fn insert(&self) -> String {
        let names: Vec<String> = self.stored().map(|column| column.name.clone()).collect();
        let values: Vec<String> = self
            .stored()
            .map(|column| {
                let value = format!("t.{}", quoted(&column.name));
                match (self.dialect, column.kind.as_str()) {
                    (Dialect::Sqlite, _) => format!("quote({value})"),
                    (Dialect::Postgres, "integer" | "boolean") => {
                        format!("coalesce(CAST({value} AS text), 'NULL')")
                    }
                    (Dialect::Postgres, _) => format!("quote_nullable(CAST({value} AS text))"),
                }
            })
            .collect();
        if values.is_empty() {
            return literal(&format!("INSERT INTO {} DEFAULT VALUES;", self.name()));
        }
        let always = self.stored().any(|column| column.generated);
        let begin = format!(
            "INSERT INTO {} ({}){} VALUES (",
            self.name(),
            list(&names),
            if always {
                " OVERRIDING SYSTEM VALUE"
            } else {
                ""
            }
        );
        format!(
            "{} || {} || ');'",
            literal(&begin),
            values.join(" || ', ' || ")
        )
    }

    /// What comes when all rows of all tables are there: indexes, foreign keys,
    /// where counting goes on, triggers.
    pub(super) fn finish(&self) -> String {
        let mut text = String::new();
        let name = self.name();
        for index in &self.definition.table.indexes {
            let own = index
                .name
                .clone()
                .unwrap_or_else(|| format!("{}_{}_idx", self.own.name, index.columns.join("_")));
            text.push_str(&format!(
                "CREATE {}INDEX {} ON {name} ({});\n",
                if index.unique { "UNIQUE " } else { "" },
                quoted(&own),
                list(&index.columns)
            ));
        }
        let whole = |kind: &str| {
            let own = self.definition.left_out.iter();
            let kind = format!("{kind}:");
            own.filter(move |one| one.object.starts_with(&kind))
                .filter_map(|one| one.sql.as_deref())
                .map(ended)
                .collect::<String>()
        };
        text.push_str(&whole("index"));
        match self.dialect {
            Dialect::Sqlite => text.push_str(&whole("trigger")),
            Dialect::Postgres => {
                for key in &self.definition.table.foreign_keys {
                    text.push_str(&format!("ALTER TABLE {name} ADD {};\n", self.key(key)));
                }
                let counted = |column: &&Column| column.generated || is_counted(column);
                for column in self.stored().filter(counted) {
                    let own = quoted(&column.name);
                    text.push_str(&format!(
                        "SELECT setval(pg_get_serial_sequence({}, {}), max({own})) FROM {name};\n",
                        literal(&name),
                        literal(&column.name)
                    ));
                }
            }
        }
        text
    }
}

/// Whether the database counts its values.
fn is_counted(column: &Column) -> bool {
    let default = column.default.as_deref().unwrap_or_default();
    default == "identity" || default.starts_with("nextval(")
}

/// What belongs to no table: views, those that others read first.
pub(super) fn views(all: &[LeftOut], dialect: Dialect) -> String {
    let mut left: Vec<(&str, &str)> = Vec::new();
    let mut text = String::new();
    for own in all {
        match (own.object.strip_prefix("view:"), own.sql.as_deref()) {
            (Some(name), Some(sql)) => left.push((name, sql)),
            _ => text.push_str(&left_out(own)),
        }
    }
    while !left.is_empty() {
        let reads_none = |(name, sql): &(&str, &str)| {
            let mut others = left.iter().map(|(other, _)| other);
            !others.any(|other| other != name && sql.contains(other))
        };
        // Where names are in each other's texts, the order is as it was.
        let next = left.iter().position(reads_none).unwrap_or_default();
        let (name, sql) = left.remove(next);
        text.push_str(&match dialect {
            Dialect::Sqlite => ended(sql),
            Dialect::Postgres => ended(&format!("CREATE VIEW {} AS {sql}", quoted(name))),
        });
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use serde_json::json;

    fn column(name: &str, data_type: &str) -> Column {
        Column {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            kind: "text".to_owned(),
            nullable: true,
            default: None,
            generated: false,
        }
    }

    #[test]
    fn what_has_no_words_in_a_definition_is_said_by_the_engines_own() {
        let own = database::Table {
            name: "things".to_owned(),
            kind: "table".to_owned(),
            columns: vec![
                column("title", "character varying(20)"),
                column("mood", "mood"),
                column("lower", "text"),
                Column {
                    generated: true,
                    ..column("id", "bigint")
                },
            ],
            ..database::Table::default()
        };
        let definition: Definition = serde_json::from_value(json!({
        "table": {"name": "things", "columns": [], "foreign_keys": [
            {"columns": ["title"], "table": "titles", "references": ["id"],
             "on_delete": "set_null"}],
            "checks": [{"name": "short", "expression": "length(title) < 9"}],
            "indexes": [{"name": "by_title", "columns": ["title"], "unique": true}]},
        "left_out": [
            {"object": "type:things.title", "why": "x", "sql": "character varying(20)"},
            {"object": "type:things.mood", "why": "an enum\nof its own", "sql": "mood"},
            {"object": "column:things.lower", "why": "x", "sql": "lower(title)"},
            {"object": "on_update:things.things_title_fkey", "why": "x",
             "sql": "ON UPDATE CASCADE DEFERRABLE"},
            {"object": "index:by_lower", "why": "x",
             "sql": "CREATE INDEX by_lower ON public.things (lower(title))"},
            {"object": "trigger:t", "why": "its function", "sql": "CREATE TRIGGER t\nBEFORE"},
        ]}))
        .unwrap();
        let table = Table {
            own: &own,
            definition: &definition,
            dialect: Dialect::Postgres,
        };
        assert_eq!(
            table.create(),
            "\n-- left out: type:things.mood: an enum of its own\n--     mood\n\
             -- left out: trigger:t: its function\n--     CREATE TRIGGER t\n--     BEFORE\n\
             CREATE TABLE \"things\" (\n  \"title\" character varying(20),\n  \"mood\" text,\n  \
             \"lower\" text GENERATED ALWAYS AS (lower(title)) STORED,\n  \
             \"id\" bigint GENERATED ALWAYS AS IDENTITY,\n  \
             CONSTRAINT \"short\" CHECK (length(title) < 9)\n);\n"
        );
        assert_eq!(
            table.finish(),
            "CREATE UNIQUE INDEX \"by_title\" ON \"things\" (\"title\");\n\
             CREATE INDEX by_lower ON public.things (lower(title));\n\
             ALTER TABLE \"things\" ADD FOREIGN KEY (\"title\") REFERENCES \"titles\" (\"id\") \
             ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE;\n\
             SELECT setval(pg_get_serial_sequence('\"things\"', 'id'), max(\"id\")) FROM \"things\";\n"
        );
        assert!(table.insert().contains("\"id\") OVERRIDING SYSTEM VALUE"));
        assert!(!table.insert().contains("lower"));
    }

    #[test]
    fn a_view_comes_after_those_that_it_reads() {
        let view = |name: &str, sql: &str| LeftOut {
            object: format!("view:{name}"),
            why: String::new(),
            sql: Some(sql.to_owned()),
        };
        let all = [view("a", "SELECT 1 FROM zed;"), view("zed", "SELECT 1;")];
        assert_eq!(
            views(&all, Dialect::Postgres),
            "CREATE VIEW \"zed\" AS SELECT 1;\nCREATE VIEW \"a\" AS SELECT 1 FROM zed;\n"
        );
    }
}
