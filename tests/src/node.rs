//! Clients of other people, from npm: their tests are scripts that Node runs.

use std::{ffi::OsString, path::Path};
use tokio::process::Command;

/// Runs the tests in `script`, below `tests/javascript`, with these variables.
///
/// # Panics
/// With all that they printed, when one of them fails.
pub async fn node_tests<const N: usize>(script: &str, variables: [(&str, OsString); N]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("javascript")
        .join(script);
    let output = Command::new("node")
        .arg("--test")
        .arg(script)
        .envs(variables)
        .output()
        .await
        .expect("Node is there");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
