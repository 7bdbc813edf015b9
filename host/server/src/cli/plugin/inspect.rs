//! `atlashub plugin inspect`: what a component says of itself, without
//! running it.

use anyhow::Context as _;
use atlashub_core::{
    BuiltInRole, Manifest,
    assets::AssetIndex,
    component_file,
    openapi::{Document, Operation},
};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `plugin inspect`.
#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// A component (`.wasm`)
    file: PathBuf,
}

/// Prints manifest, imports, exports, digest and size.
///
/// # Errors
/// When the file cannot be read or is not a component.
pub(crate) fn run(args: &InspectArgs) -> anyhow::Result<()> {
    let bytes =
        std::fs::read(&args.file).with_context(|| format!("read {}", args.file.display()))?;
    print!("{}", text(&bytes)?);
    Ok(())
}

fn text(bytes: &[u8]) -> anyhow::Result<String> {
    let component = component_file::describe(bytes)?;
    let mut lines = Vec::new();
    match &component.manifest {
        Some(manifest) => {
            lines.push(format!("{} {}", manifest.name, manifest.version));
            if !manifest.description.is_empty() {
                lines.push(format!("  {}", manifest.description));
            }
        }
        None => lines.push("a component without a manifest: it gets no grants".to_owned()),
    }
    lines.push(format!("size:    {} bytes", component.size));
    lines.push(format!("digest:  sha256:{}", component.digest));
    lines.extend(component.manifest.iter().flat_map(wishes));
    lines.extend(component.assets.iter().flat_map(files));
    lines.extend(component.openapi.iter().flat_map(operations));
    lines.push("imports:".to_owned());
    lines.extend(component.imports.iter().map(|name| format!("  {name}")));
    lines.push("exports:".to_owned());
    lines.extend(component.exports.iter().map(|name| format!("  {name}")));
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// The static files that it carries, a line each.
fn files(index: &AssetIndex) -> Vec<String> {
    let all = format!(
        "files:   {}, {} bytes",
        index.files().len(),
        index.total_bytes()
    );
    let line = |(name, file): (&str, &atlashub_core::assets::AssetFile)| {
        let forms = [("br", file.brotli), ("gzip", file.gzip)];
        let forms: String = forms
            .into_iter()
            .filter_map(|(form, span)| Some(format!(", {form} {}", span?.length)))
            .collect();
        format!("  {name}  {}{forms}", file.plain.length)
    };
    std::iter::once(all)
        .chain(index.files().map(line))
        .collect()
}

/// What it says of its routes, a line each.
fn operations(document: &Document) -> Vec<String> {
    let line = |(path, method, operation): (&str, &str, &Operation)| {
        let of_plugins = if operation.internal {
            " (for plugins)"
        } else {
            ""
        };
        let line = format!("  {method} {path}  {}{of_plugins}", operation.summary);
        line.trim_end().to_owned()
    };
    std::iter::once("operations:".to_owned())
        .chain(document.operations().map(line))
        .collect()
}

/// What a manifest asks for, a line each.
pub(super) fn wishes(manifest: &Manifest) -> Vec<String> {
    let list = |texts: Vec<String>| {
        if texts.is_empty() {
            "none".to_owned()
        } else {
            texts.join(", ")
        }
    };
    let routes = manifest
        .routes
        .iter()
        .map(|route| route.path.clone())
        .collect();
    let grants = manifest.grants.iter().map(ToString::to_string).collect();
    let mut lines = vec![
        format!("routes:  {}", list(routes)),
        format!("grants:  {}", list(grants)),
    ];
    if let Some(assets) = &manifest.assets {
        lines.push(format!("assets:  {} at {}", assets.folder, assets.mount));
    }
    if !manifest.pages.is_empty() {
        let pages = manifest.pages.iter();
        let pages = pages.map(|page| format!("{} ({})", page.title, page.path));
        lines.push(format!("pages:   {}", list(pages.collect())));
    }
    if !manifest.permissions.is_empty() {
        lines.push("permissions:".to_owned());
        lines.extend(manifest.permissions.iter().map(|declared| {
            let held: Vec<_> = BuiltInRole::ALL
                .into_iter()
                .filter(|role| declared.is_held_by(*role))
                .map(BuiltInRole::as_str)
                .collect();
            format!(
                "  {}:{}  {} ({})",
                manifest.name,
                declared.action,
                declared.title,
                held.join(", ")
            )
        }));
    }
    if !manifest.migrations.is_empty() {
        let names = manifest
            .migrations
            .iter()
            .map(|migration| migration.name.clone())
            .collect();
        lines.push(format!("migrations: {}", list(names)));
    }
    let limits = &manifest.limits;
    lines.push(format!(
        "limits:  {} MiB of memory, {} ms of CPU, {} ms in all, {} requests at once",
        limits.memory_mib, limits.cpu_ms, limits.wall_ms, limits.concurrency
    ));
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn a_component_is_described() {
        let manifest = Manifest::from_toml(
            "name = \"notes\"\nversion = \"1.2.3\"\ngrants = [\"kv\"]\n[[routes]]\npath = \"/notes\"\n\
             [[permissions]]\naction = \"read\"\ntitle = \"Read notes\"\nroles = [\"viewer\"]\n",
        )
        .unwrap();
        let empty = wasm_encoder::Component::new().finish();
        assert!(
            text(&empty)
                .unwrap()
                .starts_with("a component without a manifest")
        );
        let document = Document::from_toml(
            "[paths.\"/notes\".get]\nsummary = \"All notes\"\nresponses.200.description = \"notes\"\n\
             [paths.\"/told\".post]\nx-internal = true\nresponses.200.description = \"done\"\n",
        )
        .unwrap();
        let component = component_file::with_manifest(&empty, &manifest).unwrap();
        let component = component_file::with_openapi(&component, &document).unwrap();
        let described = text(&component).unwrap();
        for expected in [
            "notes 1.2.3\n",
            "routes:  /notes\n",
            "grants:  kv\n",
            "operations:\n  GET /notes  All notes\n  POST /told   (for plugins)\n",
            "permissions:\n  notes:read  Read notes (admin, viewer)\n",
            "digest:  sha256:",
        ] {
            assert!(
                described.contains(expected),
                "{expected:?} is missing in:\n{described}"
            );
        }
        assert!(text(b"\0asm\x01\0\0\0").is_err());
    }
}
