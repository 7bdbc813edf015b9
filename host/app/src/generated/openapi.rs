//! The description (OpenAPI 3.1) of a project's interface.

use super::plugins::{self, Described};
use atlashub_core::{
    Result,
    capability::database::{Column, ColumnKind, Table, TableKind},
    openapi::{PROBLEM, variables},
};
use serde_json::{Map, Value, json};

/// What begins the addresses of tables.
const DB: &str = "/v1/db";

/// The description of a project at `url` with these tables and mounts of
/// plugins, those that are asked first before others.
///
/// # Errors
/// When an operation cannot be written as JSON.
pub(super) fn of(
    slug: &str,
    url: &str,
    tables: &[Table],
    mounts: &[Described<'_>],
) -> Result<Value> {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    schemas.insert(PROBLEM.to_owned(), problem());
    for table in tables {
        add_table(&mut paths, &mut schemas, table);
    }
    for mount in mounts {
        mount.add_schemas(&mut schemas);
        let tables_tell = !tables.is_empty() && mount.path == DB;
        if !mount.add(&mut paths)? && !tables_tell {
            let path = mount.path.trim_end_matches('/').replace('*', "{any}");
            paths.insert(format!("{path}/{{path}}"), mounted(&path, mount.plugin));
        }
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": slug,
            "description": "What this project offers.",
            "version": "1",
        },
        "servers": [{ "url": url }],
        "security": [{ "key": [] }, { "user": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {
                    "type": "apiKey", "in": "header", "name": "x-api-key",
                    "description": "A key of the project; where `secret` is needed, a secret one",
                },
                "user": {
                    "type": "http", "scheme": "bearer",
                    "description": "A user's access token; what is needed are permissions",
                },
                "basic": {
                    "type": "http", "scheme": "basic",
                    "description": "A user's address and an app password",
                },
            },
        },
    }))
}

fn add_table(paths: &mut Map<String, Value>, schemas: &mut Map<String, Value>, table: &Table) {
    let name = table.name.as_str();
    // No plugin has capital letters in its name, so that theirs are others.
    let component = format!("Table.{}", component_of(name));
    let row = json!({ "$ref": format!("#/components/schemas/{component}") });
    schemas.insert(component.clone(), row_schema(table));
    let rows = json!({
        "type": "object",
        "properties": { "rows": { "type": "array", "items": row } },
        "required": ["rows"],
    });
    let mut filters = vec![
        query(
            "select",
            "Columns between commas; all unless given",
            json!({ "type": "string" }),
        ),
        query(
            "order",
            "`<column>.asc` or `<column>.desc`",
            json!({ "type": "string" }),
        ),
        query(
            "limit",
            "How many rows",
            json!({ "type": "integer", "default": 100, "maximum": 1000 }),
        ),
        query(
            "offset",
            "How many rows before them",
            json!({ "type": "integer", "default": 0 }),
        ),
        query(
            "count",
            "Whether all are counted",
            json!({ "enum": ["exact"] }),
        ),
    ];
    let conditions: Vec<Value> = table.columns.iter().map(condition).collect();
    filters.extend(conditions.clone());
    let mut item = json!({
        "get": operation(name, "read", "Reads rows", filters, None, rows.clone()),
    });
    if table.kind == TableKind::Table {
        let new_rows = json!({
            "type": "object",
            "properties": { "rows": { "type": "array", "items": new_row(table) } },
            "required": ["rows"],
        });
        let mut values = new_row(table);
        if let Some(values) = values.as_object_mut() {
            values.remove("required");
        }
        let values = json!({
            "type": "object",
            "properties": { "values": values },
            "required": ["values"],
        });
        if let Some(item) = item.as_object_mut() {
            let add = operation(
                name,
                "insert",
                "Adds rows",
                Vec::new(),
                Some(new_rows),
                rows.clone(),
            );
            item.insert("post".to_owned(), add);
            let change = operation(
                name,
                "update",
                "Changes rows; a condition is needed",
                conditions.clone(),
                Some(values),
                rows.clone(),
            );
            item.insert("patch".to_owned(), change);
            let remove = operation(
                name,
                "delete",
                "Removes rows; a condition is needed",
                conditions,
                None,
                rows,
            );
            item.insert("delete".to_owned(), remove);
        }
    }
    paths.insert(format!("{DB}/{}", escaped(name)), item);
}

fn operation(
    table: &str,
    verb: &str,
    summary: &str,
    parameters: Vec<Value>,
    body: Option<Value>,
    answer: Value,
) -> Value {
    let mut operation = json!({
        "operationId": format!("{verb}_{}", component_of(table)),
        "summary": summary,
        "tags": [table],
        "parameters": parameters,
        "responses": {
            (if verb == "insert" { "201" } else { "200" }): {
                "description": "The rows",
                "content": { "application/json": { "schema": answer } },
            },
            "default": plugins::problem(),
        },
    });
    if let (Some(body), Some(members)) = (body, operation.as_object_mut()) {
        let body = json!({
            "required": true,
            "content": { "application/json": { "schema": body } },
        });
        members.insert("requestBody".to_owned(), body);
    }
    operation
}

fn query(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

fn condition(column: &Column) -> Value {
    query(
        &format!("eq.{}", column.name),
        "Rows with this value; also `neq.`, `lt.`, `lte.`, `gt.`, `gte.`, `like.`, `ilike.`, `in.`",
        json!({ "type": "string" }),
    )
}

/// What a client sends of a row.
fn new_row(table: &Table) -> Value {
    let settable = || table.columns.iter().filter(|column| !column.generated);
    let properties: Map<String, Value> = settable()
        .map(|column| (column.name.clone(), column_schema(column)))
        .collect();
    let required: Vec<&str> = settable()
        .filter(|column| !column.nullable && column.default.is_none())
        .filter(|column| table.primary_key != [column.name.as_str()])
        .map(|column| column.name.as_str())
        .collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn row_schema(table: &Table) -> Value {
    let properties: Map<String, Value> = table
        .columns
        .iter()
        .map(|column| (column.name.clone(), column_schema(column)))
        .collect();
    json!({ "type": "object", "properties": properties })
}

fn column_schema(column: &Column) -> Value {
    let (kind, format) = match column.kind {
        ColumnKind::Integer => ("integer", Some("int64")),
        ColumnKind::Real => ("number", Some("double")),
        ColumnKind::Numeric => ("number", None),
        ColumnKind::Boolean => ("boolean", None),
        ColumnKind::Timestamp => ("string", Some("date-time")),
        ColumnKind::Date => ("string", Some("date")),
        ColumnKind::Time => ("string", Some("time")),
        ColumnKind::Uuid => ("string", Some("uuid")),
        ColumnKind::Text | ColumnKind::Bytes => ("string", None),
        ColumnKind::Array => ("array", None),
        // Anything.
        ColumnKind::Json | ColumnKind::Other => return json!({}),
    };
    let mut schema = Map::new();
    let kind = if column.nullable {
        json!([kind, "null"])
    } else {
        json!(kind)
    };
    schema.insert("type".to_owned(), kind);
    if let Some(format) = format {
        schema.insert("format".to_owned(), json!(format));
    }
    Value::Object(schema)
}

fn mounted(path: &str, plugin: &str) -> Value {
    let parameters: Vec<Value> = variables(path)
        .chain(["path"])
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    json!({
        "parameters": parameters,
        "get": {
            "summary": format!("Answered by the plugin `{plugin}`, as are other methods"),
            "tags": [plugin],
            "responses": { "default": { "description": "What the plugin answers" } },
        },
    })
}

/// RFC 9457.
fn problem() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "properties": {
            "type": text, "title": text, "status": { "type": "integer" }, "detail": text,
            "message": text, "code": text, "request_id": text,
        },
    })
}

/// A name as components may have one: others are written in hexadecimal.
fn component_of(name: &str) -> String {
    let mut component = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            component.push(c);
        } else {
            component.push_str(&format!("-{:x}.", u32::from(c)));
        }
    }
    component
}

/// A name as a segment of a path (RFC 3986).
fn escaped(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC)
        .to_string()
        .replace("%5F", "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use atlashub_core::capability::database::Audience;

    fn todos(kind: TableKind) -> Table {
        let column = |name: &str, kind, nullable| Column {
            name: name.to_owned(),
            data_type: String::new(),
            kind,
            nullable,
            default: None,
            generated: false,
        };
        Table {
            name: "to/dos".to_owned(),
            kind,
            columns: vec![
                column("id", ColumnKind::Integer, false),
                column("title", ColumnKind::Text, false),
                column("at", ColumnKind::Timestamp, true),
            ],
            primary_key: vec!["id".to_owned()],
            unique: Vec::new(),
            foreign_keys: Vec::new(),
            audience: Audience::nobody(),
        }
    }

    #[test]
    fn a_table_has_its_operations_and_a_view_is_read() {
        let mount = |plugin, path| Described {
            plugin,
            path,
            seen: path,
            document: None,
        };
        let mounts = [
            mount("notes", "/files/*/notes"),
            mount("files", "/files"),
            mount("db", "/v1/db"),
        ];
        let tables = [todos(TableKind::Table)];
        let document = of("demo", "https://x/p/demo", &tables, &mounts).unwrap();
        let path = &document["paths"]["/v1/db/to%2Fdos"];
        for method in ["get", "post", "patch", "delete"] {
            assert!(path[method]["responses"]["default"].is_object(), "{method}");
        }
        let body = &path["post"]["requestBody"]["content"]["application/json"]["schema"];
        let required = &body["properties"]["rows"]["items"]["required"];
        assert_eq!(*required, json!(["title"]));
        let row = &document["components"]["schemas"]["Table.to-2f.dos"]["properties"];
        assert_eq!(
            row["at"],
            json!({"type": ["string", "null"], "format": "date-time"})
        );
        assert!(document["paths"]["/files/{path}"].is_object());
        assert!(document["paths"]["/v1/db/{path}"].is_null());
        let notes = &document["paths"]["/files/{any}/notes/{path}"]["parameters"];
        assert_eq!(
            (&notes[0]["name"], &notes[1]["name"]),
            (&json!("any"), &json!("path"))
        );
        let tables = [todos(TableKind::View)];
        let view = of("demo", "https://x/p/demo", &tables, &[]).unwrap();
        let path = view["paths"]["/v1/db/to%2Fdos"].as_object().unwrap();
        assert_eq!(path.keys().collect::<Vec<_>>(), ["get"]);
    }
}
