//! `PROPFIND` and `PROPPATCH`.

use crate::{
    properties::{self, Subject, Wanted, dead_of, is_live, propstat},
    remote::{self, Node},
    scene::{Depth, READ, Scene, WRITE, depth},
    xml::{self, Element, Name},
};
use atlashub_sdk::prelude::*;
use std::io;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">";
const FOOT: &str = "</D:multistatus>";
/// Properties that one request names at most.
const MOST: usize = 100;

/// `PROPFIND`: a thing, or a folder and what lies in it.
pub(crate) fn find(mut request: Request, caller: Caller) -> Result<Response> {
    let scene = Scene::enter(&request, &caller, READ)?;
    let depth = depth(&request)?;
    let wanted = wanted(xml::body(&mut request)?)?;
    let node = scene.node()?;
    if depth == Depth::Infinity && node.is_folder() {
        return Ok(xml::unmet(
            StatusCode::FORBIDDEN,
            "propfind-finite-depth",
            None,
        ));
    }
    let quota = wanted.quota()?;
    let describe = move |out: &mut dyn io::Write| -> Result<()> {
        let write = |out: &mut dyn io::Write, nodes: &[Node]| -> Result<()> {
            let dead = match wanted.wants_dead() {
                true => dead_of(nodes)?,
                false => Default::default(),
            };
            let mut text = String::new();
            for node in nodes {
                let kept = node.id().and_then(|id| dead.get(id));
                let subject = Subject {
                    scene: &scene,
                    node,
                    quota: quota.as_ref(),
                    dead: kept.map_or(&[], Vec::as_slice),
                };
                subject.write(&wanted, &mut text);
            }
            Ok(out.write_all(text.as_bytes())?)
        };
        out.write_all(HEAD.as_bytes())?;
        write(out, std::slice::from_ref(&node))?;
        if depth == Depth::One && node.is_folder() {
            remote::each_in(node.id(), |nodes| write(out, &nodes))?;
        }
        Ok(out.write_all(FOOT.as_bytes())?)
    };
    let streamed = Response::streaming(move |out| describe(out).map_err(io::Error::other));
    Ok(multistatus(streamed))
}

fn multistatus(response: Response) -> Response {
    response
        .with_status(StatusCode::MULTI_STATUS)
        .with_header("content-type", "application/xml; charset=utf-8")
        .with_header("cache-control", "no-store")
}

fn wanted(body: Option<Element>) -> Result<Wanted> {
    let Some(body) = body else {
        return Ok(Wanted::All(Vec::new()));
    };
    let unclear = || Error::bad_request("invalid_propfind", "the body is no `propfind`");
    if !body.name.is_dav("propfind") {
        return Err(unclear());
    }
    let names = |of: Option<&Element>| -> Result<Vec<Name>> {
        let names = of.into_iter().flat_map(Element::elements);
        let names: Vec<Name> = names.map(|element| element.name.clone()).collect();
        if names.len() > MOST {
            return Err(Error::bad_request(
                "invalid_propfind",
                format!("a request names {MOST} properties at most"),
            ));
        }
        Ok(names)
    };
    if body.dav("allprop").is_some() {
        return Ok(Wanted::All(names(body.dav("include"))?));
    }
    if body.dav("propname").is_some() {
        return Ok(Wanted::Names);
    }
    let prop = body.dav("prop").ok_or_else(unclear)?;
    Ok(Wanted::These(names(Some(prop))?))
}

/// A change of one property; of none when it is to go.
struct Change {
    name: Name,
    xml: Option<String>,
}

/// `PROPPATCH`: all changes, or none.
pub(crate) fn patch(mut request: Request, caller: Caller) -> Result<Response> {
    let scene = Scene::enter(&request, &caller, WRITE)?;
    scene.may_change(&[&scene.place().path], &[])?;
    let body = xml::body(&mut request)?;
    let changes = changes(body.as_ref())?;
    let node = scene.node()?;
    let Some(id) = node.id() else {
        return Err(Error::forbidden("the drive itself keeps no properties"));
    };
    let protected: Vec<&Change> = changes
        .iter()
        .filter(|change| is_live(&change.name))
        .collect();
    let mut out = format!(
        "{HEAD}<D:response><D:href>{}</D:href>",
        scene.address.href(node.path(), node.is_folder())
    );
    let names = |changes: &[&Change]| {
        let mut names = String::new();
        changes
            .iter()
            .for_each(|change| change.name.write(&mut names));
        names
    };
    if protected.is_empty() {
        sql::transaction(|transaction| {
            crate::locks::take_turn(transaction, &scene.owner)?;
            changes.iter().try_for_each(|change| {
                let xml = change.xml.as_deref();
                properties::put(transaction, &scene.owner, id, &change.name, xml)
            })
        })?;
        propstat(
            &names(&changes.iter().collect::<Vec<_>>()),
            "200 OK",
            &mut out,
        );
    } else {
        propstat(&names(&protected), "403 Forbidden", &mut out);
        let others: Vec<_> = changes
            .iter()
            .filter(|change| !is_live(&change.name))
            .collect();
        if !others.is_empty() {
            propstat(&names(&others), "424 Failed Dependency", &mut out);
        }
        out.push_str("<D:error><D:cannot-modify-protected-property/></D:error>");
    }
    out.push_str("</D:response>");
    out.push_str(FOOT);
    Ok(multistatus(
        Response::new(StatusCode::OK).with_body(out.into_bytes()),
    ))
}

/// The changes in their order.
fn changes(body: Option<&Element>) -> Result<Vec<Change>> {
    let unclear = |why: &str| Error::bad_request("invalid_proppatch", why.to_owned());
    let body = body
        .filter(|body| body.name.is_dav("propertyupdate"))
        .ok_or_else(|| unclear("the body is no `propertyupdate`"))?;
    let mut changes = Vec::new();
    for step in body.elements() {
        let sets = step.name.is_dav("set");
        if !sets && !step.name.is_dav("remove") {
            continue;
        }
        for prop in step
            .elements()
            .filter(|element| element.name.is_dav("prop"))
        {
            let language = prop
                .language()
                .or_else(|| step.language())
                .or_else(|| body.language());
            for property in prop.elements() {
                let xml = sets.then(|| {
                    let mut xml = String::new();
                    property.clone().with_language(language).write(&mut xml);
                    xml
                });
                if xml
                    .as_ref()
                    .is_some_and(|xml| xml.len() > properties::MAX_BYTES)
                {
                    return Err(unclear("a property has more than 16 KiB"));
                }
                changes.push(Change {
                    name: property.name.clone(),
                    xml,
                });
            }
        }
    }
    if changes.is_empty() || changes.len() > MOST {
        return Err(unclear("a request changes 1 to 100 properties"));
    }
    Ok(changes)
}
