//! What owners should know of their documents, for the plugin that notifies
//! them: the event `notice`. It has happened when this is called: a failure
//! here is for the log.

use atlashub_sdk::prelude::*;

/// Characters of a file's name in a title.
const MAX_NAME: usize = 100;

#[derive(Debug, Serialize)]
struct Notice<'a> {
    kind: &'a str,
    user_ids: [&'a str; 1],
    title: String,
    subject: Subject<'a>,
}

#[derive(Debug, Serialize)]
struct Subject<'a> {
    r#type: &'a str,
    id: &'a str,
}

/// A document could not be read, and will not be by itself.
pub(crate) fn failed(id: &str, owner: &str, filename: &str) {
    // What belongs to no one has nobody to tell.
    if owner.is_empty() {
        return;
    }
    let name: String = filename.chars().take(MAX_NAME).collect();
    let notice = Notice {
        kind: "job_failed",
        user_ids: [owner],
        title: format!("{name} could not be read"),
        subject: Subject { r#type: "file", id },
    };
    if let Err(error) = events::publish("notice", &notice, Some(id)) {
        log::warn!("that {id} cannot be read was not told: {error}");
    }
}
