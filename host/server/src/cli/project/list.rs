//! `atlashub project list`.

use crate::cli::client::{self, Client, ServerArgs, text};

pub(super) fn run(server: &ServerArgs) -> anyhow::Result<()> {
    let client = Client::new(server)?;
    let projects = client::block_on(client::all(&client, "/admin/v1/projects"))?;
    for project in &projects {
        println!(
            "{:<24}  {}  {}",
            text(project, "slug"),
            text(project, "id"),
            text(project, "name")
        );
    }
    if projects.is_empty() {
        println!("no projects yet; make one with `atlashub project create NAME`");
    }
    Ok(())
}
