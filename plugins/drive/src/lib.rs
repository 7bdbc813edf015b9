//! The web application for end users. Its pages are static files that the host
//! serves by itself; they call the project's own interface, as any client does.
//! What is left for the component is to say what an admin has set.

use atlashub_sdk::prelude::*;

/// What an admin can set, and everybody may know.
#[derive(Debug, Deserialize, Serialize)]
pub struct Settings {
    /// What the pages call themselves.
    #[serde(default = "default_name")]
    name: String,
    /// `en` or `sw`.
    #[serde(default = "default_language")]
    language: String,
    /// Whether users see payments.
    #[serde(default = "default_payments")]
    payments: bool,
    /// What a payment is for unless the user says otherwise.
    #[serde(default = "default_reference")]
    pay_reference: String,
}

fn default_name() -> String {
    "Drive".to_owned()
}

fn default_language() -> String {
    "en".to_owned()
}

const fn default_payments() -> bool {
    true
}

fn default_reference() -> String {
    "DRIVE".to_owned()
}

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new().get("/drive/settings", settings)
}

fn settings() -> Result<Json<Settings>> {
    Ok(Json(config::load()?))
}

atlashub_sdk::plugin!(routes);

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a failed test may panic"
    )]

    use super::*;
    use atlashub_sdk::testing::{TestHost, assert_described};
    use serde_json::{Value, json};

    #[test]
    fn the_description_names_the_routes() {
        assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn what_is_not_set_has_a_default() {
        let response = TestHost::new("drive").call(&routes(), Request::get("/drive/settings"));
        let settings: Value = response.into_json().unwrap();
        assert_eq!(
            settings,
            json!({"name": "Drive", "language": "en", "payments": true, "pay_reference": "DRIVE"})
        );
    }
}
