//! Functions as handlers: each argument is taken from the request, what they
//! return becomes the answer.

use crate::{FromRequest, IntoResponse, Request, Response};

/// A function that answers requests: up to eight arguments that implement
/// [`FromRequest`], and a result that implements [`IntoResponse`].
pub trait Handler<Arguments>: 'static {
    /// Answers a request.
    fn call(&self, request: &mut Request) -> Response;
}

macro_rules! handler {
    ($($argument:ident),*) => {
        impl<F, R, $($argument),*> Handler<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> R + 'static,
            R: IntoResponse,
            $($argument: FromRequest,)*
        {
            #[allow(non_snake_case, unused_variables, reason = "arguments are named like their types")]
            fn call(&self, request: &mut Request) -> Response {
                $(
                    let $argument = match $argument::from_request(request) {
                        Ok(value) => value,
                        Err(error) => return error.into_response(),
                    };
                )*
                self($($argument),*).into_response()
            }
        }
    };
}

handler!();
handler!(A);
handler!(A, B);
handler!(A, B, C);
handler!(A, B, C, D);
handler!(A, B, C, D, E);
handler!(A, B, C, D, E, G);
handler!(A, B, C, D, E, G, H);
handler!(A, B, C, D, E, G, H, I);
