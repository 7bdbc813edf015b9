//! Shows an admin what a plugin asks for, and asks for what it does not have.

use anyhow::{Context as _, bail};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    io::{BufRead as _, IsTerminal as _, Write as _},
};

/// Prints the `requested` grants and returns whether they are given: all are
/// held already by the `installed` plugin, `yes` was said beforehand, or the
/// person at the terminal agrees.
///
/// # Errors
/// There are new grants, and nobody to ask.
pub(super) fn ask(
    requested: &[String],
    installed: Option<&Value>,
    yes: bool,
) -> anyhow::Result<bool> {
    let held: BTreeSet<String> = installed
        .map(|value| strings(value, "grants").into_iter().collect())
        .unwrap_or_default();
    if requested.is_empty() {
        println!("it asks for nothing");
        return Ok(true);
    }
    println!("it asks for:");
    let mut fresh = 0_u32;
    for grant in requested {
        let new = !held.contains(grant);
        fresh += u32::from(new);
        println!("  {grant}{}", if new { "   (new)" } else { "" });
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
