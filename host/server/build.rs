//! Puts into the binary what it carries: the built-in plugins, every
//! component that `cargo xtask plugins` has left in `plugins/dist`, the
//! dashboard as `cargo xtask dashboard` has left it in `host/dashboard/dist`,
//! and the SDK with its WIT, for plugins that are written elsewhere. Without
//! plugins and dashboard the host is whole, with an empty catalogue and a page
//! that says what to run: enough to check and lint.

use sha2::{Digest as _, Sha256};
use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let dist = Path::new(&root).join("../../plugins/dist");
    println!("cargo::rerun-if-changed=build.rs");
    // Tests want line numbers; who copies the binary to a small machine does
    // not want a quarter of a gigabyte of them.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-link-arg-bins=-Wl,--strip-debug");
    }
    let mut components = Vec::new();
    println!("cargo::rerun-if-changed={}", dist.display());
    for entry in fs::read_dir(&dist)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            components.push(fs::canonicalize(path)?);
        }
    }
    components.sort();
    let mut code = String::from("&[\n");
    for component in components {
        let name = component.file_stem().unwrap_or_default().to_string_lossy();
        let digest: [u8; 32] = Sha256::digest(fs::read(&component)?).into();
        let _ = writeln!(
            code,
            "    ({name:?}, include_bytes!({component:?}), {digest:?}),"
        );
    }
    code.push_str("]\n");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("builtin.rs"), code)?;
    fs::write(Path::new(&out).join("dashboard.rs"), dashboard(&root)?)?;
    fs::write(Path::new(&out).join("sdk.rs"), sdk(&root)?)
}

/// The files of the dashboard, each with the compressed forms beside it.
fn dashboard(server: &str) -> io::Result<String> {
    let dist = fs::canonicalize(Path::new(server).join("../dashboard/dist"))?;
    println!("cargo::rerun-if-changed={}", dist.display());
    let root = dist.join("www");
    let mut files = Vec::new();
    if root.is_dir() {
        walk(&root, &mut files)?;
    }
    let mut named = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).map_err(io::Error::other)?;
        named.push((name.to_string_lossy().replace('\\', "/"), file));
    }
    named.sort();
    let mut code = String::from("&[\n");
    for (name, file) in named {
        let Some(content_type) = content_type(&name) else {
            continue;
        };
        let digest = Sha256::digest(fs::read(&file)?);
        let tag = digest.iter().take(12).fold(String::new(), |mut tag, byte| {
            let _ = write!(tag, "{byte:02x}");
            tag
        });
        let form = |ending: &str| {
            let mut path = file.clone().into_os_string();
            path.push(ending);
            let path = Path::new(&path);
            match path.is_file() {
                true => format!("Some(include_bytes!({path:?}))"),
                false => "None".to_owned(),
            }
        };
        let _ = writeln!(
            code,
            "    File {{ path: {name:?}, content_type: {content_type:?}, tag: {tag:?}, plain: include_bytes!({file:?}), brotli: {}, gzip: {} }},",
            form(".br"),
            form(".gz"),
        );
    }
    code.push_str("]\n");
    Ok(code)
}

/// What a file of the dashboard is, by its name; `None` for what is not one.
fn content_type(name: &str) -> Option<&'static str> {
    let (_, end) = name.rsplit_once('.')?;
    Some(match end {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

/// All files below `folder`.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The files of the SDK: pairs of path and content.
fn sdk(server: &str) -> io::Result<String> {
    let root = fs::canonicalize(Path::new(server).join("../.."))?;
    let mut files = vec![root.join("sdk/rust/Cargo.toml")];
    collect(&root.join("sdk/rust/src"), "rs", &mut files)?;
    collect(&root.join("wit"), "wit", &mut files)?;
    files.sort();
    let mut code = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(&root).map_err(io::Error::other)?;
        let _ = writeln!(code, "    ({name:?}, include_str!({file:?})),");
    }
    code.push_str("]\n");
    Ok(code)
}

/// The files below `folder` that end in `extension`. What was released
/// earlier is not needed to build a new plugin.
fn collect(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("released") {
                collect(&path, extension, files)?;
            }
        } else if path.extension().is_some_and(|end| end == extension) {
            files.push(path);
        }
    }
    Ok(())
}
