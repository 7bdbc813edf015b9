//! The plugins `extract`, `documents` and `search`, one above the other.

use atlashub_tests::{DEADLINE, Project, User, shared, unique, until};
use serde_json::json;

/// A PDF whose page has no size, which the reader does not survive.
const CRAFTED: &str = "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n\
    2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n\
    3 0 obj\n<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>\nendobj\n\
    4 0 obj\n<< /Length 0 >>\nstream\n\nendstream\nendobj\n\
    trailer\n<< /Root 1 0 R /Size 5 >>\n%%EOF\n";

async fn project() -> Project {
    let plugins = ["files", "search", "extract", "documents"];
    shared().await.admin().project_with(&plugins).await
}

async fn put(user: &User, path: &str, body: &'static str) -> String {
    let request = user.request(reqwest::Method::POST, "/files/upload");
    let sent = request.header("file-path", path).body(body);
    let file = atlashub_tests::Reply::to(sent).await.expect(201).json();
    file["id"].as_str().expect("an id").to_owned()
}

async fn found(user: &User, query: &str) -> Vec<String> {
    let page = user.get(&format!("/files/search?{query}")).await;
    let page = page.expect(200).json();
    let items = page["items"].as_array().expect("items").iter();
    items
        .map(|item| item["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// Waits until all documents of a user were read, by whomever.
async fn until_read(user: &User) {
    until("the reading of documents", DEADLINE, || async {
        let reply = user.post("/documents/process?limit=20", json!({})).await;
        let now = reply.expect(200).json();
        (now["pending"] == 0 && now["complete"] == true).then_some(())
    })
    .await;
}

#[tokio::test]
async fn words_inside_documents_are_found_by_those_who_may_see_them() {
    let project = project().await;
    let (ada, bob) = (project.sign_up().await, project.sign_up().await);
    let page = "<title>Plans</title><p>The harvest of <b>millet</b> was plentiful this year,\
        and everybody in the village danced until the morning came.</p><script>hidden</script>";
    let page = put(&ada, "plans.html", page).await;
    let table = put(&ada, "sums.csv", "crop,weight\nsorghum,17\n").await;
    until_read(&ada).await;

    let document = ada
        .get(&format!("/documents/{page}"))
        .await
        .expect(200)
        .json();
    assert_eq!(document["status"], "ready", "{document}");
    assert_eq!(document["title"], "Plans", "{document}");
    assert_eq!(document["language"], "eng", "{document}");
    assert_eq!(document["encoding"], "UTF-8", "{document}");
    let text = ada.get(&format!("/documents/{page}/text")).await;
    assert!(text.expect(200).text().contains("millet was plentiful"));

    assert_eq!(found(&ada, "q=millet").await, [page.as_str()]);
    assert_eq!(found(&ada, "q=plentifull%20milet").await, [page.as_str()]);
    assert_eq!(found(&ada, "q=sorgh").await, [table.as_str()]);
    assert_eq!(found(&ada, "q=hidden").await, [""; 0]);
    assert_eq!(found(&bob, "q=millet").await, [""; 0]);
    for path in ["", "/text", "/download"] {
        let _ = bob
            .get(&format!("/documents/{page}{path}"))
            .await
            .expect(404);
    }
    let other = shared()
        .await
        .admin()
        .project_with(&["files", "search"])
        .await;
    let stranger = other.sign_up().await;
    assert_eq!(found(&stranger, "q=millet").await, [""; 0]);

    let gone = ada.delete(&format!("/files/{page}"), json!({})).await;
    assert!(gone.status < 300, "{}", gone.text());
    assert_eq!(found(&ada, "q=millet").await, [""; 0]);
}

#[tokio::test]
async fn what_is_shared_is_found_until_it_is_not_shared_any_more() {
    let project = project().await;
    let (ada, bob) = (project.sign_up().await, project.sign_up().await);
    let file = put(&ada, "quarterly.txt", "words").await;
    assert_eq!(found(&bob, "q=quarterly").await, [""; 0]);
    let path = format!("/files/{file}/permissions");
    let grant = json!({"user": bob.id, "role": "viewer"});
    let _ = ada.post(&path, grant).await.expect(201);
    assert_eq!(found(&bob, "q=quarterly").await, [file.as_str()]);
    let ended = ada.delete(&format!("{path}/{}", bob.id), json!({})).await;
    assert!(ended.status < 300, "{}", ended.text());
    assert_eq!(found(&bob, "q=quarterly").await, [""; 0]);
}

/// Searches until it finds just that.
async fn until_found(user: &User, query: &str, expected: &[&str]) {
    until(query, DEADLINE, || async {
        (found(user, query).await == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_lies_in_a_shared_folder_is_found_by_those_it_is_shared_with() {
    let project = project().await;
    let (ada, bob) = (project.sign_up().await, project.sign_up().await);
    let file = put(&ada, "outer/inner/quarterly.txt", "sorghum").await;
    let _ = put(&ada, "elsewhere/quarterly.txt", "sorghum").await;
    let at = ada.get("/files/at?path=outer").await.expect(200).json();
    let folder = at["folder"]["id"].as_str().expect("an id");
    let path = format!("/folders/{folder}/permissions");
    let grant = json!({"user": bob.id, "role": "viewer"});
    let _ = ada.post(&path, grant).await.expect(201);
    until_found(&bob, "q=quarterly", &[&file]).await;
    until_found(&bob, "q=sorghum", &[&file]).await;
    let page = bob.get("/documents/shared-with-me").await.expect(200);
    assert_eq!(page.json()["items"][0]["id"], file.as_str());
    assert_eq!(page.json()["items"].as_array().map(Vec::len), Some(1));
    let ended = ada.delete(&format!("{path}/{}", bob.id), json!({})).await;
    assert!(ended.status < 300, "{}", ended.text());
    let page = bob.get("/files/search?q=quarterly").await.expect(200);
    assert_eq!(page.json()["items"], json!([]));
    assert_eq!(page.json()["facets"]["types"], json!([]));
    // Nor does a word tell of it.
    let page = bob.get("/files/search?q=sorgum").await.expect(200);
    assert_eq!(page.json()["corrections"], json!({}));
}

#[tokio::test]
async fn a_folder_takes_its_words_and_tags_to_the_trash_and_back() {
    let project = project().await;
    let ada = project.sign_up().await;
    let file = put(&ada, "outer/inner/a.txt", "sorghum").await;
    let tags = json!({"tags": ["red"]});
    let _ = ada
        .post(&format!("/files/{file}/tags"), tags)
        .await
        .expect(200);
    until_found(&ada, "q=sorghum", &[&file]).await;
    let at = ada.get("/files/at?path=outer").await.expect(200).json();
    let folder = at["folder"]["id"].as_str().expect("an id");
    let counted = async |expected: usize| {
        until("the count of tags", DEADLINE, || async {
            let tags = ada.get("/tags").await.expect(200).json();
            (tags["items"].as_array().map(Vec::len) == Some(expected)).then_some(())
        })
        .await;
    };
    let gone = ada.delete(&format!("/folders/{folder}"), json!({})).await;
    assert!(gone.status < 300, "{}", gone.text());
    counted(0).await;
    // Whoever sees everything looks in vain, and it comes back all the same.
    let page = project.get("/files/search?q=sorghum").await.expect(200);
    assert_eq!(page.json()["items"], json!([]));
    let path = format!("/folders/{folder}/restore");
    let _ = ada.post(&path, json!({})).await.expect(200);
    until_found(&ada, "q=sorghum", &[&file]).await;
    counted(1).await;
    let gone = ada
        .delete(&format!("/folders/{folder}?permanent=1"), json!({}))
        .await;
    assert!(gone.status < 300, "{}", gone.text());
    counted(0).await;
}

#[tokio::test]
async fn a_document_that_breaks_its_reader_ends_as_an_error() {
    let project = project().await;
    let ada = project.sign_up().await;
    let crafted = put(&ada, "crafted.pdf", CRAFTED).await;
    let honest = put(&ada, "honest.txt", "honest words").await;
    until_read(&ada).await;
    let document = ada.get(&format!("/documents/{crafted}")).await;
    let document = document.expect(200).json();
    assert_eq!(document["status"], "error", "{document}");
    assert_eq!(document["error"]["code"], "broken_document", "{document}");
    assert_eq!(found(&ada, "q=honest%20words").await, [honest.as_str()]);
}

#[tokio::test]
async fn who_owns_a_document_that_cannot_be_read_is_told() {
    let plugins = ["files", "extract", "documents", "notifications"];
    let project = shared().await.admin().project_with(&plugins).await;
    let (ada, bob) = (project.sign_up().await, project.sign_up().await);
    let crafted = put(&ada, "crafted.pdf", CRAFTED).await;
    let told = until("the notification", DEADLINE, || async {
        let page = ada.get("/notifications").await.expect(200).json();
        let items = page["items"].as_array().expect("items");
        items.first().cloned()
    })
    .await;
    assert_eq!(told["kind"], "job_failed", "{told}");
    assert_eq!(told["title"], "crafted.pdf could not be read", "{told}");
    assert_eq!(told["subject"]["id"], crafted.as_str(), "{told}");
    let others = bob.get("/notifications").await.expect(200).json();
    assert_eq!(others["items"], json!([]), "{others}");
    let kinds = bob.get("/notifications/preferences").await;
    assert_eq!(
        kinds.expect(200).json()["kinds"]["job_failed"]["in_app"],
        true
    );
}

#[tokio::test]
async fn tags_of_one_plugin_stand_inside_the_files_of_another() {
    let project = project().await;
    let ada = project.sign_up().await;
    let file = put(&ada, "a.txt", "words").await;
    let path = format!("/files/{file}/tags");
    let tags = ada
        .post(&path, json!({"tags": ["Red", " red ", "Blue"]}))
        .await;
    let tags = tags.expect(200).json();
    assert_eq!(tags["tags"][0]["name"], "blue", "{tags}");
    assert_eq!(tags["tags"][1]["name"], "red", "{tags}");
    let metadata = ada.get(&format!("/files/{file}")).await.expect(200).json();
    assert_eq!(metadata["tags"], json!(["red", "blue"]), "{metadata}");
    assert_eq!(found(&ada, "tags=red,blue").await, [file.as_str()]);
    let blue = tags["tags"][0]["id"].as_str().expect("an id");
    let _ = ada
        .delete(&format!("{path}/{blue}"), json!({}))
        .await
        .expect(204);
    assert_eq!(found(&ada, "tags=blue").await, [""; 0]);
    let listed = ada.get("/tags").await.expect(200).json();
    assert_eq!(listed["items"][0]["name"], "red", "{listed}");
    assert_eq!(listed["items"][0]["count"], 1, "{listed}");
}

#[tokio::test]
async fn the_index_comes_back_after_it_was_thrown_away() {
    let project = project().await;
    let ada = project.sign_up().await;
    let name = unique("report");
    let file = put(&ada, &format!("{name}.txt"), "some millet").await;
    until_read(&ada).await;
    let _ = ada
        .post("/files/search/rebuild", json!({}))
        .await
        .expect(403);
    let rebuilt = project.post("/files/search/rebuild", json!({})).await;
    assert_eq!(rebuilt.expect(200).json(), json!({"done": true}));
    assert_eq!(found(&ada, "q=millet").await, [file.as_str()]);
}

#[tokio::test]
async fn a_new_file_is_read_and_indexed_without_anybody_asking() {
    let admin = shared().await.admin();
    let project = project().await;
    let ada = project.sign_up().await;
    let file = put(&ada, "harvest.txt", "sorghum and millet").await;
    until("the document's text", DEADLINE, || async {
        let reply = ada.get(&format!("/documents/{file}")).await;
        (reply.status == 200 && reply.json()["status"] == "ready").then_some(())
    })
    .await;
    // Both have taken the event, each once.
    let path = format!("/admin/v1/projects/{}/queue?state=done", project.slug);
    until("the end of the events", DEADLINE, || async {
        let done = admin.get(&path).await.expect(200).json();
        let items = done["items"].as_array().expect("items").iter();
        let mut consumers: Vec<_> = items
            .filter(|item| item["name"] == "files.uploaded")
            .filter_map(|item| item["consumer"].as_str())
            .collect();
        consumers.sort_unstable();
        (consumers == ["documents", "search"]).then_some(())
    })
    .await;
    assert_eq!(found(&ada, "q=sorghum").await, [file.as_str()]);
}

#[tokio::test]
async fn documents_that_find_their_reader_busy_are_read_later() {
    let admin = shared().await.admin();
    let plugins = ["files", "extract", "documents"];
    let project = admin.project_with(&plugins).await;
    // One document at a time, two may wait: the others are refused.
    let narrow = json!({"limits": {"concurrency": 1}});
    let _ = admin.install(&project, "extract", narrow).await.expect(200);
    let ada = project.sign_up().await;
    let words = "The harvest of millet was plentiful this year. ";
    let long: &'static str = words.repeat(20_000).leak();
    let documents = (0..40).map(|at| {
        let ada = &ada;
        async move { put(ada, &format!("{at}.txt"), long).await }
    });
    let documents = futures::future::join_all(documents).await;
    for id in documents {
        until("a document's text", DEADLINE, || async {
            let document = ada.get(&format!("/documents/{id}")).await;
            let document = document.expect(200).json();
            assert_ne!(document["status"], "error", "{document}");
            (document["status"] == "ready").then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn documents_that_nobody_tries_any_more_are_read_once_there_is_a_reader() {
    let admin = shared().await.admin();
    let plugins = ["files", "extract", "documents"];
    let project = admin.project_with(&plugins).await;
    let base = format!("/admin/v1/projects/{}", project.slug);
    let ada = project.sign_up().await;
    let before = put(&ada, "before.txt", "read at once").await;
    let status = async |id: &str| {
        let document = ada.get(&format!("/documents/{id}")).await;
        document.expect(200).json()["status"].clone()
    };
    until("the first text", DEADLINE, || async {
        (status(&before).await == "ready").then_some(())
    })
    .await;

    let off = json!({"enabled": false});
    let _ = admin.install(&project, "extract", off).await.expect(200);
    let id = put(&ada, "later.txt", "read later").await;
    // Its event is given up, as it is after all its tries.
    until("the end of the event", DEADLINE, || async {
        let page = admin.get(&format!("{base}/queue?limit=100")).await;
        let items = page.expect(200).json()["items"].clone();
        for item in items.as_array().expect("items") {
            let is_open = item["consumer"] == "documents" && item["attempt"].as_u64() > Some(0);
            if is_open && item["state"] == "scheduled" {
                let path = format!("{base}/queue/{}/cancel", item["id"].as_str().unwrap());
                if admin.post(&path, json!({})).await.status == 200 {
                    return Some(());
                }
            }
        }
        None
    })
    .await;
    assert_eq!(status(&id).await, "pending");
    let on = json!({"enabled": true});
    let _ = admin.install(&project, "extract", on).await.expect(200);
    let listed = admin.get(&format!("{base}/schedules")).await.expect(200);
    let listed = listed.json();
    let mut schedules = listed["items"].as_array().unwrap().iter();
    let waiting = schedules.find(|schedule| schedule["plugin"] == "documents");
    let waiting = waiting.expect("its schedule")["id"].as_str().unwrap();
    let run = format!("{base}/schedules/{waiting}/run");
    let _ = admin.post(&run, json!({})).await.expect(202);
    until("the text", DEADLINE, || async {
        (status(&id).await == "ready").then_some(())
    })
    .await;
}
