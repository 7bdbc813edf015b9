//! TypeScript types of tables, in the shape that supabase-js and postgrest-js
//! take as `Database`.

use atlashub_core::capability::database::{Column, ColumnKind, Table, TableKind};
use std::fmt::Write as _;

const HEAD: &str = "\
// Made by AtlasHub from the project's tables; make it again after they change.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

";

/// The types of these tables.
pub(super) fn of(tables: &[Table]) -> String {
    let mut text = String::from(HEAD);
    text.push_str("export interface Database {\n  public: {\n");
    for (group, kind) in [("Tables", TableKind::Table), ("Views", TableKind::View)] {
        let mut of_kind = tables.iter().filter(|table| table.kind == kind).peekable();
        if of_kind.peek().is_none() {
            let _ = writeln!(text, "    {group}: {{ [name in never]: never }};");
            continue;
        }
        let _ = writeln!(text, "    {group}: {{");
        for table in of_kind {
            write_table(&mut text, table);
        }
        text.push_str("    };\n");
    }
    for group in ["Functions", "Enums", "CompositeTypes"] {
        let _ = writeln!(text, "    {group}: {{ [name in never]: never }};");
    }
    text.push_str("  };\n}\n");
    text
}

fn write_table(text: &mut String, table: &Table) {
    let _ = writeln!(text, "      {}: {{", key(&table.name));
    write_columns(text, "Row", table, |column| Some((false, type_of(column))));
    if table.kind == TableKind::Table {
        write_columns(text, "Insert", table, |column| {
            let optional = column.nullable || column.default.is_some() || is_row_id(table, column);
            settable(column).map(|written| (optional, written))
        });
        write_columns(text, "Update", table, |column| {
            settable(column).map(|written| (true, written))
        });
    }
    if table.foreign_keys.is_empty() {
        text.push_str("        Relationships: [];\n");
    } else {
        text.push_str("        Relationships: [\n");
        for foreign in &table.foreign_keys {
            let one =
                foreign.columns == table.primary_key || table.unique.contains(&foreign.columns);
            let _ = writeln!(
                text,
                "          {{\n            foreignKeyName: {};\n            columns: {};\n            \
                 isOneToOne: {one};\n            referencedRelation: {};\n            \
                 referencedColumns: {};\n          }},",
                literal(&foreign.name),
                tuple(&foreign.columns),
                literal(&foreign.table),
                tuple(&foreign.references),
            );
        }
        text.push_str("        ];\n");
    }
    text.push_str("      };\n");
}

fn write_columns(
    text: &mut String,
    name: &str,
    table: &Table,
    shown: impl Fn(&Column) -> Option<(bool, String)>,
) {
    let _ = writeln!(text, "        {name}: {{");
    for column in &table.columns {
        if let Some((optional, written)) = shown(column) {
            let mark = if optional { "?" } else { "" };
            let _ = writeln!(text, "          {}{mark}: {written};", key(&column.name));
        }
    }
    text.push_str("        };\n");
}

/// Whether it is SQLite's own number of a row, which needs no value.
fn is_row_id(table: &Table, column: &Column) -> bool {
    table.primary_key == [column.name.as_str()] && column.data_type.eq_ignore_ascii_case("integer")
}

fn settable(column: &Column) -> Option<String> {
    (!column.generated).then(|| type_of(column))
}

fn type_of(column: &Column) -> String {
    let plain = match column.kind {
        ColumnKind::Integer | ColumnKind::Real | ColumnKind::Numeric => "number",
        ColumnKind::Boolean => "boolean",
        ColumnKind::Json => "Json",
        ColumnKind::Array => array_of(&column.data_type),
        ColumnKind::Other => "unknown",
        ColumnKind::Text
        | ColumnKind::Timestamp
        | ColumnKind::Date
        | ColumnKind::Time
        | ColumnKind::Uuid
        | ColumnKind::Bytes => "string",
    };
    if column.nullable && plain != "Json" && plain != "unknown" {
        return format!("{plain} | null");
    }
    if column.nullable && plain == "Json" {
        return "Json | null".to_owned();
    }
    plain.to_owned()
}

fn array_of(data_type: &str) -> &'static str {
    match data_type.trim_end_matches("[]") {
        "boolean" => "boolean[]",
        "json" | "jsonb" => "Json[]",
        "smallint" | "integer" | "bigint" | "real" | "double precision" => "number[]",
        numeric if numeric.starts_with("numeric") => "number[]",
        _ => "string[]",
    }
}

/// A name as a property: quoted where it has to be.
fn key(name: &str) -> String {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$');
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    if begins && name.chars().all(plain) {
        name.to_owned()
    } else {
        literal(name)
    }
}

/// JSON's strings are TypeScript's.
fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn tuple(names: &[String]) -> String {
    let each: Vec<String> = names.iter().map(|name| literal(name)).collect();
    format!("[{}]", each.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use atlashub_core::capability::database::{Audience, ForeignKey};

    fn column(name: &str, kind: ColumnKind, nullable: bool, default: Option<&str>) -> Column {
        Column {
            name: name.to_owned(),
            data_type: "text".to_owned(),
            kind,
            nullable,
            default: default.map(str::to_owned),
            generated: name == "made",
        }
    }

    #[test]
    fn a_table_becomes_row_insert_update_and_relationships() {
        let table = Table {
            name: "to\"dos".to_owned(),
            kind: TableKind::Table,
            columns: vec![
                column("id", ColumnKind::Uuid, false, Some("gen_random_uuid()")),
                column("owner", ColumnKind::Integer, true, None),
                column("a title", ColumnKind::Text, false, None),
                column("made", ColumnKind::Timestamp, false, None),
            ],
            primary_key: vec!["id".to_owned()],
            unique: vec![vec!["owner".to_owned()]],
            foreign_keys: vec![ForeignKey {
                name: "owner_fkey".to_owned(),
                columns: vec!["owner".to_owned()],
                table: "people".to_owned(),
                references: vec!["id".to_owned()],
            }],
            audience: Audience::nobody(),
        };
        let text = of(&[table]);
        let from = text.find("    Tables").unwrap();
        let shown = &text[from..text.find("    Functions").unwrap()];
        assert_eq!(
            shown,
            r#"    Tables: {
      "to\"dos": {
        Row: {
          id: string;
          owner: number | null;
          "a title": string;
          made: string;
        };
        Insert: {
          id?: string;
          owner?: number | null;
          "a title": string;
        };
        Update: {
          id?: string;
          owner?: number | null;
          "a title"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "owner_fkey";
            columns: ["owner"];
            isOneToOne: true;
            referencedRelation: "people";
            referencedColumns: ["id"];
          },
        ];
      };
    };
    Views: { [name in never]: never };
"#
        );
    }

    #[test]
    fn without_tables_there_are_none() {
        let text = of(&[]);
        assert!(text.contains("Tables: { [name in never]: never };"));
        assert!(text.ends_with("  };\n}\n"));
    }
}
