//! What a request asks of the tables, whichever dialect it came in: a tree
//! of selections, conditions and an order. Tables and columns in it are
//! those that the database described; everything else is a value.

use crate::schema::Relation;
use atlashub_sdk::database::{Column, Table};

/// Rows when nothing is said.
pub(crate) const DEFAULT_ROWS: u64 = 100;
/// Rows at most, of a read or of what a write gives back.
pub(crate) const MAX_ROWS: u64 = 1000;
/// Most rows of one insert.
pub(crate) const MAX_INSERTED: usize = 10_000;
/// Most bytes of a query.
pub(crate) const MAX_QUERY_BYTES: usize = 16 * 1024;
/// How deep conditions and embedded tables may lie within each other.
pub(crate) const MAX_DEPTH: usize = 8;
/// Most conditions, selected values and embedded tables of one request
/// together.
pub(crate) const MAX_PARTS: usize = 500;

/// Rows of a table, with what is to be seen of them.
#[derive(Clone, Debug)]
pub(crate) struct Select<'a> {
    pub(crate) table: &'a Table,
    pub(crate) items: Vec<Item<'a>>,
    pub(crate) filter: Vec<Filter<'a>>,
    pub(crate) order: Vec<Order<'a>>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
}

impl<'a> Select<'a> {
    /// All rows of a table, and nothing of them yet.
    pub(crate) fn of(table: &'a Table) -> Self {
        Self {
            table,
            items: Vec::new(),
            filter: Vec::new(),
            order: Vec::new(),
            limit: None,
            offset: 0,
        }
    }

    /// Every column.
    pub(crate) fn with_all(mut self) -> Self {
        self.items
            .extend(self.table.columns.iter().map(Item::column));
        self
    }

    /// Whether an embedded table leaves rows out.
    pub(crate) fn is_narrowed(&self) -> bool {
        self.items
            .iter()
            .any(|item| matches!(item, Item::Embed(embed) if embed.inner))
    }

    /// Whether rows are summed up.
    pub(crate) fn has_aggregates(&self) -> bool {
        self.items
            .iter()
            .any(|item| matches!(item, Item::Aggregate(_)))
    }

    /// The embedded table of that name.
    pub(crate) fn embed(&self, name: &str) -> Option<&Embed<'a>> {
        self.items.iter().find_map(|item| match item {
            Item::Embed(embed) if embed.is_called(name) => Some(embed),
            _ => None,
        })
    }

    /// As [`Select::embed`], to add to it.
    pub(crate) fn embed_mut(&mut self, name: &str) -> Option<&mut Embed<'a>> {
        self.items.iter_mut().find_map(|item| match item {
            Item::Embed(embed) if embed.is_called(name) => Some(embed),
            _ => None,
        })
    }
}

/// Something that is to be seen of a row.
#[allow(clippy::large_enum_variant, reason = "a request has a few of them")]
#[derive(Clone, Debug)]
pub(crate) enum Item<'a> {
    Value(Shown<'a>),
    /// Rows with the same other values become one.
    Aggregate(Aggregate<'a>),
    Embed(Embed<'a>),
}

impl<'a> Item<'a> {
    /// A column under its own name.
    pub(crate) fn column(column: &'a Column) -> Self {
        Self::Value(Shown {
            field: Field::of(column),
            cast: None,
            name: column.name.clone(),
        })
    }
}

/// A value under a name.
#[derive(Clone, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) field: Field<'a>,
    pub(crate) cast: Option<Cast>,
    pub(crate) name: String,
}

/// What becomes of many rows' values, under a name.
#[derive(Clone, Debug)]
pub(crate) struct Aggregate<'a> {
    pub(crate) function: Function,
    /// Nothing where rows are counted.
    pub(crate) field: Option<Field<'a>>,
    /// What the values are taken for.
    pub(crate) cast: Option<Cast>,
    /// What the result is shown as.
    pub(crate) result: Option<Cast>,
    pub(crate) name: String,
}

/// A function over the values of many rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Count,
    Sum,
    Avg,
    Min,
    Max,
}

impl Function {
    /// By its name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "count" => Self::Count,
            "sum" => Self::Sum,
            "avg" => Self::Avg,
            "min" => Self::Min,
            "max" => Self::Max,
            _ => return None,
        })
    }

    pub(crate) fn as_sql(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
        }
    }

    /// Whether it takes values of that kind, on both engines.
    pub(crate) fn takes(self, kind: &str) -> bool {
        let is_number = matches!(kind, "integer" | "real" | "numeric");
        match self {
            Self::Count => true,
            Self::Sum | Self::Avg => is_number,
            Self::Min | Self::Max => {
                is_number || matches!(kind, "text" | "timestamp" | "date" | "time")
            }
        }
    }
}

/// Rows of another table that belong to a row.
#[derive(Clone, Debug)]
pub(crate) struct Embed<'a> {
    /// What the client called it.
    pub(crate) asked: String,
    /// Under what name it is shown.
    pub(crate) name: String,
    pub(crate) relation: Relation,
    /// Rows without any are left out.
    pub(crate) inner: bool,
    /// Its values stand among those of the row.
    pub(crate) spread: bool,
    pub(crate) select: Select<'a>,
}

impl Embed<'_> {
    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.asked == name
    }
}

/// A column, or something within its JSON.
#[derive(Clone, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) column: &'a Column,
    pub(crate) path: Vec<Step>,
    /// The end of the path as text, not as JSON.
    pub(crate) as_text: bool,
}

impl<'a> Field<'a> {
    pub(crate) fn of(column: &'a Column) -> Self {
        Self {
            column,
            path: Vec::new(),
            as_text: false,
        }
    }

    /// What its values are.
    pub(crate) fn kind(&self) -> &str {
        match (self.path.is_empty(), self.as_text) {
            (true, _) => &self.column.kind,
            (false, true) => "text",
            (false, false) => "json",
        }
    }
}

/// One step into JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(i64),
}

/// A type that a value may be shown as, on both engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cast {
    Text,
    Integer,
    Real,
    Numeric,
    Boolean,
    Json,
    Date,
}

impl Cast {
    /// What values of the type are.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Numeric => "numeric",
            Self::Boolean => "boolean",
            Self::Json => "json",
            Self::Date => "date",
        }
    }

    /// By its name in Postgres.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "text" | "varchar" | "character varying" => Self::Text,
            "int" | "int2" | "int4" | "int8" | "integer" | "smallint" | "bigint" => Self::Integer,
            "float4" | "float8" | "real" | "double precision" => Self::Real,
            "numeric" | "decimal" => Self::Numeric,
            "bool" | "boolean" => Self::Boolean,
            "json" | "jsonb" => Self::Json,
            "date" => Self::Date,
            _ => return None,
        })
    }
}

/// A condition on rows.
#[derive(Clone, Debug)]
pub(crate) enum Filter<'a> {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Test(Field<'a>, Test),
    /// Whether there are rows of an embedded table.
    Has(Box<Embed<'a>>),
}

/// What is asked of a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Compare(Comparison, String),
    /// As `=` and `<>`, with NULL as a value like others.
    Distinct(String),
    In(Vec<String>),
    Is(Truth),
    /// `%` stands for anything, `_` for a character, `\` takes their meaning.
    Like {
        pattern: String,
        fold: bool,
    },
    /// A regular expression.
    Match {
        pattern: String,
        fold: bool,
    },
    Words(Search),
    /// An operator of arrays, ranges and JSON.
    Containment {
        operator: &'static str,
        value: String,
    },
}

/// A full-text search.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Search {
    /// The operator: `fts`, `plfts`, `phfts` or `wfts`.
    pub(crate) operator: &'static str,
    /// Postgres' function that reads the words.
    pub(crate) function: &'static str,
    /// The language.
    pub(crate) config: Option<String>,
    pub(crate) words: String,
}

/// How two values stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// By its name in both dialects.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "eq" => Self::Equal,
            "neq" => Self::NotEqual,
            "lt" => Self::Less,
            "lte" => Self::LessOrEqual,
            "gt" => Self::Greater,
            "gte" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    pub(crate) fn as_sql(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// What a value may be beside a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    Null,
    NotNull,
    True,
    False,
    Unknown,
}

impl Truth {
    pub(crate) fn as_sql(self) -> &'static str {
        match self {
            Self::Null | Self::Unknown => "NULL",
            Self::NotNull => "NOT NULL",
            Self::True => "TRUE",
            Self::False => "FALSE",
        }
    }
}

/// A term of an order.
#[derive(Clone, Debug)]
pub(crate) struct Order<'a> {
    pub(crate) by: By<'a>,
    pub(crate) descending: bool,
    pub(crate) nulls_first: Option<bool>,
}

/// What rows are ordered by.
#[derive(Clone, Debug)]
pub(crate) enum By<'a> {
    Field(Field<'a>),
    /// A value of the one row that is embedded.
    Embedded(Box<Embed<'a>>, Field<'a>),
}
