//! Rows as typed values, by serde. SQLite has no truth values, so 0 and 1
//! serve; text becomes whatever has an inside by being JSON.

use super::Value;
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use std::fmt;

/// Reads one row.
pub(super) fn read<T: DeserializeOwned>(columns: &[String], row: Vec<Value>) -> Result<T, Error> {
    T::deserialize(Row { columns, row })
}

/// Why a row does not fit.
#[derive(Debug)]
pub(super) struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Row<'a> {
    columns: &'a [String],
    row: Vec<Value>,
}

impl<'a> Row<'a> {
    fn map<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let cells = self
            .columns
            .iter()
            .zip(self.row)
            .map(|(column, value)| (column.as_str(), Cell { column, value }));
        visitor.visit_map(de::value::MapDeserializer::new(cells))
    }

    fn sequence<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let cells = self
            .columns
            .iter()
            .zip(self.row)
            .map(|(column, value)| Cell { column, value });
        visitor.visit_seq(de::value::SeqDeserializer::new(cells))
    }

    fn first(self) -> Result<Cell<'a>, Error> {
        match (self.columns.first(), self.row.into_iter().next()) {
            (Some(column), Some(value)) => Ok(Cell { column, value }),
            _ => Err(Error("the row has no columns".to_owned())),
        }
    }
}

macro_rules! by_first {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.first()?.$method(visitor)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Row<'_> {
    type Error = Error;

    by_first! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_i128 deserialize_u128 deserialize_f32
        deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_option deserialize_identifier
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.map(visitor)
    }
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.map(visitor)
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.map(visitor)
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.sequence(visitor)
    }
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.sequence(visitor)
    }
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.sequence(visitor)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.first()?.deserialize_enum(name, variants, visitor)
    }
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

struct Cell<'a> {
    column: &'a str,
    value: Value,
}

impl<'de> IntoDeserializer<'de, Error> for Cell<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Cell<'_> {
    fn named(column: &str, error: impl fmt::Display) -> Error {
        Error(format!("column `{column}`: {error}"))
    }

    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let result: Result<V::Value, Error> = match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Boolean(value) => visitor.visit_bool(value),
            Value::Integer(value) => visitor.visit_i64(value),
            Value::Real(value) => visitor.visit_f64(value),
            Value::Text(value) => visitor.visit_string(value),
            Value::Blob(value) => visitor.visit_byte_buf(value),
        };
        result.map_err(|error| Self::named(self.column, error))
    }

    /// A number that came as text, as Postgres sends some of them.
    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Value::Text(text) = &self.value {
            if let Ok(value) = text.parse::<i64>() {
                return visitor
                    .visit_i64(value)
                    .map_err(|error: Error| Self::named(self.column, error));
            }
            if let Ok(value) = text.parse::<f64>() {
                return visitor
                    .visit_f64(value)
                    .map_err(|error: Error| Self::named(self.column, error));
            }
        }
        self.visit(visitor)
    }

    fn inside<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Text(text) => {
                let value: serde_json::Value =
                    serde_json::from_str(&text).map_err(|error| Self::named(self.column, error))?;
                de::Deserializer::deserialize_any(value, visitor)
                    .map_err(|error| Self::named(self.column, error))
            }
            Value::Blob(bytes) => visitor.visit_seq(de::value::SeqDeserializer::<_, Error>::new(
                bytes.into_iter(),
            )),
            _ => self.visit(visitor),
        }
    }
}

macro_rules! by {
    ($how:ident: $($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.$how(visitor)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Cell<'_> {
    type Error = Error;

    by! { visit: deserialize_any deserialize_char deserialize_str deserialize_string deserialize_bytes
    deserialize_byte_buf deserialize_unit deserialize_identifier }
    by! { number: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
    deserialize_u32 deserialize_u64 deserialize_i128 deserialize_u128 deserialize_f32 deserialize_f64 }
    by! { inside: deserialize_seq deserialize_map }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Integer(value) => visitor.visit_bool(value != 0),
            _ => self.visit(visitor),
        }
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.inside(visitor)
    }
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.inside(visitor)
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.inside(visitor)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value {
            Value::Text(text) => visitor
                .visit_enum(IntoDeserializer::<Error>::into_deserializer(text))
                .map_err(|error| Self::named(self.column, error)),
            _ => self.visit(visitor),
        }
    }
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.visit(visitor)
    }
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Visibility {
        Private,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct File {
        id: String,
        size: u64,
        visible: bool,
        visibility: Visibility,
        tags: Vec<String>,
        bytes: Option<Vec<u8>>,
        note: Option<String>,
    }

    #[test]
    fn a_row_becomes_a_struct_a_tuple_or_a_value() {
        let columns: Vec<String> = [
            "id",
            "size",
            "visible",
            "visibility",
            "tags",
            "bytes",
            "note",
        ]
        .map(str::to_owned)
        .into();
        let row = vec![
            Value::Text("a".into()),
            Value::Integer(7),
            Value::Integer(1),
            Value::Text("private".into()),
            Value::Text("[\"x\"]".into()),
            Value::Blob(vec![1, 2]),
            Value::Null,
        ];
        let file: File = read(&columns, row.clone()).unwrap();
        assert_eq!(
            file,
            File {
                id: "a".into(),
                size: 7,
                visible: true,
                visibility: Visibility::Private,
                tags: vec!["x".into()],
                bytes: Some(vec![1, 2]),
                note: None,
            }
        );
        assert_eq!(read::<String>(&columns, row).unwrap(), "a");
        let pair = vec![Value::Text("b".into()), Value::Text("12".into())];
        assert_eq!(
            read::<(String, u32)>(&columns, pair).unwrap(),
            ("b".to_owned(), 12)
        );
    }

    #[test]
    fn what_does_not_fit_names_the_column() {
        let columns = vec!["size".to_owned()];
        let error = read::<u8>(&columns, vec![Value::Integer(300)]).unwrap_err();
        assert!(error.to_string().starts_with("column `size`"), "{error}");
    }
}
