//! A revision: compiled code, addressed by the SHA-256 of the component's
//! bytes, linked once and shared by every project that uses it.

use crate::{bindings, state::State};
use atlashub_core::{Digest, Error, Result};
use serde::{Deserialize, Serialize};
use wasmtime::{
    Engine,
    component::{Component, InstancePre, Linker, types::ComponentItem},
};
use wasmtime_wasi_http::p2::bindings::ProxyIndices;

/// The interfaces that a component imports and exports, as its type says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentInterface {
    /// Imported interfaces with their versions.
    pub imports: Vec<String>,
    /// Exported interfaces with their versions.
    pub exports: Vec<String>,
}

impl ComponentInterface {
    pub(crate) fn of(engine: &Engine, component: &Component) -> Self {
        let names = |items: &mut dyn Iterator<Item = (String, bool)>| {
            let mut names: Vec<String> = items
                .filter(|(_, named)| *named)
                .map(|(name, _)| name)
                .collect();
            names.sort();
            names
        };
        let ty = component.component_type();
        Self {
            imports: names(
                &mut ty.imports(engine).map(|(name, item)| {
                    (name.to_owned(), !matches!(item.ty, ComponentItem::Type(_)))
                }),
            ),
            exports: names(
                &mut ty.exports(engine).map(|(name, item)| {
                    (name.to_owned(), !matches!(item.ty, ComponentItem::Type(_)))
                }),
            ),
        }
    }

    /// Whether it imports an interface of `package`, such as `atlashub:sql`.
    #[must_use]
    pub fn imports_package(&self, package: &str) -> bool {
        self.imports.iter().any(|name| {
            name.strip_prefix(package)
                .is_some_and(|rest| rest.starts_with('/'))
        })
    }

    /// Whether it answers HTTP requests.
    #[must_use]
    pub fn handles_http(&self) -> bool {
        self.exports
            .iter()
            .any(|name| name.starts_with("wasi:http/incoming-handler@0.2."))
    }

    /// Whether it has lifecycle hooks.
    #[must_use]
    pub fn has_lifecycle(&self) -> bool {
        self.exports
            .iter()
            .any(|name| name == "atlashub:lifecycle/hooks@0.1.0")
    }

    /// Whether it listens to events.
    #[must_use]
    pub fn handles_events(&self) -> bool {
        self.exports
            .iter()
            .any(|name| name == "atlashub:events/handler@0.1.0")
    }

    /// Whether it does jobs.
    #[must_use]
    pub fn handles_jobs(&self) -> bool {
        self.exports
            .iter()
            .any(|name| name == "atlashub:jobs/handler@0.1.0")
    }

    /// Whether its tables can be compared with its objects.
    #[must_use]
    pub fn has_check(&self) -> bool {
        self.exports
            .iter()
            .any(|name| name == "atlashub:check/records@0.1.0")
    }
}

/// A compiled and linked component.
pub struct Revision {
    digest: Digest,
    interface: ComponentInterface,
    pub(crate) pre: InstancePre<State>,
    pub(crate) proxy: ProxyIndices,
    pub(crate) lifecycle: Option<bindings::LifecycleIndices>,
    pub(crate) event_handler: Option<bindings::EventHandlerIndices>,
    pub(crate) job_handler: Option<bindings::JobHandlerIndices>,
    pub(crate) check: Option<bindings::CheckingIndices>,
}

impl std::fmt::Debug for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revision")
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Revision {
    pub(crate) fn link(
        linker: &Linker<State>,
        digest: Digest,
        component: &Component,
        interface: ComponentInterface,
    ) -> Result<Self> {
        let pre = linker.instantiate_pre(component).map_err(|error| {
            Error::invalid(
                "unknown_import",
                format!("the component cannot be linked: {error:#}"),
            )
        })?;
        if !interface.handles_http() {
            return Err(Error::invalid(
                "no_handler",
                "the component does not export `wasi:http/incoming-handler@0.2`",
            ));
        }
        let lifecycle = if interface.has_lifecycle() {
            Some(bindings::LifecycleIndices::new(&pre).map_err(|error| {
                Error::invalid(
                    "invalid_component",
                    format!("its lifecycle hooks do not fit: {error:#}"),
                )
            })?)
        } else {
            None
        };
        let event_handler = if interface.handles_events() {
            Some(bindings::EventHandlerIndices::new(&pre).map_err(|error| {
                Error::invalid(
                    "invalid_component",
                    format!("its handler of events does not fit: {error:#}"),
                )
            })?)
        } else {
            None
        };
        let job_handler = if interface.handles_jobs() {
            Some(bindings::JobHandlerIndices::new(&pre).map_err(|error| {
                Error::invalid(
                    "invalid_component",
                    format!("its handler of jobs does not fit: {error:#}"),
                )
            })?)
        } else {
            None
        };
        let check = if interface.has_check() {
            Some(bindings::CheckingIndices::new(&pre).map_err(|error| {
                Error::invalid(
                    "invalid_component",
                    format!("its check does not fit: {error:#}"),
                )
            })?)
        } else {
            None
        };
        let proxy = ProxyIndices::new(&pre).map_err(|error| {
            Error::invalid(
                "invalid_component",
                format!("its handler does not fit: {error:#}"),
            )
        })?;
        Ok(Self {
            digest,
            interface,
            pre,
            proxy,
            lifecycle,
            event_handler,
            job_handler,
            check,
        })
    }

    /// The SHA-256 of the component's bytes.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What it imports and exports.
    #[must_use]
    pub fn interface(&self) -> &ComponentInterface {
        &self.interface
    }
}
