//! `atlashub plugin build`: a plugin's source folder becomes a component that
//! carries its manifest. Compiling is cargo's work; this file sees to the
//! target, finds what cargo made, and says what came out.

use anyhow::{Context as _, anyhow, bail};
use atlashub_core::{Digest, Manifest, component_file};
use clap::Args;
use serde_json::Value;
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What plugins are compiled for.
const TARGET: &str = "wasm32-wasip2";

/// Arguments of `plugin build`.
#[derive(Args, Debug)]
pub(crate) struct BuildArgs {
    /// The plugin's source folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    path: PathBuf,
    /// The file to write; by default `dist/<name>.wasm` in the plugin's folder
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Builds the plugin and says what it is.
///
/// # Errors
/// When the folder is not a plugin's, or does not compile.
pub(crate) fn run(args: &BuildArgs) -> anyhow::Result<()> {
    build_to(&args.path, args.output.as_deref()).map(drop)
}

/// Builds the plugin in `folder` into its `dist` folder, says what it is, and
/// answers where the component lies.
///
/// # Errors
/// When the folder is not a plugin's, or does not compile.
pub(crate) fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    build_to(folder, None)
}

fn build_to(folder: &Path, output: Option<&Path>) -> anyhow::Result<PathBuf> {
    let folder = folder
        .canonicalize()
        .with_context(|| format!("read {}", folder.display()))?;
    for file in ["Cargo.toml", "plugin.toml"] {
        if !folder.join(file).is_file() {
            bail!(
                "{} has no {file}: is it a plugin's folder? `atlashub plugin new NAME` writes one",
                folder.display()
            );
        }
    }
    // What is wrong with it is told before anything is compiled.
    let manifest = component_file::load_manifest_dir(&folder)?;
    let _ = component_file::load_openapi_dir(&folder, &manifest)?;
    check_target(&folder)?;
    let compiled = compile(&folder)?;
    let bytes = fs::read(&compiled).with_context(|| format!("read {}", compiled.display()))?;
    let (manifest, component) = component_file::with_folder(&bytes, &folder)
        .with_context(|| format!("put the manifest into {}", compiled.display()))?;

    let default = folder.join("dist").join(format!("{}.wasm", manifest.name));
    let output = output.map_or(default, Path::to_owned);
    replace_file(&output, &component)?;
    report(&output, &manifest, &component);
    Ok(output)
}

fn report(output: &Path, manifest: &Manifest, component: &[u8]) {
    println!("{} {}", manifest.name, manifest.version);
    println!("  file:    {}", output.display());
    println!("  size:    {} bytes", component.len());
    println!("  digest:  sha256:{}", Digest::of(component));
    for line in super::inspect::wishes(manifest) {
        println!("  {line}");
    }
}

/// Writes beside the file first, so that whoever reads it sees one or the
/// other.
fn replace_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    }
    let beside = path.with_extension(format!("wasm.{}", std::process::id()));
    fs::write(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("write {}", path.display()))
}

/// Sees to it that Rust can compile for [`TARGET`], with the tool chain that
/// `folder` chooses.
fn check_target(folder: &Path) -> anyhow::Result<()> {
    let sysroot = Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(folder)
        .output()
        .map_err(|error| missing_tool("rustc", &error))?;
    let sysroot = String::from_utf8_lossy(&sysroot.stdout);
    if Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(TARGET)
        .is_dir()
    {
        return Ok(());
    }
    eprintln!("adding the target {TARGET}");
    let added = Command::new("rustup")
        .args(["target", "add", TARGET])
        .current_dir(folder)
        .status()
        .map_err(|error| missing_tool("rustup", &error))?;
    if !added.success() {
        bail!("the target {TARGET} could not be added: try `rustup target add {TARGET}` yourself");
    }
    Ok(())
}

fn missing_tool(tool: &str, error: &std::io::Error) -> anyhow::Error {
    if error.kind() == ErrorKind::NotFound {
        return anyhow!("{tool} is not installed: plugins in Rust need it, see https://rustup.rs");
    }
    anyhow!("run {tool}: {error}")
}

/// Compiles the package in `folder`; answers the file that cargo made.
fn compile(folder: &Path) -> anyhow::Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["rustc", "--release", "--lib", "--target", TARGET])
        // A component and nothing beside it: cargo optimizes as a whole only
        // what no other crate may link.
        .args(["--crate-type", "cdylib"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| missing_tool("cargo", &error))?;
    if !output.status.success() {
        bail!("the plugin does not compile, see above");
    }
    component_in(&String::from_utf8_lossy(&output.stdout), folder)?.ok_or_else(|| {
        anyhow!("cargo made no `.wasm` file for {TARGET}: see what its configuration changes")
    })
}

/// The component of the package in `folder`, among cargo's messages.
fn component_in(messages: &str, folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let own = folder.join("Cargo.toml");
    let mut found = None;
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(line).context("read a message of cargo")?;
        let text = |name: &str| message.get(name).and_then(Value::as_str);
        if text("reason") != Some("compiler-artifact")
            || text("manifest_path").map(Path::new) != Some(&own)
        {
            continue;
        }
        let files = message
            .get("filenames")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let component = files
            .filter_map(Value::as_str)
            .map(PathBuf::from)
            .find(|path| path.extension().is_some_and(|end| end == "wasm"));
        found = component.or(found);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn the_component_is_found_among_what_cargo_says() {
        let messages = concat!(
            "not json\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/sdk/Cargo.toml","filenames":["/t/sdk.wasm"]}"#,
            "\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/libp.rlib","/t/p.wasm"]}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(
            component_in(messages, Path::new("/p")).unwrap(),
            Some("/t/p.wasm".into())
        );
        assert_eq!(component_in(messages, Path::new("/q")).unwrap(), None);
    }

    #[test]
    fn a_folder_without_a_plugin_is_explained() {
        let folder = std::env::temp_dir();
        let error = build(&folder).unwrap_err().to_string();
        assert!(error.contains("plugin new"), "{error}");
    }
}
