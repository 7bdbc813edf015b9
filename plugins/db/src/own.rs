//! `/v1/db`: this platform's own dialect.

mod read;
mod tables;
mod write;

use crate::{
    fault::{Fault, Result},
    model::{Comparison, Field, Filter, Test, Truth},
    permission, schema,
};
use atlashub_sdk::{database::Table, prelude::*};

/// Adds the routes.
pub(crate) fn routes(router: Router) -> Router {
    router
        .get("/v1/db/tables", tables::list)
        .get("/v1/db/tables/{table}/columns", tables::columns)
        .get("/v1/db/{table}", answer(read::read))
        .post("/v1/db/{table}", answer(write::insert))
        .patch("/v1/db/{table}", answer(write::update))
        .delete("/v1/db/{table}", answer(write::delete))
}

/// A handler that answers failures as problems.
fn answer(
    handler: impl Fn(&mut Request) -> Result<Response> + 'static,
) -> impl Fn(Request) -> Response + 'static {
    move |mut request: Request| {
        permission::check(request.method())
            .and_then(|()| handler(&mut request))
            .unwrap_or_else(|fault| fault.into_own().into_response())
    }
}

/// The table's name in the path.
fn table_name(request: &Request) -> &str {
    request.param("table").unwrap_or_default()
}

/// A condition, `eq.name=value`; nothing for a name that is none.
fn filter<'a>(table: &'a Table, name: &str, value: &str) -> Result<Option<Filter<'a>>> {
    let Some((operator, column)) = name.split_once('.') else {
        return Ok(None);
    };
    let test = match operator {
        "like" | "ilike" => Test::Like {
            pattern: value.to_owned(),
            fold: operator == "ilike",
        },
        "in" => Test::In(value.split(',').map(str::to_owned).collect()),
        "is" => Test::Is(match value {
            "null" => Truth::Null,
            "not_null" => Truth::NotNull,
            "true" => Truth::True,
            "false" => Truth::False,
            _ => {
                return Err(Fault::query(format!(
                    "`{name}` is `null`, `not_null`, `true` or `false`"
                )));
            }
        }),
        _ => match Comparison::named(operator) {
            Some(comparison) => Test::Compare(comparison, value.to_owned()),
            None => return Ok(None),
        },
    };
    let column = schema::column(table, column)?;
    Ok(Some(Filter::Test(Field::of(column), test)))
}

/// The error for a parameter that there is not.
fn unknown_parameter(name: &str) -> Fault {
    Fault::query(format!(
        "there is no parameter `{name}`: conditions are `eq`, `neq`, `lt`, `lte`, `gt`, `gte`, \
         `like`, `ilike`, `in` and `is` before a column, such as `eq.id=1`"
    ))
}
