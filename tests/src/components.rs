//! The components that `cargo xtask plugins` built, and changes to them.

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

/// The names of all fixtures.
///
/// # Panics
/// When none were built.
#[must_use]
pub fn fixture_names() -> Vec<String> {
    let entries = std::fs::read_dir(folder().join("fixtures")).expect("the folder of the fixtures");
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a plain name");
            name.strip_suffix(".wasm").map(str::to_owned)
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
    atlashub_core::component_file::with_manifest(component, &manifest).expect("a component")
}
