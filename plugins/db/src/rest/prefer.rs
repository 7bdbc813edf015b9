//! `Prefer` (RFC 7240), as far as PostgREST has it.

use crate::fault::{Fault, Result};
use atlashub_sdk::prelude::*;

/// What a write gives back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Return {
    #[default]
    Minimal,
    HeadersOnly,
    Representation,
}

/// A client's preferences.
#[derive(Debug, Default)]
pub(super) struct Preferences {
    pub(super) returns: Return,
    /// The rows are counted; estimates are exact here.
    pub(super) count: bool,
    /// What to do with rows that are there already: change them, or leave
    /// them.
    pub(super) merge: Option<bool>,
    /// What a row does not say is the column's default, not NULL.
    pub(super) defaults: bool,
    pub(super) most: Option<u64>,
    pub(super) undo: bool,
    /// Those that were followed, as they were written.
    applied: Vec<String>,
}

impl Preferences {
    /// Reads the header.
    ///
    /// # Errors
    /// 400 for unknown ones, if the client wants that.
    pub(super) fn of(request: &Request) -> Result<Self> {
        let mut own = Self::default();
        let mut unknown = Vec::new();
        let mut strict = false;
        let mut most = None;
        let fields = request
            .headers()
            .iter()
            .filter(|(name, _)| *name == "prefer");
        let texts: Vec<&str> = fields
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
            .collect();
        let all = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
        for preference in all.filter(|preference| !preference.is_empty()) {
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            match (name.trim(), value.trim()) {
                ("return", "minimal") => own.returns = Return::Minimal,
                ("return", "headers-only") => own.returns = Return::HeadersOnly,
                ("return", "representation") => own.returns = Return::Representation,
                ("count", "exact" | "planned" | "estimated") => own.count = true,
                ("resolution", "merge-duplicates") => own.merge = Some(true),
                ("resolution", "ignore-duplicates") => own.merge = Some(false),
                ("missing", "default") => own.defaults = true,
                ("missing", "null") => own.defaults = false,
                ("handling", "strict") => strict = true,
                ("handling", "lenient") => strict = false,
                ("tx", "rollback") => own.undo = true,
                ("tx", "commit") => own.undo = false,
                ("max-affected", text) if text.parse::<u64>().is_ok() => {
                    most = text.parse().ok();
                    continue;
                }
                ("timezone", _) => continue,
                _ => {
                    unknown.push(preference);
                    continue;
                }
            }
            own.applied.push(preference.to_owned());
        }
        if strict && !unknown.is_empty() {
            return Err(Fault::preferences(&unknown.join(", ")));
        }
        if let Some(most) = most.filter(|_| strict) {
            own.most = Some(most);
            own.applied.push(format!("max-affected={most}"));
        }
        Ok(own)
    }

    /// Says which were followed.
    pub(super) fn applied(&self, response: Response) -> Response {
        if self.applied.is_empty() {
            return response;
        }
        response.with_header("preference-applied", self.applied.join(", "))
    }
}
