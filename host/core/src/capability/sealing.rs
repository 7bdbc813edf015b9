//! Sealing of what plugins are told in confidence.

use super::PluginScope;
use crate::Result;
use secrecy::SecretBox;

/// Most bytes that are sealed at once.
pub const MAX_PLAIN_BYTES: usize = 64 * 1024;
/// Longest context, bytes.
pub const MAX_CONTEXT_BYTES: usize = 256;

/// Seals and opens for a plugin in a project: nothing that was sealed for one
/// opens for another. Asks no database.
pub trait Sealing: Send + Sync {
    /// Seals for what `context` names. Code: `too_large`.
    fn seal(&self, scope: &PluginScope, context: &str, plain: &[u8]) -> Result<String>;

    /// Opens what was sealed with the same context. Codes: `too_large`,
    /// `cannot_open`.
    fn open(&self, scope: &PluginScope, context: &str, sealed: &str) -> Result<SecretBox<[u8]>>;

    /// The same under the present master key, unless it is already. Codes as
    /// [`open`](Self::open).
    fn renew(&self, scope: &PluginScope, context: &str, sealed: &str) -> Result<Option<String>>;
}
