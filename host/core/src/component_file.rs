//! The file of a plugin: a WebAssembly component whose custom section
//! [`SECTION`] carries the manifest. Reads and writes that section, lists what
//! a component imports and exports, and reads the folder that a manifest is
//! written in. It only looks at the outermost sections: whether the code is
//! valid is the engine's to say.

use crate::{
    Digest, Error, Manifest, Result,
    manifest::{MAX_MANIFEST_BYTES, Migration, SECTION},
};
use std::{borrow::Cow, collections::BTreeMap, fs, ops::Range, path::Path};
use wasm_encoder::ComponentSection as _;
use wasmparser::{BinaryReader, Encoding, Parser, Payload};

/// `\0asm`, version 13, layer 1: how a component starts.
const COMPONENT_HEADER: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
/// The number of a custom section.
const CUSTOM: u8 = 0;

/// What a component file says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Bytes.
    pub size: usize,
    /// Interfaces that it imports, in order, `wasi:http/types@0.2.12`.
    pub imports: Vec<String>,
    /// Interfaces that it exports, in order.
    pub exports: Vec<String>,
    /// Its manifest, if it carries one.
    pub manifest: Option<Manifest>,
}

/// Whether `bytes` start as a component does (a core module does not).
#[must_use]
pub fn is_component(bytes: &[u8]) -> bool {
    bytes.starts_with(&COMPONENT_HEADER)
}

/// The manifest that a component carries, if it carries one.
///
/// # Errors
/// `not_a_component`, `invalid_component` when its sections do not add up,
/// `invalid_manifest` when there are two of them, or one that is too large or
/// says something that cannot be.
pub fn read_manifest(bytes: &[u8]) -> Result<Option<Manifest>> {
    let mut found = None;
    for section in sections(bytes)? {
        if let Some(data) = section.manifest
            && found.replace(data).is_some()
        {
            return Err(Error::invalid(
                "invalid_manifest",
                format!("the component has two custom sections `{SECTION}`, leave one"),
            ));
        }
    }
    let Some(data) = found else { return Ok(None) };
    if data.len() > MAX_MANIFEST_BYTES {
        return Err(too_large());
    }
    Manifest::from_json(data).map(Some)
}

/// The component with `manifest` as its only one.
///
/// # Errors
/// As [`read_manifest`], for the component's sections and the size of the
/// manifest.
pub fn with_manifest(bytes: &[u8], manifest: &Manifest) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(manifest)
        .map_err(|error| Error::internal("write the manifest as JSON", error))?;
    if json.len() > MAX_MANIFEST_BYTES {
        return Err(too_large());
    }
    let mut output = Vec::with_capacity(bytes.len() + json.len() + 32);
    output.extend_from_slice(&COMPONENT_HEADER);
    for section in sections(bytes)? {
        if section.manifest.is_none() {
            output.extend_from_slice(bytes.get(section.whole).unwrap_or_default());
        }
    }
    wasm_encoder::CustomSection {
        name: Cow::Borrowed(SECTION),
        data: Cow::Owned(json),
    }
    .append_to_component(&mut output);
    Ok(output)
}

/// Reads `plugin.toml` in `folder`, and the files of its `migrations` folder
/// in the order of their names: `NNNN_name.sql` for both engines,
/// `NNNN_name.sqlite.sql` and `NNNN_name.postgres.sql` for one.
///
/// # Errors
/// `invalid_manifest` that names the file and what to change.
pub fn load_manifest_dir(folder: &Path) -> Result<Manifest> {
    let file = folder.join("plugin.toml");
    let text = fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
    let mut manifest = Manifest::from_toml(&text).map_err(|error| {
        Error::invalid("invalid_manifest", format!("{}: {error}", file.display()))
    })?;
    manifest
        .migrations
        .extend(load_migrations(&folder.join("migrations"))?);
    // Checked as the host will check it, now that the migrations are in.
    let json = serde_json::to_vec(&manifest)
        .map_err(|error| Error::internal("write the manifest as JSON", error))?;
    Manifest::from_json(&json)
}

/// What `bytes` say of themselves.
///
/// # Errors
/// As [`read_manifest`].
pub fn describe(bytes: &[u8]) -> Result<Description> {
    let manifest = read_manifest(bytes)?;
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| invalid_component(&error))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(|error| invalid_component(&error))?;
                    imports.push(import.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(|error| invalid_component(&error))?;
                    exports.push(export.name.name.to_owned());
                }
            }
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => {
                return Err(not_a_component());
            }
            _ => {}
        }
    }
    Ok(Description {
        digest: Digest::of(bytes),
        size: bytes.len(),
        imports,
        exports,
        manifest,
    })
}

/// One outermost section.
struct Section<'a> {
    /// Where it lies, with its number and length.
    whole: Range<usize>,
    /// Its content, when it is the manifest.
    manifest: Option<&'a [u8]>,
}

fn sections(bytes: &[u8]) -> Result<Vec<Section<'_>>> {
    if !is_component(bytes) {
        return Err(not_a_component());
    }
    let mut reader = BinaryReader::new(bytes, 0);
    let mut read = || -> Result<Vec<Section<'_>>, wasmparser::BinaryReaderError> {
        reader.read_bytes(COMPONENT_HEADER.len())?;
        let mut sections = Vec::new();
        while !reader.eof() {
            let start = reader.current_position();
            let id = reader.read_u8()?;
            let length = reader.read_var_u32()?;
            let content = reader.read_bytes(usize::try_from(length).unwrap_or(usize::MAX))?;
            let manifest = if id == CUSTOM {
                manifest_data(content)?
            } else {
                None
            };
            sections.push(Section {
                whole: start..reader.current_position(),
                manifest,
            });
        }
        Ok(sections)
    };
    read().map_err(|error| invalid_component(&error))
}

fn manifest_data(content: &[u8]) -> Result<Option<&[u8]>, wasmparser::BinaryReaderError> {
    let mut reader = BinaryReader::new(content, 0);
    if reader.read_string()? == SECTION {
        let rest = reader.bytes_remaining();
        return reader.read_bytes(rest).map(Some);
    }
    Ok(None)
}

fn load_migrations(folder: &Path) -> Result<Vec<Migration>> {
    let mut migrations: BTreeMap<String, Migration> = BTreeMap::new();
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        let file = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let Some(stem) = file.strip_suffix(".sql") else {
            continue;
        };
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        let (name, engine) = match stem.rsplit_once('.') {
            Some((name, engine)) => (name, Some(engine)),
            None => (stem, None),
        };
        let migration = migrations
            .entry(name.to_owned())
            .or_insert_with(|| Migration {
                name: name.to_owned(),
                sql: None,
                sqlite: None,
                postgres: None,
            });
        match engine {
            None => migration.sql = Some(text),
            Some("sqlite") => migration.sqlite = Some(text),
            Some("postgres") => migration.postgres = Some(text),
            Some(other) => {
                return Err(Error::invalid(
                    "invalid_manifest",
                    format!(
                        "{}: `{other}` is no engine: name the file `NNNN_name.sql`, \
                         `NNNN_name.sqlite.sql` or `NNNN_name.postgres.sql`",
                        path.display()
                    ),
                ));
            }
        }
    }
    Ok(migrations.into_values().collect())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::invalid(
        "invalid_manifest",
        format!("read {}: {error}", path.display()),
    )
}

fn not_a_component() -> Error {
    Error::invalid(
        "not_a_component",
        "the file is not a WebAssembly component; build one for `wasm32-wasip2` or wrap the module \
         with `wasm-tools component new`",
    )
}

fn invalid_component(error: &wasmparser::BinaryReaderError) -> Error {
    Error::invalid(
        "invalid_component",
        format!("the component is damaged: {error}"),
    )
}

fn too_large() -> Error {
    Error::invalid(
        "invalid_manifest",
        format!("the manifest with its migrations may have {MAX_MANIFEST_BYTES} bytes"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn manifest(version: &str) -> Manifest {
        Manifest::from_toml(&format!("name = \"hello\"\nversion = \"{version}\"\n")).unwrap()
    }

    fn component() -> Vec<u8> {
        let mut component = wasm_encoder::Component::new();
        component.section(&wasm_encoder::CustomSection {
            name: "other".into(),
            data: Cow::Borrowed(b"kept"),
        });
        component.finish()
    }

    #[test]
    fn a_manifest_comes_back_and_is_replaced() {
        let bare = component();
        assert_eq!(read_manifest(&bare).unwrap(), None);
        let first = with_manifest(&bare, &manifest("1.0.0")).unwrap();
        let second = with_manifest(&first, &manifest("2.0.0")).unwrap();
        assert_eq!(read_manifest(&second).unwrap(), Some(manifest("2.0.0")));
        assert_eq!(first.len(), second.len());
        assert!(second.starts_with(&bare));
        assert_eq!(describe(&second).unwrap().manifest, Some(manifest("2.0.0")));
    }

    #[test]
    fn wrong_and_truncated_files_are_refused() {
        let whole = with_manifest(&component(), &manifest("1.0.0")).unwrap();
        for length in [0, 3, 7, 9, whole.len() - 1] {
            assert!(
                read_manifest(whole.get(..length).unwrap()).is_err(),
                "{length} bytes were accepted"
            );
        }
        let module = wasm_encoder::Module::new().finish();
        assert_eq!(describe(&module).unwrap_err().code(), "not_a_component");
    }

    #[test]
    fn two_manifests_are_refused() {
        let mut bytes = with_manifest(&component(), &manifest("1.0.0")).unwrap();
        wasm_encoder::CustomSection {
            name: SECTION.into(),
            data: Cow::Borrowed(b"{}"),
        }
        .append_to_component(&mut bytes);
        assert_eq!(
            read_manifest(&bytes).unwrap_err().code(),
            "invalid_manifest"
        );
    }

    #[test]
    fn migrations_are_read_in_the_order_of_their_names() {
        let folder = std::env::temp_dir().join(format!("atlashub-{}", uuid::Uuid::now_v7()));
        fs::create_dir_all(folder.join("migrations")).unwrap();
        fs::write(
            folder.join("plugin.toml"),
            "name = \"notes\"\nversion = \"1.0.0\"\ngrants = [\"sql\"]\n",
        )
        .unwrap();
        for (name, text) in [
            ("0002_b.postgres.sql", "P"),
            ("0002_b.sqlite.sql", "S"),
            ("0001_a.sql", "A"),
            ("README", "no"),
        ] {
            fs::write(folder.join("migrations").join(name), text).unwrap();
        }
        let read = load_manifest_dir(&folder);
        fs::write(folder.join("migrations/0003_c.mysql.sql"), "").unwrap();
        let refused = load_manifest_dir(&folder);
        fs::remove_dir_all(&folder).unwrap();
        let migrations = read.unwrap().migrations;
        let names: Vec<_> = migrations
            .iter()
            .map(|migration| migration.name.as_str())
            .collect();
        assert_eq!(names, ["0001_a", "0002_b"]);
        assert_eq!(migrations.last().unwrap().postgres.as_deref(), Some("P"));
        assert_eq!(refused.unwrap_err().code(), "invalid_manifest");
    }
}
