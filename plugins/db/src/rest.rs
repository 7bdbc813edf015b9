//! `/rest/v1`: the dialect of PostgREST 14, whose clients work against it
//! unchanged. What a query means is read into the model; the answers'
//! codes, headers and forms are that program's.

mod answer;
mod body;
mod filter;
mod order;
mod prefer;
mod put;
mod read;
mod select;
mod text;
mod write;

use crate::{
    fault::{Fault, Result},
    model::Select,
    permission,
};
use atlashub_sdk::prelude::*;

/// Adds the routes.
pub(crate) fn routes(router: Router) -> Router {
    router
        .get("/rest/v1/{table}", handler(read::read))
        .post("/rest/v1/{table}", handler(write::insert))
        .put("/rest/v1/{table}", handler(put::put))
        .patch("/rest/v1/{table}", handler(write::update))
        .delete("/rest/v1/{table}", handler(write::delete))
        .get("/rest/v1/rpc/{function}", function)
        .post("/rest/v1/rpc/{function}", function)
}

/// A handler that answers failures in the words of PostgREST.
fn handler(
    handler: impl Fn(&mut Request) -> Result<Response> + 'static,
) -> impl Fn(Request) -> Response + 'static {
    move |mut request: Request| {
        permission::check(request.method())
            .and_then(|()| check_schema(&request))
            .and_then(|()| handler(&mut request))
            .unwrap_or_else(Fault::into_rest)
    }
}

/// Functions of the database are not offered, to anybody.
fn function(request: Request) -> Response {
    let name = request.param("function").unwrap_or_default();
    let refused = check_schema(&request).err();
    refused
        .unwrap_or_else(|| Fault::unknown_function(name))
        .into_rest()
}

/// There is only the schema `public`.
fn check_schema(request: &Request) -> Result<()> {
    for name in ["accept-profile", "content-profile"] {
        match request.header(name) {
            None | Some("public") => {}
            Some(other) => return Err(Fault::schema(other)),
        }
    }
    Ok(())
}

/// The table's name in the path.
fn table_name(request: &Request) -> &str {
    request.param("table").unwrap_or_default()
}

/// The selection that a path of embedded tables leads to.
fn within<'s, 'a>(select: &'s mut Select<'a>, path: &[&str]) -> Result<&'s mut Select<'a>> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(select);
    };
    let embed = select
        .embed_mut(first)
        .ok_or_else(|| Fault::not_embedded(first))?;
    within(&mut embed.select, rest)
}
