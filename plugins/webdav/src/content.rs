//! `GET`, `HEAD` and `PUT`: bytes, passed on as they come.

use crate::{
    lock::require_parent,
    remote::{self, Node},
    scene::{READ, Scene, WRITE},
};
use atlashub_sdk::prelude::*;

/// `GET` and `HEAD` of a file.
pub(crate) fn get(request: Request, caller: Caller) -> Result<Response> {
    let scene = Scene::enter(&request, &caller, READ)?;
    let file = match scene.node()? {
        Node::File { file } => file,
        Node::Folder { .. } => {
            return Err(Error::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "is_folder",
                "a folder is listed with PROPFIND",
            )
            .with_header("allow", crate::ALLOWED));
        }
    };
    let answer = remote::download(&file, request.method().clone(), request.headers())?;
    Ok(answer.pass_on().with_header("etag", remote::etag(&file)))
}

/// `PUT`: a new file, or new bytes for one.
pub(crate) fn put(mut request: Request, caller: Caller) -> Result<Response> {
    let scene = Scene::enter(&request, &caller, WRITE)?;
    let place = scene.place();
    if request.header("content-range").is_some() {
        return Err(Error::bad_request(
            "content_range",
            "a part of a file cannot be put",
        ));
    }
    let there = remote::at(&place.path)?;
    if place.as_folder || there.as_ref().is_some_and(Node::is_folder) {
        return Err(Error::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "is_folder",
            "a folder has no bytes",
        )
        .with_header("allow", crate::ALLOWED));
    }
    check_preconditions(&request, there.as_ref())?;
    match there {
        Some(Node::File { file }) => {
            scene.may_change(&[&place.path], &[])?;
            // Whoever named bytes to replace replaces those only.
            let named = request.header("if-match").is_some() || request.header("if").is_some();
            let file = remote::replace(&file, named, &mut request)?;
            Ok(Response::new(StatusCode::NO_CONTENT).with_header("etag", remote::etag(&file)))
        }
        _ => {
            require_parent(place)?;
            scene.may_change(&[&place.path, place.split().0], &[])?;
            let file = remote::upload(&place.path, &mut request)?;
            Ok(Response::new(StatusCode::CREATED).with_header("etag", remote::etag(&file)))
        }
    }
}

/// `If-Match` and `If-None-Match` (RFC 9110 §13.1).
fn check_preconditions(request: &Request, there: Option<&Node>) -> Result<()> {
    let etag = there.and_then(Node::etag);
    let lists = |header: &str| {
        header
            .split(',')
            .map(str::trim)
            .any(|one| (one == "*" && etag.is_some()) || Some(one) == etag.as_deref())
    };
    let met = request.header("if-match").is_none_or(lists)
        && !request.header("if-none-match").is_some_and(lists);
    if met {
        return Ok(());
    }
    Err(Error::new(
        StatusCode::PRECONDITION_FAILED,
        "precondition_failed",
        "the file is another than you named",
    ))
}
