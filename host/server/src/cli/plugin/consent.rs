//! Shows an admin what a plugin asks for, and asks for what it does not have.

use anyhow::{Context as _, bail};
use atlashub_core::Grant;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    io::{BufRead as _, IsTerminal as _, Write as _},
};

/// Prints what a `revision` asks for, with what its users may be allowed to
/// do, and returns whether the grants are given: all are held already by the
/// `installed` plugin, `yes` was said beforehand, or the person at the
/// terminal agrees.
///
/// # Errors
/// There are new grants, and nobody to ask.
pub(super) fn ask(revision: &Value, installed: Option<&Value>, yes: bool) -> anyhow::Result<bool> {
    let held: BTreeSet<String> = installed
        .map(|value| strings(value, "grants").into_iter().collect())
        .unwrap_or_default();
    let requested = strings(revision, "grants");
    if let Some(permissions) = permissions(revision) {
        println!("roles can hold these permissions, `admin` holds them all:");
        print!("{permissions}");
    }
    if requested.is_empty() {
        println!("it asks for nothing");
        return Ok(true);
    }
    println!("it asks for:");
    let mut fresh = 0_u32;
    for grant in &requested {
        let new = !held.contains(grant);
        fresh += u32::from(new);
        println!("{}", line(grant, new));
    }
    if fresh == 0 || yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        bail!("it asks for grants it does not have yet: pass --yes to give them");
    }
    print!("grant them? [y/N] ");
    std::io::stdout()
        .flush()
        .context("cannot write to the terminal")?;
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// A grant, what it means, and whether it is new.
fn line(grant: &str, new: bool) -> String {
    let mut line = format!("  {grant}");
    if let Ok(known) = grant.parse::<Grant>() {
        line.push_str(&format!(": {}", known.meaning()));
    }
    if new {
        line.push_str("   (new)");
    }
    line
}

/// The permissions that a revision declares, a line each.
fn permissions(revision: &Value) -> Option<String> {
    let declared = revision.get("permissions")?.as_array()?;
    let mut lines = String::new();
    for permission in declared {
        let word = |name| permission.get(name).and_then(Value::as_str);
        let roles = strings(permission, "roles");
        let also = if roles.is_empty() {
            String::new()
        } else {
            format!(" (also {})", roles.join(", "))
        };
        lines.push_str(&format!(
            "  {}: {}{also}\n",
            word("permission").unwrap_or_default(),
            word("title").unwrap_or_default()
        ));
    }
    (!lines.is_empty()).then_some(lines)
}

/// The texts of the list `name` in `value`; none where there is no list.
pub(super) fn strings(value: &Value, name: &str) -> Vec<String> {
    value
        .get(name)
        .and_then(Value::as_array)
        .map(|items| {
            items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_admin_reads_what_a_grant_and_a_permission_mean() {
        assert_eq!(
            line("users", true),
            "  users: look the project's users up, with their e-mail addresses   (new)"
        );
        assert_eq!(line("of-a-newer-host", false), "  of-a-newer-host");
        let revision = json!({"permissions": [
            {"permission": "notes:read", "title": "Read notes", "roles": ["editor", "viewer"]},
            {"permission": "notes:purge", "title": "Remove all notes", "roles": []},
        ]});
        assert_eq!(
            permissions(&revision).as_deref(),
            Some(
                "  notes:read: Read notes (also editor, viewer)\n  notes:purge: Remove all notes\n"
            )
        );
        assert_eq!(permissions(&json!({"permissions": []})), None);
    }
}
