//! Which entries of the index a caller is shown.

use atlashub_files_client::{Readable, Scope, readable};
use atlashub_sdk::prelude::*;

/// The condition of who may see all.
pub(crate) const EVERYTHING: &str = "TRUE";

/// What a caller may see, as `files` says now.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) scope: Scope,
    /// Of others.
    pub(crate) shared: Readable,
}

impl Sight {
    pub(crate) fn of(scope: Scope) -> Result<Self> {
        let shared = match scope {
            Scope::All => Readable::default(),
            Scope::Owner(_) => readable()?,
        };
        Ok(Self { scope, shared })
    }

    /// The condition on `entries` for what may be shown. `parameters` gets the
    /// values.
    pub(crate) fn condition(&self, parameters: &mut Vec<sql::Value>) -> Result<String> {
        let Scope::Owner(owner) = &self.scope else {
            return Ok(EVERYTHING.into());
        };
        parameters.push(owner.as_str().into());
        let mut condition = format!(
            "(entries.owner = ${} OR entries.visibility = 'public'",
            parameters.len()
        );
        for (column, ids) in [
            ("file_id", &self.shared.files),
            ("folder_id", &self.shared.folders),
        ] {
            if !ids.is_empty() {
                parameters.push(sql::Value::json(ids)?);
                let ids = sql::texts_in(parameters.len());
                condition.push_str(&format!(" OR entries.{column} IN ({ids})"));
            }
        }
        condition.push(')');
        Ok(condition)
    }
}
