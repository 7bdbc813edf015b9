//! `POST …/{project}/export` and `…/import`: an admin asks the platform, which has
//! the project's plugin do it.

use atlashub_tests::{Admin, DEADLINE, Project, Reply, shared, until};
use reqwest::Method;
use serde_json::{Value, json};

fn path(project: &Project, rest: &str) -> String {
    format!("/admin/v1/projects/{}/{rest}", project.slug)
}

/// Asks for it and waits for the end of the plugin's job.
async fn ended(admin: &Admin, project: &Project, what: &str, wishes: Value) -> Value {
    let begun = admin.post(&path(project, what), wishes).await.expect(202);
    let begun = begun.json();
    assert_eq!(begun["plugin"], "transfer", "{begun}");
    let item = path(
        project,
        &format!("queue/{}", begun["job"].as_str().unwrap()),
    );
    until("the job's end", DEADLINE, || async {
        let item = admin.get(&item).await.expect(200).json();
        let over = ["done", "dead", "cancelled"].contains(&item["state"].as_str().unwrap());
        over.then_some(item)
    })
    .await
}

async fn titles(project: &Project) -> Vec<Value> {
    let rows = project.get("/v1/db/things?order=id.asc").await.expect(200);
    let rows = rows.json()["rows"].as_array().unwrap().clone();
    rows.into_iter().map(|row| row["title"].clone()).collect()
}

#[tokio::test]
async fn what_an_admin_exports_is_imported_again() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["db"]).await;
    // Somebody has to do it.
    for what in ["export", "import"] {
        let refused = admin.post(&path(&project, what), json!({})).await;
        assert_eq!(refused.expect_problem(422), "platform_job_unavailable");
    }
    let _ = admin.enable(&project, "transfer").await;
    let table = json!({"name": "things", "columns": [
        {"name": "id", "type": "bigint", "primary_key": true},
        {"name": "title", "type": "text"},
    ]});
    let _ = admin
        .post(&path(&project, "tables"), table)
        .await
        .expect(201);
    let rows = json!({"rows": [{"id": 1, "title": "one, two"}, {"id": 2, "title": "ünï\n\"x\""}]});
    let _ = project.post("/v1/db/things", rows).await.expect_success();
    let before = titles(&project).await;

    // The same key is the same export.
    let wishes = json!({"what": "table", "table": "things", "format": "csv"});
    let ask = || {
        let request = admin.request(Method::POST, &path(&project, "export"));
        Reply::to(request.header("idempotency-key", "once").json(&wishes))
    };
    let first = ask().await.expect(202).json();
    let item = path(
        &project,
        &format!("queue/{}", first["job"].as_str().unwrap()),
    );
    until("the export", DEADLINE, || async {
        let item = admin.get(&item).await.expect(200).json();
        (item["state"] == "done").then_some(())
    })
    .await;
    assert_eq!(ask().await.expect(202).json(), first);
    let jobs = project.get("/transfer/jobs").await.expect(200).json();
    let jobs = jobs["items"].as_array().unwrap();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert_eq!(
        (&jobs[0]["kind"], &jobs[0]["status"]),
        (&json!("export"), &json!("done"))
    );
    let source = jobs[0]["id"].clone();

    let everything = project.request(Method::DELETE, "/v1/db/things?gte.id=0");
    let _ = Reply::to(everything).await.expect_success();
    assert!(titles(&project).await.is_empty());
    let wishes = json!({"source": source, "table": "things", "format": "csv"});
    let item = ended(&admin, &project, "import", wishes).await;
    assert_eq!(item["state"], "done", "{item}");
    assert_eq!(titles(&project).await, before);

    // The whole database, when nothing is said.
    let item = ended(&admin, &project, "export", json!({})).await;
    assert_eq!(item["state"], "done", "{item}");
    // What cannot be done is said by the job.
    for (what, wishes) in [
        ("export", json!({"what": "table", "table": "nowhere"})),
        ("import", json!({"source": "nothing", "table": "things"})),
        ("import", json!({"unknown": 1})),
    ] {
        let item = ended(&admin, &project, what, wishes).await;
        assert_eq!(item["state"], "dead", "{item}");
    }
    let large = json!({"what": "x".repeat(70_000)});
    let refused = admin.post(&path(&project, "export"), large).await;
    assert_eq!(refused.expect_problem(413), "job_too_large");
    let list = admin.post(&path(&project, "export"), json!([1])).await;
    assert!((400..=422).contains(&list.status), "{}", list.status);
    // Who asked is in the audit.
    let audit = admin
        .get(&format!("/admin/v1/audit?project={}&limit=200", project.id))
        .await
        .expect(200)
        .json();
    for action in ["project.export", "project.import"] {
        let found = audit["items"].as_array().unwrap().iter();
        assert!(
            found.clone().any(|entry| entry["action"] == action),
            "{action}"
        );
    }
}
