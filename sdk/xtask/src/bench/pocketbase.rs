//! PocketBase with the same table: a store of records in one program over
//! SQLite, as it comes, but for what only costs it time here (it keeps no log
//! of requests in the run).

use super::{
    peers::{Server, free_address},
    tables::{BATCH, FIRST, LAST, ROWS, row},
};
use crate::{
    http::Client,
    process::{Folder, Program},
    services::random_word,
    setup,
};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

const ADMIN: &str = "bench@example.com";

/// Starts it in a new folder and fills its table.
pub(super) fn start(folder: &Folder) -> Result<Server> {
    let program = setup::pocketbase()?;
    let data = folder.path().join("pocketbase");
    let password = random_word()?;
    Program::new(&program)
        .args(["superuser", "upsert", ADMIN, &password, "--dir"])
        .args([&data])
        .output("make an admin of PocketBase")?;
    let address = free_address()?;
    let server = Server::start(
        Program::new(&program)
            .args(["serve", "--http", &address.to_string(), "--dir"])
            .args([&data]),
        address,
        "run PocketBase",
        &folder.path().join("pocketbase.log"),
    )?;
    let nobody = Client::with_headers(address, "");
    let signed_in = nobody
        .call(
            "POST",
            "/api/collections/_superusers/auth-with-password",
            Some(&json!({"identity": ADMIN, "password": password})),
        )?
        .expect_success("sign in to PocketBase")?;
    let token = signed_in
        .get("token")
        .and_then(Value::as_str)
        .context("PocketBase gave no token")?;
    fill(&Client::with_headers(
        address,
        &format!("authorization: {token}\r\n"),
    ))?;
    Ok(server)
}

/// Where the page of rows is, for everybody.
pub(super) fn page() -> String {
    let (first, last) = (key(FIRST), key(LAST));
    // id >= first && id < last
    format!(
        "/api/collections/items/records?perPage=50&skipTotal=1&sort=id\
         &filter=id%3E%3D%22{first}%22%26%26id%3C%22{last}%22"
    )
}

/// Its keys are text of fifteen characters, unless told otherwise.
fn key(id: i64) -> String {
    format!("{id:015}")
}

fn fill(admin: &Client) -> Result<()> {
    let settings = json!({
        "batch": {"enabled": true, "maxRequests": BATCH, "timeout": 60},
        "logs": {"maxDays": 0},
    });
    admin
        .call("PATCH", "/api/settings", Some(&settings))?
        .expect_success("set up PocketBase")?;
    let collection = json!({
        "name": "items",
        "type": "base",
        // An empty rule lets everybody; none would let admins only.
        "listRule": "",
        "fields": [
            {"name": "title", "type": "text", "required": true},
            {"name": "done", "type": "bool"},
            {"name": "weight", "type": "number"},
        ],
    });
    admin
        .call("POST", "/api/collections", Some(&collection))?
        .expect_success("make a table of PocketBase")?;
    for first in (1..=ROWS).step_by(usize::try_from(BATCH).context("a batch is small")?) {
        let requests: Vec<Value> = (first..first + BATCH)
            .map(|id| {
                let mut body = row(id);
                if let Some(field) = body.get_mut("id") {
                    *field = key(id).into();
                }
                json!({"method": "POST", "url": "/api/collections/items/records", "body": body})
            })
            .collect();
        admin
            .call("POST", "/api/batch", Some(&json!({ "requests": requests })))?
            .expect_success("fill a table of PocketBase")?;
    }
    Ok(())
}
