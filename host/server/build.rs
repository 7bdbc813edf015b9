//! Puts the built-in plugins into the binary: every component that
//! `cargo xtask plugins` has left in `plugins/dist`. Without it the host is
//! whole, with an empty catalogue: enough to check and lint.

use std::{env, fmt::Write as _, fs, io, path::Path};

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
    if dist.is_dir() {
        println!("cargo::rerun-if-changed={}", dist.display());
        for entry in fs::read_dir(&dist)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "wasm")
            {
                println!("cargo::rerun-if-changed={}", path.display());
                components.push(fs::canonicalize(path)?);
            }
        }
    } else {
        // A folder that is not there would have this script run every time.
        println!("cargo::rerun-if-changed={root}/../../plugins/Cargo.toml");
    }
    components.sort();
    let mut code = String::from("&[\n");
    for component in components {
        let _ = writeln!(code, "    include_bytes!({component:?}),");
    }
    code.push_str("]\n");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("builtin.rs"), code)
}
