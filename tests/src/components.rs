//! The components that `cargo xtask plugins` built, and changes to them.

use atlashub_core::component_file;
use std::path::PathBuf;

fn folder() -> PathBuf {
    match std::env::var_os("ATLASHUB_TEST_COMPONENTS") {
        Some(path) => path.into(),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/dist")),
    }
}

fn read(path: &std::path::Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; `cargo xtask plugins` makes it",
            path.display()
        )
    })
}

/// A built-in plugin's component.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn built_in(name: &str) -> Vec<u8> {
    read(&folder().join(format!("{name}.wasm")))
}

/// A fixture's component.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn fixture(name: &str) -> Vec<u8> {
    read(&folder().join("fixtures").join(format!("{name}.wasm")))
}

/// A fixture that is written as text.
///
/// # Panics
/// When it is not there, or not valid text.
#[must_use]
pub fn wat(name: &str) -> Vec<u8> {
    let path = source().join("wat").join(format!("{name}.wat"));
    wat::parse_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text of a fixture that is written as text.
///
/// # Panics
/// When there is none of that name.
#[must_use]
pub fn wat_source(name: &str) -> String {
    let path = source().join("wat").join(format!("{name}.wat"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A component that a test writes as text itself.
///
/// # Panics
/// When it is not valid text.
#[must_use]
pub fn wat_text(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The names of all fixtures that are written as text.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn wat_names() -> Vec<String> {
    names(&source().join("wat"), ".wat")
}

/// The routes of the fixture `misbehave`, as its source declares them.
///
/// # Panics
/// When the source cannot be read.
#[must_use]
pub fn misbehave_routes() -> Vec<String> {
    let folder = source().join("misbehave/src");
    let mut routes = Vec::new();
    for name in names(&folder, ".rs") {
        let text = std::fs::read_to_string(folder.join(format!("{name}.rs"))).expect("the source");
        let literals = text
            .split('"')
            .filter(|piece| piece.starts_with("/misbehave/"));
        routes.extend(literals.map(|route| route.split('{').next().unwrap_or(route).to_owned()));
    }
    routes.sort();
    routes.dedup();
    routes
}

/// A route of a built-in plugin, as its component describes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PluginRoute {
    /// The plugin's name.
    pub plugin: String,
    /// The method, in capitals.
    pub method: String,
    /// The path, with `{names}` in it, `{*name}` for many segments.
    pub path: String,
    /// Whether only plugins can call it.
    pub internal: bool,
}

/// The routes of all built-in plugins. Each plugin's own tests see to it that
/// it describes all it has.
///
/// # Panics
/// When a plugin is not built, or describes no route.
#[must_use]
pub fn plugin_routes() -> Vec<PluginRoute> {
    let plugins = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins"));
    let mut routes = Vec::new();
    for entry in std::fs::read_dir(&plugins).expect("the plugins' folder") {
        let folder = entry.expect("an entry").path();
        if !folder.join("plugin.toml").is_file() {
            continue;
        }
        let plugin = folder.file_name().expect("a name").to_string_lossy();
        let document = component_file::read_openapi(&built_in(&plugin))
            .expect("a component")
            .unwrap_or_else(|| panic!("`{plugin}` describes no route"));
        for (path, method, operation) in document.operations() {
            let many = operation.parameters.iter().find(|told| told.multi_segment);
            let path = many.map_or(path.to_owned(), |told| {
                path.replace(
                    &format!("{{{}}}", told.name),
                    &format!("{{*{}}}", told.name),
                )
            });
            routes.push(PluginRoute {
                plugin: plugin.clone().into_owned(),
                method: method.to_owned(),
                path,
                internal: operation.internal,
            });
        }
    }
    routes.sort();
    routes
}

fn source() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/fixtures"))
}

/// The names of all fixtures.
///
/// # Panics
/// When none were built.
#[must_use]
pub fn fixture_names() -> Vec<String> {
    names(&folder().join("fixtures"), ".wasm")
}

fn names(folder: &std::path::Path, end: &str) -> Vec<String> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a plain name");
            name.strip_suffix(end).map(str::to_owned)
        })
        .collect();
    names.sort();
    names
}

/// A component with `manifest`, written as TOML, in place of its own.
///
/// # Panics
/// When the manifest is not valid.
#[must_use]
pub fn with_manifest(component: &[u8], manifest: &str) -> Vec<u8> {
    let manifest = atlashub_core::Manifest::from_toml(manifest).expect("a valid manifest");
    component_file::with_manifest(component, &manifest).expect("a component")
}

/// A component with a description of its routes, written as TOML.
///
/// # Panics
/// When the description cannot be read.
#[must_use]
pub fn with_openapi(component: &[u8], document: &str) -> Vec<u8> {
    let document = atlashub_core::openapi::Document::from_toml(document).expect("a description");
    component_file::with_openapi(component, &document).expect("a component")
}
