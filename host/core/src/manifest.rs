//! The manifest: what a plugin says of itself, readable without running it.
//! Written as TOML beside the source; the build command puts it, with its
//! migrations, into the component's custom section `atlashub:manifest` as
//! JSON.

use crate::{
    Error, Grant, GrantSet, Isolation, Limits, PluginName, Result,
    assets::{Assets, Page},
    job::{JobDeclaration, ScheduleDeclaration},
    permission::Declaration,
    subscription::{EventDeclaration, Subscription},
};
use serde::{Deserialize, Serialize};

/// Name of the custom section that carries the manifest as JSON.
pub const SECTION: &str = "atlashub:manifest";

/// Largest manifest that is read, bytes.
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// Addresses that the host answers itself; no plugin can own them.
pub const HOST_PREFIXES: &[&str] = &[
    "/admin",
    "/dashboard",
    "/v1/auth",
    "/auth",
    "/users",
    "/_",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/p",
];

/// Those of them that belong to the end users of a project.
const USER_PREFIXES: &[&str] = &["/v1/auth", "/auth", "/users"];

/// Addresses below a host prefix that plugins own nonetheless.
const PLUGIN_EXCEPTIONS: &[&str] = &["/users/me/files", "/users/me/quota"];

/// A plugin's manifest.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's name.
    pub name: PluginName,
    /// Its version (semver.org).
    pub version: semver::Version,
    /// What it does, in a sentence.
    #[serde(default)]
    pub description: String,
    /// The addresses it answers.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// The static files that the host serves for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assets: Option<Assets>,
    /// Pages among them that stand in the dashboard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<Page>,
    /// What it asks for.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// What users may be allowed to do in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<Declaration>,
    /// What it tells other plugins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventDeclaration>,
    /// What it wants to be told by others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<Subscription>,
    /// The jobs that it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobDeclaration>,
    /// Times at which they come by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<ScheduleDeclaration>,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// JSON Schema (draft 2020-12) of its configuration object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<serde_json::Value>,
    /// SQL that builds its schema, in order.
    #[serde(default)]
    pub migrations: Vec<Migration>,
    /// SQL that is run once its rows were moved to Postgres: what the tables
    /// there keep of their own, such as an index of words, is filled by the
    /// plugin, and here it is told to. To run it twice does no harm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_move: Option<String>,
}

/// An address that a plugin answers.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, Hash)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The path's start, whole segments: `/files` covers `/files` and
    /// everything below, `/files/*/tags` what has any one segment there. `/`
    /// covers whatever nobody else owns.
    pub path: String,
    /// Whether the plugin sees paths without this start, as if it were
    /// mounted at `/`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strip: bool,
    /// Whether programs may come in with `Authorization: Basic`: a user's
    /// address and an app password.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub basic: bool,
}

/// One step of a plugin's schema. `sql` serves both engines unless one of
/// the others is given. Statements are separated by semicolons.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Migration {
    /// Unique within the plugin; runs once.
    pub name: String,
    /// For both engines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// For SQLite instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlite: Option<String>,
    /// For Postgres instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<String>,
}

impl Manifest {
    /// Reads a manifest written as TOML.
    ///
    /// # Errors
    /// `invalid_manifest` with the place and what to change.
    pub fn from_toml(text: &str) -> Result<Self> {
        let manifest: Self = toml::from_str(text)
            .map_err(|error| invalid(error.to_string().trim_end().to_owned()))?;
        manifest.check()
    }

    /// Reads a manifest from a custom section.
    ///
    /// # Errors
    /// `invalid_manifest` with the place and what to change.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
        manifest.check()
    }

    /// The manifest of a component that came without one: it is mounted at
    /// `/<name>`, sees paths from there on, asks for nothing, and gets a fresh
    /// instance for every request.
    #[must_use]
    pub fn bare(name: PluginName) -> Self {
        let path = format!("/{name}");
        Self {
            name,
            version: semver::Version::new(0, 0, 0),
            description: String::new(),
            routes: vec![Route {
                path,
                strip: true,
                basic: false,
            }],
            assets: None,
            pages: Vec::new(),
            grants: Vec::new(),
            permissions: Vec::new(),
            events: Vec::new(),
            subscriptions: Vec::new(),
            jobs: Vec::new(),
            schedules: Vec::new(),
            // Its tool chain may not expect an instance to be called twice.
            limits: Limits {
                isolation: Isolation::Request,
                ..Limits::default()
            },
            config_schema: None,
            migrations: Vec::new(),
            after_move: None,
        }
    }

    /// The permission `<plugin>:<action>` of this plugin, if it is declared.
    #[must_use]
    pub fn permission(&self, action: &str) -> Option<&Declaration> {
        self.permissions
            .iter()
            .find(|declared| declared.action == action)
    }

    /// The event `<plugin>.<name>` of this plugin, if it is declared.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&EventDeclaration> {
        self.events.iter().find(|declared| declared.name == name)
    }

    /// The job of this name, if it is declared.
    #[must_use]
    pub fn job(&self, name: &str) -> Option<&JobDeclaration> {
        self.jobs.iter().find(|declared| declared.name == name)
    }

    /// Its subscription to the event of this full name, if it has one.
    #[must_use]
    pub fn subscription(&self, event: &str) -> Option<&Subscription> {
        self.subscriptions
            .iter()
            .find(|subscription| subscription.event == event)
    }

    /// The grants it asks for, as a set.
    #[must_use]
    pub fn requested(&self) -> GrantSet {
        self.grants.iter().cloned().collect()
    }

    fn check(mut self) -> Result<Self> {
        self.name.check_free()?;
        for route in &self.routes {
            check_route(&route.path)?;
        }
        if let Some(assets) = &self.assets {
            assets.check(&self.routes)?;
        }
        Page::check_all(&self.pages, self.assets.as_ref())?;
        Declaration::check_all(&self.permissions)?;
        EventDeclaration::check_all(&self.events)?;
        let requested = self.requested();
        Subscription::check_all(&mut self.subscriptions, &requested)?;
        JobDeclaration::check_all(&mut self.jobs, &requested)?;
        ScheduleDeclaration::check_all(&self.schedules, &self.jobs, &requested)?;
        let mut names = std::collections::BTreeSet::new();
        for migration in &self.migrations {
            if migration.name.is_empty() || !names.insert(migration.name.clone()) {
                return Err(invalid("each migration needs a name of its own"));
            }
            if migration.sql.is_none()
                && (migration.sqlite.is_none() || migration.postgres.is_none())
            {
                return Err(invalid(format!(
                    "migration `{}` needs `sql`, or both `sqlite` and `postgres`",
                    migration.name
                )));
            }
        }
        if !self.migrations.is_empty() && !self.grants.contains(&Grant::Sql) {
            return Err(invalid("migrations need the grant `sql`"));
        }
        if let Some(schema) = &self.config_schema {
            check_marks(schema)?;
        }
        self.limits = self.limits.clamp();
        Ok(self)
    }
}

/// Marks of what is kept from a plugin, or from who looks at a configuration.
const MARKS: [&str; 2] = ["x-secret", "writeOnly"];

/// What a schema says of one member of an object: its own property, or what it
/// says of all others.
#[must_use]
pub fn config_property<'a>(
    schema: &'a serde_json::Value,
    key: &str,
) -> Option<&'a serde_json::Value> {
    let own = schema.get("properties").and_then(|own| own.get(key));
    own.or_else(|| schema.get("additionalProperties"))
}

/// Refuses marks in places where nobody looks for them: what is confided must
/// not be shown because of where it stands.
fn check_marks(schema: &serde_json::Value) -> Result<()> {
    if count_of_marks(schema) == marks_in_reach(schema) {
        return Ok(());
    }
    Err(invalid(
        "`x-secret` and `writeOnly` stand in `properties` and `additionalProperties` of the \
         configuration and of objects in it, nowhere else in `config_schema`",
    ))
}

fn is_marked(schema: &serde_json::Value, mark: &str) -> bool {
    schema.get(mark) == Some(&serde_json::Value::Bool(true))
}

fn count_of_marks(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Object(members) => {
            let own = MARKS.iter().filter(|mark| is_marked(value, mark)).count();
            own + members.values().map(count_of_marks).sum::<usize>()
        }
        serde_json::Value::Array(items) => items.iter().map(count_of_marks).sum(),
        _ => 0,
    }
}

/// Marks that stand where they are looked for; below one nobody looks further.
fn marks_in_reach(schema: &serde_json::Value) -> usize {
    let own = schema.get("properties").and_then(|own| own.as_object());
    let own = own.into_iter().flat_map(|own| own.values());
    own.chain(schema.get("additionalProperties"))
        .map(|property| {
            let marks = MARKS.iter().filter(|mark| is_marked(property, mark));
            match marks.count() {
                0 => marks_in_reach(property),
                marks => marks,
            }
        })
        .sum()
}

/// Checks a route's path: absolute, whole plain segments, not the host's own.
///
/// # Errors
/// `invalid_route` or `reserved_route`.
pub fn check_route(path: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    let segments_ok = path == "/"
        || path.strip_prefix('/').is_some_and(|rest| {
            rest.split('/').enumerate().all(|(at, segment)| {
                let is_any = segment == "*" && at > 0;
                is_any
                    || !segment.is_empty()
                        && segment != "."
                        && segment != ".."
                        && segment.chars().all(plain)
            })
        });
    if !segments_ok {
        return Err(Error::invalid(
            "invalid_route",
            format!(
                "route `{path}` must be `/` or start with `/` and have plain segments (after the first, `*` is any), with no slash at the end"
            ),
        ));
    }
    if is_host_path(path) {
        return Err(Error::invalid(
            "reserved_route",
            format!("route `{path}` belongs to the host, choose another"),
        ));
    }
    Ok(())
}

/// What follows `route` in `path`, and what stands for each `*` of it; none
/// when the route does not cover the path.
#[must_use]
pub fn below<'a>(route: &str, path: &'a str) -> Option<(&'a str, Vec<&'a str>)> {
    let mut rest = path;
    let mut any = Vec::new();
    for wanted in route.split('/').filter(|segment| !segment.is_empty()) {
        let after = rest.strip_prefix('/')?;
        let end = after.find('/').unwrap_or(after.len());
        let (segment, further) = after.split_at_checked(end)?;
        match wanted {
            "*" if !segment.is_empty() => any.push(segment),
            plain if plain == segment => {}
            _ => return None,
        }
        rest = further;
    }
    Some((rest, any))
}

/// Whether the host answers `path` itself.
#[must_use]
pub fn is_host_path(path: &str) -> bool {
    HOST_PREFIXES.iter().any(|prefix| is_under(path, prefix))
        && !PLUGIN_EXCEPTIONS
            .iter()
            .any(|prefix| is_under(path, prefix))
}

/// Whether the host answers `path` itself, for the end users of a project.
#[must_use]
pub fn is_user_path(path: &str) -> bool {
    USER_PREFIXES.iter().any(|prefix| is_under(path, prefix)) && is_host_path(path)
}

fn is_under(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("invalid_manifest", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_manifest_has_defaults() {
        let manifest = Manifest::from_toml(
            "name = \"hello\"\nversion = \"1.2.3\"\n[[routes]]\npath = \"/hello\"\n",
        )
        .unwrap();
        assert_eq!(manifest.limits, Limits::default());
        assert!(manifest.grants.is_empty());
        let json = serde_json::to_vec(&manifest).unwrap();
        assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
    }

    #[test]
    fn a_mark_where_nobody_looks_for_it_is_refused() {
        let read = |schema: &str| {
            Manifest::from_toml(&format!(
                "name = \"notes\"\nversion = \"1.0.0\"\nconfig_schema = {schema}\n"
            ))
        };
        for fine in [
            "{ properties.key.x-secret = true }",
            "{ properties.shops.additionalProperties.properties.key.x-secret = true }",
            "{ properties.x-secret.type = \"boolean\" }",
        ] {
            read(fine).unwrap();
        }
        for bad in [
            "{ properties.keys.items.x-secret = true }",
            "{ properties.shops.items.properties.key.writeOnly = true }",
            "{ anyOf = [{ properties.key.x-secret = true }] }",
            "{ x-secret = true }",
            "{ properties.a = { x-secret = true, properties.b.x-secret = true } }",
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.message().contains("x-secret"), "{bad}: {error}");
        }
    }

    #[test]
    fn doubtful_permissions_are_refused() {
        let read = |permissions: &str| {
            Manifest::from_toml(&format!(
                "name = \"notes\"\nversion = \"1.0.0\"\npermissions = [{permissions}]\n"
            ))
        };
        let share = "{ action = \"share\", title = \"Share notes\", roles = [\"editor\"] }";
        let manifest = read(share).unwrap();
        assert!(manifest.permission("share").is_some());
        assert!(manifest.permission("read").is_none());
        for (refused, named) in [
            (format!("{share}, {share}").as_str(), "twice"),
            ("{ action = \"Share\", title = \"t\" }", "`Share`"),
            (
                "{ action = \"notes:share\", title = \"t\" }",
                "`notes:share`",
            ),
            ("{ action = \"*\", title = \"t\" }", "`*`"),
            ("{ action = \"a\", title = \" \" }", "title"),
            ("{ action = \"a\", title = \"t\\n\" }", "title"),
            ("{ action = \"a\" }", "title"),
            (
                "{ action = \"a\", title = \"t\", roles = [\"clerk\"] }",
                "clerk",
            ),
        ] {
            let error = read(refused).unwrap_err();
            assert_eq!(error.code(), "invalid_manifest");
            assert!(error.message().contains(named), "{}", error.message());
        }
    }

    #[test]
    fn users_have_their_own_part_of_the_hosts_addresses() {
        for path in ["/v1/auth/login", "/auth", "/users/me", "/users/me/filesx"] {
            assert!(is_user_path(path), "{path}");
        }
        for path in ["/admin", "/authx", "/users/me/files/1", "/v1/authors", "/"] {
            assert!(!is_user_path(path), "{path}");
        }
    }

    #[test]
    fn a_route_says_what_is_below_it_and_what_stands_for_any() {
        assert_eq!(below("/a/*/b", "/a/x/b/c"), Some(("/c", vec!["x"])));
        assert_eq!(below("/a", "/a/{id}/b"), Some(("/{id}/b", vec![])));
        assert_eq!(below("/", "/a"), Some(("/a", vec![])));
        assert_eq!(below("/a/b", "/a/{id}"), None);
        assert_eq!(below("/a", "/ab"), None);
    }

    #[test]
    fn doubtful_routes_are_refused() {
        for path in [
            "",
            "a",
            "/a/",
            "//",
            "/a//b",
            "/..",
            "/a/../b",
            "/{x}",
            "/*",
            "/a/b*",
            "/a/**",
            "/users/*",
            "/a b",
            "/admin",
            "/_/x",
            "/v1/auth",
            "/users/me",
        ] {
            assert!(check_route(path).is_err(), "{path:?} was accepted");
        }
        for path in [
            "/",
            "/files",
            "/v1/db",
            "/users/me/files",
            "/adminx",
            "/files/*/tags",
        ] {
            assert!(check_route(path).is_ok(), "{path:?} was refused");
        }
    }
}
