//! `MKCOL`, `DELETE`, `COPY` and `MOVE`.

use crate::{
    address::Place,
    lock::require_parent,
    locks, properties, remote,
    scene::{DELETE, Depth, Scene, WRITE, depth, overwrites},
};
use atlashub_sdk::prelude::*;
use serde_json::json;

/// `MKCOL`.
pub(crate) fn make(mut request: Request, caller: Caller) -> Result<StatusCode> {
    let scene = Scene::enter(&request, &caller, WRITE)?;
    if request.take_body().chunk()?.is_some() {
        return Err(Error::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "body_unknown",
            "a folder is made without a body",
        ));
    }
    let place = scene.place();
    let taken = || {
        Error::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "path_taken",
            "there is a file or folder of that name",
        )
        .with_header("allow", crate::ALLOWED)
    };
    if remote::at(&place.path)?.is_some() {
        return Err(taken());
    }
    let parent = require_parent(place)?;
    let (above, name) = place.split();
    scene.may_change(&[&place.path, above], &[])?;
    let parent = parent.as_ref().and_then(remote::Node::id);
    match remote::make_folder(parent, name) {
        Err(error) if error.code() == "path_taken" => Err(taken()),
        made => made.map(|_| StatusCode::CREATED),
    }
}

/// `DELETE`: to the trash.
pub(crate) fn delete(request: Request, caller: Caller) -> Result<StatusCode> {
    let scene = Scene::enter(&request, &caller, DELETE)?;
    let node = scene.node()?;
    let place = scene.place();
    not_the_top(place)?;
    scene.may_change(&[place.split().0], &[&place.path])?;
    remote::delete(&node)?;
    locks::end_tree(&scene.owner, &scene.locks, &place.path)?;
    Ok(StatusCode::NO_CONTENT)
}

/// `COPY`.
pub(crate) fn copy(request: Request, caller: Caller) -> Result<StatusCode> {
    let scene = Scene::enter(&request, &caller, WRITE)?;
    let shallow = match depth(&request)? {
        Depth::Zero => true,
        Depth::Infinity => false,
        Depth::One => {
            return Err(Error::bad_request(
                "invalid_depth",
                "a copy's depth is `0` or `infinity`",
            ));
        }
    };
    let to = destination(&scene, &request)?;
    not_the_top(scene.place())?;
    scene.may_change(&[to.split().0], &[&to.path])?;
    let done = go(
        &scene,
        "copy",
        &to,
        &json!({
            "from": scene.place().path,
            "to": to.path,
            "replace": overwrites(&request),
            "shallow": shallow,
        }),
    )?;
    Ok(status(&done))
}

/// `MOVE`.
pub(crate) fn rename(request: Request, caller: Caller) -> Result<StatusCode> {
    let scene = Scene::enter(&request, &caller, WRITE)?;
    let to = destination(&scene, &request)?;
    let from = scene.place();
    not_the_top(from)?;
    scene.may_change(&[from.split().0, to.split().0], &[&from.path, &to.path])?;
    let done = go(
        &scene,
        "move",
        &to,
        &json!({
            "from": from.path,
            "to": to.path,
            "replace": overwrites(&request),
        }),
    )?;
    // A lock stays where it is, and there is nothing any more.
    locks::end_tree(&scene.owner, &scene.locks, &from.path)?;
    Ok(status(&done))
}

fn destination(scene: &Scene, request: &Request) -> Result<Place> {
    let to = scene.address.destination(request)?;
    not_the_top(&to)?;
    Ok(to)
}

fn go(scene: &Scene, what: &str, to: &Place, wish: &serde_json::Value) -> Result<remote::Outcome> {
    // Found as any request finds it: a file is none with a slash at its end.
    scene.node()?;
    let done = remote::relocate(what, wish).map_err(|error| match error.code() {
        "path_taken" => Error::new(
            StatusCode::PRECONDITION_FAILED,
            "path_taken",
            format!("there is something at `{}` already", to.path),
        ),
        "same_path" | "folder_cycle" => Error::forbidden(error.detail().to_owned()),
        _ => error,
    })?;
    properties::copy(&scene.owner, &done.copies)?;
    Ok(done)
}

fn status(done: &remote::Outcome) -> StatusCode {
    if done.replaced {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::CREATED
    }
}

fn not_the_top(place: &Place) -> Result<()> {
    if place.is_top() {
        return Err(Error::forbidden("the drive itself stays as it is"));
    }
    Ok(())
}
