//! What a request does, as far as limits care.

use atlashub_app::limits::RouteClass;
use http::Method;

/// The class of a request inside its project.
pub(super) fn of(method: &Method, path: &str) -> RouteClass {
    let signs_in = ["/v1/auth", "/auth", "/users"].iter().any(|mount| {
        path.strip_prefix(mount)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if signs_in {
        RouteClass::Auth
    } else if matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS" | "PROPFIND") {
        RouteClass::Read
    } else {
        RouteClass::Write
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_is_a_class_of_its_own() {
        let class = |method, path| of(&method, path).as_str();
        assert_eq!(class(Method::POST, "/v1/auth/login"), "auth");
        assert_eq!(class(Method::GET, "/auth/me"), "auth");
        assert_eq!(class(Method::POST, "/users/login"), "auth");
        assert_eq!(class(Method::POST, "/users-of-mine/login"), "writes");
        assert_eq!(class(Method::POST, "/v1/authors"), "writes");
        assert_eq!(class(Method::HEAD, "/authors"), "reads");
        let propfind = Method::from_bytes(b"PROPFIND").expect("a method");
        assert_eq!(class(propfind, "/dav"), "reads");
        assert_eq!(class(Method::DELETE, "/v1/data/x"), "writes");
    }
}
