//! Whether a plugin's description of its routes names the routes it has.

use crate::Router;
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

/// The methods that OpenAPI has a place of their own for.
const METHODS: &[&str] = &[
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// Compares the routes of `router` with those that `openapi.toml` or
/// `openapi.json` in `folder` describes: for a test of the plugin,
/// `assert_described(&routes(), env!("CARGO_MANIFEST_DIR"))`.
///
/// # Panics
/// When a route is not described, or what is described is no route.
#[expect(clippy::panic, reason = "it is an assertion")]
pub fn assert_described(router: &Router, folder: impl AsRef<Path>) {
    let document = match read(folder.as_ref()) {
        Ok(document) => document,
        Err(message) => panic!("{message}"),
    };
    let told = told(&document);
    let routes: BTreeSet<String> = router
        .routes()
        .map(|(method, path)| format!("{method} {}", path.replace("{*", "{")))
        .collect();
    let missing: Vec<&String> = routes.difference(&told).collect();
    let gone: Vec<&String> = told.difference(&routes).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "the description of the routes lacks {missing:?}, and has what is no route: {gone:?}"
    );
}

fn read(folder: &Path) -> Result<Value, String> {
    let [toml, json] = ["openapi.toml", "openapi.json"].map(|name| folder.join(name));
    let file = if toml.is_file() { toml } else { json };
    let text =
        fs::read_to_string(&file).map_err(|error| format!("read {}: {error}", file.display()))?;
    let read = if file.extension().is_some_and(|end| end == "toml") {
        toml::from_str(&text).map_err(|error| error.to_string())
    } else {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    };
    read.map_err(|error| format!("{}: {error}", file.display()))
}

fn told(document: &Value) -> BTreeSet<String> {
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let mut told = BTreeSet::new();
    for (path, item) in members(document.get("paths").unwrap_or(&Value::Null)) {
        let item = members(&item);
        for method in METHODS.iter().filter(|method| item.contains_key(**method)) {
            told.insert(format!("{} {path}", method.to_uppercase()));
        }
        for method in members(item.get("x-operations").unwrap_or(&Value::Null)).keys() {
            told.insert(format!("{method} {path}"));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn compared(router: &Router, name: &str, text: &str) -> std::thread::Result<()> {
        let folder = std::env::temp_dir().join(format!("sdk-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), text).unwrap();
        let checked = std::panic::AssertUnwindSafe(|| assert_described(router, &folder));
        let outcome = std::panic::catch_unwind(checked);
        fs::remove_dir_all(&folder).unwrap();
        outcome
    }

    #[test]
    fn routes_and_their_description_are_the_same() {
        let router = Router::new()
            .get("/notes/{id}", || "")
            .on("SEARCH", "/rest/{*path}", || "");
        let whole = "[paths.\"/notes/{id}\".get]\n[paths.\"/rest/{path}\".x-operations.SEARCH]\n";
        assert!(compared(&router, "openapi.toml", whole).is_ok());
        let half = r#"{"paths": {"/notes/{id}": {"get": {}}}}"#;
        assert!(compared(&router, "openapi.json", half).is_err());
        let more = format!("{whole}[paths.\"/notes\".get]\n");
        assert!(compared(&router, "openapi.toml", &more).is_err());
        assert!(compared(&router, "README", "").is_err());
    }
}
