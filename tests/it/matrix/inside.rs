//! Who reaches which route inside a project: those of the built-in plugins,
//! and those of the host for the project's users. What the plugins' components
//! and the host say of themselves tells which there are.

use super::{
    asks::{
        Asks, DIALECT, GATEWAY_ROUTES, OPEN_IN_DIALECT, PLUGIN_ROUTES, aliases, dialect_routes,
        host_routes,
    },
    callers::{Caller, Rank, everybody, owner},
    forget_times,
};
use atlashub_tests::{Admin, Project, Reply, TestServer, plugin_routes, unique};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What no caller may read who is not trusted with everything.
pub(super) const HIDDEN: &str = "nobody-elses-business";

/// The bucket that [`HIDDEN`] is in, too.
const VAULT: &str = "vault";

/// The table without policies.
const TABLE: &str = "ledger";

/// How a caller must fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Served.
    Served,
    /// Refused with this status.
    Refused(u16),
    /// Anything but a failure; what matters is that nothing is seen and
    /// nothing changes.
    Unmoved,
}

pub(super) fn verdict(asks: Asks, rank: Rank) -> Verdict {
    use Verdict::{Refused, Served, Unmoved};
    let writes = matches!(
        asks,
        Asks::NameToWrite
            | Asks::ObjectToWrite
            | Asks::RowsToWrite
            | Asks::TokenToWrite
            | Asks::UsersToWrite
            | Asks::DriveToWrite
    );
    match (asks, rank) {
        (Asks::Nothing, _) => Served,
        (Asks::Absent, _) => Refused(404),
        (Asks::Password, _) => Refused(400),
        (Asks::SignIn, Rank::Guest | Rank::Reader | Rank::User | Rank::ProjectAdmin) => Served,
        (Asks::SignIn, _) => Refused(401),
        (Asks::Themselves, Rank::Guest | Rank::Reader | Rank::User | Rank::ProjectAdmin) => Served,
        (Asks::Themselves, Rank::Nobody) => Refused(401),
        (Asks::Themselves, _) => Refused(403),
        (Asks::Word, _) => Unmoved,
        (Asks::Own, Rank::User | Rank::ProjectAdmin) => Served,
        (Asks::OwnObject, Rank::User | Rank::ProjectAdmin) => Refused(404),
        (Asks::Own | Asks::OwnObject, Rank::Nobody) => Refused(401),
        (Asks::Own | Asks::OwnObject, _) => Refused(403),
        (Asks::Pay, Rank::User | Rank::ProjectAdmin | Rank::Secret | Rank::PlatformAdmin)
        | (Asks::Treasury, Rank::ProjectAdmin | Rank::Secret | Rank::PlatformAdmin) => Unmoved,
        (
            Asks::Payment,
            Rank::Reader
            | Rank::User
            | Rank::ProjectAdmin
            | Rank::Secret
            | Rank::PlatformAdmin
            | Rank::PlatformViewer,
        )
        | (
            Asks::PaymentToWrite,
            Rank::User | Rank::ProjectAdmin | Rank::Secret | Rank::PlatformAdmin,
        )
        | (Asks::Reviewed, Rank::ProjectAdmin | Rank::Secret | Rank::PlatformAdmin) => Refused(404),
        (
            Asks::Pay | Asks::Treasury | Asks::Payment | Asks::PaymentToWrite | Asks::Reviewed,
            Rank::Nobody,
        ) => Refused(401),
        (Asks::Pay | Asks::Treasury | Asks::Payment | Asks::PaymentToWrite | Asks::Reviewed, _) => {
            Refused(403)
        }
        (Asks::Description | Asks::Server, rank) if is_trusted(rank) => Served,
        (Asks::ServerThing, rank) if is_trusted(rank) => Refused(404),
        (Asks::ServerToWrite, Rank::Secret | Rank::PlatformAdmin) => Served,
        (Asks::ServerThingToWrite, Rank::Secret | Rank::PlatformAdmin) => Refused(404),
        (_, Rank::Guest) => Refused(403),
        (Asks::Tables | Asks::Table | Asks::Description, Rank::Nobody) => Refused(401),
        (Asks::Description, _) => Refused(403),
        (Asks::Server | Asks::ServerToWrite, Rank::Nobody) => Refused(401),
        (Asks::ServerThing | Asks::ServerThingToWrite, Rank::Nobody) => Refused(401),
        (Asks::Server | Asks::ServerToWrite, _) => Refused(403),
        (Asks::ServerThing | Asks::ServerThingToWrite, _) => Refused(403),
        (Asks::Table, rank) if !is_trusted(rank) => Refused(404),
        (Asks::Tables | Asks::Table, _) => Served,
        (_, Rank::Reader) if writes => Refused(403),
        (Asks::Rows | Asks::RowsToWrite, Rank::PlatformViewer) if writes => Refused(403),
        (Asks::Rows | Asks::RowsToWrite, rank) if is_trusted(rank) => Served,
        (Asks::Rows, _) => Served,
        (Asks::RowsToWrite, _) => Unmoved,
        (Asks::TokenToWrite | Asks::TokenObject, Rank::Publishable) => Refused(401),
        (_, Rank::Nobody) => Refused(401),
        (_, Rank::Publishable) => Refused(403),
        (Asks::Object | Asks::ObjectToWrite, Rank::Reader | Rank::User | Rank::ProjectAdmin) => {
            Refused(404)
        }
        (Asks::TokenObject, rank) if rank != Rank::Secret => Refused(400),
        (Asks::Users | Asks::UsersToWrite, Rank::Reader | Rank::User) => Refused(403),
        (_, Rank::PlatformViewer) if writes => Refused(403),
        (Asks::Drive | Asks::DriveToWrite, _) => Unmoved,
        _ => Served,
    }
}

/// Whether somebody of that rank sees everything in the project.
fn is_trusted(rank: Rank) -> bool {
    matches!(
        rank,
        Rank::Secret | Rank::PlatformAdmin | Rank::PlatformViewer
    )
}

/// A project with its plugins, and with a table that has no policies.
pub(super) async fn project(owner: &Admin) -> Project {
    let plugins = [
        "hello",
        "drive",
        "files",
        "images",
        "search",
        "documents",
        "notifications",
        "db",
        "storage",
        "rpc",
        "tenant-files",
        "webdav",
        "backends",
        "mpesa",
        "transfer",
        "cron",
    ];
    let project = owner.project_with(&plugins).await;
    // No public address: what runs ends at once.
    let config = json!({"allowed_targets": ["192.0.2.1"]});
    let body = json!({"enabled": true, "grants": "requested", "config": config});
    let _ = owner.install(&project, "cron", body).await.expect_success();
    let config = json!({"dropbox_client_id": "matrix"});
    let body = json!({"enabled": true, "grants": "requested", "config": config});
    let _ = owner
        .install(&project, "backends", body)
        .await
        .expect_success();
    let settings = format!("/admin/v1/projects/{}/auth", project.slug);
    let body = json!({"redirect_urls": ["https://app.example.com/"]});
    let _ = owner.put(&settings, body).await.expect(200);
    let table = json!({"name": TABLE, "columns": [
        {"name": "id", "type": "bigint", "primary_key": true},
        {"name": "note", "type": "text", "nullable": false},
    ]});
    let tables = format!("/admin/v1/projects/{}/tables", project.slug);
    let _ = owner.post(&tables, table).await.expect(201);
    let vault = json!({"name": VAULT});
    let _ = project.post("/v1/storage/buckets", vault).await.expect(201);
    let rows = json!({"rows": [{"id": 1, "note": HIDDEN}]});
    let _ = project.post("/v1/db/ledger", rows).await.expect(201);
    project
}

/// Somebody else's things, made for one request.
pub(super) struct Things {
    file: String,
    /// Where it lies.
    path: String,
    picture: String,
    folder: String,
    /// The id of a link to the file, and of one to the folder.
    links: [String; 2],
    user: String,
    role: String,
    tag: String,
    topic: String,
    /// The path of an object in [`VAULT`], and an empty bucket.
    object: String,
    bucket: String,
    /// A job by the clock, and a run of it.
    job: String,
    run: String,
}

/// A job that never comes by itself.
fn job() -> Value {
    json!({
        "name": HIDDEN, "type": "http", "schedule": "0 0 1 1 *", "enabled": false, "overlap": true,
        "http": {"url": "http://192.0.2.1/"},
    })
}

impl Things {
    pub(super) async fn make(owner: &Admin, project: &Project) -> Self {
        let name = unique(HIDDEN);
        let file = project.upload(&name, HIDDEN).await.expect(201).json();
        let picture = crate::avatars::png(8, 8, [7, 7, 7]);
        let picture = project.upload(&unique("picture"), picture).await;
        let picture = picture.expect(201).json();
        let folder = project.post("/folders", json!({"name": unique(HIDDEN)}));
        let folder = folder.await.expect(201).json();
        let mut links = [String::new(), String::new()];
        for (link, (kind, of)) in links
            .iter_mut()
            .zip([("files", &file), ("folders", &folder)])
        {
            let path = format!("/{kind}/{}/share", of["id"].as_str().expect("an id"));
            let made = project.post(&path, json!({})).await.expect(201).json();
            *link = made["id"].as_str().expect("an id").to_owned();
        }
        let base = format!("/admin/v1/projects/{}", project.slug);
        let user = json!({"email": format!("{name}@example.com"), "name": "Somebody"});
        let user = owner.post(&format!("{base}/users"), user).await;
        let user = user.expect(201).json();
        for (kind, of) in [("files", &file), ("folders", &folder)] {
            let path = format!("/{kind}/{}/permissions", of["id"].as_str().expect("an id"));
            let grant = json!({"user": user["id"], "role": "viewer"});
            let _ = project.post(&path, grant).await.expect(201);
        }
        let path = format!("/files/{}/tags", file["id"].as_str().expect("an id"));
        let tags = project.post(&path, json!({"tags": [name]})).await;
        let tags = tags.expect(200).json();
        let topic = project
            .post("/topics", json!({"name": unique("topic")}))
            .await;
        let topic = topic.expect(201).json();
        let role = unique("role");
        let body = json!({"name": role, "permissions": ["files:share"]});
        let _ = owner.post(&format!("{base}/roles"), body).await.expect(201);
        let object = unique(HIDDEN);
        crate::storage::send(project, VAULT, &object, "text/plain", HIDDEN).await;
        let bucket = unique("bucket");
        let body = json!({"name": bucket});
        let _ = project.post("/v1/storage/buckets", body).await.expect(201);
        let job = project.post("/cron/jobs", job()).await.expect(201).json();
        let job = job["id"].as_str().expect("an id").to_owned();
        let now = format!("/cron/jobs/{job}/run");
        let run = project.post(&now, json!({})).await.expect(202).json();
        Self {
            job,
            run: run["id"].as_str().expect("an id").to_owned(),
            object,
            bucket,
            links,
            file: file["id"].as_str().expect("an id").to_owned(),
            path: file["path"].as_str().expect("a path").to_owned(),
            picture: picture["id"].as_str().expect("an id").to_owned(),
            folder: folder["id"].as_str().expect("an id").to_owned(),
            user: user["id"].as_str().expect("an id").to_owned(),
            role,
            tag: tags["tags"][0]["id"].as_str().expect("an id").to_owned(),
            topic: topic["id"].as_str().expect("an id").to_owned(),
        }
    }

    /// Removes role, topic and bucket, if they are still there: a project has
    /// so many.
    async fn remove_counted(&self, owner: &Admin, project: &Project) {
        let role = format!("/admin/v1/projects/{}/roles/{}", project.slug, self.role);
        let topic = format!("/topics/{}", self.topic);
        let bucket = format!("/v1/storage/buckets/{}", self.bucket);
        let job = format!("/cron/jobs/{}", self.job);
        for reply in [
            project.delete(&job).await,
            owner.delete(&role).await,
            project.delete(&topic).await,
            project.delete(&bucket).await,
        ] {
            assert!([204, 404].contains(&reply.status), "{}", reply.text());
        }
    }

    /// The path with these things in it.
    fn path(&self, path: &str) -> String {
        let [to_file, to_folder] = &self.links;
        let (id, link) = if path.ends_with("/thumbnail") {
            (&self.picture, to_file)
        } else if ["/files", "/documents", "/api/v1/files"]
            .iter()
            .any(|start| path.starts_with(start))
        {
            (&self.file, to_file)
        } else if path.starts_with("/folders") {
            (&self.folder, to_folder)
        } else if path.starts_with("/topics") {
            (&self.topic, to_file)
        } else if path.starts_with("/cron/jobs") {
            (&self.job, to_file)
        } else if path.starts_with("/cron/runs") {
            (&self.run, to_file)
        } else {
            (&self.user, to_file)
        };
        path.replace("{id}", id)
            .replace("{factor}", id)
            .replace("{password}", id)
            .replace("{session}", id)
            .replace("{name}", &self.role)
            .replace("{table}", TABLE)
            .replace("{n}", "1")
            .replace("{token}", link)
            .replace("{tag_id}", &self.tag)
            .replace("{whose}", &self.user)
            .replace("{bucket}", &self.bucket)
            .replace("/dav/{*path}", "/dav/none/none")
            .replace("{*path}", &self.object)
            .replace("{function}", "version")
    }
}

/// A request that would be served, were the caller one who may.
pub(super) fn request(
    project: &Project,
    method: &str,
    path: &str,
    things: &Things,
) -> RequestBuilder {
    let filled = things.path(path);
    let object = format!("?bucket={VAULT}&objectKey={}", things.object);
    let at = format!("?p_file_path={}", things.path);
    let of_file = format!("?file={}", things.file);
    let condition = match (path, method) {
        ("/api/v1/permissions", "GET") => &of_file,
        ("/v1/storage/signed-download" | "/v1/storage/object", _) => &object,
        ("/files/at", _) => "?path=/",
        ("/storage-backends", "POST") => "?test=0",
        ("/storage-backends/callback", "GET") => "?state=theirs&code=theirs",
        ("/v1/storage/list", _) => "?bucket=vault",
        ("/rpc/retrieve_file", _) => &at,
        ("/v1/db/{table}", "PATCH" | "DELETE") => "?eq.id=1",
        ("/rest/v1/{table}", "PATCH" | "DELETE") => "?id=eq.1",
        ("/rest/v1/{table}", "PUT") => "?id=eq.1",
        _ => "",
    };
    let address = format!("/p/{}{filled}{condition}", project.slug);
    let parsed: Method = method.parse().expect("a method");
    let request = project.bare_request(parsed, &address);
    let row = json!({"id": 2, "note": "theirs"});
    let body = match (method, path) {
        ("GET" | "DELETE", _) => return request,
        ("POST", "/files/upload" | "/rpc/store_file" | "/api/v1/files" | "/api/v1/files/") => {
            return request.header("file-path", unique("theirs")).body("theirs");
        }
        ("PUT", "/files/{id}/content") => return request.body("theirs"),
        ("POST", "/rpc/login") => {
            json!({"email": format!("{}@example.com", unique("theirs")), "password": "wrong"})
        }
        ("PATCH", "/files/{id}") => json!({"description": "theirs"}),
        ("POST", "/files/{id}/permissions" | "/folders/{id}/permissions") => {
            json!({"user": things.user, "role": "viewer"})
        }
        ("POST", "/notifications") => {
            json!({"kind": "theirs", "user_ids": [], "title": "theirs"})
        }
        ("POST", "/notifications/mark-read") => json!({"all": true}),
        ("PUT", "/notifications/preferences") => json!({"kinds": {}}),
        ("POST", "/files/tus") => {
            return request
                .header("tus-resumable", "1.0.0")
                .header("upload-length", "1");
        }
        ("POST", "/files/tus/{id}") => {
            return request.header("x-http-method-override", "HEAD");
        }
        ("POST", "/api/v1/permissions") => {
            json!({"file": things.file, "user": things.user, "role": "viewer"})
        }
        ("POST", "/api/v1/credentials") => json!({"objects": [{
            "operation": "upload", "path": unique("theirs"), "size": 1, "contentType": "text/plain",
        }]}),
        ("POST", "/documents/upload-url") => json!({
            "filename": unique("theirs.txt"), "size": 1, "content_type": "text/plain",
        }),
        ("POST", "/files/upload-url") => json!({
            "filename": unique("theirs"), "size": 1, "content_type": "text/plain",
        }),
        ("POST", "/files/move" | "/files/copy") => json!({"from": "own", "to": "other"}),
        ("POST", "/files/lookup" | "/files/zip") => json!({"ids": [things.file]}),
        ("POST", "/files/{id}/tags") => json!({"tags": ["theirs"]}),
        ("PATCH", "/tags/{tag_id}") => json!({"name": unique("theirs")}),
        ("POST", "/topics") => json!({"name": unique("theirs")}),
        ("POST", "/transfer/export") => json!({"what": "table", "table": TABLE}),
        ("POST", "/transfer/uploads/link") => json!({"size": 1}),
        ("POST", "/transfer/preview" | "/transfer/folder") => json!({"source": "theirs"}),
        ("POST", "/transfer/import") => json!({"source": "theirs", "table": TABLE}),
        ("POST", "/folders") => json!({"name": unique("theirs")}),
        ("POST", "/storage-backends") => json!({
            "type": "webdav", "display_name": "theirs", "credentials": {
                "url": "https://cloud.example.com/", "username": "they", "password": "theirs",
            },
        }),
        ("POST", "/storage-backends/connect") => {
            json!({"type": "dropbox", "display_name": "theirs"})
        }
        ("POST", "/storage-backends/callback") => json!({"state": "theirs", "code": "theirs"}),
        ("POST", "/storage-backends/{id}/import") => json!({"path": "theirs"}),
        ("POST", "/storage-backends/{id}/store") => json!({"file_id": things.file}),
        ("POST", "/mpesa/transactions/{id}/review") => json!({"status": "failed"}),
        ("POST", "/mpesa/reconciliation") => json!({"statement": []}),
        ("PATCH", "/folders/{id}") => json!({"name": unique("theirs")}),
        ("POST", "/cron/jobs") => job(),
        ("POST", "/cron/explain") => json!({"schedule": "0 0 * * *"}),
        ("POST", "/v1/storage/buckets") => json!({"name": unique("theirs")}),
        ("PATCH", "/v1/storage/buckets/{bucket}") => json!({"maxObjectBytes": 7}),
        ("POST", "/v1/storage/signed-upload") => json!({
            "bucket": VAULT, "path": unique("theirs"), "contentType": "text/plain", "maxSize": 1,
        }),
        ("POST", "/v1/db/{table}") => json!({ "rows": [row] }),
        ("PATCH", "/v1/db/{table}") => json!({"values": {"note": "theirs"}}),
        ("POST", "/rest/v1/{table}") => row,
        ("PUT", "/rest/v1/{table}") => json!({"id": 1, "note": "theirs"}),
        ("PATCH", "/rest/v1/{table}") => json!({"note": "theirs"}),
        ("POST", "/v1/auth/admin/users") => {
            json!({"email": format!("{}@example.com", unique("theirs"))})
        }
        ("POST", "/auth/v1/admin/users" | "/auth/v1/invite") => {
            json!({"email": format!("{}@example.com", unique("theirs"))})
        }
        ("POST", "/auth/v1/admin/generate_link") => {
            let email = format!("{}@example.com", unique("theirs"));
            json!({"type": "invite", "email": email})
        }
        ("PUT", "/auth/v1/admin/users/{id}") => json!({"app_metadata": {"roles": ["admin"]}}),
        ("PATCH", "/v1/auth/admin/users/{id}") => json!({"roles": ["admin"]}),
        ("POST", "/v1/auth/admin/roles") => json!({"name": unique("theirs")}),
        ("PATCH", "/v1/auth/admin/roles/{name}") => json!({"permissions": []}),
        _ => json!({}),
    };
    request.json(&body)
}

/// Everything inside a project that a caller could have changed.
pub(super) async fn state_of(owner: &Admin, project: &Project) -> Vec<Value> {
    let base = format!("/admin/v1/projects/{}", project.slug);
    let mut state = Vec::new();
    for path in [
        "/files?limit=200",
        "/files/trash?limit=200",
        "/topics",
        "/folders?limit=200",
        "/folders/trash?limit=200",
        "/v1/db/ledger",
        "/v1/storage/buckets",
        "/v1/storage/list?bucket=vault&limit=1000",
    ] {
        state.push(project.get(path).await.expect(200).json());
    }
    let jobs = project.get("/cron/jobs?limit=100").await.expect(200).json();
    let jobs = jobs["items"].as_array().expect("jobs").iter();
    state.extend(jobs.map(|job| json!([job["id"], job["name"], job["http"], job["enabled"]])));
    for path in [format!("{base}/users?limit=200"), format!("{base}/roles")] {
        let mut value = owner.get(&path).await.expect(200).json();
        forget_times(&mut value);
        state.push(value);
    }
    state
}

#[test]
fn every_route_of_a_built_in_plugin_has_a_row() {
    let declared: BTreeSet<(String, String)> = plugin_routes()
        .into_iter()
        .map(|route| (route.method, route.path))
        .collect();
    let rows: BTreeSet<(String, String)> = PLUGIN_ROUTES
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    let without: Vec<_> = declared.difference(&rows).collect();
    assert!(
        without.is_empty(),
        "no row in PLUGIN_ROUTES for {without:?}"
    );
    let gone: Vec<_> = rows.difference(&declared).collect();
    assert!(gone.is_empty(), "rows of no route: {gone:?}");
}

#[test]
fn every_route_of_the_dialect_has_a_row() {
    let source = include_str!("../../../host/server/src/routes/users/auth_v1/mod.rs");
    let mut declared = BTreeSet::new();
    for route in source.split(".route(").skip(1) {
        let path = route.split('"').nth(1).expect("a path");
        let handlers = route.split(".layer(").next().unwrap_or(route);
        for method in ["get", "post", "put", "patch", "delete"] {
            if handlers.contains(&format!("{method}(")) {
                declared.insert((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    let rows: BTreeSet<_> = DIALECT
        .iter()
        .map(|(method, path, _)| (*method, *path))
        .chain(OPEN_IN_DIALECT.iter().copied())
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .collect();
    assert_eq!(declared, rows);
}

/// What an answer must be, besides its status.
fn check(caller: &Caller, asks: Asks, verdict: Verdict, reply: &Reply, what: &str) {
    let text = reply.text();
    match verdict {
        Verdict::Served => assert!(reply.status < 400, "{what}: {} {text}", reply.status),
        Verdict::Refused(status) => assert_eq!(reply.status, status, "{what}: {text}"),
        Verdict::Unmoved => assert!(
            reply.status < 500 && reply.status != 405,
            "{what}: {} {text}",
            reply.status
        ),
    }
    let sees = verdict == Verdict::Served
        && match asks {
            Asks::Users | Asks::UsersToWrite => true,
            Asks::Overview => caller.rank == Rank::ProjectAdmin,
            _ => false,
        };
    if asks == Asks::Tables && !is_trusted(caller.rank) {
        assert!(!text.contains(TABLE), "{what} is told of a table: {text}");
    }
    if !sees && !is_trusted(caller.rank) {
        assert!(
            !text.contains(HIDDEN),
            "{what} reads what is hidden: {text}"
        );
    }
}

/// Asks for every one of `routes` as everybody: first those who must change
/// nothing, then the others.
async fn try_all(owner: &Admin, project: &Project, routes: &[(&str, String, Asks)]) {
    let everybody = everybody(owner, project).await;
    let things = Things::make(owner, project).await;
    let before = state_of(owner, project).await;
    for (method, path, asks) in routes {
        for caller in &everybody {
            let verdict = verdict(*asks, caller.rank);
            if verdict == Verdict::Served {
                continue;
            }
            let what = format!("{} at {method} {path}", caller.name);
            let request = request(project, method, path, &things);
            let reply = Reply::to(caller.present(request)).await;
            check(caller, *asks, verdict, &reply, &what);
        }
        let now = state_of(owner, project).await;
        assert_eq!(now, before, "somebody changed something at {method} {path}");
    }
    for (method, path, asks) in routes {
        // What users do with their own accounts has tests of its own.
        if *asks == Asks::SignIn && (*method != "GET" || path.ends_with("/authorize")) {
            continue;
        }
        for caller in &everybody {
            let verdict = verdict(*asks, caller.rank);
            if verdict != Verdict::Served {
                continue;
            }
            let what = format!("{} at {method} {path}", caller.name);
            let things = Things::make(owner, project).await;
            let request = request(project, method, path, &things);
            let reply = Reply::to(caller.present(request)).await;
            // These users have no second factor, app password or other session to be
            // taken away.
            let absent = ["/totp", "/{factor}", "/{password}", "/{session}"];
            if absent.iter().any(|end| path.ends_with(end)) && reply.status == 404 {
                continue;
            }
            // Nor have they a file of that name.
            if matches!(path.as_str(), "/files/move" | "/files/copy") && reply.status == 404 {
                continue;
            }
            check(caller, *asks, verdict, &reply, &what);
            things.remove_counted(owner, project).await;
            let _ = project.delete("/v1/db/ledger?eq.id=2").await.expect(200);
            if *method == "DELETE" && path.contains("{table}") {
                let rows = json!({"rows": [{"id": 1, "note": HIDDEN}]});
                let _ = project.post("/v1/db/ledger", rows).await.expect(201);
            }
        }
    }
}

/// The plugins whose files people see, in one way or the other.
const DRIVES: &[&str] = &["files", "webdav", "rpc", "tenant-files"];

/// Those that know something of files, or keep bytes of their own.
const AROUND_FILES: &[&str] = &[
    "search",
    "documents",
    "notifications",
    "storage",
    "backends",
];

/// What plugins that `belongs` chooses, and the gateway for them, answer to
/// everybody.
async fn try_plugins(gateway: &[(&'static str, &'static str, Asks)], belongs: fn(&str) -> bool) {
    let server = TestServer::start().await;
    let owner = owner(&server).await;
    let project = project(&owner).await;
    let declared = plugin_routes();
    let plugin_of = |method: &str, path: &str| {
        let mut routes = declared.iter();
        let route = routes.find(|route| route.method == method && route.path == path);
        route.map_or_else(
            || panic!("no plugin describes {method} {path}"),
            |route| route.plugin.as_str(),
        )
    };
    let routes: Vec<_> = PLUGIN_ROUTES
        .iter()
        .filter(|(method, path, _)| belongs(plugin_of(method, path)))
        .chain(gateway)
        .map(|(method, path, asks)| (*method, (*path).to_owned(), *asks))
        .collect();
    assert!(!routes.is_empty(), "no route was tried");
    try_all(&owner, &project, &routes).await;
}

#[tokio::test]
async fn everybody_reaches_of_the_drives_what_they_may_and_nothing_more() {
    try_plugins(&[], |plugin| DRIVES.contains(&plugin)).await;
}

#[tokio::test]
async fn everybody_reaches_of_what_is_around_files_what_they_may_and_nothing_more() {
    try_plugins(&[], |plugin| AROUND_FILES.contains(&plugin)).await;
}

#[tokio::test]
async fn everybody_reaches_of_the_other_plugins_what_they_may_and_nothing_more() {
    let others = |plugin: &str| !DRIVES.contains(&plugin) && !AROUND_FILES.contains(&plugin);
    try_plugins(GATEWAY_ROUTES, others).await;
}

#[tokio::test]
async fn everybody_reaches_of_a_projects_accounts_what_they_may_and_nothing_more() {
    let server = TestServer::start().await;
    let owner = owner(&server).await;
    let project = project(&owner).await;
    try_all(&owner, &project, &host_routes()).await;
}

#[tokio::test]
async fn everybody_reaches_of_the_dialect_what_they_may_and_nothing_more() {
    let server = TestServer::start().await;
    let owner = owner(&server).await;
    let project = project(&owner).await;
    try_all(&owner, &project, &dialect_routes()).await;
}

#[tokio::test]
async fn other_names_of_a_route_ask_for_the_same() {
    // More at once than the class of sign-ins allows.
    let server = TestServer::builder()
        .env("ATLASHUB_AUTH_REQUESTS_PER_SECOND", "100000")
        .start()
        .await;
    let owner = owner(&server).await;
    let project = project(&owner).await;
    let everybody = everybody(&owner, &project).await;
    let things = Things::make(&owner, &project).await;
    let before = state_of(&owner, &project).await;
    for (method, path, asks) in aliases() {
        for caller in &everybody {
            let verdict = verdict(asks, caller.rank);
            if verdict == Verdict::Served && method != "GET" {
                continue;
            }
            let what = format!("{} at {method} {path}", caller.name);
            let request = request(&project, method, &path, &things);
            let reply = Reply::to(caller.present(request)).await;
            check(caller, asks, verdict, &reply, &what);
        }
    }
    let after = state_of(&owner, &project).await;
    assert_eq!(after, before, "somebody changed something by another name");
}
