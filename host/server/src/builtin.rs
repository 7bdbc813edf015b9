//! The plugins inside this binary.

use atlashub_app::plugins::BuiltIn;
use atlashub_core::Digest;
use bytes::Bytes;

/// Name, component, SHA-256.
type Embedded = (&'static str, &'static [u8], [u8; 32]);

const PLUGINS: &[Embedded] = include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// All of them.
pub(crate) fn plugins() -> Vec<BuiltIn> {
    PLUGINS
        .iter()
        .map(|&(name, component, digest)| BuiltIn {
            name,
            component: Bytes::from_static(component),
            digest: Digest::from_bytes(digest),
        })
        .collect()
}
