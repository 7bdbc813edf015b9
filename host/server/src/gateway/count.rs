//! Counting what is answered inside a project, for its time series, and
//! keeping the latest of it for those who look after the project.

use super::inside;
use atlashub_app::{App, requests::AnsweredRequest, series::Answered};
use atlashub_core::{Caller, PluginName, ProjectId, RequestId};
use axum::{body::Body, response::Response};
use http::{Method, Request, Uri, header};
use http_body::Body as _;
use std::time::Instant;

/// A request that is being answered.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    began: Instant,
    method: Method,
    /// As the client sent it.
    uri: Uri,
    caller: Option<&'static str>,
}

impl Counted {
    pub(super) fn begin<B>(request: &Request<B>) -> Self {
        Self {
            began: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            caller: None,
        }
    }

    /// Notes what kind of caller it is.
    pub(super) fn by(&mut self, caller: &Caller) {
        self.caller = Some(caller.kind());
    }

    /// Counts it, now that the head of the answer is there.
    pub(crate) fn end(
        self,
        app: &App,
        project: ProjectId,
        plugin: Option<&PluginName>,
        request: Option<RequestId>,
        response: &Response<Body>,
    ) {
        // An answer to `HEAD` has no body, whatever its head says.
        let bytes = match self.method {
            Method::HEAD => 0,
            _ => length(response),
        };
        let answered = Answered {
            status: response.status().as_u16(),
            latency: self.began.elapsed(),
            bytes,
        };
        app.traffic().answered(project, plugin, &answered);
        app.request_log().answered(&AnsweredRequest {
            project,
            plugin,
            method: self.method.as_str(),
            path: inside(self.uri.path()),
            status: answered.status,
            latency: answered.latency,
            bytes,
            caller: self.caller,
            request,
        });
    }
}

/// The length of a body, as far as it is known beforehand.
fn length(response: &Response<Body>) -> u64 {
    if let Some(exact) = response.body().size_hint().exact() {
        return exact;
    }
    let told = response.headers().get(header::CONTENT_LENGTH);
    told.and_then(|length| length.to_str().ok()?.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_length_is_that_of_the_body_or_what_the_head_tells() {
        assert_eq!(length(&Response::new(Body::from("seven..")),), 7);
        let endless = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let mut response = Response::new(Body::from_stream(endless));
        assert_eq!(length(&response), 0);
        let told = HeaderValue::from_static("1000");
        response.headers_mut().insert(header::CONTENT_LENGTH, told);
        assert_eq!(length(&response), 1_000);
    }
}
