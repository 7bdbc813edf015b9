//! `types.ts` of a project: TypeScript's own compiler takes it, with the typed
//! client and with postgrest-js, and finds what does not fit.

use atlashub_tests::{Project, shared};
use serde_json::json;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// Tables with names and values of every kind, and a view.
async fn project() -> Project {
    let admin = shared().await.admin();
    let project = admin.project_with(&["db"]).await;
    let tables = format!("/admin/v1/projects/{}/tables", project.slug);
    let id = json!({"name": "id", "type": "bigint", "primary_key": true});
    for table in [
        json!({"name": "people", "columns": [id, {"name": "name", "type": "text", "nullable": false}]}),
        json!({"name": "todos", "columns": [
            {"name": "id", "type": "uuid", "primary_key": true, "default": {"function": "uuid"}},
            {"name": "title", "type": "text", "nullable": false},
            {"name": "done", "type": "boolean", "nullable": false, "default": {"value": false}},
            {"name": "stars", "type": "real"},
            {"name": "price", "type": "numeric"},
            {"name": "data", "type": "json"},
            {"name": "due", "type": "date"},
            {"name": "at", "type": "timestamp"},
            {"name": "file", "type": "bytes"},
            {"name": "person_id", "type": "bigint", "references": {"table": "people", "column": "id"}},
        ]}),
    ] {
        let _ = admin.post(&tables, table).await.expect(201);
    }
    let view = "CREATE VIEW names AS SELECT name FROM people";
    crate::sql_editor::write(&admin, &project, view).await;
    project
}

/// What fits, and what must not: the compiler complains of an expectation
/// that is not met.
const USE: &str = r#"
import { createClient } from "CLIENT";
import { PostgrestClient } from "POSTGREST";
import type { Database, Json } from "./database.types";

const hub = createClient<Database>({ url: "https://hub.example.com/p/shop", key: "ahp_key" });
const rest = new PostgrestClient<Database>("https://hub.example.com/p/shop/rest/v1");

export async function typed(): Promise<void> {
  const todos = hub.db.from("todos");
  const [made] = await todos.insert({ title: "water", stars: 1.5, data: { a: [1, null] } });
  const id: string | undefined = made?.id;
  const { rows } = await todos.select("id", "done", "data").eq("done", true).order("due");
  for (const row of rows) {
    const done: boolean = row.done;
    const data: Json | null = row.data;
    // @ts-expect-error It was not asked for.
    void row.price;
    void [done, data];
  }
  await todos.update({ price: null, person_id: 7 }).eq("id", id ?? "");
  const names = (await hub.db.from("names").select("name")).rows;
  const name: string | null | undefined = names[0]?.name;
  // @ts-expect-error A view is read only.
  hub.db.from("names").insert;
  // @ts-expect-error There is no such table.
  hub.db.from("nothing");
  // @ts-expect-error A title is needed.
  await todos.insert({ done: true });
  // @ts-expect-error It is a number.
  await todos.update({ stars: "many" }).eq("id", "x");
  // @ts-expect-error There is no such column.
  todos.select("nothing");

  const { data: found } = await rest.from("todos").select("id, done, people(name)");
  const person: string | undefined = found?.[0]?.people?.name;
  const { data: same } = await rest.from("names").select("name");
  // @ts-expect-error It is a boolean.
  await rest.from("todos").update({ done: "yes" });
  void [name, person, same];
}
"#;

#[tokio::test]
async fn the_types_of_a_project_compile_with_both_clients() {
    let variable = |name: &str| {
        PathBuf::from(
            std::env::var(name)
                .unwrap_or_else(|_| panic!("{name} is not set: `cargo xtask test` sets it")),
        )
    };
    let client = variable("ATLASHUB_TEST_CLIENT");
    let postgrest = variable("ATLASHUB_TEST_POSTGREST").join("node_modules/@supabase/postgrest-js");
    let project = project().await;
    let admin = shared().await.admin();
    let types = format!("/admin/v1/projects/{}/types.ts", project.slug);
    let types = admin.get(&types).await.expect(200).text();
    let folder = tempfile::tempdir().expect("a folder");
    let text = |path: &Path| path.display().to_string();
    let used = USE
        .replace("CLIENT", &text(&client))
        .replace("POSTGREST", &text(&postgrest));
    let settings = json!({
        "compilerOptions": {
            "target": "ES2022", "lib": ["ES2022", "DOM", "DOM.Iterable"], "types": [],
            "module": "ESNext", "moduleResolution": "bundler", "strict": true,
            "exactOptionalPropertyTypes": true, "noUncheckedIndexedAccess": true,
            // Of what is imported, its users cannot mend anything.
            "skipLibCheck": true, "noEmit": true,
        },
        "include": ["*.ts"],
    });
    for (name, content) in [
        ("database.types.ts", types.clone()),
        ("use.ts", used),
        ("tsconfig.json", settings.to_string()),
    ] {
        std::fs::write(folder.path().join(name), content).expect("write a file");
    }
    let compiler = client
        .parent()
        .and_then(Path::parent)
        .expect("the client's folder")
        .join("node_modules/typescript/bin/tsc");
    let output = Command::new("node")
        .arg(compiler)
        .args(["--project", "tsconfig.json", "--pretty", "false"])
        .current_dir(folder.path())
        .output()
        .await
        .expect("Node is there");
    assert!(
        output.status.success(),
        "{}{}\n{types}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
