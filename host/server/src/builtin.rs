//! The plugins inside this binary.

use bytes::Bytes;

const COMPONENTS: &[&[u8]] = include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// The components, with their manifests inside.
pub(crate) fn components() -> Vec<Bytes> {
    COMPONENTS
        .iter()
        .map(|bytes| Bytes::from_static(bytes))
        .collect()
}
