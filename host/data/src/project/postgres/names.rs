//! The names of a project's database and roles on a Postgres server. All
//! are made of lower-case letters, digits and underscores, and none has more
//! than the 63 bytes that Postgres keeps of a name.

use atlashub_core::{Digest, ProjectId, capability::PluginScope};

/// Longest name, bytes.
const MAX_NAME_BYTES: usize = 63;
/// Hexadecimal digits of a project's hash where its id does not fit.
const HASH_DIGITS: usize = 20;

/// `proj_<id>`: a project's database.
pub(super) fn database(project: ProjectId) -> String {
    format!("proj_{}", project.as_uuid().simple())
}

/// The role that owns the project's own tables.
pub(super) fn owner(project: ProjectId) -> String {
    format!("{}_owner", database(project))
}

/// The role that reads and writes the project's own tables.
pub(super) fn app(project: ProjectId) -> String {
    format!("{}_app", database(project))
}

/// The role that reaches every row of the project's own tables.
pub(super) fn service(project: ProjectId) -> String {
    format!("{}_service", database(project))
}

/// A plugin's login role. Of a project's id a hash stands in its name when
/// the schema's is long.
pub(super) fn plugin(scope: &PluginScope) -> String {
    let schema = scope.plugin.schema();
    let name = format!("{}_p_{schema}", database(scope.project));
    if name.len() <= MAX_NAME_BYTES {
        return name;
    }
    format!("{}{schema}", hashed_prefix(scope.project))
}

/// What the names of all roles of a project start with.
pub(super) fn role_prefixes(project: ProjectId) -> [String; 2] {
    [format!("{}_", database(project)), hashed_prefix(project)]
}

fn hashed_prefix(project: ProjectId) -> String {
    let mut hash = Digest::of(project.as_uuid().as_bytes()).to_hex();
    hash.truncate(HASH_DIGITS);
    format!("proj_{hash}_p_")
}

/// `name` as a quoted identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as a string literal.
pub(super) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn names_fit_and_differ() {
        let project = ProjectId::new();
        let role = |plugin: &str| plugin_role(project, plugin);
        let (short, long) = (role("files"), role(&"a".repeat(32)));
        assert!(short.len() <= MAX_NAME_BYTES && long.len() <= MAX_NAME_BYTES);
        for name in [&short, &long, &owner(project), &app(project)] {
            assert!(
                role_prefixes(project)
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
            );
        }
        assert_ne!(long, plugin_role(ProjectId::new(), &"a".repeat(32)));
    }

    fn plugin_role(project: ProjectId, name: &str) -> String {
        plugin(&PluginScope {
            project,
            plugin: name.parse().unwrap(),
        })
    }

    #[test]
    fn text_is_quoted() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("a'b\\c"), "E'a\\'b\\\\c'");
    }
}
