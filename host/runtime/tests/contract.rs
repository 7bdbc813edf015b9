//! The contract with plugins: what was released does not change.

#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{fs, path::Path};

/// A file without its comments and blanks: those may be mended.
fn substance(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_released_interface_never_changes() {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let mut compared = 0;
    for released in fs::read_dir(wit.join("released/0.1.0")).unwrap() {
        let released = released.unwrap().path();
        let name = released.file_name().unwrap();
        if name == "world.wit" {
            continue;
        }
        assert_eq!(
            substance(&released),
            substance(&wit.join("deps").join(name)),
            "{} was released: put what is new into a new version beside it",
            name.display()
        );
        compared += 1;
    }
    assert_eq!(compared, 6, "every released package has its file");
}
