//! `select=`: columns, values within JSON, and embedded tables.

use super::text::Text;
use crate::{
    fault::{Fault, Result},
    model::{
        Aggregate, Cast, Embed, Field, Function, Item, MAX_DEPTH, MAX_PARTS, Select, Shown, Step,
    },
    schema::{self, Schema},
    settings,
};
use atlashub_sdk::database::Table;

/// The longest name that something is shown under, as Postgres has it.
const MAX_NAME_BYTES: usize = 63;

/// Reads a selection of `table`.
///
/// # Errors
/// 400 for one that cannot be read, and for names that there are not.
pub(super) fn read<'a>(schema: &'a Schema, table: &'a Table, text: &str) -> Result<Select<'a>> {
    let mut parser = Parser {
        schema,
        text: Text::new(text),
        parts: 0,
    };
    let select = parser.items(table, 0)?;
    if !parser.text.is_empty() {
        return Err(parser.text.unexpected("`,`"));
    }
    Ok(select)
}

struct Parser<'a, 't> {
    schema: &'a Schema,
    text: Text<'t>,
    parts: usize,
}

impl<'a> Parser<'a, '_> {
    fn items(&mut self, table: &'a Table, depth: usize) -> Result<Select<'a>> {
        if depth > MAX_DEPTH {
            return Err(Fault::query(format!(
                "tables are embedded more than {MAX_DEPTH} deep"
            )));
        }
        let mut select = Select::of(table);
        if self.text.is_empty() || self.text.peek() == Some(')') {
            return Ok(select);
        }
        loop {
            self.parts += 1;
            if self.parts > MAX_PARTS {
                return Err(Fault::query("`select` has too many parts"));
            }
            self.item(&mut select, depth)?;
            if !self.text.eat(",") {
                return Ok(select);
            }
        }
    }

    fn item(&mut self, select: &mut Select<'a>, depth: usize) -> Result<()> {
        let table = select.table;
        if self.text.eat("*") {
            select.items.extend(table.columns.iter().map(Item::column));
            return Ok(());
        }
        let spread = self.text.eat("...");
        let mut name = self.text.name()?;
        let mut shown_as = None;
        if !self.text.rest().starts_with("::") && self.text.eat(":") {
            shown_as = Some(std::mem::replace(&mut name, self.text.name()?));
        }
        if shown_as
            .as_ref()
            .is_some_and(|name| name.len() > MAX_NAME_BYTES)
        {
            return Err(Fault::query(format!(
                "a name is longer than {MAX_NAME_BYTES} bytes"
            )));
        }
        let (hint, inner) = self.modifiers()?;
        if self.text.eat("(") {
            if name == "count" && self.text.eat(")") {
                let aggregate = self.aggregate(Function::Count, shown_as)?;
                select.items.push(Item::Aggregate(aggregate));
                return Ok(());
            }
            let relation = self.schema.relation(table, &name, hint.as_deref())?;
            let target = self.schema.table(&relation.target)?;
            let inside = self.items(target, depth + 1)?;
            self.text.expect(")")?;
            if spread && !relation.to_one {
                return Err(Fault::spread(&table.name, &relation.target));
            }
            select.items.push(Item::Embed(Embed {
                name: shown_as.unwrap_or_else(|| name.clone()),
                asked: name,
                relation,
                inner,
                spread,
                select: inside,
            }));
            return Ok(());
        }
        if spread || hint.is_some() || inner {
            return Err(self.text.unexpected("`(`"));
        }
        let column = schema::column(table, &name)?;
        let field = path(&mut self.text, column)?;
        let cast = self.cast()?;
        if self.text.eat(".") {
            let function = Function::named(self.text.word());
            let function = function.ok_or_else(|| {
                self.text
                    .unexpected("`count()`, `sum()`, `avg()`, `min()` or `max()`")
            })?;
            self.text.expect("()")?;
            let kind = cast.map_or(field.kind(), |cast| cast.kind());
            if !function.takes(kind) {
                return Err(Fault::no_aggregate(function.as_sql(), kind));
            }
            let mut aggregate = self.aggregate(function, shown_as)?;
            aggregate.field = Some(field);
            aggregate.cast = cast;
            select.items.push(Item::Aggregate(aggregate));
            return Ok(());
        }
        let name = shown_as.unwrap_or_else(|| last_key(&field));
        select.items.push(Item::Value(Shown { field, cast, name }));
        Ok(())
    }

    /// `::type`, if there is one.
    fn cast(&mut self) -> Result<Option<Cast>> {
        if !self.text.eat("::") {
            return Ok(None);
        }
        let name = self.text.name()?;
        let cast = Cast::named(&name)
            .ok_or_else(|| Fault::unsupported(format!("a cast to `{name}` is not offered")))?;
        Ok(Some(cast))
    }

    /// What follows a function, where functions are allowed.
    fn aggregate(&mut self, function: Function, shown_as: Option<String>) -> Result<Aggregate<'a>> {
        if !settings::aggregates()? {
            return Err(Fault::aggregate());
        }
        Ok(Aggregate {
            function,
            field: None,
            cast: None,
            result: self.cast()?,
            name: shown_as.unwrap_or_else(|| function.as_sql().to_owned()),
        })
    }

    /// `!hint` and `!inner`, in any order.
    fn modifiers(&mut self) -> Result<(Option<String>, bool)> {
        let (mut hint, mut inner) = (None, false);
        while self.text.eat("!") {
            let word = self.text.name()?;
            match word.as_str() {
                "inner" => inner = true,
                "left" => {}
                _ if hint.is_none() => hint = Some(word),
                _ => return Err(self.text.unexpected("one hint")),
            }
        }
        Ok((hint, inner))
    }
}

/// A column and the way into it, `column->key->>0`.
///
/// # Errors
/// 400 for a column that is not there and a path that cannot be read.
pub(super) fn field<'a>(table: &'a Table, text: &mut Text<'_>) -> Result<Field<'a>> {
    let name = text.name()?;
    path(text, schema::column(table, &name)?)
}

fn path<'a>(text: &mut Text<'_>, column: &'a atlashub_sdk::database::Column) -> Result<Field<'a>> {
    let mut field = Field::of(column);
    while !field.as_text && text.eat("->") {
        field.as_text = text.eat(">");
        let step = text.name()?;
        field.path.push(match step.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Key(step),
        });
        if field.path.len() > MAX_DEPTH {
            return Err(Fault::query("a path into JSON is too long"));
        }
    }
    Ok(field)
}

/// What a value is called when the client does not say.
fn last_key(field: &Field<'_>) -> String {
    let key = field.path.iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(key.clone()),
        Step::Index(_) => None,
    });
    key.unwrap_or_else(|| field.column.name.clone())
}
