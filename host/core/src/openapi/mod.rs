//! What a plugin says of its routes: the part of an OpenAPI 3.1 document that
//! the host cannot know. Written as `openapi.toml` or `openapi.json` beside
//! the manifest; the build command puts it into the component's custom
//! section `atlashub:openapi` as JSON. The host makes one document of those
//! of all of a project's plugins.
//!
//! It is data for people and tools, and decides nothing: who may call a route
//! the plugin itself says when it is called. Bounded by
//! [`MAX_DOCUMENT_BYTES`] and by what an upload is checked for.

mod check;

use crate::{Error, Manifest, Result};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::Value;
use std::collections::BTreeMap;

/// Name of the custom section that carries the document as JSON.
pub const SECTION: &str = "atlashub:openapi";

/// Largest document that is read, bytes.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// What every reference begins with.
pub const SCHEMAS: &str = "#/components/schemas/";

/// The schema that the host adds to every document: RFC 9457.
pub const PROBLEM: &str = "Problem";

/// A plugin's description of its routes. Members of the standard that are
/// not of a plugin to say are read over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The version of the standard: 3.1 with any patch.
    #[serde(default = "standard")]
    pub openapi: String,
    /// Routes by their paths, as the plugin sees them. `{name}` stands for one
    /// segment.
    pub paths: BTreeMap<String, PathItem>,
    /// What the operations refer to.
    #[serde(default)]
    pub components: Components,
    #[serde(default, skip_serializing)]
    info: IgnoredAny,
    #[serde(default, skip_serializing)]
    servers: IgnoredAny,
    #[serde(default, skip_serializing)]
    tags: IgnoredAny,
}

fn standard() -> String {
    "3.1.0".to_owned()
}

/// Schemas by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Components {
    /// JSON Schema (draft 2020-12), which may refer to each other.
    #[serde(default)]
    pub schemas: BTreeMap<String, Value>,
    #[serde(default, skip_serializing, rename = "securitySchemes")]
    security_schemes: IgnoredAny,
}

/// What can be done at a path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathItem {
    /// Those of all operations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    get: Option<Operation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    put: Option<Operation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    post: Option<Operation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delete: Option<Operation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    options: Option<Operation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<Operation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patch: Option<Operation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Operation>,
    /// Methods that OpenAPI 3.1 has no name for, such as `PROPFIND`.
    #[serde(
        default,
        rename = "x-operations",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    others: BTreeMap<String, Operation>,
}

/// One method of one path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Operation {
    /// What it does, in a few words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// The same at length, Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its name, unique within the plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// What it takes beside the body. A variable of the path that is not
    /// among it is a string.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// The body it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_body: Option<RequestBody>,
    /// Answers by status, `4XX` or `default`. Unless there is a `default`, it
    /// is a problem document.
    #[serde(default)]
    pub responses: BTreeMap<String, Response>,
    /// Who may call it: any of these, nobody in particular when there is none,
    /// anybody of the project when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<Vec<BTreeMap<String, Vec<String>>>>,
    /// Whether it is on its way out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    /// Whether only other plugins can call it, as it is mounted nowhere.
    #[serde(
        default,
        rename = "x-internal",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub internal: bool,
    #[serde(default, skip_serializing)]
    tags: IgnoredAny,
}

/// A value outside of the body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub r#in: Place,
    /// What it means.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether it must be there; always, in a path.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// Whether it is on its way out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    /// How several values are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<String>,
    /// Whether each of several values has the name before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explode: Option<bool>,
    /// What it may be; a string unless something is said.
    #[serde(default = "text")]
    pub schema: Value,
    /// What it may look like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
    /// Whether it stands for any number of segments, as `{*name}` of a router
    /// does: OpenAPI has no word for it.
    #[serde(
        default,
        rename = "x-multi-segment",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub multi_segment: bool,
}

fn text() -> Value {
    serde_json::json!({ "type": "string" })
}

impl Parameter {
    /// A variable of the path of which nothing more is said.
    #[must_use]
    pub fn variable(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            r#in: Place::Path,
            description: String::new(),
            required: true,
            deprecated: false,
            style: None,
            explode: None,
            schema: text(),
            example: None,
            multi_segment: false,
        }
    }
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the standard's own words")]
pub enum Place {
    Path,
    Query,
    Header,
    Cookie,
}

/// A body that is taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestBody {
    /// What it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether it must be there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// By media type.
    pub content: BTreeMap<String, Media>,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// What it is.
    pub description: String,
    /// Header fields that matter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Header>,
    /// By media type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub content: BTreeMap<String, Media>,
}

/// A header field of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// What it means.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it may be; a string unless something is said.
    #[serde(default = "text")]
    pub schema: Value,
}

/// A body of one media type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// What it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// What it may look like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
    /// How parts of a form are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Value>,
}

impl Document {
    /// Reads a document written as TOML. [`Document::check`] is still to be
    /// asked.
    ///
    /// # Errors
    /// `invalid_openapi` with the place and what to change.
    pub fn from_toml(text: &str) -> Result<Self> {
        bounded(text.len())?;
        toml::from_str(text).map_err(|error| invalid(error.to_string().trim_end()))
    }

    /// Reads a document written as JSON. [`Document::check`] is still to be
    /// asked.
    ///
    /// # Errors
    /// `invalid_openapi` with the place and what to change.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        bounded(bytes.len())?;
        serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))
    }

    /// As JSON.
    ///
    /// # Errors
    /// `invalid_openapi` when it is too large.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self)
            .map_err(|error| Error::internal("write a description as JSON", error))?;
        bounded(json.len())?;
        Ok(json)
    }

    /// Whether it is one of the plugin with this manifest: all paths are
    /// covered by its routes, all references lead somewhere, and nothing is
    /// beyond the limits.
    ///
    /// # Errors
    /// `invalid_openapi` with the place and what to change.
    pub fn check(&self, manifest: &Manifest) -> Result<()> {
        check::document(self, manifest)
    }

    /// All operations: path, method in capitals, operation.
    pub fn operations(&self) -> impl Iterator<Item = (&str, &str, &Operation)> {
        self.paths.iter().flat_map(|(path, item)| {
            item.operations()
                .map(move |(method, operation)| (path.as_str(), method, operation))
        })
    }
}

impl PathItem {
    /// Methods in capitals, with their operations.
    pub fn operations(&self) -> impl Iterator<Item = (&str, &Operation)> {
        [
            ("GET", &self.get),
            ("PUT", &self.put),
            ("POST", &self.post),
            ("DELETE", &self.delete),
            ("OPTIONS", &self.options),
            ("HEAD", &self.head),
            ("PATCH", &self.patch),
            ("TRACE", &self.trace),
        ]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
        .chain(
            self.others
                .iter()
                .map(|(method, operation)| (method.as_str(), operation)),
        )
    }
}

/// The variables of a path's template, in order.
pub fn variables(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(variable)
}

/// The name that a segment of a template stands for, if it does.
#[must_use]
pub fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn bounded(length: usize) -> Result<()> {
    if length > MAX_DOCUMENT_BYTES {
        return Err(invalid(format!(
            "the description of the routes may have {MAX_DOCUMENT_BYTES} bytes"
        )));
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("invalid_openapi", message)
}
