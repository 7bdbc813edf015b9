//! Which handler answers which request. Unknown paths are 404, other methods
//! 405 with `Allow`; `HEAD` is served from `GET`, `OPTIONS` says what is
//! allowed.

use crate::{Error, Handler, Request, Response, decode};
use http::{Method, StatusCode};

type BoxedHandler = Box<dyn Fn(&mut Request) -> Response>;

/// A plugin's routes. Paths are absolute, as clients write them; `{name}`
/// stands for one segment, `{*name}` for the rest.
#[derive(Default)]
pub struct Router {
    paths: matchit::Router<usize>,
    methods: Vec<(String, Vec<(Method, BoxedHandler)>)>,
    fallback: Option<BoxedHandler>,
}

impl Router {
    /// No routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers `GET` (and `HEAD`) of `path`.
    #[must_use]
    pub fn get<A>(self, path: &str, handler: impl Handler<A>) -> Self {
        self.route(Method::GET, path, handler)
    }

    /// Answers `POST` to `path`.
    #[must_use]
    pub fn post<A>(self, path: &str, handler: impl Handler<A>) -> Self {
        self.route(Method::POST, path, handler)
    }

    /// Answers `PUT` of `path`.
    #[must_use]
    pub fn put<A>(self, path: &str, handler: impl Handler<A>) -> Self {
        self.route(Method::PUT, path, handler)
    }

    /// Answers `PATCH` of `path`.
    #[must_use]
    pub fn patch<A>(self, path: &str, handler: impl Handler<A>) -> Self {
        self.route(Method::PATCH, path, handler)
    }

    /// Answers `DELETE` of `path`.
    #[must_use]
    pub fn delete<A>(self, path: &str, handler: impl Handler<A>) -> Self {
        self.route(Method::DELETE, path, handler)
    }

    /// Answers a method by its name, such as `PROPFIND`.
    ///
    /// # Panics
    /// When `method` is none, and as [`Router::route`].
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "a wrong method is a mistake in the plugin's source, found by its first test"
    )]
    pub fn on<A>(self, method: &str, path: &str, handler: impl Handler<A>) -> Self {
        match Method::from_bytes(method.as_bytes()) {
            Ok(method) => self.route(method, path, handler),
            Err(error) => panic!("method `{method}`: {error}"),
        }
    }

    /// Answers `method` at `path`. A second handler for the same replaces the
    /// first.
    ///
    /// # Panics
    /// When `path` is malformed or collides with another, such as
    /// `/{a}` with `/{b}`.
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "a wrong route is a mistake in the plugin's source, found by its first test"
    )]
    pub fn route<A>(mut self, method: Method, path: &str, handler: impl Handler<A>) -> Self {
        let boxed: BoxedHandler = Box::new(move |request| handler.call(request));
        if let Some((_, methods)) = self.methods.iter_mut().find(|(own, _)| own == path) {
            methods.retain(|(own, _)| *own != method);
            methods.push((method, boxed));
            return self;
        }
        if let Err(error) = self.paths.insert(path, self.methods.len()) {
            panic!("route `{path}`: {error}");
        }
        self.methods.push((path.to_owned(), vec![(method, boxed)]));
        self
    }

    /// Answers whatever no route does, instead of 404.
    #[must_use]
    pub fn fallback<A>(mut self, handler: impl Handler<A>) -> Self {
        self.fallback = Some(Box::new(move |request| handler.call(request)));
        self
    }

    /// All routes: method and path, as they were handed in.
    pub fn routes(&self) -> impl Iterator<Item = (&Method, &str)> {
        self.methods.iter().flat_map(|(path, methods)| {
            methods
                .iter()
                .map(move |(method, _)| (method, path.as_str()))
        })
    }

    /// Answers a request.
    #[must_use]
    pub fn call(&self, mut request: Request) -> Response {
        let response = self.dispatch(&mut request).settle();
        if request.method() == Method::HEAD {
            response.without_body()
        } else {
            response
        }
    }

    fn dispatch(&self, request: &mut Request) -> Response {
        let Some((params, methods)) = self.find(request.path()) else {
            return match &self.fallback {
                Some(handler) => handler(request),
                None => Response::from_error(Error::not_found(format_args!(
                    "the path {}",
                    request.path()
                ))),
            };
        };
        request.params = params;
        let find = |method: &Method| methods.iter().find(|(own, _)| own == method);
        let by_get = || {
            (request.method() == Method::HEAD)
                .then(|| find(&Method::GET))
                .flatten()
        };
        match find(request.method()).or_else(by_get) {
            Some((_, handler)) => handler(request),
            None => refuse_method(request.method(), methods),
        }
    }

    #[expect(
        clippy::type_complexity,
        reason = "both halves are used at once, in one place"
    )]
    fn find(&self, path: &str) -> Option<(Vec<(String, String)>, &[(Method, BoxedHandler)])> {
        let found = self.paths.at(path).ok()?;
        let (_, methods) = self.methods.get(*found.value)?;
        let params = found
            .params
            .iter()
            .map(|(name, value)| (name.to_owned(), decode::percent(value).into_owned()))
            .collect();
        Some((params, methods))
    }
}

fn refuse_method(method: &Method, methods: &[(Method, BoxedHandler)]) -> Response {
    let mut allowed: Vec<&str> = methods.iter().map(|(method, _)| method.as_str()).collect();
    if allowed.contains(&"GET") && !allowed.contains(&"HEAD") {
        allowed.push("HEAD");
    }
    if !allowed.contains(&"OPTIONS") {
        allowed.push("OPTIONS");
    }
    allowed.sort_unstable();
    let allowed = allowed.join(", ");
    if method == Method::OPTIONS {
        return Response::new(StatusCode::NO_CONTENT).with_header("allow", allowed);
    }
    Response::from_error(
        Error::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("{method} is not possible here, only {allowed}"),
        )
        .with_header("allow", allowed),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::{Json, Path, Result};

    fn router() -> Router {
        Router::new()
            .get("/things", || "all")
            .post("/things", || StatusCode::CREATED)
            .get("/things/{name}", |Path(name): Path<String>| name)
            .get("/pair/{a}/{b}", |Path((a, b)): Path<(u32, String)>| {
                format!("{a} {b}")
            })
            .get("/rest/{*rest}", |Path(rest): Path<String>| rest)
            .get("/broken", || -> Result<Json<()>> {
                Err(Error::internal("SELECT secret FROM x"))
            })
    }

    #[test]
    fn variables_are_decoded() {
        let call = |target: &str| router().call(Request::get(target)).into_text().unwrap();
        assert_eq!(call("/things"), "all");
        assert_eq!(call("/things/a%20b%2Fc?x=1"), "a b/c");
        assert_eq!(call("/pair/7/x"), "7 x");
        assert_eq!(call("/rest/a/b"), "a/b");
    }

    #[test]
    fn a_variable_of_the_wrong_type_is_a_bad_request() {
        let response = router().call(Request::get("/pair/x/y"));
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(
            response.header("content-type"),
            Some("application/problem+json")
        );
    }

    #[test]
    fn other_paths_and_methods_are_refused() {
        let _host = crate::testing::TestHost::new("things");
        let unknown = router().call(Request::get("/nothing"));
        assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
        let problem: serde_json::Value = unknown.into_json().unwrap();
        assert_eq!(problem["code"], "not_found");
        assert_eq!(problem["request_id"], "test-request");
        assert_eq!(problem["message"], problem["detail"]);

        let refused = router().call(Request::new(Method::DELETE, "/things"));
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS, POST"));
        let options = router().call(Request::new(Method::OPTIONS, "/things"));
        assert_eq!(options.status(), StatusCode::NO_CONTENT);
        assert_eq!(options.header("allow"), Some("GET, HEAD, OPTIONS, POST"));
    }

    #[test]
    fn head_is_served_from_get() {
        let response = router().call(Request::new(Method::HEAD, "/things"));
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(response.header("content-length"), Some("3"));
        assert_eq!(response.into_text().unwrap(), "");
    }

    #[test]
    fn a_server_fault_says_only_that_it_is_one() {
        let response = router().call(Request::get("/broken"));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!response.into_text().unwrap().contains("secret"));
    }
}
