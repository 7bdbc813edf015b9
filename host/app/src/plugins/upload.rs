//! Adding a revision to the catalogue.

use super::Plugins;
use crate::Actor;
use atlashub_core::{
    Digest, Error, Grant, Manifest, PluginName, Result, component_file, openapi::Document,
};
use atlashub_data::platform::{NewRevision, Revision};
use atlashub_runtime::ComponentInterface;
use bytes::Bytes;
use serde_json::json;

/// A component to be added.
#[derive(Clone, Debug)]
pub struct UploadPlugin {
    /// The component's bytes.
    pub component: Bytes,
    /// A manifest (TOML) that takes the place of the one inside.
    pub manifest: Option<String>,
    /// A description of its routes (OpenAPI 3.1, JSON) that takes the place
    /// of the one inside.
    pub openapi: Option<String>,
    /// The name of a component that has no manifest at all.
    pub name: Option<PluginName>,
}

/// What became of an upload.
#[derive(Clone, Debug)]
pub struct UploadOutcome {
    /// The revision.
    pub revision: Revision,
    /// Whether it was not in the catalogue before.
    pub created: bool,
}

/// What a component says of itself.
pub(super) struct Told {
    pub(super) manifest: Manifest,
    pub(super) openapi: Option<Document>,
}

impl Plugins {
    /// Adds a revision: reads the manifest, compiles, compares what the
    /// component imports with what the manifest asks for, keeps the bytes.
    /// The same upload again answers the same revision.
    ///
    /// # Errors
    /// `not_a_component`, `component_too_large`, `invalid_manifest`,
    /// `invalid_openapi`, `invalid_assets`, `name_needed`, `undeclared_import`, and what
    /// compiling can say.
    pub async fn upload(&self, actor: &Actor, upload: UploadPlugin) -> Result<UploadOutcome> {
        let limit = self.code.runtime().max_component_bytes();
        if upload.component.len() > limit {
            return Err(Error::invalid(
                "component_too_large",
                format!(
                    "the component has {} bytes, at most {limit} are taken",
                    upload.component.len()
                ),
            ));
        }
        check_kind(&upload.component)?;
        let (manifest, component) = settle_manifest(&upload)?;
        let (openapi, component) = settle_openapi(&upload, &manifest, component)?;
        component_file::check_assets(&component, &manifest)?;
        let digest = Digest::of(&component);
        if let Some(revision) = self
            .platform
            .revisions()
            .find_by_digest(&manifest.name, &digest)
            .await?
        {
            self.code.keep(&digest, component).await?;
            return Ok(UploadOutcome {
                revision,
                created: false,
            });
        }
        let compiled = self.code.runtime().compile(&component).await?;
        let interface = compiled.interface().clone();
        let told = Told { manifest, openapi };
        self.keep(digest, component, told, interface, Some(actor))
            .await
    }

    /// Puts a component into the catalogue whose interfaces are known; without
    /// an actor, as one that came with the host.
    pub(super) async fn keep(
        &self,
        digest: Digest,
        component: Bytes,
        told: Told,
        interface: ComponentInterface,
        by: Option<&Actor>,
    ) -> Result<UploadOutcome> {
        check_imports(&interface, &told.manifest)?;
        let size_bytes = component.len() as u64;
        self.code.keep(&digest, component).await?;
        let unit = self.platform.begin().await?;
        let (revision, created) = unit
            .revisions()
            .add(NewRevision {
                digest,
                size_bytes,
                manifest: told.manifest,
                openapi: told.openapi,
                imports: interface.imports,
                exports: interface.exports,
                builtin: by.is_none(),
            })
            .await?;
        if let Some(actor) = by.filter(|_| created) {
            let details = json!({
                "revision": revision.id, "version": revision.manifest.version, "digest": revision.digest,
            });
            let did = actor.did("plugin.upload", None, revision.plugin.to_string(), details);
            unit.audit().append(did).await?;
        }
        unit.commit().await?;
        Ok(UploadOutcome { revision, created })
    }
}

fn check_kind(bytes: &[u8]) -> Result<()> {
    if component_file::is_component(bytes) {
        return component_file::check_interfaces(bytes);
    }
    let what = if bytes.starts_with(b"\0asm") {
        "this is a core WebAssembly module, not a component: build it for wasm32-wasip2, or wrap it"
    } else if bytes.starts_with(b"\x7fELF") {
        "this is machine code, not a component: upload the .wasm that your tool chain built"
    } else {
        "this is not a WebAssembly component"
    };
    Err(Error::invalid("not_a_component", what))
}

/// The manifest that counts, and the component with it inside, so that the
/// digest covers both.
fn settle_manifest(upload: &UploadPlugin) -> Result<(Manifest, Bytes)> {
    let embedded = component_file::read_manifest(&upload.component)?;
    let manifest = match (&upload.manifest, embedded) {
        (Some(text), _) => Manifest::from_toml(text)?,
        (None, Some(embedded)) => return named(embedded, upload),
        (None, None) => {
            let name = upload.name.clone().ok_or_else(|| {
                Error::invalid(
                    "name_needed",
                    "the component has no manifest: send one as `manifest`, or a `name`",
                )
            })?;
            name.check_free()?;
            Manifest::bare(name)
        }
    };
    let component = component_file::with_manifest(&upload.component, &manifest)?;
    named(
        manifest,
        &UploadPlugin {
            component: component.into(),
            ..upload.clone()
        },
    )
}

/// The description of its routes that counts, and the component with it
/// inside.
fn settle_openapi(
    upload: &UploadPlugin,
    manifest: &Manifest,
    component: Bytes,
) -> Result<(Option<Document>, Bytes)> {
    let sent = upload.openapi.as_deref();
    let document = match sent {
        Some(text) => Some(Document::from_json(text.as_bytes())?),
        None => component_file::read_openapi(&component)?,
    };
    let Some(document) = document else {
        return Ok((None, component));
    };
    document.check(manifest)?;
    let component = match sent {
        Some(_) => component_file::with_openapi(&component, &document)?.into(),
        None => component,
    };
    Ok((Some(document), component))
}

fn named(manifest: Manifest, upload: &UploadPlugin) -> Result<(Manifest, Bytes)> {
    match &upload.name {
        Some(name) if *name != manifest.name => Err(Error::invalid(
            "name_mismatch",
            format!(
                "the manifest names the plugin `{}`, the upload `{name}`",
                manifest.name
            ),
        )),
        _ => Ok((manifest, upload.component.clone())),
    }
}

/// What it imports of the host's own capabilities, it has to ask for.
fn check_imports(interface: &ComponentInterface, manifest: &Manifest) -> Result<()> {
    let asks = |wanted: fn(&Grant) -> bool| manifest.grants.iter().any(wanted);
    let needs: [(&str, &str, bool); 9] = [
        (
            "atlashub:sql",
            "sql",
            // `atlashub:database` borrows the types of its values; what may
            // be called is asked at each call.
            asks(|grant| {
                matches!(
                    grant,
                    Grant::Sql | Grant::Database { .. } | Grant::DatabaseDefine
                )
            }),
        ),
        (
            "atlashub:database",
            "database",
            asks(|grant| matches!(grant, Grant::Database { .. } | Grant::DatabaseDefine)),
        ),
        (
            "atlashub:kv",
            "kv",
            asks(|grant| matches!(grant, Grant::Kv)),
        ),
        (
            "atlashub:audit",
            "audit",
            asks(|grant| matches!(grant, Grant::Audit)),
        ),
        (
            "atlashub:sign-in",
            "sign-in",
            asks(|grant| matches!(grant, Grant::SignIn)),
        ),
        (
            "atlashub:blob",
            "blob:<bucket>",
            asks(|grant| matches!(grant, Grant::Blob { .. })),
        ),
        (
            "atlashub:channel",
            "channel",
            asks(|grant| matches!(grant, Grant::Channel)),
        ),
        (
            "atlashub:jobs",
            "jobs",
            asks(|grant| matches!(grant, Grant::Jobs)),
        ),
        (
            "atlashub:mail",
            "mail",
            asks(|grant| matches!(grant, Grant::Mail | Grant::MailTo(_))),
        ),
    ];
    for (package, grant, asked) in needs {
        if interface.imports_package(package) && !asked {
            return Err(Error::invalid(
                "undeclared_import",
                format!(
                    "the component imports `{package}`, but its manifest does not ask for `{grant}`"
                ),
            ));
        }
    }
    if !manifest.subscriptions.is_empty() && !interface.handles_events() {
        return Err(Error::invalid(
            "no_event_handler",
            "the manifest subscribes to events, but the component does not export `atlashub:events/handler@0.1.0`",
        ));
    }
    if !manifest.jobs.is_empty() && !interface.handles_jobs() {
        return Err(Error::invalid(
            "no_job_handler",
            "the manifest has jobs, but the component does not export `atlashub:jobs/handler@0.1.0`",
        ));
    }
    Ok(())
}
