//! The file of a plugin: a WebAssembly component whose custom section
//! [`SECTION`] carries the manifest, and [`openapi::SECTION`] the description
//! of its routes; its static files are in [`assets::SECTION`]. Reads and
//! writes those sections, lists what a component imports and exports, and reads
//! the folder that they are written in. It only looks at the outermost
//! sections: whether the code is valid is the engine's to say.

use crate::{
    Digest, Error, Manifest, Result,
    assets::{self, AssetIndex},
    manifest::{MAX_MANIFEST_BYTES, Migration, SECTION},
    openapi::{self, Document},
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
    /// The description of its routes, if it carries one.
    pub openapi: Option<Document>,
    /// Its static files, if it carries any.
    pub assets: Option<AssetIndex>,
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
    let Some(data) = only(bytes, SECTION, "invalid_manifest")? else {
        return Ok(None);
    };
    if data.len() > MAX_MANIFEST_BYTES {
        return Err(too_large());
    }
    Manifest::from_json(data).map(Some)
}

/// The description of its routes that a component carries, if it carries one.
/// Whether it holds together is for [`Document::check`] to say.
///
/// # Errors
/// `not_a_component`, `invalid_component` when its sections do not add up,
/// `invalid_openapi` when there are two of them, or one that is too large or
/// cannot be read.
pub fn read_openapi(bytes: &[u8]) -> Result<Option<Document>> {
    only(bytes, openapi::SECTION, "invalid_openapi")?
        .map(Document::from_json)
        .transpose()
}

/// The component with `manifest` as its only one, and without a description:
/// what was said was said of the routes of another.
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
    with_section(bytes, &[SECTION, openapi::SECTION], json)
}

/// The component with `document` as the only description of its routes.
///
/// # Errors
/// As [`read_openapi`], for the component's sections and the size of the
/// document.
pub fn with_openapi(bytes: &[u8], document: &Document) -> Result<Vec<u8>> {
    with_section(bytes, &[openapi::SECTION], document.to_json()?)
}

/// The component with the first of `names` as a section of this content, in
/// place of all of them.
pub(crate) fn with_section(bytes: &[u8], names: &[&'static str], data: Vec<u8>) -> Result<Vec<u8>> {
    let mut output = Vec::with_capacity(bytes.len() + data.len() + 32);
    output.extend_from_slice(&COMPONENT_HEADER);
    for section in sections(bytes)? {
        if section.custom.is_none_or(|(own, _)| !names.contains(&own)) {
            output.extend_from_slice(bytes.get(section.whole).unwrap_or_default());
        }
    }
    wasm_encoder::CustomSection {
        name: Cow::Borrowed(names.first().copied().unwrap_or_default()),
        data: Cow::Owned(data),
    }
    .append_to_component(&mut output);
    Ok(output)
}

/// The content of the custom section `name`, of which there is one at most.
fn only<'a>(bytes: &'a [u8], name: &str, code: &'static str) -> Result<Option<&'a [u8]>> {
    Ok(only_at(bytes, name, code)?.map(|(_, data)| data))
}

/// As [`only`], with where in the component it begins.
pub(crate) fn only_at<'a>(
    bytes: &'a [u8],
    name: &str,
    code: &'static str,
) -> Result<Option<(usize, &'a [u8])>> {
    let mut found = None;
    for section in sections(bytes)? {
        if let Some((own, data)) = section.custom
            && own == name
            // The content is the end of the section.
            && found
                .replace((section.whole.end - data.len(), data))
                .is_some()
        {
            return Err(Error::invalid(
                code,
                format!("the component has two custom sections `{name}`, leave one"),
            ));
        }
    }
    Ok(found)
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

/// Reads `openapi.toml` or `openapi.json` in `folder`, if there is one, and
/// checks it against the manifest.
///
/// # Errors
/// `invalid_openapi` that names the file and what to change.
pub fn load_openapi_dir(folder: &Path, manifest: &Manifest) -> Result<Option<Document>> {
    let [toml, json] = ["openapi.toml", "openapi.json"].map(|name| folder.join(name));
    let (file, document) = match (toml.is_file(), json.is_file()) {
        (false, false) => return Ok(None),
        (true, true) => {
            return Err(Error::invalid(
                "invalid_openapi",
                format!(
                    "{} and {} say the same twice, leave one",
                    toml.display(),
                    json.display()
                ),
            ));
        }
        (true, false) => {
            let text = fs::read_to_string(&toml).map_err(|error| unreadable(&toml, &error))?;
            (toml, Document::from_toml(&text))
        }
        (false, true) => {
            let bytes = fs::read(&json).map_err(|error| unreadable(&json, &error))?;
            (json, Document::from_json(&bytes))
        }
    };
    document
        .and_then(|document| document.check(manifest).map(|()| Some(document)))
        .map_err(|error| {
            Error::invalid(
                "invalid_openapi",
                format!("{}: {}", file.display(), error.message()),
            )
        })
}

/// The component with what its folder says of it: the manifest, the
/// description of its routes if there is one, and the static files if the
/// manifest names any.
///
/// # Errors
/// `invalid_manifest`, `invalid_openapi` and `invalid_assets` that name the
/// file and what to change.
pub fn with_folder(bytes: &[u8], folder: &Path) -> Result<(Manifest, Vec<u8>)> {
    let manifest = load_manifest_dir(folder)?;
    let mut component = with_manifest(bytes, &manifest)?;
    if let Some(assets) = &manifest.assets {
        let packed = assets::pack_folder(assets, folder)?;
        component = with_section(&component, &[assets::SECTION], packed)?;
        check_assets(&component, &manifest)?;
    }
    if let Some(document) = load_openapi_dir(folder, &manifest)? {
        component = with_openapi(&component, &document)?;
    }
    Ok((manifest, component))
}

/// The static files that a component carries, if its manifest names any: read,
/// and checked to be what they are said to be.
///
/// # Errors
/// `invalid_assets` with what is wrong; and as [`read_manifest`].
pub fn check_assets(bytes: &[u8], manifest: &Manifest) -> Result<()> {
    let Some(assets) = &manifest.assets else {
        return Ok(());
    };
    let index = AssetIndex::read(bytes)?.ok_or_else(|| {
        Error::invalid(
            "invalid_assets",
            "the manifest names assets, and the component carries none: build it with \
             `atlashub plugin build`",
        )
    })?;
    index.verify(bytes)?;
    assets.check_files(&manifest.pages, &index)
}

/// What `bytes` say of themselves.
///
/// # Errors
/// As [`read_manifest`].
pub fn describe(bytes: &[u8]) -> Result<Description> {
    let manifest = read_manifest(bytes)?;
    let openapi = read_openapi(bytes)?;
    let assets = AssetIndex::read(bytes)?;
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
        openapi,
        assets,
    })
}

/// That a component is not built for a version of WASI that this host does not
/// run (docs/adr/0040).
///
/// # Errors
/// `unsupported_interface`, with what to do; and as [`describe`].
pub fn check_interfaces(bytes: &[u8]) -> Result<()> {
    let described = describe(bytes)?;
    let mut names = described.exports.iter().chain(&described.imports);
    match names.find(|name| is_of_wasi_0_3(name)) {
        None => Ok(()),
        Some(name) => Err(Error::invalid(
            "unsupported_interface",
            format!(
                "the component is built for `{name}`, which this host does not run yet: \
                 build it for `wasi:http/incoming-handler@0.2`, as the target wasm32-wasip2 \
                 and the tool chains for WASI 0.2 do"
            ),
        )),
    }
}

fn is_of_wasi_0_3(name: &str) -> bool {
    name.starts_with("wasi:")
        && name
            .split_once('@')
            .is_some_and(|(_, version)| version == "0.3" || version.starts_with("0.3."))
}

/// One outermost section.
struct Section<'a> {
    /// Where it lies, with its number and length.
    whole: Range<usize>,
    /// Name and content, when it is a custom one.
    custom: Option<(&'a str, &'a [u8])>,
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
            let custom = if id == CUSTOM {
                Some(custom(content)?)
            } else {
                None
            };
            sections.push(Section {
                whole: start..reader.current_position(),
                custom,
            });
        }
        Ok(sections)
    };
    read().map_err(|error| invalid_component(&error))
}

fn custom(content: &[u8]) -> Result<(&str, &[u8]), wasmparser::BinaryReaderError> {
    let mut reader = BinaryReader::new(content, 0);
    let name = reader.read_string()?;
    let rest = reader.bytes_remaining();
    Ok((name, reader.read_bytes(rest)?))
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
    fn a_description_stays_beside_the_manifest() {
        let text = "[paths.\"/hello\".get]\nresponses.200.description = \"hello\"\n";
        let document = Document::from_toml(text).unwrap();
        let first = with_manifest(&component(), &manifest("1.0.0")).unwrap();
        let both = with_openapi(&first, &document).unwrap();
        let both = with_openapi(&both, &document).unwrap();
        let described = describe(&both).unwrap();
        assert_eq!(described.openapi, Some(document));
        assert_eq!(described.manifest, Some(manifest("1.0.0")));
        let other = with_manifest(&both, &manifest("1.0.0")).unwrap();
        assert_eq!(other, first);
    }

    #[test]
    fn every_built_in_plugin_describes_its_routes() {
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
        let mut described = 0;
        for entry in fs::read_dir(plugins).unwrap() {
            let folder = entry.unwrap().path();
            if folder.join("plugin.toml").is_file() {
                let manifest = load_manifest_dir(&folder).unwrap();
                let document = load_openapi_dir(&folder, &manifest).unwrap();
                described += usize::from(document.is_some());
            }
        }
        assert_eq!(described, 17);
    }

    #[test]
    fn a_folder_has_one_description() {
        let folder = std::env::temp_dir().join(format!("atlashub-{}", uuid::Uuid::now_v7()));
        fs::create_dir_all(&folder).unwrap();
        let text = "name = \"hello\"\nversion = \"1.0.0\"\n[[routes]]\npath = \"/hello\"\n";
        fs::write(folder.join("plugin.toml"), text).unwrap();
        let none = with_folder(&component(), &folder).unwrap().1;
        let text = "[paths.\"/hello\".get]\nresponses.200.description = \"hello\"\n";
        fs::write(folder.join("openapi.toml"), text).unwrap();
        let one = with_folder(&component(), &folder).unwrap().1;
        fs::write(folder.join("openapi.json"), "{\"paths\": {}}").unwrap();
        let two = with_folder(&component(), &folder);
        fs::remove_file(folder.join("openapi.json")).unwrap();
        fs::write(
            folder.join("openapi.toml"),
            text.replace("hello\"", "bye\""),
        )
        .unwrap();
        let elsewhere = with_folder(&component(), &folder);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(read_openapi(&none).unwrap(), None);
        assert_eq!(read_openapi(&one).unwrap().unwrap().paths.len(), 1);
        assert_eq!(two.unwrap_err().code(), "invalid_openapi");
        let error = elsewhere.unwrap_err();
        assert!(
            error.message().contains("openapi.toml: GET /bye"),
            "{error}"
        );
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
