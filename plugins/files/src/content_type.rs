//! How a stored type is said to clients.

/// The value of `Content-Type` for a stored type.
pub(crate) fn header(mime_type: &str) -> String {
    if mime_type.starts_with("text/") {
        format!("{mime_type}; charset=utf-8")
    } else {
        mime_type.to_owned()
    }
}
