//! What plugins seal: by the host's sealer, each text bound to the project,
//! the plugin and what the plugin says it belongs to.

use super::seal::Sealer;
use atlashub_core::{
    Error, ProjectId, Result,
    capability::{
        PluginScope,
        sealing::{MAX_CONTEXT_BYTES, MAX_PLAIN_BYTES, Sealing},
    },
};
use secrecy::{ExposeSecret as _, SecretBox};

/// Longest sealed text: of the most that is sealed, in base64, with room for
/// what stands before it.
const MAX_SEALED_BYTES: usize = MAX_PLAIN_BYTES * 4 / 3 + 128;

impl Sealing for Sealer {
    fn seal(&self, scope: &PluginScope, context: &str, plain: &[u8]) -> Result<String> {
        if plain.len() > MAX_PLAIN_BYTES {
            return Err(too_large("what is sealed at once has 64 KiB at most"));
        }
        Self::seal(
            self,
            &identity(self.origin(scope.project), scope, context)?,
            plain,
        )
    }

    fn open(&self, scope: &PluginScope, context: &str, sealed: &str) -> Result<SecretBox<[u8]>> {
        let identity = identity(self.origin(scope.project), scope, context)?;
        if sealed.len() > MAX_SEALED_BYTES {
            return Err(cannot_open());
        }
        Self::open(self, &identity, sealed).map_err(|error| cannot_open().with_source(error))
    }

    fn renew(&self, scope: &PluginScope, context: &str, sealed: &str) -> Result<Option<String>> {
        let plain = Sealing::open(self, scope, context, sealed)?;
        if self.is_current(sealed) {
            return Ok(None);
        }
        Sealing::seal(self, scope, context, plain.expose_secret()).map(Some)
    }
}

/// Neither ids nor names of plugins contain a slash, so that no two records
/// have the same.
fn identity(project: ProjectId, scope: &PluginScope, context: &str) -> Result<String> {
    if context.len() > MAX_CONTEXT_BYTES {
        return Err(too_large("a context has 256 bytes at most"));
    }
    let plugin = &scope.plugin;
    Ok(format!("project/{project}/sealed-by/{plugin}/{context}"))
}

fn too_large(message: &'static str) -> Error {
    Error::invalid("too_large", message)
}

/// All reasons look alike to the plugin.
fn cannot_open() -> Error {
    Error::invalid(
        "cannot_open",
        "it was sealed elsewhere or for something else, with a master key that is gone, or was changed",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::platform::seal::KEY_BYTES;

    fn sealer(keys: &[u8]) -> Sealer {
        let mut keys = keys
            .iter()
            .map(|byte| SecretBox::new(Box::new([*byte; KEY_BYTES])));
        Sealer::new(keys.next().unwrap(), keys.collect::<Vec<_>>())
    }

    fn scope(project: ProjectId, plugin: &str) -> PluginScope {
        PluginScope {
            project,
            plugin: plugin.parse().unwrap(),
        }
    }

    fn opened(sealer: &Sealer, scope: &PluginScope, context: &str, text: &str) -> Option<Vec<u8>> {
        match Sealing::open(sealer, scope, context, text) {
            Ok(plain) => Some(plain.expose_secret().to_vec()),
            Err(error) => {
                assert_eq!(error.code(), "cannot_open");
                None
            }
        }
    }

    #[test]
    fn what_a_plugin_seals_opens_for_it_alone_and_in_its_place() {
        let sealer = sealer(&[1]);
        let (here, there) = (ProjectId::new(), ProjectId::new());
        let own = scope(here, "backends");
        let text = Sealing::seal(&sealer, &own, "row/1", b"pass word").unwrap();
        assert!(!text.contains("pass"));
        assert_eq!(opened(&sealer, &own, "row/1", &text).unwrap(), b"pass word");
        assert_eq!(opened(&sealer, &own, "row/2", &text), None);
        assert_eq!(opened(&sealer, &scope(here, "cron"), "row/1", &text), None);
        assert_eq!(
            opened(&sealer, &scope(there, "backends"), "row/1", &text),
            None
        );
        assert_eq!(opened(&sealer, &own, "row/1", "s1.x.y"), None);
    }

    #[test]
    fn what_was_sealed_opens_after_a_rotation_and_can_be_renewed() {
        let own = scope(ProjectId::new(), "backends");
        let text = Sealing::seal(&sealer(&[1]), &own, "a", b"secret").unwrap();
        let rotated = sealer(&[2, 1]);
        assert_eq!(opened(&rotated, &own, "a", &text).unwrap(), b"secret");
        let renewed = Sealing::renew(&rotated, &own, "a", &text).unwrap().unwrap();
        assert_eq!(opened(&sealer(&[2]), &own, "a", &text), None);
        assert_eq!(
            opened(&sealer(&[2]), &own, "a", &renewed).unwrap(),
            b"secret"
        );
        assert_eq!(Sealing::renew(&rotated, &own, "a", &renewed).unwrap(), None);
    }

    #[test]
    fn what_is_sealed_is_bounded() {
        let (sealer, own) = (sealer(&[1]), scope(ProjectId::new(), "backends"));
        let most = vec![7; MAX_PLAIN_BYTES];
        let text = Sealing::seal(&sealer, &own, "a", &most).unwrap();
        assert_eq!(opened(&sealer, &own, "a", &text).unwrap(), most);
        let refused = |context: &str, plain: &[u8]| {
            let error = Sealing::seal(&sealer, &own, context, plain).unwrap_err();
            assert_eq!(error.code(), "too_large");
        };
        refused("a", &vec![7; MAX_PLAIN_BYTES + 1]);
        refused(&"a".repeat(MAX_CONTEXT_BYTES + 1), b"");
        assert_eq!(
            opened(&sealer, &own, "a", &"a".repeat(MAX_SEALED_BYTES + 1)),
            None
        );
    }
}
