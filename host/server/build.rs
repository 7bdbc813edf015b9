//! Puts into the binary what it carries: the built-in plugins, every
//! component that `cargo xtask plugins` has left in `plugins/dist`, and the
//! SDK with its WIT, for plugins that are written elsewhere. Without the
//! plugins the host is whole, with an empty catalogue: enough to check and
//! lint.

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
    fs::write(Path::new(&out).join("sdk.rs"), sdk(&root)?)
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
