//! A value on its way to or from the database.

/// A value that is bound to a parameter, or that a row has.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// SQL NULL.
    #[default]
    Null,
    /// A truth value (SQLite: 0 or 1).
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text; on Postgres also whatever has no variant of its own here.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// A value as JSON text, for a column that holds JSON.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn json(value: &impl serde::Serialize) -> crate::Result<Self> {
        Ok(Self::Text(serde_json::to_string(value)?))
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident $(via $convert:expr)?;)*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                $(let value = $convert(value);)?
                Self::$variant(value)
            }
        })*
    };
}

from! {
    bool => Boolean;
    i64 => Integer;
    i32 => Integer via i64::from;
    i16 => Integer via i64::from;
    i8 => Integer via i64::from;
    u32 => Integer via i64::from;
    u16 => Integer via i64::from;
    u8 => Integer via i64::from;
    f64 => Real;
    f32 => Real via f64::from;
    String => Text;
    &str => Text via str::to_owned;
    &String => Text via String::clone;
    Vec<u8> => Blob;
    &[u8] => Blob via <[u8]>::to_vec;
}

/// Numbers beyond what SQL can hold become the largest that it can.
impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

/// As for `u64`.
impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// JSON text.
impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        Self::Text(value.to_string())
    }
}
