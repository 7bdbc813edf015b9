//! The part of a project's description that its plugins wrote: their paths as
//! clients write them, their schemas under names of their own.

use atlashub_core::{
    Error, Result,
    manifest::below,
    openapi::{Document, Operation, PROBLEM, Parameter, Place, SCHEMAS, variables},
};
use serde_json::{Map, Value, json};

/// Where a plugin answers, and what it says of it.
pub(super) struct Described<'a> {
    /// The plugin.
    pub(super) plugin: &'a str,
    /// What the addresses of clients begin with.
    pub(super) path: &'a str,
    /// What the plugin sees in its place.
    pub(super) seen: &'a str,
    /// What it says of its routes.
    pub(super) document: Option<&'a Document>,
}

impl Described<'_> {
    /// Adds what the plugin says of this mount to what others said: what is
    /// there already stays, since a mount that is asked first comes first.
    /// Says whether there was anything.
    pub(super) fn add(&self, paths: &mut Map<String, Value>) -> Result<bool> {
        let mut is_any = false;
        for (path, item) in self.document.iter().flat_map(|document| &document.paths) {
            let Some(address) = self.address(path) else {
                continue;
            };
            for (method, operation) in item.operations() {
                if operation.internal {
                    continue;
                }
                is_any = true;
                let described = self.operation(&address, &item.parameters, operation)?;
                let item = paths.entry(address.clone()).or_insert_with(|| json!({}));
                let (item, name) = if STANDARD.contains(&method) {
                    (Some(item), method.to_lowercase())
                } else {
                    let others = item
                        .as_object_mut()
                        .map(|item| item.entry("x-operations").or_insert_with(|| json!({})));
                    (others, method.to_owned())
                };
                if let Some(item) = item.and_then(Value::as_object_mut) {
                    item.entry(name).or_insert(described);
                }
            }
        }
        Ok(is_any)
    }

    /// Adds the schemas that its operations refer to.
    pub(super) fn add_schemas(&self, schemas: &mut Map<String, Value>) {
        let own = self
            .document
            .iter()
            .flat_map(|document| &document.components.schemas);
        for (name, schema) in own {
            let mut schema = schema.clone();
            self.rename(&mut schema);
            schemas.insert(format!("{}.{name}", self.plugin), schema);
        }
    }

    /// The path as clients write it, if this mount covers it.
    fn address(&self, path: &str) -> Option<String> {
        let (rest, any) = below(self.seen, path)?;
        let mut any = any.into_iter();
        let mut address: String = self
            .path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| match segment {
                "*" => any.next().unwrap_or("{segment}"),
                plain => plain,
            })
            .flat_map(|segment| ["/", segment])
            .collect();
        // What a plugin that sees no more calls `/` is the mount itself.
        if rest != "/" || self.seen != "/" || address.is_empty() {
            address.push_str(rest);
        }
        Some(address)
    }

    fn operation(
        &self,
        address: &str,
        common: &[Parameter],
        operation: &Operation,
    ) -> Result<Value> {
        let mut operation = operation.clone();
        for parameter in common {
            let is_same =
                |own: &Parameter| own.name == parameter.name && own.r#in == parameter.r#in;
            if !operation.parameters.iter().any(is_same) {
                operation.parameters.push(parameter.clone());
            }
        }
        for name in variables(address) {
            let is_it = |own: &Parameter| own.name == name && own.r#in == Place::Path;
            if !operation.parameters.iter().any(is_it) {
                operation.parameters.push(Parameter::variable(name));
            }
        }
        let mut value = serde_json::to_value(&operation)
            .map_err(|error| Error::internal("describe an operation", error))?;
        self.rename(&mut value);
        if let Some(members) = value.as_object_mut() {
            if let Some(name) = operation.operation_id {
                members.insert(
                    "operationId".to_owned(),
                    json!(format!("{}_{name}", self.plugin)),
                );
            }
            members.insert("tags".to_owned(), json!([self.plugin]));
            if let Some(answers) = members.get_mut("responses").and_then(Value::as_object_mut) {
                answers.entry("default").or_insert_with(problem);
            }
        }
        Ok(value)
    }

    /// Lets references lead to the plugin's schemas among all.
    fn rename(&self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::String(text) if name == "$ref" => {
                            let own = text.strip_prefix(SCHEMAS).filter(|own| *own != PROBLEM);
                            if let Some(own) = own {
                                *text = format!("{SCHEMAS}{}.{own}", self.plugin);
                            }
                        }
                        other => self.rename(other),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.rename(item)),
            _ => {}
        }
    }
}

/// The methods that a description has a place of their own for.
const STANDARD: &[&str] = &[
    "GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE",
];

/// What an operation answers when it cannot.
pub(super) fn problem() -> Value {
    json!({
        "description": "What went wrong",
        "content": {
            "application/problem+json": {
                "schema": { "$ref": format!("{SCHEMAS}{PROBLEM}") },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTES: &str = r##"
        [paths."/files/{file}/notes/{id}".get]
        summary = "A note"
        operationId = "note"
        parameters = [{ name = "id", in = "path", required = true, schema = { type = "integer" } }]
        security = []
        responses.200 = { description = "it", content."application/json".schema."$ref" = "#/components/schemas/Note" }
        [paths."/files/{file}/notes".x-operations.SEARCH]
        responses.default.description = "any"
        [paths."/told".post]
        x-internal = true
        responses.200.description = "done"
        [components.schemas.Note]
        properties.next."$ref" = "#/components/schemas/Note"
    "##;

    fn paths_at(path: &str, seen: &str) -> Map<String, Value> {
        let document = Document::from_toml(NOTES).unwrap();
        let mount = Described {
            plugin: "notes",
            path,
            seen,
            document: Some(&document),
        };
        let mut paths = Map::new();
        assert!(mount.add(&mut paths).unwrap());
        let mut schemas = Map::new();
        mount.add_schemas(&mut schemas);
        assert_eq!(
            schemas["notes.Note"]["properties"]["next"]["$ref"],
            "#/components/schemas/notes.Note"
        );
        paths
    }

    #[test]
    fn a_plugins_paths_are_told_where_it_is_mounted() {
        let paths = paths_at("/files/*/notes", "/files/*/notes");
        let names: Vec<_> = paths.keys().collect();
        assert_eq!(names, ["/files/{file}/notes", "/files/{file}/notes/{id}"]);
        let note = &paths["/files/{file}/notes/{id}"]["get"];
        assert_eq!(note["operationId"], "notes_note");
        assert_eq!(note["tags"], json!(["notes"]));
        assert_eq!(note["security"], json!([]));
        assert_eq!(note["parameters"][0]["schema"]["type"], "integer");
        assert_eq!(note["parameters"][1]["name"], "file");
        assert_eq!(
            note["responses"]["200"]["content"]["application/json"]["schema"]["$ref"],
            "#/components/schemas/notes.Note"
        );
        assert!(note["responses"]["default"]["content"].is_object());
        assert!(paths["/files/{file}/notes"]["x-operations"]["SEARCH"].is_object());

        let elsewhere = paths_at("/archive/*/of", "/files/*/notes");
        let names: Vec<_> = elsewhere.keys().collect();
        assert_eq!(names, ["/archive/{file}/of", "/archive/{file}/of/{id}"]);
        let slash =
            Document::from_toml("[paths.\"/notes/\".get]\nresponses.200.description = \"\"\n");
        let slash = slash.unwrap();
        let mut with_slash = Map::new();
        for (path, seen) in [("/notes", "/notes"), ("/", "/")] {
            let mount = Described {
                plugin: "notes",
                path,
                seen,
                document: Some(&slash),
            };
            assert!(mount.add(&mut with_slash).unwrap());
        }
        assert_eq!(with_slash.keys().collect::<Vec<_>>(), ["/notes/"]);
        let stripped = paths_at("/n", "/");
        assert!(stripped.contains_key("/n/files/{file}/notes"));
        assert!(!stripped.contains_key("/n/told"));
    }

    #[test]
    fn what_is_asked_first_is_told() {
        let document = Document::from_toml(NOTES).unwrap();
        let mount = |plugin| Described {
            plugin,
            path: "/",
            seen: "/",
            document: Some(&document),
        };
        let mut paths = Map::new();
        assert!(mount("first").add(&mut paths).unwrap());
        assert!(mount("second").add(&mut paths).unwrap());
        let tags = &paths["/files/{file}/notes/{id}"]["get"]["tags"];
        assert_eq!(*tags, json!(["first"]));
        let bare = Described {
            document: None,
            ..mount("bare")
        };
        assert!(!bare.add(&mut paths).unwrap());
    }
}
