//! The plugin's routes and its turns at jobs, against a host in memory.

use crate::{routes, work};
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};

const TABLES: &str = "
CREATE TABLE people (id INTEGER PRIMARY KEY NOT NULL, name TEXT, born DATE, email TEXT UNIQUE);
CREATE TABLE loose (n INTEGER, word TEXT NOT NULL);
CREATE VIEW grown AS SELECT id FROM people;
";

fn host() -> TestHost {
    TestHost::new("transfer")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_tables(TABLES)
        .unwrap()
        .with_caller(Caller::new(CallerKind::SecretKey, "k"))
}

fn call(request: Request) -> (u16, Value) {
    let response = routes().call(request);
    let status = response.status().as_u16();
    let body = response.into_bytes().unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn post(target: &str, body: &Value) -> (u16, Value) {
    call(Request::post(target, "").with_json(body).unwrap())
}

fn see(job: &Value) -> Value {
    let (status, job) = call(Request::get(format!("/transfer/jobs/{}", id(job))));
    assert_eq!(status, 200, "{job}");
    job
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

/// Lets jobs have their turns.
fn turn(host: &TestHost) {
    assert_ne!(host.run_jobs(&work()), 0);
}

fn export(host: &TestHost, body: &Value) -> String {
    let (status, job) = post("/transfer/export", body);
    assert_eq!(status, 202, "{job}");
    turn(host);
    let job = see(&job);
    assert_eq!(job["status"], "done", "{job}");
    let key: String = sql::query_one(
        "SELECT result_key FROM transfer.jobs WHERE id = $1",
        params![id(&job)],
    )
    .unwrap();
    let body = blob::bucket("private").read(&key, None).unwrap();
    body.text(1 << 20).unwrap()
}

fn upload(text: &str) -> String {
    let (status, upload) = call(Request::post("/transfer/uploads", text.to_owned()));
    assert_eq!(status, 201, "{upload}");
    id(&upload).to_owned()
}

/// A job that has not begun.
fn ask(text: &str, wishes: Value) -> Value {
    let mut body = wishes;
    body["source"] = json!(upload(text));
    let (status, job) = post("/transfer/import", &body);
    assert_eq!(status, 202, "{job}");
    job
}

fn import(host: &TestHost, text: &str, wishes: Value) -> Value {
    let job = ask(text, wishes);
    turn(host);
    see(&job)
}

fn people() -> Vec<(i64, Option<String>)> {
    database::query("SELECT id, name FROM people ORDER BY id", params![]).unwrap()
}

#[test]
fn quotes_are_written_so_that_they_are_read_again() {
    let host = host();
    let values = [
        "plain",
        "",
        "a \"b\" c",
        "a,b;c\td|e",
        "line\r\nline\n",
        "=1+1",
        "'=1",
        "+1",
        "-x",
        "@x",
        "\tx",
        "'tis",
        "ü日本😀",
    ];
    for (at, value) in values.iter().enumerate() {
        let at = i64::try_from(at).unwrap();
        database::execute(
            "INSERT INTO public.people (id, name) VALUES ($1, $2)",
            params![at, *value],
        )
        .unwrap();
    }
    let before = people();
    for delimiter in [",", ";", "\t", "|"] {
        for formulas in ["neutralise", "keep"] {
            let csv = export(
                &host,
                &json!({"what": "table", "table": "people", "delimiter": delimiter, "formulas": formulas}),
            );
            database::execute("DELETE FROM public.people", params![]).unwrap();
            let back = if formulas == "keep" {
                "keep"
            } else {
                "restore"
            };
            let job = import(&host, &csv, json!({"table": "people", "formulas": back}));
            assert_eq!(job["status"], "done", "{job}");
            assert_eq!(people(), before, "{delimiter:?} {formulas}");
        }
    }
}

#[test]
fn cells_that_a_program_for_tables_would_calculate_are_neutralised() {
    let host = host();
    for (id, name) in [
        (1, "=HYPERLINK(1)"),
        (2, "+1"),
        (3, "-1"),
        (4, "@x"),
        (5, "\t=1"),
        (6, "a=1"),
        (-7, "x"),
    ] {
        database::execute(
            "INSERT INTO public.people (id, name) VALUES ($1, $2)",
            params![id, name],
        )
        .unwrap();
    }
    let csv = export(
        &host,
        &json!({"what": "table", "table": "people", "columns": ["id", "name"]}),
    );
    assert_eq!(
        csv,
        "\"id\",\"name\"\r\n-7,\"x\"\r\n1,\"'=HYPERLINK(1)\"\r\n2,\"'+1\"\r\n3,\"'-1\"\r\n4,\"'@x\"\r\n5,\"'\t=1\"\r\n6,\"a=1\"\r\n"
    );
}

#[test]
fn an_export_ends_equal_whether_it_had_one_turn_or_was_begun_again() {
    let host = host();
    for n in 0..2_000 {
        database::execute(
            "INSERT INTO public.loose (n, word) VALUES ($1, $2)",
            params![n, format!("word {n}")],
        )
        .unwrap();
    }
    let body = json!({"what": "table", "table": "loose"});
    let whole = export(&host, &body);
    assert_eq!(whole.matches("\r\n").count(), 2_001);
    // A part is there with the first rows, and nobody has the job.
    let (_, job) = post("/transfer/export", &body);
    let end = whole.find("\r\n1000,").unwrap();
    let key = format!("{}/part-0-other", id(&job));
    let options = blob::PutOptions {
        key: Some(key.clone()),
        ..blob::PutOptions::default()
    };
    let _ = blob::bucket("private")
        .put_bytes(&whole.as_bytes()[..end], &options)
        .unwrap();
    sql::execute(
        "INSERT INTO transfer.parts (job_id, n, object_key, size) VALUES ($1, 0, $2, $3)",
        params![id(&job), key, end],
    )
    .unwrap();
    let state = json!({"place": [1000], "parts": 1, "page": 100, "complete": false});
    sql::execute(
        "UPDATE transfer.jobs SET state = $2, rows_done = 1000, status = 'running', run = 'gone' WHERE id = $1",
        params![id(&job), state],
    )
    .unwrap();
    turn(&host);
    let job = see(&job);
    assert_eq!(
        (&job["status"], &job["progress"]["rows"]),
        (&json!("done"), &json!(2_000))
    );
    let key: String = sql::query_one(
        "SELECT result_key FROM transfer.jobs WHERE id = $1",
        params![id(&job)],
    )
    .unwrap();
    let body = blob::bucket("private").read(&key, None).unwrap();
    assert_eq!(body.text(1 << 20).unwrap(), whole);
    let parts: i64 = sql::query_one("SELECT count(*) FROM transfer.parts", params![]).unwrap();
    assert_eq!((parts, host.objects("private").len()), (0, 2));
}

#[test]
fn a_batch_that_went_in_before_a_kill_does_not_go_in_again() {
    for committed in [true, false] {
        let host = host();
        let text = "n,word\n1,a\n2,b\n3,c\n";
        let job = ask(text, json!({"table": "loose"}));
        let transaction = database::Transaction::begin().unwrap();
        let name = transaction.identify().unwrap();
        transaction
            .execute(
                "INSERT INTO public.loose (n, word) VALUES (1, 'a'), (2, 'b')",
                params![],
            )
            .unwrap();
        if committed {
            transaction.commit().unwrap();
        } else {
            transaction.rollback().unwrap();
        }
        let next =
            json!({"offset": 15, "row": 2, "done": 2, "failed": 0, "kept": 0, "complete": false});
        let state = json!({"sure": null, "pending": [name, next]});
        sql::execute(
            "UPDATE transfer.jobs SET state = $2, status = 'running', run = 'gone' WHERE id = $1",
            params![id(&job), state],
        )
        .unwrap();
        turn(&host);
        let job = see(&job);
        assert_eq!(
            (&job["status"], &job["progress"]["rows"]),
            (&json!("done"), &json!(3)),
            "{job}"
        );
        let numbers: Vec<i64> =
            database::query("SELECT n FROM loose ORDER BY n", params![]).unwrap();
        assert_eq!(numbers, [1, 2, 3], "committed: {committed}");
        // A turn that comes twice does nothing.
        let again = Job::new("work", &json!({"job": id(&job)})).unwrap();
        host.run_job(&work(), &again).unwrap();
        assert_eq!(see(&job)["progress"]["rows"], 3);
    }
}

#[test]
fn rows_are_read_as_they_are_written_and_the_others_reported() {
    let host = host();
    let text = "id,name,born\n1,,2026-01-02\n2,\"\",\n3,x\n4,y,2026-01-03,z\n1,again,\nfive,z,\n6,ok,2026-02-30\n";
    let job = import(&host, text, json!({"table": "people", "on_error": "skip"}));
    assert_eq!(job["status"], "done", "{job}");
    assert_eq!(
        people(),
        [
            (1, None),
            (2, Some(String::new())),
            (6, Some("ok".to_owned()))
        ]
    );
    let told: Vec<(&Value, &Value)> = job["report"]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (&error["row"], &error["code"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!(3), &json!("ragged_row")),
            (&json!(4), &json!("ragged_row")),
            (&json!(5), &json!("sql_constraint_unique")),
            (&json!(6), &json!("invalid_value")),
        ]
    );
    // Where the column takes no NULL, nothing is an empty text.
    let job = import(&host, "n,word\n1,\n", json!({"table": "loose"}));
    assert_eq!(job["status"], "done", "{job}");
}

#[test]
fn an_import_that_stops_says_at_which_row() {
    let host = host();
    let text = "id,email\n1,a@b\n2,c@d\n3,a@b\n";
    for wishes in [
        json!({"table": "people"}),
        json!({"table": "people", "in": "transaction"}),
    ] {
        let job = import(&host, text, wishes);
        assert_eq!(job["status"], "failed", "{job}");
        assert_eq!(job["error"]["code"], "row_refused");
        assert_eq!(job["report"]["errors"][0]["row"], 3, "{job}");
        assert_eq!(people().len(), 0);
    }
    let job = import(
        &host,
        text,
        json!({"table": "people", "mode": "upsert", "key": ["email"]}),
    );
    assert_eq!(
        (&job["status"], &job["progress"]["rows"]),
        (&json!("done"), &json!(3)),
        "{job}"
    );
    assert_eq!(people(), [(2, None), (3, None)]);
    let job = import(
        &host,
        "id\n9\n",
        json!({"table": "people", "dry_run": true}),
    );
    assert_eq!(
        (&job["status"], people().len()),
        (&json!("done"), 2),
        "{job}"
    );
}

#[test]
fn objects_are_read_from_lines_and_from_lists() {
    let host = host();
    let lines = "{\"id\": 1, \"name\": \"a\"}\n{\"name\": null, \"id\": \"2\"}\n";
    let job = import(&host, lines, json!({"table": "people", "format": "ndjson"}));
    assert_eq!(
        (&job["status"], &job["progress"]["rows"]),
        (&json!("done"), &json!(2)),
        "{job}"
    );
    let list = "[ {\"id\": 3, \"name\": \"}]\"},\n{\"id\": 4, \"other\": 1} ]";
    let job = import(
        &host,
        list,
        json!({"table": "people", "format": "json", "on_error": "skip"}),
    );
    assert_eq!(
        job["report"]["errors"][0]["code"], "unknown_member",
        "{job}"
    );
    let names: Vec<Option<String>> = people().into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, [Some("a".to_owned()), None, Some("}]".to_owned())]);
}

/// The bytes of a new archive of all tables.
fn archive(host: &TestHost) -> Vec<u8> {
    let (status, job) = post(
        "/transfer/export",
        &json!({"what": "database", "format": "zip"}),
    );
    assert_eq!(status, 202, "{job}");
    turn(host);
    let job = see(&job);
    assert_eq!(job["status"], "done", "{job}");
    let key: String = sql::query_one(
        "SELECT result_key FROM transfer.jobs WHERE id = $1",
        params![id(&job)],
    )
    .unwrap();
    let body = blob::bucket("private").read(&key, None).unwrap();
    body.bytes(1 << 20).unwrap()
}

fn import_archive(bytes: &[u8]) -> (u16, Value) {
    let (status, upload) = call(Request::post("/transfer/uploads", bytes.to_vec()));
    assert_eq!(status, 201, "{upload}");
    let body = json!({"what": "database", "format": "zip", "source": id(&upload)});
    post("/transfer/import", &body)
}

fn filled() -> TestHost {
    let host = host();
    for n in 0..500 {
        database::execute(
            "INSERT INTO public.people (id, name) VALUES ($1, $2)",
            params![n, format!("\"name\" {n}\nü")],
        )
        .unwrap();
    }
    database::execute(
        "INSERT INTO public.loose VALUES (1, ''), (NULL, 'x')",
        params![],
    )
    .unwrap();
    host
}

#[test]
fn an_archive_of_all_tables_comes_in_again_equal() {
    let first = filled();
    let before = people();
    let bytes = archive(&first);
    drop(first);
    let host = host();
    let (status, job) = import_archive(&bytes);
    assert_eq!(status, 202, "{job}");
    turn(&host);
    let job = see(&job);
    assert_eq!(
        (&job["status"], &job["progress"]["rows"]),
        (&json!("done"), &json!(502)),
        "{job}"
    );
    assert_eq!(people(), before);
    let loose: Vec<(Option<i64>, String)> =
        database::query("SELECT n, word FROM loose ORDER BY word", params![]).unwrap();
    assert_eq!(loose, [(Some(1), String::new()), (None, "x".to_owned())]);
}

#[test]
fn an_archive_without_the_key_changes_no_rows() {
    let first = TestHost::new("transfer")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_tables("CREATE TABLE people (name TEXT);")
        .unwrap()
        .with_caller(Caller::new(CallerKind::SecretKey, "k"));
    database::execute("INSERT INTO public.people VALUES ('a')", params![]).unwrap();
    let bytes = archive(&first);
    drop(first);
    let _host = host();
    let wishes = json!({"what": "database", "mode": "upsert", "source": upload_bytes(&bytes)});
    let (status, refused) = post("/transfer/import", &wishes);
    assert_eq!(
        (status, &refused["code"]),
        (422, &json!("no_unique_key")),
        "{refused}"
    );
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.contains("`id`") && detail.contains("`people`"),
        "{detail}"
    );
}

#[test]
fn rows_that_change_others_do_not_go_in_as_new_ones() {
    let host = host();
    database::execute(
        "INSERT INTO public.people (id, name) VALUES (1, 'before')",
        params![],
    )
    .unwrap();
    let job = ask(
        "id,name\n1,after\n",
        json!({"table": "people", "mode": "upsert"}),
    );
    // As a job was written down whose key is among nothing that goes in.
    let asked: String = sql::query_one(
        "SELECT asked FROM transfer.jobs WHERE id = $1",
        params![id(&job)],
    )
    .unwrap();
    let mut asked: Value = serde_json::from_str(&asked).unwrap();
    asked["plans"][0]["to"] = json!([null, "name"]);
    sql::execute(
        "UPDATE transfer.jobs SET asked = $2 WHERE id = $1",
        params![id(&job), asked],
    )
    .unwrap();
    turn(&host);
    let job = see(&job);
    assert_eq!(
        (&job["status"], &job["error"]["code"]),
        (&json!("failed"), &json!("no_unique_key")),
        "{job}"
    );
    assert_eq!(people(), [(1, Some("before".to_owned()))]);
}

#[test]
fn a_job_that_no_turn_was_made_for_fails_after_a_while() {
    let host = host();
    let (_, job) = post(
        "/transfer/export",
        &json!({"what": "table", "table": "people"}),
    );
    // The server went between the job and its turn.
    sql::execute("UPDATE transfer.jobs SET item = NULL", params![]).unwrap();
    let sweep = Job::new("sweep", &json!({})).unwrap();
    host.run_job(&work(), &sweep).unwrap();
    assert_eq!(see(&job)["status"], "queued");
    host.advance(std::time::Duration::from_secs(901));
    host.run_job(&work(), &sweep).unwrap();
    let job = see(&job);
    assert_eq!(
        (&job["status"], &job["error"]["code"]),
        (&json!("failed"), &json!("not_begun")),
        "{job}"
    );
    assert!(job["expires_at"].is_string(), "{job}");
}

#[test]
fn a_dump_makes_the_same_tables_with_the_same_rows() {
    let host = filled();
    let before = people();
    let sql = export(&host, &json!({"what": "database", "format": "sql"}));
    database::execute("DROP VIEW public.grown", params![]).unwrap();
    for table in ["people", "loose"] {
        database::execute(&format!("DROP TABLE public.{table}"), params![]).unwrap();
    }
    let body: String = sql
        .lines()
        .filter(|line| !line.starts_with("PRAGMA") && *line != "BEGIN;" && *line != "COMMIT;")
        .map(|line| format!("{line}\n"))
        .collect();
    let body = body
        .replace("CREATE TABLE \"", "CREATE TABLE public.\"")
        .replace("CREATE VIEW ", "CREATE VIEW public.")
        .replace("INSERT INTO \"", "INSERT INTO public.\"");
    for statement in body
        .split(";\n")
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        database::execute(statement, params![]).unwrap();
    }
    assert_eq!(people(), before);
    let grown: Vec<i64> = database::query("SELECT id FROM grown", params![]).unwrap();
    assert_eq!(grown.len(), before.len());
    let twice = database::execute(
        "INSERT INTO public.people (id, name) VALUES (1, 'x')",
        params![],
    );
    assert_eq!(twice.unwrap_err().code(), "sql_constraint_unique");
}

#[test]
fn a_damaged_archive_is_refused_before_a_row_is_written() {
    let first = filled();
    let bytes = archive(&first);
    drop(first);
    let find = |text: &str| {
        let mut windows = bytes.windows(text.len());
        windows
            .position(|window| window == text.as_bytes())
            .unwrap()
    };
    let last = |text: &str| {
        let mut windows = bytes.windows(text.len());
        windows
            .rposition(|window| window == text.as_bytes())
            .unwrap()
    };
    let damaged = |at: usize, text: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + text.len()].copy_from_slice(text);
        bytes
    };
    // Where the list of entries has them.
    let listed = last("tables/0001.ndjson");
    // Behind the name: the size, and the size in the archive.
    let sizes = listed + "tables/0001.ndjson".len() + 4;
    let ten_gigabytes = 10_000_000_000_u64.to_le_bytes();
    let host = host();
    let refused: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("no archive", b"id,name\n1,a\n".to_vec()),
        ("cut", bytes[..bytes.len() - 10].to_vec()),
        ("cut more", bytes[..bytes.len() / 2].to_vec()),
        ("climbs", damaged(listed, b"../les/0001.ndjson")),
        ("from the root", damaged(listed, b"/ables/0001.ndjson")),
        ("another name", damaged(listed, b"tables/0009.ndjson")),
        ("compressed", damaged(listed - 36, &[8, 0])),
        ("a link", {
            let mut bytes = damaged(listed - 41, &[3]);
            bytes[listed - 5] = 0xA0;
            bytes
        }),
        ("ten gigabytes", damaged(sizes, &ten_gigabytes.repeat(2))),
        ("ten gigabytes, packed", damaged(sizes, &ten_gigabytes)),
        (
            "another version",
            damaged(find("\"version\":2"), b"\"version\":3"),
        ),
        (
            "larger than it is",
            damaged(find("\"rows\":"), b"\"rows\"x"),
        ),
    ];
    for (what, bytes) in refused {
        let (status, answer) = import_archive(&bytes);
        assert_eq!(
            (status, &answer["code"]),
            (422, &json!("invalid_archive")),
            "{what}: {answer}"
        );
    }
    let (status, job) = import_archive(&damaged(find("name\\\" 7"), b"nama"));
    assert_eq!(status, 202, "{job}");
    turn(&host);
    let job = see(&job);
    assert_eq!(job["error"]["code"], "checksum_mismatch", "{job}");
    assert_eq!(people().len(), 0);
    database::execute("DROP TABLE public.loose", params![]).unwrap();
    let (status, answer) = import_archive(&bytes);
    assert_eq!(
        (status, &answer["code"]),
        (422, &json!("tables_missing")),
        "{answer}"
    );
    assert_eq!(answer["tables"][0]["name"], "loose");
}

/// Names of the project's tables.
fn tables() -> Vec<String> {
    let mut tables = database::describe().unwrap();
    tables.retain(|table| table.kind == "table");
    tables.into_iter().map(|table| table.name).collect()
}

#[test]
fn a_table_is_made_as_proposed_and_goes_again_with_an_import_that_fails() {
    let host = host();
    let wishes = json!({"table": "things", "create": true, "in": "transaction"});
    let job = ask("id,A word,Phone\n1,x,0700\n2,y,0701\n", wishes.clone());
    assert_eq!(tables(), ["loose", "people"]);
    turn(&host);
    let job = see(&job);
    assert_eq!(job["status"], "done", "{job}");
    assert_eq!(job["report"]["tables_made"], json!(["things"]), "{job}");
    let rows: Vec<(i64, String, String)> =
        database::query("SELECT id, a_word, phone FROM things", params![]).unwrap();
    assert_eq!(rows[0], (1, "x".to_owned(), "0700".to_owned()));
    let mut body = wishes;
    body["source"] = json!(upload("id\n1\n"));
    let (status, refused) = post("/transfer/import", &body);
    assert_eq!((status, &refused["code"]), (409, &json!("table_exists")));
    for (within, is_left) in [("transaction", false), ("batches", true)] {
        let definition =
            json!({"columns": [{"name": "id", "type": "bigint", "primary_key": true}]});
        let wishes =
            json!({"table": "once", "create": true, "in": within, "definition": definition});
        let job = ask("id\n1\n1\n", wishes);
        turn(&host);
        let job = see(&job);
        assert_eq!(job["status"], "failed", "{job}");
        assert_eq!(tables().contains(&"once".to_owned()), is_left, "{job}");
        let named = if is_left {
            json!(["once"])
        } else {
            Value::Null
        };
        assert_eq!(job["report"]["tables_made"], named, "{job}");
    }
}

#[test]
fn only_servers_and_admins_move_tables() {
    let host = host();
    let body = json!({"what": "table", "table": "people"});
    for (kind, status) in [
        (CallerKind::Nobody, 401),
        (CallerKind::PublishableKey, 403),
        (CallerKind::User, 403),
        (CallerKind::Plugin, 403),
        (CallerKind::Admin, 202),
        (CallerKind::SecretKey, 202),
    ] {
        host.set_caller(Caller::new(kind, "someone"));
        assert_eq!(post("/transfer/export", &body).0, status, "{kind:?}");
    }
    let (status, refused) = post(
        "/transfer/export",
        &json!({"what": "table", "table": "grown"}),
    );
    assert_eq!((status, &refused["code"]), (422, &json!("not_a_table")));
}

#[test]
fn what_has_expired_is_swept_with_its_objects() {
    let host = host();
    let _ = upload("x");
    let _ = export(&host, &json!({"what": "table", "table": "people"}));
    assert_eq!(host.objects("private").len(), 2);
    host.advance(std::time::Duration::from_secs(73 * 3_600));
    let sweep = Job::new("sweep", &json!({})).unwrap();
    host.run_job(&work(), &sweep).unwrap();
    assert_eq!(host.objects("private").len(), 0);
    let (_, jobs) = call(Request::get("/transfer/jobs"));
    assert_eq!(jobs["items"], json!([]));
}

#[test]
fn an_import_that_cannot_be_taken_back_yet_is_not_swept() {
    let host = host();
    let wishes = json!({"table": "once", "create": true, "in": "transaction"});
    let job = ask("id\n1\n1\n", wishes);
    let id = id(&job).to_owned();
    turn(&host);
    let asked: String = sql::query_one(
        "SELECT asked FROM transfer.jobs WHERE id = $1",
        params![&id],
    )
    .unwrap();
    let leave = |asked: &str| {
        sql::execute(
            "UPDATE transfer.jobs SET status = 'failed', state = '{}', asked = $2 WHERE id = $1",
            params![&id, asked],
        )
        .unwrap()
    };
    let sweep = || {
        let sweep = Job::new("sweep", &json!({})).unwrap();
        host.run_job(&work(), &sweep).unwrap();
        call(Request::get(format!("/transfer/jobs/{id}"))).0
    };
    // What it asked for cannot be read, and so not be undone.
    leave("?");
    host.advance(std::time::Duration::from_secs(73 * 3_600));
    assert_eq!(sweep(), 200);
    leave(&asked);
    assert_eq!(sweep(), 404);
}

#[test]
fn a_job_tells_how_far_it_is_and_ends_with_what_the_host_says_of_it() {
    let host = host();
    database::execute(
        "INSERT INTO public.people (id, name) VALUES (1, 'a')",
        params![],
    )
    .unwrap();
    let _ = export(&host, &json!({"what": "table", "table": "people"}));
    let told = host.jobs();
    assert_eq!(
        (told[0].name.as_str(), told[0].state.as_str()),
        ("work", "done")
    );
    assert!(told[0].progress.is_some(), "{told:?}");
    // An admin takes the turn of another one back, by the queue.
    let (_, job) = post(
        "/transfer/export",
        &json!({"what": "table", "table": "people"}),
    );
    assert!(jobs::cancel(&host.jobs()[1].id).unwrap());
    assert_eq!(see(&job)["status"], "cancelled");
    // And a cancelled job has no turn any more.
    let (_, job) = post(
        "/transfer/export",
        &json!({"what": "table", "table": "people"}),
    );
    let (status, _) = post(&format!("/transfer/jobs/{}/cancel", id(&job)), &json!({}));
    assert_eq!(status, 200);
    assert_eq!(host.jobs()[2].state, "cancelled");
    assert_eq!(host.run_jobs(&work()), 0);
}

/// An archive of a project with users, and notes of theirs.
fn archive_with_users() -> Vec<u8> {
    let mut host = TestHost::new("transfer")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_tables("CREATE TABLE notes (id INTEGER PRIMARY KEY NOT NULL, owner TEXT);")
        .unwrap()
        .with_caller(Caller::new(CallerKind::SecretKey, "k"));
    for (n, name, role) in [
        (1, "ada", "editor"),
        (2, "bob", "admin"),
        (3, "eve", "auditor"),
        (4, "max", "viewer"),
    ] {
        host = host.with_user(user(n, &format!("{name}@example.com"), name, role));
        database::execute(
            "INSERT INTO public.notes (id, owner) VALUES ($1, $2)",
            params![n, user_id(n)],
        )
        .unwrap();
    }
    let body = json!({"what": "database", "users": true});
    let (_, job) = post("/transfer/export", &body);
    turn(&host);
    let key: String = sql::query_one(
        "SELECT result_key FROM transfer.jobs WHERE id = $1",
        params![id(&job)],
    )
    .unwrap();
    let archive = blob::bucket("private").read(&key, None).unwrap();
    archive.bytes(1 << 20).unwrap()
}

fn user_id(n: i64) -> String {
    format!("01900000-0000-7000-8000-00000000000{n}")
}

fn user(n: i64, email: &str, handle: &str, role: &str) -> users::User {
    users::User {
        id: user_id(n),
        email: Some(email.to_owned()),
        handle: Some(handle.to_owned()),
        roles: vec![role.to_owned()],
        ..users::User::default()
    }
}

fn upload_bytes(bytes: &[u8]) -> String {
    let (status, upload) = call(Request::post("/transfer/uploads", bytes.to_vec()));
    assert_eq!(status, 201, "{upload}");
    id(&upload).to_owned()
}

fn owners() -> Vec<String> {
    database::query("SELECT owner FROM notes ORDER BY id", params![]).unwrap()
}

fn id_of(email: &str) -> String {
    users::find(email).unwrap().unwrap().id
}

#[test]
fn users_come_along_with_an_archive_and_their_rows_stay_theirs() {
    let archive = archive_with_users();
    // One is here under another id, another's id is somebody else's here, and
    // a handle is taken.
    let host = host()
        .with_user(user(7, "ada@example.com", "lovelace", "viewer"))
        .with_user(user(2, "other@example.com", "eve", "viewer"));
    let wishes = json!({
        "what": "database", "create": true, "in": "transaction", "users": true,
        "source": upload_bytes(&archive),
    });
    let (status, job) = post("/transfer/import", &wishes);
    assert_eq!(status, 202, "{job}");
    turn(&host);
    let job = see(&job);
    assert_eq!(job["status"], "done", "{job}");
    let (bob, eve) = (id_of("bob@example.com"), id_of("eve@example.com"));
    assert_eq!(owners(), [user_id(7), bob.clone(), user_id(3), user_id(4)]);
    assert_eq!(eve, user_id(3));
    assert_ne!(bob, user_id(2));
    let told = &job["report"]["users"];
    assert_eq!(
        *told,
        json!({"there": 1, "added": 3, "waiting": 0, "refused": 0, "notes": [
            {"email": "bob@example.com", "id": bob, "left_out": ["roles"]},
            {"email": "eve@example.com", "id": eve, "left_out": ["handle", "roles"]},
        ]})
    );
    let roles = |id: &str| users::get(id).unwrap().unwrap().roles;
    // Nobody becomes an admin that way, nor has what this project does not know.
    assert_eq!(
        (roles(&bob), roles(&eve)),
        (vec!["viewer".to_owned()], vec!["viewer".to_owned()])
    );
    assert_eq!(roles(&user_id(7)), ["viewer"]);

    // Once more into the same project: everybody is there.
    database::execute("DELETE FROM public.notes", params![]).unwrap();
    let mut again = wishes;
    again["in"] = json!("batches");
    let (_, job) = post("/transfer/import", &again);
    turn(&host);
    let job = see(&job);
    assert_eq!(job["report"]["users"]["there"], 4, "{job}");
    assert_eq!(owners(), [user_id(7), bob, user_id(3), user_id(4)]);
}

#[test]
fn users_are_added_when_all_else_is_in_and_not_before() {
    let archive = archive_with_users();
    let host = host();
    database::execute(
        "CREATE TABLE notes (id BIGINT PRIMARY KEY, owner TEXT)",
        params![],
    )
    .unwrap();
    database::execute("INSERT INTO public.notes (id) VALUES (3)", params![]).unwrap();
    let source = upload_bytes(&archive);
    let mut wishes = json!({"what": "database", "users": true, "source": source});
    let (_, job) = post("/transfer/import", &wishes);
    turn(&host);
    let job = see(&job);
    assert_eq!(job["status"], "failed", "{job}");
    assert_eq!(job["report"]["users"]["waiting"], 4, "{job}");
    assert_eq!(users::find("bob@example.com").unwrap(), None);

    // A trial adds nobody, either.
    database::execute("DELETE FROM public.notes", params![]).unwrap();
    wishes["dry_run"] = json!(true);
    let (_, job) = post("/transfer/import", &wishes);
    turn(&host);
    let job = see(&job);
    assert_eq!(
        (&job["status"], &job["report"]["users"]["waiting"]),
        (&json!("done"), &json!(4))
    );
    assert_eq!(users::find("bob@example.com").unwrap(), None);
    assert_eq!(owners(), [""; 0]);
}

#[test]
fn users_are_for_archives_that_have_them() {
    let host = host();
    for (path, body) in [
        (
            "/transfer/export",
            json!({"what": "table", "table": "people", "users": true}),
        ),
        (
            "/transfer/export",
            json!({"what": "database", "format": "sql", "users": true}),
        ),
        (
            "/transfer/import",
            json!({"source": upload("id\n1\n"), "table": "people", "users": true}),
        ),
    ] {
        let (status, refused) = post(path, &body);
        assert_eq!(
            (status, &refused["code"]),
            (422, &json!("invalid_body")),
            "{body}"
        );
    }
    let (_, job) = post("/transfer/export", &json!({"what": "database"}));
    turn(&host);
    let wishes = json!({"what": "database", "source": id(&job), "users": true, "create": true});
    let (status, refused) = post("/transfer/import", &wishes);
    assert_eq!(
        (status, &refused["code"]),
        (422, &json!("no_users")),
        "{refused}"
    );
}
