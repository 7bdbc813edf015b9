//! Fault reports (Sentry): that a fault happened, where in this program, and
//! under which request id the log has the rest. What a fault was about stays
//! here: the texts of databases and stores can hold statements, names and
//! values.

use crate::config::Environment;
use sentry::{
    ClientInitGuard, ClientOptions,
    protocol::{Context, Event},
};

/// The context in which the fields of a log line arrive.
const FIELDS: &str = "Rust Tracing Fields";

/// The fields that are ours: fixed words and ids.
const KEPT: [&str; 4] = ["code", "failed_to", "request_id", "lines"];

/// Reports to `dsn` until dropped.
pub(super) fn start(dsn: &str, environment: Option<Environment>) -> ClientInitGuard {
    let environment = match environment {
        Some(Environment::Development) => "development",
        Some(Environment::Production) | None => "production",
    };
    sentry::init(
        ClientOptions::new()
            .dsn(dsn)
            .release(env!("CARGO_PKG_VERSION"))
            .environment(environment)
            .send_default_pii(false)
            .before_send(|event| Some(without_contents(event))),
    )
}

/// A report without what the fault was about.
fn without_contents(mut event: Event<'static>) -> Event<'static> {
    if let Some(Context::Other(fields)) = event.contexts.get_mut(FIELDS) {
        fields.retain(|name, _| KEPT.contains(&name.as_str()));
    }
    // A panic's text is ours; an error's text may be anybody's.
    for exception in &mut event.exception.values {
        if exception.ty != "panic" {
            exception.value = None;
        }
    }
    event.request = None;
    event.user = None;
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use sentry::protocol::{Exception, Map, Request, User, Value};

    #[test]
    fn a_report_says_what_failed_and_not_on_what() {
        let fields: Map<String, Value> = ["code", "failed_to", "cause", "error", "path"]
            .into_iter()
            .map(|name| (name.to_owned(), Value::from(format!("the {name}"))))
            .collect();
        let exception = |ty: &str| Exception {
            ty: ty.to_owned(),
            value: Some("the text".to_owned()),
            ..Exception::default()
        };
        let mut event = Event {
            message: Some("request failed".to_owned()),
            request: Some(Request::default()),
            user: Some(User::default()),
            exception: vec![exception("panic"), exception("DbErr")].into(),
            ..Event::default()
        };
        event
            .contexts
            .insert(FIELDS.to_owned(), Context::Other(fields));
        let event = without_contents(event);
        assert_eq!(event.message.as_deref(), Some("request failed"));
        let Some(Context::Other(fields)) = event.contexts.get(FIELDS) else {
            panic!("the fields are gone");
        };
        let kept: Vec<&str> = fields.keys().map(String::as_str).collect();
        assert_eq!(kept, ["code", "failed_to"]);
        let values: Vec<_> = event
            .exception
            .values
            .iter()
            .map(|one| &one.value)
            .collect();
        assert_eq!(values, [&Some("the text".to_owned()), &None]);
        assert!(event.request.is_none() && event.user.is_none());
    }
}
