//! Other ids for the end users of a project that is copied on its own
//! platform, where an id is one user's. They are found by their text, so that
//! rows of plugins that refer to them keep doing so.

use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use uuid::Uuid;

/// Characters of an id's text.
pub(super) const TEXT: usize = 36;

/// New ids for some that are known. The same id always becomes the same.
#[derive(Debug)]
pub struct NewIds {
    known: Vec<Uuid>,
    salt: Uuid,
}

impl NewIds {
    /// New ids for `known`, others with every `salt`.
    #[must_use]
    pub fn new(mut known: Vec<Uuid>, salt: Uuid) -> Self {
        known.sort_unstable();
        Self { known, salt }
    }

    /// The id that `id` becomes: itself when it is none of those.
    #[must_use]
    pub fn of(&self, id: Uuid) -> Uuid {
        if self.known.binary_search(&id).is_err() {
            return id;
        }
        let mut hash = Sha256::new();
        hash.update(self.salt.as_bytes());
        hash.update(id.as_bytes());
        let hash = hash.finalize();
        let mut bytes = *id.as_bytes();
        // Version, variant and time stay, so that ids sort as before.
        for (at, (byte, fresh)) in bytes.iter_mut().zip(hash.iter()).enumerate() {
            *byte = match at {
                0..=5 => *byte,
                6 => (*byte & 0xf0) | (fresh & 0x0f),
                8 => (*byte & 0xc0) | (fresh & 0x3f),
                _ => *fresh,
            };
        }
        Uuid::from_bytes(bytes)
    }

    /// The id that became `id`, if one did.
    #[must_use]
    pub fn was(&self, id: Uuid) -> Option<Uuid> {
        // The time of an id stays, so that only those of the same are asked.
        let time = id.as_bytes().get(..6)?;
        let from = self
            .known
            .partition_point(|known| known.as_bytes().get(..6) < Some(time));
        self.known
            .iter()
            .skip(from)
            .take_while(|known| known.as_bytes().get(..6) == Some(time))
            .copied()
            .find(|known| self.of(*known) == id)
    }

    /// `text` with the new ids in place of the old.
    #[must_use]
    pub fn in_text<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let mut changed = Cow::Borrowed(text);
        let mut at = 0;
        while let Some(found) = next_id(text, at) {
            at = found;
            let Some(id) = text.get(at..at + TEXT).and_then(parse) else {
                at += 1;
                continue;
            };
            let new = self.of(id);
            if new != id
                && let Some(place) = changed.to_mut().get_mut(at..at + TEXT)
            {
                place.copy_from_slice(new.hyphenated().to_string().as_bytes());
            }
            at += TEXT;
        }
        changed
    }
}

/// Where something that looks like an id begins, from `from` on.
fn next_id(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        // Its first dash stands behind eight digits.
        let rest = text.get(at.checked_add(8)?..)?;
        let dash = rest.iter().position(|byte| *byte == b'-')?;
        at += dash;
        let candidate = text.get(at..at.checked_add(TEXT)?)?;
        if looks_like_id(candidate) {
            return Some(at);
        }
        at += 1;
    }
}

fn looks_like_id(text: &[u8]) -> bool {
    text.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'),
    })
}

fn parse(text: &[u8]) -> Option<Uuid> {
    Uuid::try_parse_ascii(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_of(ids: &NewIds, id: Uuid) -> Uuid {
        ids.of(id)
    }

    #[test]
    fn known_ids_change_and_others_stay() {
        let (known, other) = (Uuid::now_v7(), Uuid::now_v7());
        let ids = NewIds::new(vec![known], Uuid::now_v7());
        let new = ids.of(known);
        assert_ne!(new, known);
        assert_eq!(ids.of(other), other);
        assert_eq!(
            (ids.was(new_of(&ids, known)), ids.was(other)),
            (Some(known), None)
        );
        assert_eq!(
            (new.get_version_num(), new.get_variant()),
            (7, known.get_variant())
        );
        assert_eq!(new.as_bytes().get(..6), known.as_bytes().get(..6));
        let text = format!("a-b {known}/{other} {{\"u\":\"{known}\"}} -{known}");
        let expected = text.replace(&known.to_string(), &new.to_string());
        assert_eq!(ids.in_text(text.as_bytes()), expected.as_bytes());
        assert!(matches!(ids.in_text(b"nothing-of-it"), Cow::Borrowed(_)));
    }
}
