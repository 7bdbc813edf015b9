//! WebDAV (RFC 4918, classes 1 and 2) at `/dav`: the caller's own files and
//! folders as a drive that a desktop mounts.
//!
//! Files, folders and bytes are those of the plugin `files`, asked as whoever
//! calls; what others share is not in the drive. Kept here are locks, and the
//! properties that clients set. What is deleted goes to the trash of `files`,
//! what is overwritten becomes a former version there.

mod address;
mod conditions;
mod content;
mod lock;
mod locks;
mod properties;
mod propfind;
mod remote;
mod scene;
mod tree;
mod xml;

use atlashub_sdk::prelude::*;

/// What may be done with files and folders here.
const ALLOWED: &str =
    "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, COPY, MOVE, PROPFIND, PROPPATCH, LOCK, UNLOCK";

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .on("OPTIONS", "/dav/{*path}", options)
        .on("PROPFIND", "/dav/{*path}", propfind::find)
        .on("PROPPATCH", "/dav/{*path}", telling(propfind::patch))
        .on("GET", "/dav/{*path}", content::get)
        .on("PUT", "/dav/{*path}", telling(content::put))
        .on("MKCOL", "/dav/{*path}", telling(tree::make))
        .on("DELETE", "/dav/{*path}", telling(tree::delete))
        .on("COPY", "/dav/{*path}", telling(tree::copy))
        .on("MOVE", "/dav/{*path}", telling(tree::rename))
        .on("LOCK", "/dav/{*path}", telling(lock::lock))
        .on("UNLOCK", "/dav/{*path}", telling(lock::unlock))
        // The drive itself, with a slash at its end or without.
        .on("OPTIONS", "/dav", options)
        .on("PROPFIND", "/dav", propfind::find)
        .on("PROPPATCH", "/dav", telling(propfind::patch))
        .on("LOCK", "/dav", telling(lock::lock))
        .on("UNLOCK", "/dav", telling(lock::unlock))
        .on("OPTIONS", "/dav/", options)
        .on("PROPFIND", "/dav/", propfind::find)
        .on("PROPPATCH", "/dav/", telling(propfind::patch))
        .on("LOCK", "/dav/", telling(lock::lock))
        .on("UNLOCK", "/dav/", telling(lock::unlock))
}

/// The handler, whose refusals because of a lock are told in XML.
fn telling<T: IntoResponse + 'static>(
    handler: fn(Request, Caller) -> Result<T>,
) -> impl Fn(Request, Caller) -> Response {
    move |request, caller| match handler(request, caller) {
        Ok(done) => done.into_response(),
        Err(error) => locks::told(error),
    }
}

fn subscriptions() -> Subscriptions {
    Subscriptions::new()
        .on("files.deleted", properties::forget)
        .on("files.folder_deleted", properties::forget)
}

atlashub_sdk::plugin!(routes, events = subscriptions);

/// What this is, told to everybody: clients ask before they sign in.
fn options() -> Response {
    Response::new(StatusCode::OK)
        .with_header("dav", "1, 2")
        .with_header("ms-author-via", "DAV")
        .with_header("allow", ALLOWED)
}

#[cfg(test)]
mod tests;
