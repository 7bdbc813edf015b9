//! What handlers may take as arguments.

use crate::{
    Body, Error, Headers, IntoResponse, Request, Response, Result, config, decode, response::typed,
};
use http::{Method, StatusCode};
use serde::{Serialize, de::DeserializeOwned};

/// A value that is taken from the request before the handler runs.
pub trait FromRequest: Sized {
    /// Takes the value.
    ///
    /// # Errors
    /// What the client gets instead of the handler's answer.
    fn from_request(request: &mut Request) -> Result<Self>;
}

/// Variables of the route, decoded: one value, a tuple in order, or a struct
/// by name.
#[derive(Clone, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Path<T> {
    fn from_request(request: &mut Request) -> Result<Self> {
        decode::pairs(&request.params, decode::Lists::Repeated)
            .map(Self)
            .map_err(|error| Error::bad_request("invalid_path", error.to_string()))
    }
}

/// The query, as a struct or a map. Names that come twice may become a list.
#[derive(Clone, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    fn from_request(request: &mut Request) -> Result<Self> {
        decode::pairs(&decode::query(request.query()), decode::Lists::Repeated)
            .map(Self)
            .map_err(|error| Error::bad_request("invalid_query", error.to_string()))
    }
}

/// A JSON body, read whole (1 MiB at most), or an answer in JSON.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    fn from_request(request: &mut Request) -> Result<Self> {
        let essence = request.header("content-type").map(|value| {
            value
                .split_once(';')
                .map_or(value, |(essence, _)| essence)
                .trim()
                .to_ascii_lowercase()
        });
        if essence
            .is_some_and(|essence| essence != "application/json" && !essence.ends_with("+json"))
        {
            return Err(Error::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the body must be `application/json`",
            ));
        }
        let bytes = request.take_body().bytes(Body::DEFAULT_LIMIT)?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            if error.is_data() {
                Error::invalid("invalid_body", error.to_string())
            } else {
                Error::bad_request("invalid_json", error.to_string())
            }
        })
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => typed("application/json", body),
            Err(error) => Error::from(error).into_response(),
        }
    }
}

/// The plugin's configuration, as the admin set it.
#[derive(Clone, Debug)]
pub struct Config<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Config<T> {
    fn from_request(_request: &mut Request) -> Result<Self> {
        config::load().map(Self)
    }
}

/// The address that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri(String);

impl Uri {
    /// The path, percent-encoded.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.split_once('?').map_or(&self.0, |(path, _)| path)
    }

    /// The query after the question mark, if there is one.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.0.split_once('?').map(|(_, query)| query)
    }

    /// Path and query.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromRequest for Uri {
    fn from_request(request: &mut Request) -> Result<Self> {
        Ok(Self(request.target().to_owned()))
    }
}

impl FromRequest for Method {
    fn from_request(request: &mut Request) -> Result<Self> {
        Ok(request.method().clone())
    }
}

impl FromRequest for Headers {
    fn from_request(request: &mut Request) -> Result<Self> {
        Ok(request.headers().clone())
    }
}

/// The body, to be read as it arrives.
impl FromRequest for Body {
    fn from_request(request: &mut Request) -> Result<Self> {
        Ok(request.take_body())
    }
}

/// The whole body, 1 MiB at most.
impl FromRequest for Vec<u8> {
    fn from_request(request: &mut Request) -> Result<Self> {
        request.take_body().bytes(Body::DEFAULT_LIMIT)
    }
}

/// The whole body as text, 1 MiB at most.
impl FromRequest for String {
    fn from_request(request: &mut Request) -> Result<Self> {
        request.take_body().text(Body::DEFAULT_LIMIT)
    }
}

/// The request itself.
impl FromRequest for Request {
    fn from_request(request: &mut Request) -> Result<Self> {
        let empty = Request::new(request.method().clone(), String::new());
        Ok(std::mem::replace(request, empty))
    }
}

/// What may be missing or wrong: `None` then.
impl<T: FromRequest> FromRequest for Option<T> {
    fn from_request(request: &mut Request) -> Result<Self> {
        Ok(T::from_request(request).ok())
    }
}

/// What may be wrong: the handler decides.
impl<T: FromRequest> FromRequest for Result<T> {
    fn from_request(request: &mut Request) -> Result<Self> {
        Ok(T::from_request(request))
    }
}

/// Two at once.
impl<A: FromRequest, B: FromRequest> FromRequest for (A, B) {
    fn from_request(request: &mut Request) -> Result<Self> {
        Ok((A::from_request(request)?, B::from_request(request)?))
    }
}
