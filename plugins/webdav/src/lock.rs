//! `LOCK` and `UNLOCK`.

use crate::{
    address::Place,
    locks::{self, Barred, Lock, Made},
    properties::lock_discovery,
    remote,
    scene::{Depth, Scene, WRITE, depth},
    xml,
};
use atlashub_sdk::prelude::*;

/// `LOCK`: makes a lock, on something that is not there by making an empty
/// file of it; without a body, lets one hold for longer.
pub(crate) fn lock(mut request: Request, caller: Caller) -> Result<Response> {
    let mut scene = Scene::enter(&request, &caller, WRITE)?;
    let seconds = locks::seconds(&request);
    let Some(info) = xml::body(&mut request)? else {
        return refresh(scene, seconds);
    };
    let deep = match depth(&request)? {
        Depth::Zero => false,
        Depth::Infinity => true,
        Depth::One => {
            return Err(Error::bad_request(
                "invalid_depth",
                "a lock's depth is `0` or `infinity`",
            ));
        }
    };
    let Place { path, as_folder } = scene.place().clone();
    let there = scene.find()?;
    let deep = deep && there.as_ref().is_none_or(remote::Node::is_folder);
    let wish = locks::wish(&info, &path, deep, seconds)?;
    if there.is_none() {
        if as_folder {
            return Err(Error::conflict("folder_missing", "make the folder first"));
        }
        require_parent(scene.place())?;
        scene.may_change(&[scene.place().split().0], &[])?;
    }
    let made = match locks::make(&scene.owner, &wish)? {
        Made::Lock(lock) => lock,
        Made::Barred(other) => {
            return Err(scene.locked(Barred::Lock, &other, &[&path]));
        }
    };
    if there.is_none()
        && let Err(error) = remote::make_file(&path)
    {
        locks::end(&scene.owner, &made.token)?;
        return Err(error);
    }
    let status = match there {
        Some(_) => StatusCode::OK,
        None => StatusCode::CREATED,
    };
    let token = format!("<{}>", made.token);
    scene.locks.push(made);
    Ok(discovery(&scene)
        .with_status(status)
        .with_header("lock-token", token))
}

/// Refuses what has no folder around it.
pub(crate) fn require_parent(place: &Place) -> Result<Option<remote::Node>> {
    let parent = remote::at(place.split().0)?.filter(remote::Node::is_folder);
    match parent {
        Some(parent) => Ok(Some(parent)),
        None => Err(Error::conflict(
            "folder_missing",
            "there is no folder for it, make it first",
        )),
    }
}

fn refresh(mut scene: Scene, seconds: Option<i64>) -> Result<Response> {
    let path = scene.place().path.clone();
    let is_meant = |lock: &&Lock| lock.covers(&path) && scene.shown.contains(&lock.token);
    let Some(lock) = scene.locks.iter().find(is_meant) else {
        return Err(locks::not_held());
    };
    let refreshed = locks::refresh(&scene.owner, lock, seconds)?;
    scene.locks.retain(|lock| lock.token != refreshed.token);
    scene.locks.push(refreshed);
    Ok(discovery(&scene))
}

fn discovery(scene: &Scene) -> Response {
    let locks = lock_discovery(scene, &scene.place().path);
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:prop xmlns:D=\"DAV:\">\
         <D:lockdiscovery>{locks}</D:lockdiscovery></D:prop>"
    );
    Response::new(StatusCode::OK)
        .with_header("content-type", "application/xml; charset=utf-8")
        .with_body(body.into_bytes())
}

/// `UNLOCK`.
pub(crate) fn unlock(request: Request, caller: Caller) -> Result<StatusCode> {
    let scene = Scene::enter(&request, &caller, WRITE)?;
    let token = request
        .header("lock-token")
        .and_then(|text| text.trim().strip_prefix('<')?.strip_suffix('>'))
        .ok_or_else(|| {
            Error::bad_request(
                "invalid_lock_token",
                "send `Lock-Token` with the token in <…>",
            )
        })?;
    let path = &scene.place().path;
    let is_meant = |lock: &&Lock| lock.token == token && lock.covers(path);
    let ended = match scene.locks.iter().find(is_meant) {
        Some(_) => locks::end(&scene.owner, token)?,
        None => false,
    };
    if !ended {
        return Err(Error::conflict(
            "lock_token_mismatch",
            "no lock of that token is here",
        ));
    }
    Ok(StatusCode::NO_CONTENT)
}
