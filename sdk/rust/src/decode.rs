//! Texts that stand for typed values: variables of a path, a query, values
//! of the configuration. One serde deserializer reads them all.

use percent_encoding::percent_decode_str;
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use std::{borrow::Cow, fmt};

/// Decodes `%xx`; what is not UTF-8 then becomes U+FFFD.
pub(crate) fn percent(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// The names and values of a query (WHATWG URL, form encoding).
pub(crate) fn query(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| percent(&part.replace('+', " ")).into_owned();
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// Reads named texts: a struct or a map by name, a tuple by position, or a
/// single value. A name that comes twice may become a list.
pub(crate) fn pairs<T: DeserializeOwned>(
    pairs: &[(String, String)],
    lists: Lists,
) -> Result<T, Error> {
    T::deserialize(Pairs { pairs, lists })
}

/// How a text becomes a list, or anything else with an inside.
#[derive(Clone, Copy)]
pub(crate) enum Lists {
    /// By coming several times.
    Repeated,
    /// By being JSON.
    Json,
}

/// Why a text could not be read.
#[derive(Debug)]
pub(crate) struct Error(String);

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

struct Pairs<'a> {
    pairs: &'a [(String, String)],
    lists: Lists,
}

impl<'a> Pairs<'a> {
    fn only(&self) -> Result<Texts<'a>, Error> {
        match self.pairs {
            [(name, value)] => Ok(Texts {
                name,
                values: vec![value],
                lists: self.lists,
            }),
            _ => Err(Error(format!(
                "there are {} values, not one",
                self.pairs.len()
            ))),
        }
    }

    fn grouped(&self) -> Vec<Texts<'a>> {
        let mut groups: Vec<Texts<'a>> = Vec::new();
        for (name, value) in self.pairs {
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.values.push(value),
                None => groups.push(Texts {
                    name,
                    values: vec![value],
                    lists: self.lists,
                }),
            }
        }
        groups
    }

    fn map<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Error> {
        let entries = self.grouped().into_iter().map(|group| (group.name, group));
        visitor.visit_map(de::value::MapDeserializer::new(entries))
    }

    fn sequence<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Error> {
        let lists = self.lists;
        let texts = self.pairs.iter().map(|(name, value)| Texts {
            name,
            values: vec![value],
            lists,
        });
        visitor.visit_seq(de::value::SeqDeserializer::new(texts))
    }
}

macro_rules! by_only {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.only()?.$method(visitor)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Pairs<'_> {
    type Error = Error;

    by_only! {
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
        self.only()?.deserialize_enum(name, variants, visitor)
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

/// The values of one name.
struct Texts<'a> {
    name: &'a str,
    values: Vec<&'a str>,
    lists: Lists,
}

impl<'de> IntoDeserializer<'de, Error> for Texts<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Texts<'_> {
    fn text(&self) -> &str {
        self.values.last().copied().unwrap_or_default()
    }

    fn wrong(&self, wanted: &str) -> Error {
        Error(format!("`{}` is not {wanted}", self.name))
    }

    fn json(&self) -> Result<serde_json::Value, Error> {
        serde_json::from_str(self.text())
            .map_err(|error| Error(format!("`{}`: {error}", self.name)))
    }

    fn inside<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.lists {
            Lists::Repeated => {
                let Self {
                    name,
                    values,
                    lists,
                } = self;
                let each = values.into_iter().map(|value| Texts {
                    name,
                    values: vec![value],
                    lists,
                });
                visitor.visit_seq(de::value::SeqDeserializer::new(each))
            }
            Lists::Json => de::Deserializer::deserialize_any(self.json()?, visitor)
                .map_err(|error| Error(format!("`{}`: {error}", self.name))),
        }
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.text().parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(self.wrong(concat!("a number (", stringify!($type), ")"))),
            }
        })*
    };
}

impl<'de> de::Deserializer<'de> for Texts<'_> {
    type Error = Error;

    numbers! {
        deserialize_i8 visit_i8 i8; deserialize_i16 visit_i16 i16; deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64; deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8; deserialize_u16 visit_u16 u16; deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64; deserialize_u128 visit_u128 u128;
        deserialize_f32 visit_f32 f32; deserialize_f64 visit_f64 f64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let (Lists::Json, Ok(value)) = (self.lists, self.json()) {
            return de::Deserializer::deserialize_any(value, visitor)
                .map_err(|error| Error(format!("`{}`: {error}", self.name)));
        }
        visitor.visit_str(self.text())
    }
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.text() {
            "true" | "1" => visitor.visit_bool(true),
            // A name without a value, `?permanent`, says yes.
            "" if matches!(self.lists, Lists::Repeated) => visitor.visit_bool(true),
            "false" | "0" => visitor.visit_bool(false),
            _ => Err(self.wrong("`true` or `false`")),
        }
    }
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text())
    }
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text())
    }
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text())
    }
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bytes(self.text().as_bytes())
    }
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bytes(self.text().as_bytes())
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if matches!(self.lists, Lists::Json) && self.text() == "null" {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
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
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.inside(visitor)
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
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
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
        visitor.visit_enum(self.text().into_deserializer())
    }
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text())
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

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Order {
        #[default]
        Asc,
        Desc,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Wanted {
        limit: Option<u32>,
        #[serde(default)]
        tag: Vec<String>,
        #[serde(default)]
        order: Order,
        #[serde(default)]
        permanent: bool,
        q: Option<String>,
    }

    #[test]
    fn a_query_is_read() {
        let text = query("limit=5&tag=a&tag=b%20c&order=desc&permanent&q=x+y");
        let wanted: Wanted = pairs(&text, Lists::Repeated).unwrap();
        assert_eq!(
            wanted,
            Wanted {
                limit: Some(5),
                tag: vec!["a".into(), "b c".into()],
                order: Order::Desc,
                permanent: true,
                q: Some("x y".into()),
            }
        );
        let error = pairs::<Wanted>(&query("limit=many"), Lists::Repeated).unwrap_err();
        assert_eq!(error.to_string(), "`limit` is not a number (u32)");
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Settings {
        name: String,
        size: u64,
        on: bool,
        hosts: Vec<String>,
        none: Option<String>,
    }

    #[test]
    fn a_configuration_is_read() {
        let values = [
            ("name", "5"),
            ("size", "7"),
            ("on", "true"),
            ("hosts", "[\"a\"]"),
            ("none", "null"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings: Settings = pairs(&values, Lists::Json).unwrap();
        assert_eq!(
            settings,
            Settings {
                name: "5".into(),
                size: 7,
                on: true,
                hosts: vec!["a".into()],
                none: None
            }
        );
    }
}
