//! Counting what is answered inside a project, for its time series.

use atlashub_app::{App, series::Answered};
use atlashub_core::{PluginName, ProjectId};
use axum::{body::Body, response::Response};
use http::{Method, header};
use http_body::Body as _;
use std::time::Instant;

/// A request that is being answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    began: Instant,
    /// Whether the answer has no body, whatever its head says.
    is_head: bool,
}

impl Counted {
    pub(super) fn begin(method: &Method) -> Self {
        Self {
            began: Instant::now(),
            is_head: *method == Method::HEAD,
        }
    }

    /// Counts it, now that the head of the answer is there.
    pub(crate) fn end(
        self,
        app: &App,
        project: ProjectId,
        plugin: Option<&PluginName>,
        response: &Response<Body>,
    ) {
        let answered = Answered {
            status: response.status().as_u16(),
            latency: self.began.elapsed(),
            bytes: if self.is_head { 0 } else { length(response) },
        };
        app.traffic().answered(project, plugin, &answered);
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
