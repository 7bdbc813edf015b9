//! Which entries of the index a caller is shown.

use atlashub_files_client::Scope;
use atlashub_sdk::sql;

/// The condition on `entries` for what may be shown. `parameters` gets the
/// values.
pub(crate) fn condition(scope: &Scope, parameters: &mut Vec<sql::Value>) -> String {
    match scope {
        Scope::All => "TRUE".into(),
        Scope::Owner(owner) => {
            parameters.push(owner.as_str().into());
            let place = parameters.len();
            format!(
                "(entries.owner = ${place} OR entries.visibility = 'public' OR entries.number IN \
                 (SELECT readers.number FROM search.readers WHERE readers.reader = ${place}))"
            )
        }
    }
}
