//! Reads: a page of rows with what belongs to them, in one statement.

use super::{Engine, Writer, column, engine, quoted, sqlite};
use crate::{
    fault::{Fault, Result},
    model::{
        Aggregate, By, Embed, Field, Filter, Function, Item, MAX_ROWS, Order, Select, Test, Truth,
    },
};
use atlashub_sdk::{
    database,
    sql::{Rows, Value},
};

/// Rows as JSON.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// `[…]`
    pub(crate) json: String,
    /// How many are in it.
    pub(crate) rows: u64,
    /// How many there are without limit and offset, if that was asked.
    pub(crate) total: Option<u64>,
}

impl Page {
    /// No rows.
    pub(crate) fn empty() -> Self {
        Self {
            json: "[]".to_owned(),
            ..Self::default()
        }
    }

    /// Puts the rows of another behind these.
    pub(super) fn append(&mut self, other: Self) {
        if self.rows == 0 {
            *self = other;
        } else if other.rows > 0 {
            self.json.truncate(self.json.trim_end().len() - 1);
            self.json.push(',');
            self.json
                .push_str(other.json.trim_start().get(1..).unwrap_or_default());
            self.rows += other.rows;
        }
    }
}

/// What is to be read beside the rows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    /// How many there are.
    pub(crate) total: bool,
}

/// Reads a page.
///
/// # Errors
/// The database's, and what it does not have.
pub(crate) fn read(select: &Select<'_>, wanted: Wanted) -> Result<Page> {
    let mut sql = Writer::default();
    let reader = Reader { engine: engine() };
    let text = reader.page(&mut sql, select, wanted)?;
    page(database::query_rows(&text, sql.values)?, wanted)
}

/// The page that a statement has read.
pub(super) fn page(found: Rows, wanted: Wanted) -> Result<Page> {
    let mut cells = found
        .rows
        .into_iter()
        .next()
        .unwrap_or_default()
        .into_iter();
    let json = match cells.next() {
        Some(Value::Text(json)) => json,
        _ => return Err(Fault::internal("a page without rows")),
    };
    let mut count = || match cells.next() {
        Some(Value::Integer(count)) => Ok(u64::try_from(count).unwrap_or_default()),
        _ => Err(Fault::internal("a page without a count")),
    };
    Ok(Page {
        json,
        rows: count()?,
        total: if wanted.total { Some(count()?) } else { None },
    })
}

/// What is to be seen of a row.
#[derive(Default)]
pub(super) struct Values<'s> {
    /// Values by their names.
    pub(super) all: Vec<(String, String)>,
    /// What rows that become one have in common.
    groups: Vec<Group<'s>>,
    /// Whether rows become one.
    grouped: bool,
}

/// A value by which rows are grouped.
struct Group<'s> {
    /// The column that it is, if it is one.
    field: Option<&'s Field<'s>>,
    text: String,
}

impl Values<'_> {
    /// `GROUP BY`, where rows are summed up; without it all become one.
    fn group_by(&self) -> String {
        if !self.grouped || self.groups.is_empty() {
            return String::new();
        }
        let texts: Vec<&str> = self
            .groups
            .iter()
            .map(|group| group.text.as_str())
            .collect();
        format!(" GROUP BY {}", texts.join(", "))
    }

    /// The value of a group that a field is.
    fn grouped_by(&self, field: &Field<'_>) -> Result<String> {
        let same = |own: &&Field<'_>| {
            own.column.name == field.column.name
                && own.path == field.path
                && own.as_text == field.as_text
        };
        let found = self
            .groups
            .iter()
            .find(|group| group.field.as_ref().is_some_and(same));
        match found {
            Some(group) => Ok(group.text.clone()),
            None => Err(Fault::not_grouped(&field.column.name)),
        }
    }
}

/// Writes what is read.
pub(super) struct Reader {
    pub(super) engine: &'static dyn Engine,
}

impl Reader {
    fn page(&self, sql: &mut Writer, select: &Select<'_>, wanted: Wanted) -> Result<String> {
        let total = if wanted.total {
            format!(", ({})", self.count(sql, select)?)
        } else {
            String::new()
        };
        let source = self.engine.source(&select.table.name);
        self.page_from(
            sql,
            select,
            &|alias| format!("{source} AS {alias}"),
            "",
            &total,
        )
    }

    /// The statement that reads a page from `source`, which names its table
    /// as it is told; in the order `by` if the client wants none.
    pub(super) fn page_from(
        &self,
        sql: &mut Writer,
        select: &Select<'_>,
        source: &dyn Fn(&str) -> String,
        by: &str,
        total: &str,
    ) -> Result<String> {
        let alias = sql.alias();
        let values = self.values(sql, &alias, select)?;
        let conditions = self.conditions(sql, &alias, select)?;
        let rest = format!(
            "FROM {}{}{}{}",
            source(&alias),
            such_that(&conditions),
            if select.order.is_empty() { by } else { "" },
            self.tail(sql, &alias, select, &values)?
        );
        Ok(self.engine.page(&values.all, &rest, total))
    }

    /// The statement that reads the rows of these ids, in this order. Only
    /// SQLite has such ids.
    pub(super) fn by_id(
        &self,
        sql: &mut Writer,
        select: &Select<'_>,
        ids: &[i64],
    ) -> Result<String> {
        let source = self.ids(sql, select, ids)?;
        self.page_from(sql, select, &source, " ORDER BY ids.key", "")
    }

    /// As [`Reader::by_id`], with a row for each, its id before its JSON.
    pub(super) fn rows_by_id(
        &self,
        sql: &mut Writer,
        select: &Select<'_>,
        ids: &[i64],
    ) -> Result<String> {
        let source = self.ids(sql, select, ids)?;
        let alias = sql.alias();
        let values = self.values(sql, &alias, select)?;
        let conditions = self.conditions(sql, &alias, select)?;
        let by = if select.order.is_empty() {
            " ORDER BY ids.key"
        } else {
            ""
        };
        Ok(format!(
            "SELECT {alias}._rowid_, {} FROM {}{}{by}{}",
            sqlite::object(&values.all),
            source(&alias),
            such_that(&conditions),
            self.tail(sql, &alias, select, &values)?
        ))
    }

    fn ids(
        &self,
        sql: &mut Writer,
        select: &Select<'_>,
        ids: &[i64],
    ) -> Result<impl Fn(&str) -> String + use<>> {
        let table = self.engine.source(&select.table.name);
        let list = sql.bind(serde_json::to_string(ids)?);
        Ok(move |alias: &str| {
            format!(
                "json_each({list}) AS ids JOIN {table} AS {alias} ON {alias}._rowid_ = ids.value"
            )
        })
    }

    /// The statement that counts the rows.
    pub(super) fn count(&self, sql: &mut Writer, select: &Select<'_>) -> Result<String> {
        let alias = sql.alias();
        let source = self.engine.source(&select.table.name);
        let conditions = self.conditions(sql, &alias, select)?;
        let rows = format!("FROM {source} AS {alias}{}", such_that(&conditions));
        if !select.has_aggregates() {
            return Ok(format!("SELECT count(*) {rows}"));
        }
        // With all values: what was bound for them has to be used.
        let values = self.values(sql, &alias, select)?;
        let texts: Vec<&str> = values.all.iter().map(|(_, text)| text.as_str()).collect();
        Ok(format!(
            "SELECT count(*) FROM (SELECT {} {rows}{}) AS g",
            texts.join(", "),
            values.group_by()
        ))
    }

    /// Groups, order, limit and offset.
    pub(super) fn tail(
        &self,
        sql: &mut Writer,
        alias: &str,
        select: &Select<'_>,
        values: &Values<'_>,
    ) -> Result<String> {
        let mut text = values.group_by();
        for (at, order) in select.order.iter().enumerate() {
            text.push_str(if at == 0 { " ORDER BY " } else { ", " });
            text.push_str(&self.order(sql, alias, order, values)?);
        }
        let limit = select.limit.map_or(MAX_ROWS, |limit| limit.min(MAX_ROWS));
        text.push_str(&format!(" LIMIT {limit}"));
        if select.offset > 0 {
            text.push_str(&format!(" OFFSET {}", select.offset));
        }
        Ok(text)
    }

    fn order(
        &self,
        sql: &mut Writer,
        alias: &str,
        order: &Order<'_>,
        values: &Values<'_>,
    ) -> Result<String> {
        let (value, nullable) = match &order.by {
            By::Field(field) if values.grouped => (values.grouped_by(field)?, true),
            By::Embedded(_, field) if values.grouped => {
                return Err(Fault::not_grouped(&field.column.name));
            }
            By::Field(field) => (
                self.engine.operand(sql, alias, field)?,
                field.column.nullable || !field.path.is_empty(),
            ),
            By::Embedded(embed, field) => {
                let (inner, rest) = self.related(sql, alias, embed)?;
                let value = self.engine.operand(sql, &inner, field)?;
                (format!("(SELECT {value} {rest} LIMIT 1)"), true)
            }
        };
        let direction = if order.descending { " DESC" } else { "" };
        // The engines do not agree on where NULL stands by itself.
        let nulls = match order.nulls_first.unwrap_or(order.descending) {
            _ if !nullable => "",
            true => " NULLS FIRST",
            false => " NULLS LAST",
        };
        Ok(format!("{value}{direction}{nulls}"))
    }

    /// What is to be seen of a row.
    pub(super) fn values<'s>(
        &self,
        sql: &mut Writer,
        alias: &str,
        select: &'s Select<'_>,
    ) -> Result<Values<'s>> {
        let mut values = Values {
            grouped: select.has_aggregates(),
            ..Values::default()
        };
        for item in &select.items {
            match item {
                Item::Value(shown) => {
                    let mut value = self.engine.shown(sql, alias, &shown.field)?;
                    if let Some(cast) = shown.cast {
                        value = self.engine.cast(&value, shown.field.kind(), cast)?;
                    }
                    values.groups.push(Group {
                        field: Some(&shown.field),
                        text: value.clone(),
                    });
                    values.all.push((shown.name.clone(), value));
                }
                Item::Aggregate(aggregate) => {
                    let value = self.aggregate(sql, alias, aggregate)?;
                    values.all.push((aggregate.name.clone(), value));
                }
                Item::Embed(embed) => self.embed(sql, alias, embed, &mut values)?,
            }
        }
        Ok(values)
    }

    /// What becomes of a value of many rows.
    fn aggregate(
        &self,
        sql: &mut Writer,
        alias: &str,
        aggregate: &Aggregate<'_>,
    ) -> Result<String> {
        let engine = self.engine;
        let function = aggregate.function;
        let (value, kind) = match &aggregate.field {
            None => ("count(*)".to_owned(), "integer"),
            Some(field) => {
                let kind = aggregate.cast.map_or(field.kind(), |cast| cast.kind());
                let value = match aggregate.cast {
                    Some(cast) => {
                        let shown = engine.shown(sql, alias, field)?;
                        engine.cast(&shown, field.kind(), cast)?
                    }
                    None if function == Function::Count || is_number(kind) => {
                        engine.operand(sql, alias, field)?
                    }
                    None => engine.shown(sql, alias, field)?,
                };
                let kind = match function {
                    Function::Count => "integer",
                    Function::Avg => "numeric",
                    Function::Sum | Function::Min | Function::Max => kind,
                };
                (format!("{}({value})", function.as_sql()), kind)
            }
        };
        match aggregate.result {
            Some(cast) => engine.cast(&value, kind, cast),
            None => Ok(value),
        }
    }

    fn embed<'s>(
        &self,
        sql: &mut Writer,
        alias: &str,
        embed: &'s Embed<'_>,
        values: &mut Values<'s>,
    ) -> Result<()> {
        if embed.select.items.is_empty() {
            // It is only there for its conditions.
            return Ok(());
        }
        let (inner, mut rest) = self.related(sql, alias, embed)?;
        let shown = self.values(sql, &inner, &embed.select)?;
        if embed.relation.to_one {
            rest.push_str(&shown.group_by());
            rest.push_str(" LIMIT 1");
        } else {
            rest.push_str(&self.tail(sql, &inner, &embed.select, &shown)?);
        }
        if embed.spread {
            for (name, value) in &shown.all {
                let text = self.engine.scalar(value, &rest);
                values.groups.push(Group {
                    field: None,
                    text: text.clone(),
                });
                values.all.push((name.clone(), text));
            }
            return Ok(());
        }
        let joins = embed.relation.here.iter().map(|(own, _)| Group {
            field: None,
            text: format!("{alias}.{}", quoted(own)),
        });
        values.groups.extend(joins);
        let value = if embed.relation.to_one {
            self.engine.object(&shown.all, &rest)
        } else {
            self.engine.array(&shown.all, &rest)
        };
        values.all.push((embed.name.clone(), value));
        Ok(())
    }

    /// `FROM … WHERE …` for the rows that belong to a row, and what the
    /// table is called in it.
    fn related(
        &self,
        sql: &mut Writer,
        alias: &str,
        embed: &Embed<'_>,
    ) -> Result<(String, String)> {
        let inner = sql.alias();
        let mut sources = format!("{} AS {inner}", self.engine.source(&embed.relation.target));
        let mut conditions = Vec::new();
        let mut join =
            |left: &str, right: &str, columns: &[(String, String)]| {
                conditions.extend(columns.iter().map(|(own, other)| {
                    format!("{left}.{} = {right}.{}", quoted(own), quoted(other))
                }));
            };
        match &embed.relation.junction {
            None => join(alias, &inner, &embed.relation.here),
            Some(junction) => {
                let between = sql.alias();
                let source = self.engine.source(&junction.table);
                sources = format!("{source} AS {between}, {sources}");
                join(alias, &between, &embed.relation.here);
                join(&between, &inner, &junction.there);
            }
        }
        conditions.extend(self.conditions(sql, &inner, &embed.select)?);
        Ok((inner, format!("FROM {sources}{}", such_that(&conditions))))
    }

    /// What holds for every row.
    pub(super) fn conditions(
        &self,
        sql: &mut Writer,
        alias: &str,
        select: &Select<'_>,
    ) -> Result<Vec<String>> {
        let mut conditions = Vec::new();
        for filter in &select.filter {
            conditions.push(self.filter(sql, alias, filter)?);
        }
        for item in &select.items {
            if let Item::Embed(embed) = item
                && embed.inner
            {
                conditions.push(self.has(sql, alias, embed)?);
            }
        }
        Ok(conditions)
    }

    fn has(&self, sql: &mut Writer, alias: &str, embed: &Embed<'_>) -> Result<String> {
        let (_, rest) = self.related(sql, alias, embed)?;
        Ok(format!("EXISTS (SELECT 1 {rest})"))
    }

    fn filter(&self, sql: &mut Writer, alias: &str, filter: &Filter<'_>) -> Result<String> {
        let mut all = |filters: &[Filter<'_>], between: &str, none: &str| {
            let parts: Vec<String> = filters
                .iter()
                .map(|filter| self.filter(sql, alias, filter))
                .collect::<Result<_>>()?;
            Ok(if parts.is_empty() {
                none.to_owned()
            } else {
                format!("({})", parts.join(between))
            })
        };
        match filter {
            Filter::All(filters) => all(filters, " AND ", "1 = 1"),
            Filter::Any(filters) => all(filters, " OR ", "1 = 0"),
            Filter::Not(inner) => Ok(format!("NOT ({})", self.filter(sql, alias, inner)?)),
            Filter::Has(embed) => self.has(sql, alias, embed),
            Filter::Test(field, test) => self.test(sql, alias, field, test),
        }
    }

    fn test(
        &self,
        sql: &mut Writer,
        alias: &str,
        field: &Field<'_>,
        test: &Test,
    ) -> Result<String> {
        let engine = self.engine;
        Ok(match test {
            Test::Compare(comparison, text) => {
                let value = engine.operand(sql, alias, field)?;
                let other = engine.literal(sql, field, text)?;
                format!("{value} {} {other}", comparison.as_sql())
            }
            Test::Distinct(text) => {
                let value = engine.operand(sql, alias, field)?;
                let other = engine.literal(sql, field, text)?;
                format!("{value} IS DISTINCT FROM {other}")
            }
            Test::In(texts) if texts.is_empty() => "1 = 0".to_owned(),
            Test::In(texts) => {
                let value = engine.operand(sql, alias, field)?;
                let others: Vec<String> = texts
                    .iter()
                    .map(|text| engine.literal(sql, field, text))
                    .collect::<Result<_>>()?;
                format!("{value} IN ({})", others.join(", "))
            }
            Test::Is(truth) => {
                let value = match truth {
                    Truth::Null | Truth::NotNull if field.path.is_empty() => {
                        column(alias, field.column)
                    }
                    _ => engine.operand(sql, alias, field)?,
                };
                format!("{value} IS {}", truth.as_sql())
            }
            Test::Like { pattern, fold } => engine.like(sql, alias, field, pattern, *fold)?,
            Test::Match { pattern, fold } => engine.matches(sql, alias, field, pattern, *fold)?,
            Test::Words(search) => engine.words(sql, alias, field, search)?,
            Test::Containment { operator, value } => {
                engine.contains(sql, alias, field, operator, value)?
            }
        })
    }
}

fn is_number(kind: &str) -> bool {
    matches!(kind, "integer" | "real" | "numeric")
}

/// `WHERE` and all conditions; nothing where there are none.
pub(super) fn such_that(conditions: &[String]) -> String {
    if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    }
}
