//! `GET /openapi.json`: the description of the host's own interface
//! (OpenAPI 3.1). `docs/openapi.json` is a copy, made by `atlashub openapi`.

use super::{admin, backup, blob, healthz, metrics, readyz, users};
use axum::Json;
use serde_json::Value;
use std::sync::LazyLock;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        Content, Ref, RefOr, ResponseBuilder,
        path::Operation,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

/// An error (RFC 9457).
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the problem module writes")]
pub(crate) struct Problem {
    /// `about:blank`.
    r#type: String,
    /// The status in words.
    title: String,
    /// The status code.
    status: u16,
    /// What is wrong, and what to change.
    detail: String,
    /// The same, for older clients.
    message: String,
    /// What is wrong, for programs: stable, in snake case.
    code: String,
    /// The id of the request.
    request_id: String,
}

#[derive(OpenApi)]
#[openapi(
    info(title = "AtlasHub", description = "The host's own interface. Plugins answer everywhere else.", license(name = "Apache-2.0")),
    servers((url = "/")),
    modifiers(&Finish),
    components(schemas(Problem)),
    security(("session" = []), ("cookie" = []), ("development" = [])),
    paths(
        healthz::handle, readyz::handle, metrics::handle,
        blob::get::handle, blob::put::handle, backup::get::handle,
        admin::setup::handle, admin::setup::show,
        admin::session::create::handle, admin::session::show::handle, admin::session::delete::handle,
        admin::session::password::handle, admin::session::totp::begin,
        admin::session::totp::verify, admin::session::totp::remove,
        admin::admins::list::handle, admin::admins::get::handle, admin::admins::update::handle,
        admin::admins::remove::handle, admin::admins::reset_totp::handle,
        admin::invitations::create::handle, admin::invitations::list::handle,
        admin::invitations::remove::handle, admin::invitations::accept::handle,
        admin::projects::create::handle, admin::projects::list::handle, admin::projects::get::handle,
        admin::projects::update::handle, admin::projects::delete::handle,
        admin::projects::usage::handle, admin::projects::requests::handle, admin::projects::quota::handle, admin::projects::check::handle,
        admin::projects::export::handle, admin::projects::import::handle,
        admin::check::handle, admin::settings::show, admin::settings::try_mail,
        admin::series::all::handle, admin::series::of_project::handle, admin::series::projects::handle,
        admin::keys::create::handle, admin::keys::list::handle, admin::keys::rotate::handle, admin::keys::revoke::handle,
        admin::domains::add::handle, admin::domains::list::handle, admin::domains::remove::handle,
        admin::plugins::list::handle, admin::plugins::get::handle, admin::plugins::upload::handle,
        admin::installations::list::handle, admin::installations::get::handle,
        admin::installations::put::handle, admin::installations::remove::handle,
        admin::installations::logs::handle, admin::installations::logs::of_project, admin::installations::metrics::handle,
        admin::installations::page_token::handle,
        admin::tables::list::handle, admin::tables::create::handle, admin::tables::get::handle,
        admin::tables::alter::handle, admin::tables::drop::handle, admin::tables::rows::handle,
        admin::tables::policies::handle, admin::tables::policy_put::handle, admin::tables::policy_remove::handle,
        admin::tables::migrations::handle, admin::tables::migrations_export::handle,
        admin::sql::run::handle, admin::sql::cancel::handle, admin::sql::history::handle,
        admin::sql::saved_list::handle, admin::sql::saved_add::handle, admin::sql::saved_put::handle, admin::sql::saved_remove::handle,
        admin::queue::list::handle, admin::queue::counts::handle, admin::queue::get::handle,
        admin::queue::retry::handle, admin::queue::cancel::handle,
        admin::schedules::list::handle, admin::schedules::get::handle,
        admin::schedules::pause::handle, admin::schedules::resume::handle,
        admin::schedules::run::handle,
        admin::backups::list::of_all, admin::backups::list::of_project,
        admin::backups::create::of_platform, admin::backups::create::of_project,
        admin::backups::get::of_platform, admin::backups::get::of_project,
        admin::backups::remove::of_platform, admin::backups::remove::of_project,
        admin::backups::download::of_platform, admin::backups::download::of_project,
        admin::backups::verify::of_platform, admin::backups::verify::of_project,
        admin::backups::restore::of_project, admin::backups::restore::as_new, admin::backups::run::handle,
        admin::backups::policy::show_projects, admin::backups::policy::put_projects,
        admin::backups::policy::show_platforms, admin::backups::policy::put_platforms,
        admin::generated::openapi::handle, admin::generated::types::handle,
        users::signup::handle, users::login::handle, users::refresh::handle, users::logout::handle,
        users::me::show, users::me::update, users::password::handle, users::profile::handle,
        users::sessions::list, users::sessions::end,
        users::app_passwords::create, users::app_passwords::list, users::app_passwords::end,
        users::manage::app_passwords::list, users::manage::app_passwords::end,
        users::manage::sessions::list, users::manage::sessions::end, users::manage::sessions::end_all,
        users::totp::enroll, users::totp::verify, users::totp::remove, users::jwks::handle,
        users::forgot::ask, users::forgot::reset, users::verify_email::handle, users::magic_link::handle,
        users::confirm::show, users::confirm::confirm, users::manage::invite::handle,
        users::manage::list::handle, users::manage::add::handle, users::manage::get::handle,
        users::manage::change::handle, users::manage::delete::handle, users::manage::reset_totp::handle,
        users::manage::permissions::handle, users::manage::remove_avatar::handle,
        users::avatar::set, users::avatar::remove, users::avatar::show,
        users::manage::roles::list, users::manage::roles::create, users::manage::roles::update, users::manage::roles::delete,
        users::identities::list, users::identities::link, users::identities::unlink,
        users::oauth::start::handle, users::oauth::callback::handle, users::oauth::token::handle,
        users::manage::providers::list, users::manage::providers::get, users::manage::providers::put, users::manage::providers::delete,
        users::manage::auth::show, users::manage::auth::put, users::manage::auth::rotate,
        admin::audit::list::handle, admin::audit::export::handle, admin::migrations::handle,
    )
)]
struct Description;

/// What all operations have in common.
struct Finish;

impl Modify for Finish {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let components = description.components.get_or_insert_default();
        let session = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("session", SecurityScheme::Http(session));
        let user = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        components.add_security_scheme("user", SecurityScheme::Http(user));
        let cookie = ApiKey::Cookie(ApiKeyValue::new("__Host-atlashub"));
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
        let development = ApiKey::Header(ApiKeyValue::new("x-dev-admin-token"));
        components.add_security_scheme("development", SecurityScheme::ApiKey(development));
        for item in description.paths.paths.values_mut() {
            let operations = [
                &mut item.get,
                &mut item.put,
                &mut item.post,
                &mut item.delete,
                &mut item.patch,
            ];
            operations.into_iter().flatten().for_each(may_fail);
        }
    }
}

fn may_fail(operation: &mut Operation) {
    let content = Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
    let response = ResponseBuilder::new()
        .description("What went wrong")
        .content("application/problem+json", content)
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), RefOr::T(response));
}

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(Description::openapi()).unwrap_or_default());

/// The description.
pub(crate) fn document() -> &'static Value {
    &DOCUMENT
}

pub(super) async fn handle() -> Json<&'static Value> {
    Json(document())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, path::Path};

    #[test]
    fn the_committed_description_is_current() {
        let committed = include_str!("../../../../docs/openapi.json");
        let committed: Value = serde_json::from_str(committed).unwrap();
        assert!(
            committed == *document(),
            "docs/openapi.json is out of date: run `atlashub openapi > docs/openapi.json`"
        );
    }

    /// A call that a file of this folder routes.
    #[derive(Debug, PartialEq)]
    struct Routed {
        method: String,
        /// Its template, below where the file's router is mounted.
        template: String,
        handler: String,
    }

    /// Where the router of a file of this folder is mounted. End users' calls
    /// are at several places, each of them described at one.
    fn mounts(file: &str) -> &'static [&'static str] {
        match file {
            "mod.rs" => &[""],
            "blob/mod.rs" => &["/_/blob"],
            "users/mod.rs" => &["/v1/auth", "/users"],
            "users/manage/mod.rs" => &["/admin/v1/projects/{project}"],
            admin if admin.starts_with("admin/") => &["/admin"],
            other => panic!("where is the router of {other} mounted?"),
        }
    }

    /// What is routed and not described: the description, and an old name.
    const UNDESCRIBED: &[&str] = &["GET /openapi.json", "GET /logs"];

    /// What the files below `folder` route, by file: all that stands in a
    /// `route(…)`, whatever the handlers are called.
    fn all_routed(root: &Path, folder: &Path, found: &mut Vec<(String, Routed)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // Supabase's dialect is described by its own clients, and has a
            // table of routes of its own in the tests.
            if path.is_dir() && !path.ends_with("auth_v1") {
                all_routed(root, &path, found);
            } else if path.is_file() && !path.ends_with("openapi.rs") {
                let file = path.strip_prefix(root).unwrap().to_str().unwrap();
                let text = std::fs::read_to_string(&path).unwrap();
                for (at, name) in text.match_indices(".route(") {
                    let routed = routed(&text[at + name.len()..]);
                    assert!(!routed.is_empty(), "a route of {file} is not understood");
                    found.extend(routed.into_iter().map(|one| (file.to_owned(), one)));
                }
            }
        }
    }

    /// What the call whose arguments `text` begins with routes.
    fn routed(text: &str) -> Vec<Routed> {
        let mut open = 1;
        let end = text.find(|character| {
            open += match character {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            open == 0
        });
        let arguments = &text[..end.unwrap()];
        let template = arguments.split('"').nth(1).unwrap();
        let mut found = Vec::new();
        for method in ["get", "put", "post", "delete", "patch", "read"] {
            for (at, name) in arguments.match_indices(&format!("{method}(")) {
                let before = arguments[..at].chars().next_back();
                if before.is_some_and(|character| character.is_alphanumeric()) {
                    continue;
                }
                let rest = &arguments[at + name.len()..];
                let handler = rest.split([')', ',']).next().unwrap().trim();
                found.push(Routed {
                    method: method.to_uppercase().replace("READ", "GET"),
                    template: template.to_owned(),
                    handler: handler.to_owned(),
                });
            }
        }
        found
    }

    #[test]
    fn calls_are_found_whatever_their_handlers_are_called() {
        let text =
            r#""/a/{id}", read(a::list).merge(post(a::add::handle).layer(max(1)))) .route("/b""#;
        let found = |method: &str, handler: &str| Routed {
            method: method.to_owned(),
            template: "/a/{id}".to_owned(),
            handler: handler.to_owned(),
        };
        let both = [found("POST", "a::add::handle"), found("GET", "a::list")];
        assert_eq!(routed(text), both);
    }

    #[test]
    fn what_is_routed_is_what_is_described() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/routes");
        let mut found = Vec::new();
        all_routed(&folder, &folder, &mut found);
        assert!(found.len() > 100, "only {found:?}");
        let text = include_str!("openapi.rs");
        let (_, handlers) = text.split_once("    paths(").unwrap();
        let (handlers, _) = handlers.split_once(")\n)]").unwrap();
        let handlers: Vec<&str> = handlers.split(',').map(str::trim).collect();
        let paths = document()["paths"].as_object().unwrap();
        let described: BTreeSet<String> = paths
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().unwrap().keys();
                methods.map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        let mut met = BTreeSet::new();
        for (file, one) in found {
            let call = format!("{} {}", one.method, one.template);
            if UNDESCRIBED.contains(&call.as_str()) {
                continue;
            }
            let handler = &one.handler;
            let is_listed = handlers
                .iter()
                .any(|path| path == handler || path.ends_with(&format!("::{handler}")));
            assert!(is_listed, "`{handler}` is missing in the list of paths");
            let names: Vec<String> = mounts(&file)
                .iter()
                .map(|mount| format!("{} {mount}{}", one.method, one.template))
                .filter(|name| described.contains(name))
                .collect();
            assert_eq!(names.len(), 1, "{call} of {file} is described as {names:?}");
            met.extend(names);
        }
        let unrouted: Vec<_> = described.difference(&met).collect();
        assert!(unrouted.is_empty(), "nothing answers {unrouted:?}");
    }

    /// Calls that make something, or begin it, without an `Idempotency-Key`,
    /// and why.
    const WITHOUT_A_KEY: &[(&str, &str)] = &[
        ("set_up", "it succeeds once, and its caller is nobody yet"),
        (
            "accept_invitation",
            "its token is good once, and its caller is nobody yet",
        ),
        (
            "sign_up_user",
            "an address is taken once, and its caller is nobody yet",
        ),
        (
            "upload_plugin",
            "the same component again is answered with the revision there is",
        ),
        (
            "create_page_token",
            "each ends by itself after minutes, before its answer would",
        ),
        ("cancel_sql", "it makes nothing, and cancels once"),
        ("forgot_password", "its caller is nobody; mails are counted"),
        ("magic_link", "its caller is nobody; mails are counted"),
        ("verify_email", "its caller is nobody; mails are counted"),
    ];

    #[test]
    fn every_call_that_makes_something_takes_an_idempotency_key() {
        let none = Vec::new();
        let mut left: Vec<&str> = WITHOUT_A_KEY.iter().map(|(name, _)| *name).collect();
        for (path, item) in document()["paths"].as_object().unwrap() {
            let call = &item["post"];
            let makes = ["201", "202"]
                .iter()
                .any(|status| call["responses"].get(status).is_some());
            let parameters = call["parameters"].as_array().unwrap_or(&none);
            let takes = parameters
                .iter()
                .any(|one| one["in"] == "header" && one["name"] == "Idempotency-Key");
            let name = call["operationId"].as_str().unwrap_or_default();
            let excepted = left.iter().position(|one| *one == name);
            if let Some(place) = excepted {
                left.remove(place);
                assert!(makes && !takes, "{name} is no exception any more");
            }
            assert!(
                !makes || takes || excepted.is_some(),
                "POST {path} makes something, and takes no `Idempotency-Key`"
            );
        }
        assert!(left.is_empty(), "there is no {left:?}");
    }

    #[test]
    fn every_operation_says_how_it_fails() {
        let paths = document()["paths"].as_object().unwrap();
        assert!(paths.len() > 20);
        for operation in paths
            .values()
            .flat_map(|item| item.as_object().unwrap().values())
        {
            assert!(
                operation["responses"].get("default").is_some(),
                "{operation}"
            );
        }
    }
}
