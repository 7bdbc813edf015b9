//! Values between `SqlValue` and Postgres' binary forms. A parameter takes
//! the type that the server gave it; a result without a variant of its own
//! becomes text.

use super::numeric;
use atlashub_core::capability::sql::SqlValue;
use sqlx::{
    Encode, Postgres, Type, TypeInfo,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgTypeInfo, PgTypeKind, PgValueRef},
};
use time::{
    Date, Duration, OffsetDateTime, PrimitiveDateTime, Time,
    format_description::well_known::Rfc3339, macros::datetime,
};

/// Where Postgres counts time from.
const EPOCH: OffsetDateTime = datetime!(2000-01-01 00:00 UTC);

/// A value on its way into a parameter of a known type.
pub(super) struct Bound<'a> {
    value: &'a SqlValue,
    target: &'a PgTypeInfo,
}

impl<'a> Bound<'a> {
    pub(super) fn new(value: &'a SqlValue, target: &'a PgTypeInfo) -> Self {
        Self { value, target }
    }
}

impl Type<Postgres> for Bound<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("unknown")
    }
}

impl Encode<'_, Postgres> for Bound<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        if *self.value == SqlValue::Null {
            return Ok(IsNull::Yes);
        }
        let bytes = binary(self.value, self.target)?;
        buffer.extend_from_slice(&bytes);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.target.clone())
    }
}

/// The base of a domain; the type itself otherwise.
fn base(info: &PgTypeInfo) -> &PgTypeInfo {
    match info.kind() {
        PgTypeKind::Domain(inner) => base(inner),
        _ => info,
    }
}

fn is_enum(info: &PgTypeInfo) -> bool {
    matches!(info.kind(), PgTypeKind::Enum(_))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float4 column holds less than an f64"
)]
fn binary(value: &SqlValue, target: &PgTypeInfo) -> Result<Vec<u8>, BoxDynError> {
    let target = base(target);
    let name = target.name();
    let bytes = match name {
        "BOOL" => match value {
            SqlValue::Boolean(value) => vec![u8::from(*value)],
            SqlValue::Integer(value @ (0 | 1)) => vec![u8::from(*value == 1)],
            _ => return Err(unfit(value, name)),
        },
        "INT2" => i16::try_from(integer(value, name)?)?.to_be_bytes().to_vec(),
        "INT4" => i32::try_from(integer(value, name)?)?.to_be_bytes().to_vec(),
        "INT8" => integer(value, name)?.to_be_bytes().to_vec(),
        "OID" => u32::try_from(integer(value, name)?)?.to_be_bytes().to_vec(),
        "FLOAT4" => (real(value, name)? as f32).to_be_bytes().to_vec(),
        "FLOAT8" => real(value, name)?.to_be_bytes().to_vec(),
        "NUMERIC" => {
            numeric::encode(&scalar_text(value, name)?).ok_or_else(|| unfit(value, name))?
        }
        "BYTEA" => match value {
            SqlValue::Blob(value) => value.clone(),
            _ => return Err(unfit(value, name)),
        },
        "UUID" => match value {
            SqlValue::Text(value) => uuid::Uuid::parse_str(value)?.as_bytes().to_vec(),
            SqlValue::Blob(value) => uuid::Uuid::from_slice(value)?.as_bytes().to_vec(),
            _ => return Err(unfit(value, name)),
        },
        "TIMESTAMPTZ" | "TIMESTAMP" => {
            let micros = (instant(text(value, name)?)? - EPOCH).whole_microseconds();
            i64::try_from(micros)?.to_be_bytes().to_vec()
        }
        "DATE" => {
            let days = (instant(text(value, name)?)?.date() - EPOCH.date()).whole_days();
            i32::try_from(days)?.to_be_bytes().to_vec()
        }
        "TIME" => {
            let at = instant(&format!("2000-01-01T{}", text(value, name)?))?;
            i64::try_from((at - EPOCH).whole_microseconds())?
                .to_be_bytes()
                .to_vec()
        }
        "JSON" => scalar_text(value, name)?.into_bytes(),
        "JSONB" => {
            let mut bytes = vec![1];
            bytes.extend(scalar_text(value, name)?.into_bytes());
            bytes
        }
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" | "citext" | "XML" => {
            scalar_text(value, name)?.into_bytes()
        }
        _ if is_enum(target) => text(value, name)?.as_bytes().to_vec(),
        _ => {
            return Err(format!(
                "parameters of the type {name} are not offered: write CAST(CAST($n AS text) AS {name})"
            )
            .into());
        }
    };
    Ok(bytes)
}

fn unfit(value: &SqlValue, name: &str) -> BoxDynError {
    let what = match value {
        SqlValue::Null => "null",
        SqlValue::Boolean(_) => "a boolean",
        SqlValue::Integer(_) => "this integer",
        SqlValue::Real(_) => "a real number",
        SqlValue::Text(_) => "this text",
        SqlValue::Blob(_) => "bytes",
    };
    format!("{what} cannot be bound as {name}").into()
}

fn integer(value: &SqlValue, name: &str) -> Result<i64, BoxDynError> {
    match value {
        SqlValue::Integer(value) => Ok(*value),
        SqlValue::Boolean(value) => Ok(i64::from(*value)),
        _ => Err(unfit(value, name)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as SQL itself converts")]
fn real(value: &SqlValue, name: &str) -> Result<f64, BoxDynError> {
    match value {
        SqlValue::Real(value) => Ok(*value),
        SqlValue::Integer(value) => Ok(*value as f64),
        _ => Err(unfit(value, name)),
    }
}

fn text<'a>(value: &'a SqlValue, name: &str) -> Result<&'a str, BoxDynError> {
    match value {
        SqlValue::Text(value) => Ok(value),
        _ => Err(unfit(value, name)),
    }
}

/// Text, or what a number or truth value is written as.
fn scalar_text(value: &SqlValue, name: &str) -> Result<String, BoxDynError> {
    match value {
        SqlValue::Text(value) => Ok(value.clone()),
        SqlValue::Integer(value) => Ok(value.to_string()),
        SqlValue::Real(value) => Ok(value.to_string()),
        SqlValue::Boolean(value) => Ok(value.to_string()),
        SqlValue::Null | SqlValue::Blob(_) => Err(unfit(value, name)),
    }
}

/// RFC 3339; also with a blank for the `T`, without a time, or without an
/// offset, which then is UTC.
fn instant(text: &str) -> Result<OffsetDateTime, BoxDynError> {
    let text = text.trim();
    let (date, time) = text.split_at_checked(10).unwrap_or((text, ""));
    let time = match time.strip_prefix(['T', 't', ' ']) {
        None => "00:00:00Z".to_owned(),
        Some(time) if time.contains(['Z', 'z', '+', '-']) => time.to_owned(),
        Some(time) => format!("{time}Z"),
    };
    OffsetDateTime::parse(&format!("{date}T{time}"), &Rfc3339)
        .map_err(|_| format!("`{text}` is not a time: write it as in RFC 3339").into())
}

/// A value of a result.
///
/// # Errors
/// When its type has no form here, naming the type.
pub(super) fn decode(value: &PgValueRef<'_>, info: &PgTypeInfo) -> Result<SqlValue, BoxDynError> {
    let info = base(info);
    let name = info.name();
    let bytes = value.as_bytes()?;
    let text = || Ok::<_, BoxDynError>(SqlValue::Text(std::str::from_utf8(bytes)?.to_owned()));
    Ok(match name {
        "BOOL" => SqlValue::Boolean(bytes.first().is_some_and(|byte| *byte != 0)),
        "INT2" => SqlValue::Integer(i16::from_be_bytes(bytes.try_into()?).into()),
        "INT4" => SqlValue::Integer(i32::from_be_bytes(bytes.try_into()?).into()),
        "INT8" => SqlValue::Integer(i64::from_be_bytes(bytes.try_into()?)),
        "OID" => SqlValue::Integer(u32::from_be_bytes(bytes.try_into()?).into()),
        "FLOAT4" => SqlValue::Real(f32::from_be_bytes(bytes.try_into()?).into()),
        "FLOAT8" => SqlValue::Real(f64::from_be_bytes(bytes.try_into()?)),
        "NUMERIC" => SqlValue::Text(numeric::decode(bytes).ok_or("a malformed numeric")?),
        "BYTEA" => SqlValue::Blob(bytes.to_vec()),
        "UUID" => SqlValue::Text(uuid::Uuid::from_slice(bytes)?.hyphenated().to_string()),
        "TIMESTAMPTZ" | "TIMESTAMP" => {
            SqlValue::Text(instant_text(i64::from_be_bytes(bytes.try_into()?))?)
        }
        "DATE" => SqlValue::Text(date_text(i32::from_be_bytes(bytes.try_into()?))?),
        "TIME" => SqlValue::Text(time_text(i64::from_be_bytes(bytes.try_into()?))?),
        "JSONB" => {
            let (_, json) = bytes.split_first().ok_or("malformed jsonb")?;
            SqlValue::Text(std::str::from_utf8(json)?.to_owned())
        }
        "JSON" | "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" | "citext" | "XML" => text()?,
        "VOID" => SqlValue::Null,
        _ if is_enum(info) => text()?,
        _ => {
            return Err(format!(
                "columns of the type {name} are not offered: write CAST(… AS text)"
            )
            .into());
        }
    })
}

fn instant_text(micros: i64) -> Result<String, BoxDynError> {
    match micros {
        i64::MAX => Ok("infinity".to_owned()),
        i64::MIN => Ok("-infinity".to_owned()),
        _ => {
            let at = EPOCH
                .checked_add(Duration::microseconds(micros))
                .ok_or("a time beyond the year 9999")?;
            Ok(at.format(&Rfc3339)?)
        }
    }
}

fn date_text(days: i32) -> Result<String, BoxDynError> {
    match days {
        i32::MAX => Ok("infinity".to_owned()),
        i32::MIN => Ok("-infinity".to_owned()),
        _ => {
            let date: Date = EPOCH
                .date()
                .checked_add(Duration::days(days.into()))
                .ok_or("a date beyond the year 9999")?;
            Ok(date.to_string())
        }
    }
}

fn time_text(micros: i64) -> Result<String, BoxDynError> {
    let at = PrimitiveDateTime::new(EPOCH.date(), Time::MIDNIGHT) + Duration::microseconds(micros);
    let text = at.assume_utc().format(&Rfc3339)?;
    let time = text.split_once('T').map_or("", |(_, time)| time);
    Ok(time.trim_end_matches('Z').to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn times_are_read_in_their_usual_forms() {
        let expected = datetime!(2024-02-29 12:30:00 UTC);
        for text in [
            "2024-02-29T12:30:00Z",
            "2024-02-29 12:30:00",
            "2024-02-29T14:30:00+02:00",
            "2024-02-29 12:30:00.000",
        ] {
            assert_eq!(instant(text).unwrap(), expected, "{text}");
        }
        assert_eq!(
            instant("2024-02-29").unwrap(),
            datetime!(2024-02-29 00:00 UTC)
        );
        for text in [
            "",
            "yesterday",
            "2024-02-30",
            "2024-02-29T25:00:00Z",
            "ä24-02-29T",
        ] {
            assert!(instant(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_written_as_rfc_3339() {
        assert_eq!(instant_text(0).unwrap(), "2000-01-01T00:00:00Z");
        assert_eq!(instant_text(-1_500_000).unwrap(), "1999-12-31T23:59:58.5Z");
        assert_eq!(date_text(59).unwrap(), "2000-02-29");
        assert_eq!(time_text(45_296_000_001).unwrap(), "12:34:56.000001");
    }
}
