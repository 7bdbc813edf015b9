//! Conditions: `column=operator.value`, `or=(…)` and `and=(…)`.

use super::{select, text::Text};
use crate::{
    fault::{Fault, Result},
    model::{Comparison, Field, Filter, MAX_DEPTH, MAX_PARTS, Search, Select, Test, Truth},
};

/// Adds a condition to the selection that `name` leads to.
///
/// # Errors
/// 400 for one that cannot be read, and for names that there are not.
pub(super) fn add(select: &mut Select<'_>, name: &str, value: &str) -> Result<()> {
    let (path, last) = split(name);
    let select = super::within(select, &path)?;
    let filter = match last {
        "and" | "or" | "not.and" | "not.or" => {
            let mut text = Text::new(value);
            let mut tree = Tree {
                select,
                parts: 0,
                depth: 0,
            };
            let filter = tree.list(&mut text, last.trim_start_matches("not."))?;
            if !text.is_empty() {
                return Err(text.unexpected("the end"));
            }
            negated(filter, last.starts_with("not."))
        }
        _ => {
            let mut text = Text::new(last);
            let subject = subject(select, &mut text)?;
            if !text.is_empty() {
                return Err(text.unexpected("the end of a name"));
            }
            operation(subject, &mut Text::new(value), false)?
        }
    };
    select.filter.push(filter);
    Ok(())
}

/// The embedded tables on the way, and what is meant of the last.
pub(super) fn split(name: &str) -> (Vec<&str>, &str) {
    let end = name.find("->").unwrap_or(name.len());
    let (path, _) = name.split_at(end);
    let mut parts: Vec<&str> = path.split('.').collect();
    let negated_tree = matches!(parts.as_slice(), [.., "not", "and" | "or"]);
    let count = if negated_tree { 2 } else { 1 };
    let last_at = parts.len().saturating_sub(count);
    let length: usize = parts.iter().take(last_at).map(|part| part.len() + 1).sum();
    parts.truncate(last_at);
    (parts, name.get(length..).unwrap_or_default())
}

/// What a condition is about.
enum Subject<'a> {
    Field(Field<'a>),
    /// Whether an embedded table has rows.
    Embed(Filter<'a>),
}

fn subject<'a>(select: &Select<'a>, text: &mut Text<'_>) -> Result<Subject<'a>> {
    let before = *text;
    let name = text.name()?;
    if let Some(embed) = select.embed(&name) {
        return Ok(Subject::Embed(Filter::Has(Box::new(embed.clone()))));
    }
    *text = before;
    select::field(select.table, text).map(Subject::Field)
}

fn negated(filter: Filter<'_>, negated: bool) -> Filter<'_> {
    if negated {
        Filter::Not(Box::new(filter))
    } else {
        filter
    }
}

/// Conditions within each other.
struct Tree<'a, 's> {
    select: &'s Select<'a>,
    parts: usize,
    depth: usize,
}

impl<'a> Tree<'a, '_> {
    /// `(…,…)`, of which all or any hold.
    fn list(&mut self, text: &mut Text<'_>, which: &str) -> Result<Filter<'a>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::query(format!(
                "conditions lie more than {MAX_DEPTH} deep"
            )));
        }
        text.expect("(")?;
        let mut filters = Vec::new();
        loop {
            self.parts += 1;
            if self.parts > MAX_PARTS {
                return Err(Fault::query("there are too many conditions"));
            }
            filters.push(self.element(text)?);
            if text.eat(")") {
                break;
            }
            text.expect(",")?;
        }
        self.depth -= 1;
        Ok(if which == "or" {
            Filter::Any(filters)
        } else {
            Filter::All(filters)
        })
    }

    fn element(&mut self, text: &mut Text<'_>) -> Result<Filter<'a>> {
        let mut not = false;
        while text.eat("not.") {
            not = !not;
        }
        for which in ["and", "or"] {
            if text
                .rest()
                .strip_prefix(which)
                .is_some_and(|rest| rest.starts_with('('))
            {
                text.expect(which)?;
                return Ok(negated(self.list(text, which)?, not));
            }
        }
        let subject = subject(self.select, text)?;
        text.expect(".")?;
        Ok(negated(operation(subject, text, true)?, not))
    }
}

/// `operator.value`. Among others a value ends where the next begins; alone
/// it is all that is left.
fn operation<'a>(subject: Subject<'a>, text: &mut Text<'_>, among: bool) -> Result<Filter<'a>> {
    let mut not = false;
    while text.eat("not.") {
        not = !not;
    }
    let operator = text.word().to_owned();
    let modifier = if text.peek() == Some('(') {
        text.list("(", ")")?.pop()
    } else {
        None
    };
    text.expect(".")?;
    let field = match subject {
        Subject::Field(field) => field,
        Subject::Embed(has) => {
            let not = match (operator.as_str(), value(text, among)?.as_str()) {
                ("is", "null") => !not,
                ("is", "not_null") => not,
                _ => {
                    return Err(Fault::query(
                        "of an embedded table can only be asked whether it `is.null`",
                    ));
                }
            };
            return Ok(negated(has, not));
        }
    };
    let filter = match (operator.as_str(), modifier.as_deref()) {
        ("in", None) => Filter::Test(field, Test::In(bounded(text.list("(", ")")?)?)),
        (_, Some(which @ ("any" | "all"))) => {
            let values = bounded(quantified(text, among)?)?;
            let tests = values
                .into_iter()
                .map(|value| Ok(Filter::Test(field.clone(), quantifiable(&operator, value)?)))
                .collect::<Result<Vec<_>>>()?;
            if which == "any" {
                Filter::Any(tests)
            } else {
                Filter::All(tests)
            }
        }
        (name, language) => {
            let value = value(text, among)?;
            Filter::Test(field, test(name, language, value)?)
        }
    };
    if !among && !text.is_empty() {
        return Err(text.unexpected("the end"));
    }
    Ok(negated(filter, not))
}

fn bounded(values: Vec<String>) -> Result<Vec<String>> {
    if values.len() > MAX_PARTS * 4 {
        return Err(Fault::query("a list is too long"));
    }
    Ok(values)
}

/// The value of one condition.
fn value(text: &mut Text<'_>, among: bool) -> Result<String> {
    if among {
        return text.value();
    }
    let value = text.rest().to_owned();
    *text = Text::new("");
    Ok(value)
}

/// The values of `(any)` and `(all)`: `{a,b}`.
fn quantified(text: &mut Text<'_>, among: bool) -> Result<Vec<String>> {
    if text.peek() == Some('{') {
        return text.list("{", "}");
    }
    Ok(vec![value(text, among)?])
}

/// A test that `(any)` and `(all)` can go with.
fn quantifiable(operator: &str, value: String) -> Result<Test> {
    match operator {
        "eq" | "gt" | "gte" | "lt" | "lte" | "like" | "ilike" | "match" | "imatch" => {
            test(operator, None, value)
        }
        _ => Err(Fault::query(format!(
            "`{operator}` cannot go with `any` or `all`"
        ))),
    }
}

fn test(operator: &str, modifier: Option<&str>, value: String) -> Result<Test> {
    let search = match operator {
        "fts" => Some(("fts", "to_tsquery")),
        "plfts" => Some(("plfts", "plainto_tsquery")),
        "phfts" => Some(("phfts", "phraseto_tsquery")),
        "wfts" => Some(("wfts", "websearch_to_tsquery")),
        _ => None,
    };
    if let Some((operator, function)) = search {
        return Ok(Test::Words(Search {
            operator,
            function,
            config: modifier.map(str::to_owned),
            words: value,
        }));
    }
    if let Some(modifier) = modifier {
        return Err(Fault::query(format!(
            "`{operator}` does not take `({modifier})`"
        )));
    }
    if let Some(comparison) = Comparison::named(operator) {
        return Ok(Test::Compare(comparison, value));
    }
    let contains = |operator, value| Test::Containment { operator, value };
    Ok(match operator {
        "like" | "ilike" => Test::Like {
            pattern: value.replace('*', "%"),
            fold: operator == "ilike",
        },
        "match" | "imatch" => Test::Match {
            pattern: value,
            fold: operator == "imatch",
        },
        "is" => Test::Is(truth(&value)?),
        "isdistinct" => Test::Distinct(value),
        "cs" => contains("@>", value),
        "cd" => contains("<@", value),
        "ov" => contains("&&", value),
        "sl" => contains("<<", value),
        "sr" => contains(">>", value),
        "nxr" => contains("&<", value),
        "nxl" => contains("&>", value),
        "adj" => contains("-|-", value),
        _ => {
            return Err(Fault::query(format!(
                "failed to parse the query: there is no operator `{operator}`"
            )));
        }
    })
}

fn truth(value: &str) -> Result<Truth> {
    Ok(match value.to_ascii_lowercase().as_str() {
        "null" => Truth::Null,
        "not_null" => Truth::NotNull,
        "true" => Truth::True,
        "false" => Truth::False,
        "unknown" => Truth::Unknown,
        _ => {
            return Err(Fault::query(
                "`is` takes `null`, `not_null`, `true`, `false` or `unknown`",
            ));
        }
    })
}
