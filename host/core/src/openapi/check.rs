//! Whether a plugin's description holds together. What is said in it is shown
//! to people and handed to tools, so it is held to what they expect.

use super::{Document, Media, Operation, PROBLEM, Parameter, Place, SCHEMAS, invalid};
use crate::{
    Manifest, Result,
    manifest::{Route, below},
    permission,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most operations of a plugin.
const MAX_OPERATIONS: usize = 500;
/// Longest summary, characters.
const MAX_SUMMARY: usize = 200;
/// Longest description, characters.
const MAX_DESCRIPTION: usize = 4000;
/// Longest name of anything, bytes.
const MAX_NAME: usize = 100;
/// Most names in one place: parameters, answers, media types.
const MAX_NAMES: usize = 100;
/// Deepest schema.
const MAX_DEPTH: usize = 32;
/// Members of a schema whose own members are names, not words of JSON Schema.
const NAMED: &[&str] = &[
    "properties",
    "patternProperties",
    "dependentSchemas",
    "$defs",
];
/// Members of a schema that are any data.
const DATA: &[&str] = &["example", "examples", "default", "const", "enum"];
/// Words of JSON Schema by which a text elsewhere would count.
const REFUSED: &[&str] = &[
    "$id",
    "$schema",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$vocabulary",
    "discriminator",
    "externalDocs",
];

pub(super) fn document(document: &Document, manifest: &Manifest) -> Result<()> {
    if !(document.openapi == "3.1" || document.openapi.starts_with("3.1.")) {
        return Err(invalid("`openapi` must be 3.1"));
    }
    if document.operations().count() > MAX_OPERATIONS {
        return Err(invalid(format!(
            "a plugin describes at most {MAX_OPERATIONS} operations"
        )));
    }
    let schemas = &document.components.schemas;
    for (name, schema) in schemas {
        let place = format!("the schema `{}`", shown(name));
        if !is_name(name) || name == PROBLEM {
            return Err(invalid(format!(
                "{place} needs a name of letters, digits, `_` and `-`; `{PROBLEM}` is the host's own"
            )));
        }
        self::schema(schema, schemas, &place)?;
    }
    let mut names = BTreeSet::new();
    for (path, item) in &document.paths {
        let variables = template(path)?;
        for (method, operation) in item.operations() {
            let at = At {
                place: format!("{method} {path}"),
                path,
                manifest,
                schemas,
            };
            if !is_method(method) {
                return Err(at.invalid("a method has capital letters only"));
            }
            at.mounted(operation)?;
            at.texts(operation)?;
            at.parameters(&item.parameters, operation, &variables)?;
            at.bodies(operation)?;
            at.callers(operation)?;
            if let Some(name) = &operation.operation_id
                && (!is_name(name) || !names.insert(name))
            {
                return Err(at.invalid(
                    "`operationId` has letters, digits, `_` and `-`, and each is used once",
                ));
            }
        }
    }
    Ok(())
}

/// One operation.
struct At<'a> {
    /// What a refusal begins with.
    place: String,
    path: &'a str,
    manifest: &'a Manifest,
    schemas: &'a BTreeMap<String, Value>,
}

impl At<'_> {
    fn invalid(&self, message: &str) -> crate::Error {
        invalid(format!("{}: {message}", self.place))
    }

    /// The route that covers it.
    fn route(&self) -> Option<&Route> {
        self.manifest
            .routes
            .iter()
            .find(|route| route.strip || below(&route.path, self.path).is_some())
    }

    fn mounted(&self, operation: &Operation) -> Result<()> {
        match (self.route(), operation.internal) {
            (None, false) => Err(self.invalid(
                "no route of the manifest covers it; say `x-internal` if only plugins call it",
            )),
            (Some(_), true) => Err(self.invalid(
                "`x-internal` is for what no route covers, and a route of the manifest does",
            )),
            _ => Ok(()),
        }
    }

    fn texts(&self, operation: &Operation) -> Result<()> {
        let summary = &operation.summary;
        if summary.chars().count() > MAX_SUMMARY || summary.contains(char::is_control) {
            return Err(self.invalid(&format!(
                "a summary has at most {MAX_SUMMARY} characters, on one line"
            )));
        }
        self.long(&operation.description)
    }

    fn long(&self, text: &str) -> Result<()> {
        if text.chars().count() > MAX_DESCRIPTION {
            return Err(self.invalid(&format!(
                "a description has at most {MAX_DESCRIPTION} characters"
            )));
        }
        Ok(())
    }

    fn parameters(
        &self,
        common: &[Parameter],
        operation: &Operation,
        variables: &[&str],
    ) -> Result<()> {
        if common.len() + operation.parameters.len() > MAX_NAMES {
            return Err(self.invalid(&format!("at most {MAX_NAMES} parameters are taken")));
        }
        for parameters in [common, &operation.parameters] {
            let mut seen = BTreeSet::new();
            for parameter in parameters {
                let name = &parameter.name;
                let told = format!("the parameter `{}`", shown(name));
                if name.is_empty() || name.len() > MAX_NAME || name.contains(char::is_control) {
                    return Err(self.invalid(&format!("{told} needs a shorter name")));
                }
                if !seen.insert((parameter.r#in, name)) {
                    return Err(self.invalid(&format!("{told} stands there twice")));
                }
                let in_path = parameter.r#in == Place::Path;
                if in_path && !(parameter.required && variables.contains(&name.as_str())) {
                    return Err(self.invalid(&format!(
                        "{told} stands in the path: it must be `required`, and `{{{}}}` in the path",
                        shown(name)
                    )));
                }
                if parameter.multi_segment && !(in_path && variables.last() == Some(&name.as_str()))
                {
                    return Err(self.invalid(&format!(
                        "{told}: only the last variable of a path has many segments"
                    )));
                }
                self.long(&parameter.description)?;
                self.schema(&parameter.schema)?;
            }
        }
        Ok(())
    }

    fn bodies(&self, operation: &Operation) -> Result<()> {
        if let Some(body) = &operation.request_body {
            self.long(&body.description)?;
            if body.content.is_empty() {
                return Err(self.invalid("`requestBody` needs a media type in `content`"));
            }
            self.content(&body.content)?;
        }
        let responses = &operation.responses;
        if responses.is_empty() || responses.len() > MAX_NAMES {
            return Err(self.invalid(&format!(
                "`responses` has 1 to {MAX_NAMES} answers, by their status"
            )));
        }
        for (status, response) in responses {
            if !is_status(status) {
                return Err(self.invalid(&format!(
                    "`{}` is no status: answers stand under `200`, `2XX` or `default`",
                    shown(status)
                )));
            }
            self.long(&response.description)?;
            self.content(&response.content)?;
            for (name, header) in &response.headers {
                if http::HeaderName::try_from(name.as_str()).is_err() || name.len() > MAX_NAME {
                    return Err(
                        self.invalid(&format!("`{}` is no header field's name", shown(name)))
                    );
                }
                self.long(&header.description)?;
                self.schema(&header.schema)?;
            }
        }
        Ok(())
    }

    fn content(&self, content: &BTreeMap<String, Media>) -> Result<()> {
        if content.len() > MAX_NAMES {
            return Err(self.invalid(&format!("at most {MAX_NAMES} media types are taken")));
        }
        for (kind, media) in content {
            let is_kind = kind.len() <= MAX_NAME
                && kind.split_once('/').is_some_and(|(left, right)| {
                    !left.is_empty()
                        && !right.is_empty()
                        && kind.bytes().all(|b| b.is_ascii_graphic())
                });
            if !is_kind {
                return Err(self.invalid(&format!("`{}` is no media type", shown(kind))));
            }
            if let Some(schema) = &media.schema {
                self.schema(schema)?;
            }
        }
        Ok(())
    }

    fn schema(&self, value: &Value) -> Result<()> {
        schema(value, self.schemas, &self.place)
    }

    /// Who may call, in the host's own words.
    fn callers(&self, operation: &Operation) -> Result<()> {
        let wishes = operation.security.as_deref().unwrap_or_default();
        if wishes.len() > MAX_NAMES {
            return Err(self.invalid(&format!("`security` has at most {MAX_NAMES} ways in")));
        }
        for (scheme, needs) in wishes.iter().flatten() {
            let is_right = match scheme.as_str() {
                "key" => needs.iter().all(|need| need == "secret"),
                "user" => needs.iter().all(|need| self.is_permission(need)),
                "basic" => needs.is_empty() && self.route().is_some_and(|route| route.basic),
                _ => false,
            };
            if !is_right || needs.len() > MAX_NAMES {
                return Err(self.invalid(&format!(
                    "`security` cannot say `{}`: the ways in are `user` with permissions that are \
                     declared, `key` with `secret` or nothing, and `basic` where the route takes it",
                    shown(scheme)
                )));
            }
        }
        Ok(())
    }

    /// Whether it is a permission that this plugin declares, or one of another
    /// plugin, of which nothing is known.
    fn is_permission(&self, text: &str) -> bool {
        permission::parse(text).is_some_and(|(plugin, action)| {
            plugin != self.manifest.name || self.manifest.permission(action).is_some()
        })
    }
}

/// The variables of a path, which is absolute and has whole segments.
fn template(path: &str) -> Result<Vec<&str>> {
    let refused = || {
        invalid(format!(
            "the path `{}` must start with `/` and have plain segments, or `{{name}}` for any one",
            shown(path)
        ))
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    let rest = path.strip_prefix('/').ok_or_else(refused)?;
    let mut variables = Vec::new();
    for segment in rest.split('/') {
        let name = super::variable(segment);
        let is_right = match name {
            Some(name) => is_name(name) && !variables.contains(&name),
            None => segment != "." && segment != ".." && segment.chars().all(plain),
        };
        if !is_right || path.len() > 500 || path.contains("//") {
            return Err(refused());
        }
        variables.extend(name);
    }
    Ok(variables)
}

/// References lead to schemas of the document, and nothing leads out of it.
fn schema(value: &Value, schemas: &BTreeMap<String, Value>, place: &str) -> Result<()> {
    let mut open = vec![(value, false, 0_usize)];
    while let Some((value, is_named, depth)) = open.pop() {
        if depth > MAX_DEPTH {
            return Err(invalid(format!(
                "{place}: a schema is at most {MAX_DEPTH} deep"
            )));
        }
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let is_word = !is_named;
                    if is_word && REFUSED.contains(&name.as_str()) {
                        return Err(invalid(format!("{place}: `{name}` is not taken")));
                    }
                    if is_word && name == "$ref" {
                        reference(member, schemas, place)?;
                    }
                    if !(is_word && DATA.contains(&name.as_str())) {
                        let names = is_word && NAMED.contains(&name.as_str());
                        open.push((member, names, depth + 1));
                    }
                }
            }
            Value::Array(items) => {
                open.extend(items.iter().map(|item| (item, false, depth + 1)));
            }
            _ => {}
        }
    }
    Ok(())
}

fn reference(value: &Value, schemas: &BTreeMap<String, Value>, place: &str) -> Result<()> {
    let name = value.as_str().and_then(|text| text.strip_prefix(SCHEMAS));
    match name {
        Some(name) if name == PROBLEM || schemas.contains_key(name) => Ok(()),
        _ => Err(invalid(format!(
            "{place}: `$ref` leads to `{SCHEMAS}` and the name of a schema that is there"
        ))),
    }
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn is_method(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}

fn is_status(text: &str) -> bool {
    let mut bytes = text.bytes();
    text == "default"
        || text.len() == 3
            && bytes
                .next()
                .is_some_and(|first| (b'1'..=b'5').contains(&first))
            && (text.ends_with("XX") || bytes.all(|byte| byte.is_ascii_digit()))
}

/// So much of a text as a refusal repeats.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn manifest() -> Manifest {
        Manifest::from_toml(
            "name = \"notes\"\nversion = \"1.0.0\"\n[[routes]]\npath = \"/notes\"\n\
             [[routes]]\npath = \"/files/*/notes\"\nbasic = true\n\
             [[permissions]]\naction = \"read\"\ntitle = \"Read notes\"\n",
        )
        .unwrap()
    }

    fn check(text: &str) -> Result<()> {
        Document::from_toml(text)?.check(&manifest())
    }

    const ANSWER: &str = "responses.200.description = \"done\"\n";

    #[test]
    fn what_holds_together_is_taken_and_comes_back() {
        let text = r##"
            openapi = "3.1.0"
            info = { title = "Notes", version = "7" }
            [paths."/notes/{id}".get]
            summary = "A note"
            operationId = "note"
            tags = ["notes"]
            security = [{ user = ["notes:read", "files:read"] }, { key = ["secret"] }]
            parameters = [{ name = "id", in = "path", required = true, schema = { type = "integer" } }]
            responses.200 = { description = "it", content."application/json".schema."$ref" = "#/components/schemas/Note" }
            responses.4XX = { description = "not", content."application/problem+json".schema."$ref" = "#/components/schemas/Problem" }
            [paths."/files/{id}/notes".x-operations.SEARCH]
            security = [{ basic = [] }]
            responses.default.description = "any"
            [paths."/retell".post]
            x-internal = true
            responses.204.description = "done"
            [components.schemas.Note]
            type = "object"
            properties."$ref".type = "string"
            properties.next."$ref" = "#/components/schemas/Note"
            properties.text = { type = "string", default = { "$ref" = "data" } }
        "##;
        let document = Document::from_toml(text).unwrap();
        document.check(&manifest()).unwrap();
        let again = Document::from_json(&document.to_json().unwrap()).unwrap();
        assert_eq!(again, document);
        let told: Vec<_> = document
            .operations()
            .map(|(path, method, _)| format!("{method} {path}"))
            .collect();
        assert_eq!(
            told,
            [
                "SEARCH /files/{id}/notes",
                "GET /notes/{id}",
                "POST /retell"
            ]
        );
    }

    #[test]
    fn what_does_not_is_refused_with_the_place() {
        let at = |rest: &str| format!("[paths.\"/notes\".get]\n{ANSWER}{rest}\n");
        for (text, named) in [
            (format!("openapi = \"3.0.1\"\n{}", at("")), "3.1"),
            (at("sumary = \"typo\""), "sumary"),
            (format!("[paths.\"/others\".get]\n{ANSWER}"), "GET /others"),
            (format!("[paths.\"notes\".get]\n{ANSWER}"), "`notes`"),
            (format!("[paths.\"/notes/{{a}}x\".get]\n{ANSWER}"), "{a}x"),
            (
                format!("[paths.\"/notes/{{a}}/{{a}}\".get]\n{ANSWER}"),
                "{a}/{a}",
            ),
            (
                format!("[paths.\"/notes/..\".get]\n{ANSWER}"),
                "plain segments",
            ),
            (at("x-internal = true"), "x-internal"),
            ("[paths.\"/notes\".get]\n".to_owned(), "responses"),
            (at("responses.abc.description = \"\""), "`abc`"),
            (at("responses.600.description = \"\""), "`600`"),
            (at("security = [{ user = [\"notes:write\"] }]"), "`user`"),
            (at("security = [{ key = [\"root\"] }]"), "`key`"),
            (at("security = [{ basic = [] }]"), "`basic`"),
            (at("security = [{ oauth = [] }]"), "`oauth`"),
            (
                at("parameters = [{ name = \"id\", in = \"path\", required = true }]"),
                "the parameter `id`",
            ),
            (
                at(
                    "parameters = [{ name = \"q\", in = \"query\" }, { name = \"q\", in = \"query\" }]",
                ),
                "twice",
            ),
            (at("parameters = [{ name = \"q\", in = \"body\" }]"), "body"),
            (at("requestBody.content.json.schema = {}"), "`json`"),
            (
                at("requestBody.content.\"a/b\".schema.\"$ref\" = \"https://example.com/x\""),
                "`$ref`",
            ),
            (
                at("requestBody.content.\"a/b\".schema.\"$ref\" = \"#/components/schemas/None\""),
                "`$ref`",
            ),
            (
                at("requestBody.content.\"a/b\".schema.items.\"$id\" = \"https://example.com\""),
                "`$id`",
            ),
            (
                format!("{}[components.schemas.Problem]\n", at("")),
                "`Problem`",
            ),
            (
                format!(
                    "{}[paths.\"/notes/a\".get]\noperationId = \"a\"\n{ANSWER}",
                    at("operationId = \"a\"")
                ),
                "once",
            ),
            (
                format!("[paths.\"/notes\".x-operations.find]\n{ANSWER}"),
                "capital",
            ),
        ] {
            let error = check(&text).unwrap_err();
            assert_eq!(error.code(), "invalid_openapi", "{text}");
            assert!(
                error.message().contains(named),
                "{named}: {}",
                error.message()
            );
        }
    }

    #[test]
    fn a_description_is_bounded() {
        let long = format!("description = \"{}\"", "a".repeat(5000));
        let text = format!("[paths.\"/notes\".get]\n{ANSWER}{long}\n");
        assert!(check(&text).unwrap_err().message().contains("4000"));
        let mut deep = serde_json::json!({});
        for _ in 0..40 {
            deep = serde_json::json!({ "items": deep });
        }
        let document =
            serde_json::json!({ "paths": {}, "components": { "schemas": { "D": deep } } });
        let document = Document::from_json(&serde_json::to_vec(&document).unwrap()).unwrap();
        let error = document.check(&manifest()).unwrap_err();
        assert!(error.message().contains("32 deep"), "{}", error.message());
        let huge = vec![b' '; super::super::MAX_DOCUMENT_BYTES + 1];
        assert!(Document::from_json(&huge).is_err());
    }
}
