//! Putting a folder's files into the content of a section, compressed.

use super::{
    AssetFile, AssetIndex, Assets, MAX_FILE_BYTES, MAX_FILES, Span, content_type, invalid,
};
use crate::{Digest, Error, Result};
use flate2::{Compression, GzBuilder};
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::Path,
};

/// Ends of files that tools leave beside others and that nobody asks for: the
/// forms are made here.
const FORMS: [&str; 2] = [".br", ".gz"];

/// Packs the files that `assets` names, which lie below the plugin's `folder`.
/// The same files give the same bytes.
///
/// # Errors
/// `invalid_assets` that names the file and what to change.
pub fn pack_folder(assets: &Assets, folder: &Path) -> Result<Vec<u8>> {
    let root = folder.join(&assets.folder);
    if !root.is_dir() {
        return Err(invalid(format!(
            "{} is no folder: build the pages first",
            root.display()
        )));
    }
    let mut names = Vec::new();
    walk(&root, "", &mut names)?;
    if names.is_empty() {
        return Err(invalid(format!("{} has no files", root.display())));
    }
    let mut contents = Vec::new();
    let mut files = BTreeMap::new();
    for name in names {
        let path = root.join(&name);
        let plain = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        if plain.len() > MAX_FILE_BYTES {
            return Err(invalid(format!(
                "{} is larger than {MAX_FILE_BYTES} bytes",
                path.display()
            )));
        }
        let file = add(&name, &plain, &mut contents)
            .map_err(|error| Error::internal(format!("compress {}", path.display()), error))?;
        files.insert(name, file);
    }
    AssetIndex::section(files, &contents)
}

fn add(name: &str, plain: &[u8], contents: &mut Vec<u8>) -> io::Result<AssetFile> {
    let mut keep = |bytes: &[u8]| {
        let at = contents.len();
        contents.extend_from_slice(bytes);
        Span {
            at,
            length: bytes.len(),
        }
    };
    let mut file = AssetFile {
        digest: Digest::of(plain),
        plain: keep(plain),
        brotli: None,
        gzip: None,
    };
    if is_compressible(name) {
        // Worth it from a twentieth on.
        let is_smaller = |bytes: &Vec<u8>| bytes.len() < plain.len() / 20 * 19;
        file.brotli = Some(brotli(plain)?)
            .filter(is_smaller)
            .map(|bytes| keep(&bytes));
        file.gzip = Some(gzip(plain)?)
            .filter(is_smaller)
            .map(|bytes| keep(&bytes));
    }
    Ok(file)
}

/// Whether a file is of a kind that gets smaller: text, and fonts that are not
/// compressed already.
fn is_compressible(name: &str) -> bool {
    let of_type = content_type(name);
    let of_type = of_type.split(';').next().unwrap_or_default();
    of_type.starts_with("text/")
        || of_type.ends_with("json")
        || of_type.ends_with("xml")
        || matches!(
            of_type,
            "font/ttf" | "font/otf" | "application/wasm" | "image/x-icon"
        )
}

fn brotli(plain: &[u8]) -> io::Result<Vec<u8>> {
    // The highest quality takes long for little when a file is large.
    let quality = if plain.len() > 1_000_000 { 9 } else { 11 };
    let params = brotli::enc::BrotliEncoderParams {
        quality,
        size_hint: plain.len(),
        ..Default::default()
    };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &plain[..], &mut packed, &params)?;
    Ok(packed)
}

fn gzip(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::best());
    writer.write_all(plain)?;
    writer.finish()
}

/// The names of all files below `folder`, in order. A link is refused: what it
/// leads to is not the plugin's to give away.
fn walk(folder: &Path, prefix: &str, names: &mut Vec<String>) -> Result<()> {
    let unreadable = |error| unreadable(folder, &error);
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(folder)
        .and_then(Iterator::collect)
        .map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| invalid(format!("{} has a name that is no text", path.display())))?;
        let name = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_symlink() {
            return Err(invalid(format!("{} is a link", path.display())));
        }
        if kind.is_dir() {
            walk(&path, &format!("{name}/"), names)?;
        } else if !is_form(folder, &name) {
            super::path::check(&name)?;
            names.push(name);
        }
        if names.len() > MAX_FILES {
            return Err(invalid(format!(
                "{} has more than {MAX_FILES} files",
                folder.display()
            )));
        }
    }
    Ok(())
}

/// Whether a file is a compressed form of one beside it.
fn is_form(folder: &Path, name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or_default();
    FORMS.iter().any(|end| {
        name.strip_suffix(end)
            .is_some_and(|plain| folder.join(plain).is_file())
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    invalid(format!("read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::{assets::SECTION, component_file};

    #[test]
    fn a_folder_is_packed_with_its_forms() {
        let folder = std::env::temp_dir().join(format!("atlashub-{}", uuid::Uuid::now_v7()));
        let page = "<p>hello</p>\n".repeat(200);
        fs::create_dir_all(folder.join("web/assets")).unwrap();
        for (name, text) in [
            ("index.html", page.as_str()),
            ("index.html.br", "left by a tool"),
            ("assets/app-1.js", "1"),
            ("assets/dot.png", "png"),
        ] {
            fs::write(folder.join("web").join(name), text).unwrap();
        }
        let assets = Assets {
            folder: "web".to_owned(),
            mount: "/pages".to_owned(),
            index: "index.html".to_owned(),
            fallback: None,
        };
        let packed = pack_folder(&assets, &folder);
        let again = pack_folder(&assets, &folder);
        let missing = Assets {
            folder: "dist".to_owned(),
            ..assets.clone()
        };
        let missing = pack_folder(&missing, &folder);
        fs::remove_dir_all(&folder).unwrap();
        let section = packed.unwrap();
        assert_eq!(section, again.unwrap());
        assert_eq!(missing.unwrap_err().code(), "invalid_assets");
        let component = component_file::with_section(
            &wasm_encoder::Component::new().finish(),
            &[SECTION],
            section,
        )
        .unwrap();
        let index = AssetIndex::read(&component).unwrap().unwrap();
        index.verify(&component).unwrap();
        let names: Vec<&str> = index.files().map(|(name, _)| name).collect();
        assert_eq!(names, ["assets/app-1.js", "assets/dot.png", "index.html"]);
        let file = index.find("index.html").unwrap();
        assert!(file.brotli.unwrap().length < 200, "{file:?}");
        assert!(file.gzip.unwrap().length < 200, "{file:?}");
        assert_eq!(index.find("assets/app-1.js").unwrap().gzip, None);
        assert_eq!(component.get(file.plain.range()).unwrap(), page.as_bytes());
    }
}
