//! The log of an attempt: what was sent and what came, with what is sealed
//! taken out, also where an answer repeats it.

use crate::{STORE, sealed::Secrets};
use atlashub_sdk::prelude::*;

/// What stands in place of a secret.
const GONE: &str = "[sealed]";
/// Secrets shorter than this are not looked for: they are in any text.
const LEAST: usize = 4;
/// Longest log that is kept in the row, bytes.
const SHORT: usize = 4_096;

/// Takes secrets out of texts.
pub(crate) struct Redaction(Vec<String>);

impl Redaction {
    /// For these secrets, as they are and as parts of other texts have them.
    pub(crate) fn of(secrets: &Secrets) -> Self {
        let mut texts = Vec::new();
        for secret in secrets.values() {
            // `Bearer …` may come back without its first word.
            let word = secret.split_once(' ').map(|(_, rest)| rest);
            for text in [Some(secret), word].into_iter().flatten() {
                let json = serde_json::to_string(text).unwrap_or_default();
                let json = json.trim_matches('"').to_owned();
                texts.extend([text.to_owned(), json, http::encoded(text)]);
            }
        }
        texts.retain(|text| text.len() >= LEAST);
        // A secret within another is looked for behind that.
        texts.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        texts.dedup();
        Self(texts)
    }

    /// The longest text that is looked for, bytes.
    pub(crate) fn longest(&self) -> usize {
        self.0.first().map_or(0, String::len)
    }

    /// The text without them.
    pub(crate) fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), GONE);
            }
        }
        text
    }

    /// The beginning of an answer, `limit` bytes at most. `bytes` may be cut
    /// off, `more` says so: then its end may be the beginning of a secret, and
    /// is left out.
    pub(crate) fn beginning(&self, bytes: &[u8], limit: usize, more: bool) -> String {
        let text = self.apply(&String::from_utf8_lossy(bytes));
        let whole = if more {
            text.len().saturating_sub(self.longest())
        } else {
            text.len()
        };
        let end = text.floor_char_boundary(whole.min(limit));
        let mut kept = text.get(..end).unwrap_or_default().to_owned();
        if more || end < text.len() {
            kept.push_str("\n[cut off here]");
        }
        kept
    }
}

/// Where a log is.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) text: Option<String>,
    pub(crate) object_key: Option<String>,
}

/// Keeps a log: short ones for the row, others in the store. When that is
/// full, its beginning has to do.
pub(crate) fn keep(log: String) -> Kept {
    if log.len() <= SHORT {
        return Kept {
            text: Some(log),
            object_key: None,
        };
    }
    match STORE.put_bytes(log.as_bytes(), &blob::PutOptions::default()) {
        Ok(stored) => Kept {
            text: None,
            object_key: Some(stored.object.key),
        },
        Err(error) => {
            log::warn!("the log of a run was cut off: {error}");
            let end = log.floor_char_boundary(SHORT);
            let beginning = log.get(..end).unwrap_or_default();
            Kept {
                text: Some(format!("{beginning}\n[cut off here: {}]", error.code())),
                object_key: None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redaction() -> Redaction {
        let mut secrets = Secrets::default();
        secrets.set_header("authorization", "Bearer t\"op-secret");
        secrets.set_header("x-key", "abc");
        Redaction::of(&secrets)
    }

    #[test]
    fn secrets_are_taken_out_however_they_come_back() {
        let redaction = redaction();
        for text in [
            "Bearer t\"op-secret",
            "you sent t\"op-secret.",
            r#"{"authorization":"Bearer t\"op-secret"}"#,
            "?token=t%22op%2Dsecret&x",
        ] {
            let kept = redaction.apply(text);
            assert!(!kept.contains("secret"), "{kept}");
            assert!(kept.contains(GONE), "{kept}");
        }
        assert_eq!(redaction.apply("abc"), "abc");
    }

    #[test]
    fn the_end_of_what_is_cut_off_shows_no_beginning_of_a_secret() {
        let redaction = redaction();
        let kept = redaction.beginning(
            b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx Bearer t\"op-sec",
            60,
            true,
        );
        assert!(!kept.contains("Bearer"), "{kept}");
        assert!(kept.ends_with("[cut off here]"), "{kept}");
        assert_eq!(redaction.beginning(b"short", 60, false), "short");
        assert_eq!(
            redaction.beginning("ärger".as_bytes(), 1, false),
            "\n[cut off here]"
        );
    }
}
