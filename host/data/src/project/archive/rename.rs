//! Names in a dump that are others where it is loaded: those of the project's
//! roles, and ids of end users. Each is replaced by one of the same length, so
//! that a dump passes in chunks of any size.

use super::NewIds;
use std::sync::Arc;

/// The longest text that is replaced, bytes.
const LONGEST: usize = 64;

/// Replaces texts in what passes.
#[derive(Debug)]
pub(in crate::project) struct Renaming {
    names: Vec<(Vec<u8>, Vec<u8>)>,
    ids: Option<Arc<NewIds>>,
    held: Vec<u8>,
}

impl Renaming {
    /// Replaces each of `names`, whose two texts are equally long and start
    /// with `proj_`, and `ids`.
    pub(in crate::project) fn new(names: &[(String, String)], ids: Option<Arc<NewIds>>) -> Self {
        Self {
            names: names
                .iter()
                .filter(|(old, new)| old.len() == new.len() && old.len() <= LONGEST && old != new)
                .map(|(old, new)| (old.clone().into_bytes(), new.clone().into_bytes()))
                .collect(),
            ids,
            held: Vec::new(),
        }
    }

    /// What can be handed on after `bytes` have come.
    pub(in crate::project) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        self.replace();
        // What may be the beginning of a text stays until the rest comes. No
        // replacement makes another text of those that are looked for.
        let ready = self.held.len().saturating_sub(LONGEST);
        self.held.drain(..ready).collect()
    }

    /// What is left at the end.
    pub(in crate::project) fn finish(mut self) -> Vec<u8> {
        self.replace();
        self.held
    }

    fn replace(&mut self) {
        if !self.names.is_empty() {
            let mut at = 0;
            while let Some(found) = find(&self.held, b"proj_", at) {
                let new = self.names.iter().find(|(old, _)| {
                    self.held
                        .get(found..)
                        .is_some_and(|rest| rest.starts_with(old))
                });
                at = found + 1;
                if let Some((_, new)) = new
                    && let Some(place) = self.held.get_mut(found..found + new.len())
                {
                    place.copy_from_slice(new);
                    at = found + new.len();
                }
            }
        }
        if let Some(ids) = &self.ids
            && let std::borrow::Cow::Owned(changed) = ids.in_text(&self.held)
        {
            self.held = changed;
        }
    }
}

fn find(text: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.windows(wanted.len())
        .position(|window| window == wanted)
        .map(|at| from + at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use uuid::Uuid;

    #[test]
    fn texts_are_replaced_wherever_a_chunk_ends() {
        let user = Uuid::now_v7();
        let ids = Arc::new(NewIds::new(vec![user], Uuid::now_v7()));
        let names = [("proj_aaaa_".to_owned(), "proj_bbbb_".to_owned())];
        let text = format!("TO \"proj_aaaa_app\", proj_aaab_app; {user}\tproj_proj_aaaa_x {user}");
        let expected = text
            .replace("proj_aaaa_", "proj_bbbb_")
            .replace(&user.to_string(), &ids.of(user).to_string());
        for size in [1, 2, 7, 64, 1_000] {
            let mut renaming = Renaming::new(&names, Some(Arc::clone(&ids)));
            let mut passed = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                passed.extend(renaming.pass(chunk));
            }
            passed.extend(renaming.finish());
            assert_eq!(String::from_utf8(passed).unwrap(), expected, "{size}");
        }
    }
}
