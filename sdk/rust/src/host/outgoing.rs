//! Outgoing calls over `wasi:http/outgoing-handler`.

use super::{
    HostError, HostResult,
    streams::{InputStream, Writer},
};
use crate::{
    Body, Headers, Method, StatusCode,
    bindings::imports::wasi::http::{
        outgoing_handler,
        types::{
            self as wasi_http, ErrorCode, Fields, OutgoingBody, OutgoingRequest, RequestOptions,
            Scheme,
        },
    },
    body::Source,
    http::{Answer, Call, address},
};
use std::time::Duration;

/// Sends a call and waits for the head of its answer.
pub(crate) fn send(call: Call, source: Source) -> HostResult<Answer> {
    let invalid = |what: &str| {
        HostError::new(
            "upstream_failed",
            format!("{what} of the call is not valid"),
        )
    };
    let address = address(&call.url).ok_or_else(|| invalid("the address"))?;
    let mut headers = call.headers;
    if let Source::Bytes(bytes) = &source
        && !bytes.is_empty()
        && !headers.contains("content-length")
    {
        headers.append("content-length", bytes.len().to_string());
    }
    let fields = Fields::from_list(&headers.0).map_err(|_| invalid("a header field"))?;
    let request = OutgoingRequest::new(fields);
    request
        .set_method(&method(&call.method))
        .map_err(|()| invalid("the method"))?;
    let scheme = if address.secure {
        Scheme::Https
    } else {
        Scheme::Http
    };
    request
        .set_scheme(Some(&scheme))
        .map_err(|()| invalid("the scheme"))?;
    request
        .set_authority(Some(address.authority))
        .map_err(|()| invalid("the host"))?;
    request
        .set_path_with_query(Some(&address.target))
        .map_err(|()| invalid("the path"))?;
    let body = request.body().map_err(|()| invalid("the body"))?;

    let future =
        outgoing_handler::handle(request, options(call.timeout)?).map_err(|code| failure(&code))?;
    let whole = match body.write() {
        Ok(stream) => write(Writer(stream), source),
        Err(()) => true,
    };
    // A service may answer before it has read everything: what it answers
    // tells more than a failed write. A body that was cut off must not look
    // whole to it.
    let finished = if whole {
        OutgoingBody::finish(body, None)
    } else {
        log::debug!("the body of a call did not come to its end");
        drop(body);
        Ok(())
    };
    let response = loop {
        match future.get() {
            Some(Ok(Ok(response))) => break response,
            Some(Ok(Err(code))) => return Err(failure(&code)),
            Some(Err(())) => {
                return Err(HostError::new(
                    "upstream_failed",
                    "the answer was taken already",
                ));
            }
            None => future.subscribe().block(),
        }
    };
    if let Err(code) = finished {
        log::debug!("end of a call: {code}");
    }
    let status = StatusCode::from_u16(response.status())
        .map_err(|_| HostError::new("upstream_failed", "the answer has no valid status"))?;
    let headers = Headers(response.headers().entries());
    let body = response
        .consume()
        .ok()
        .and_then(InputStream::of_body)
        .map(Body::from_stream)
        .unwrap_or_default();
    Ok(Answer {
        status,
        headers,
        body,
    })
}

/// Writes the body of a call; whether that came to its end.
fn write(mut writer: Writer, source: Source) -> bool {
    match source {
        Source::Bytes(bytes) => bytes.is_empty() || writer.all(&bytes).is_ok(),
        Source::Stream(stream) => writer.splice(stream.handle()).is_ok(),
    }
}

fn options(timeout: Option<Duration>) -> HostResult<Option<RequestOptions>> {
    let Some(timeout) = timeout else {
        return Ok(None);
    };
    let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let options = RequestOptions::new();
    let set = options
        .set_connect_timeout(Some(nanoseconds))
        .and_then(|()| options.set_first_byte_timeout(Some(nanoseconds)))
        .and_then(|()| options.set_between_bytes_timeout(Some(nanoseconds)));
    set.map_err(|()| HostError::new("upstream_failed", "the host refused the time-out"))?;
    Ok(Some(options))
}

fn method(method: &Method) -> wasi_http::Method {
    match method.as_str() {
        "GET" => wasi_http::Method::Get,
        "HEAD" => wasi_http::Method::Head,
        "POST" => wasi_http::Method::Post,
        "PUT" => wasi_http::Method::Put,
        "DELETE" => wasi_http::Method::Delete,
        "OPTIONS" => wasi_http::Method::Options,
        "PATCH" => wasi_http::Method::Patch,
        other => wasi_http::Method::Other(other.to_owned()),
    }
}

fn failure(code: &ErrorCode) -> HostError {
    let kind = match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => "upstream_denied",
        ErrorCode::DestinationNotFound => "upstream_absent",
        ErrorCode::ConnectionLimitReached => "upstream_busy",
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => "upstream_timeout",
        _ => "upstream_failed",
    };
    HostError::new(kind, code.to_string())
}
