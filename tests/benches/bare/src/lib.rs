//! Answers every request as the `hello` plugin does, with no more than
//! `wasi:http` itself.

use wasip2::{
    exports::http::incoming_handler::Guest,
    http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam},
};

struct Bare;

impl Guest for Bare {
    fn handle(_request: IncomingRequest, outparam: ResponseOutparam) {
        let content_type = ("content-type".to_owned(), b"application/json".to_vec());
        let Ok(headers) = Fields::from_list(&[content_type]) else {
            return;
        };
        let response = OutgoingResponse::new(headers);
        let Ok(body) = response.body() else { return };
        ResponseOutparam::set(outparam, Ok(response));
        if let Ok(stream) = body.write() {
            let _ = stream.blocking_write_and_flush(br#"{"message":"hello"}"#);
        }
        let _ = OutgoingBody::finish(body, None);
    }
}

wasip2::http::proxy::export!(Bare with_types_in wasip2);
