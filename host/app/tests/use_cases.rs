//! Use cases over SQLite and a folder, without HTTP: what happens between a
//! crash and the next start, what is sealed, what is followed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

#[path = "use_cases/noted.rs"]
mod noted;
#[path = "use_cases/tokens.rs"]
mod tokens;

use atlashub_app::{
    Actor, App, AppParts, AppSettings, BackupSettings, CreateKey, CreateProject, Idempotent,
    MailSettings, QueueSettings, RotateKey, SignIn, StreamLimits, limits::CallerRates,
};
use atlashub_core::{
    Clock, Digest, KeyKind, PluginName, ProjectId, SystemClock,
    capability::{
        PluginScope,
        log::{Level, LogLine, LogSink as _, Source},
    },
    token,
};
use atlashub_data::{
    platform::{
        AuditFilter, NewProject, Platform, PlatformOptions, ProjectSettings, StoredAnswer,
        seal::Sealer,
    },
    project::{Options, ProjectDatabases, schema::NewTable},
};
use atlashub_runtime::{CompileCache, CompileLimits, Compiler, EgressPolicy, RuntimeOptions};
use atlashub_storage::{Storage, StorageUrl};
use futures::StreamExt as _;
use secrecy::SecretBox;
use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

async fn start(folder: &Path) -> (App, Platform) {
    let url = format!("sqlite:{}", folder.join("platform.db").display());
    let platform = Platform::connect(&url.into(), PlatformOptions::default())
        .await
        .unwrap();
    platform.migrate().await.unwrap();
    let sealer = Sealer::new(SecretBox::new(Box::new([7; 32])), []);
    let objects = folder.join("objects");
    let archives = Storage::open(&StorageUrl::Fs(objects), None).unwrap();
    let app = App::start(AppParts {
        backups: BackupSettings {
            archives,
            keys: None,
            scratch: folder.join("scratch"),
            usual_policy: None,
        },
        settings: AppSettings {
            public_url: "https://hub.test".into(),
            issuer: "atlashub".to_owned(),
            base_domain: Some("apps.test".into()),
            default_project: None,
            requests_per_second: 1_000,
            caller_rates: CallerRates {
                reads: 1_000,
                writes: 1_000,
                auth: 100,
                admin: 100,
            },
            streams: StreamLimits::default(),
            queue: QueueSettings::default(),
            series_every: std::time::Duration::from_secs(60),
            cloudflare_access: None,
            in_development: true,
            admin_session: time::Duration::hours(12),
            dev_admin_token: None,
        },
        clock: Arc::new(SystemClock),
        platform: platform.clone(),
        databases: ProjectDatabases::sqlite(folder.join("projects"), Options::default()),
        storage: Storage::open(&StorageUrl::Fs(folder.join("objects")), None).unwrap(),
        cache: CompileCache::open(folder.join("compiled"), sealer.derive("compile-cache")).unwrap(),
        sealer,
        runtime: RuntimeOptions::default(),
        compiler: Compiler::in_process(CompileLimits::default()),
        egress: EgressPolicy::parse("").unwrap(),
        mail: MailSettings {
            smtp_url: None,
            smtp_ca: None,
            from: "AtlasHub <no-reply@localhost>".to_owned(),
            outbox: folder.join("outbox"),
        },
        builtin: Vec::new(),
    })
    .await
    .unwrap();
    (app, platform)
}

fn wanted(email: &str, password: &str) -> SignIn {
    SignIn {
        email: email.to_owned(),
        password: password.into(),
        code: None,
        from: HERE,
        request: None,
    }
}

fn named(name: &str) -> CreateProject {
    CreateProject {
        name: name.to_owned(),
        slug: None,
    }
}

async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{what} did not come true"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_made_whole_and_its_keys_work_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (app, platform) = start(folder.path()).await;
    let made = app
        .create_project(&Actor::host(), named("My Shop"))
        .await
        .unwrap();
    assert_eq!(made.project.slug.as_str(), "my-shop");
    assert!(made.publishable.starts_with("ahp_") && made.secret.starts_with("ahs_"));
    let key = app.directory().key(&made.secret).await.unwrap().unwrap();
    assert_eq!((key.project, key.kind), (made.project.id, KeyKind::Secret));
    assert!(app.directory().by_id(made.project.id).is_some());
    let buckets = platform.buckets().list(made.project.id).await.unwrap();
    assert_eq!(buckets.len(), 2);
    let again = app
        .create_project(&Actor::host(), named("My Shop"))
        .await
        .unwrap();
    assert_eq!(again.project.slug.as_str(), "my-shop-2");
    let taken = CreateProject {
        name: "Other".into(),
        slug: Some("my-shop".parse().unwrap()),
    };
    assert_eq!(
        app.create_project(&Actor::host(), taken)
            .await
            .err()
            .unwrap()
            .code(),
        "slug_taken"
    );
    app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_of_a_project_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (app, platform) = start(folder.path()).await;
    app.shutdown().await;
    drop((app, platform));
    // As if the process had ended while the project's database was made.
    let url = format!("sqlite:{}", folder.path().join("platform.db").display());
    let platform = Platform::connect(&url.into(), PlatformOptions::default())
        .await
        .unwrap();
    let id = ProjectId::new();
    let mut settings = ProjectSettings::default();
    settings.other.insert("in_the_making".into(), true.into());
    let slug: atlashub_core::Slug = "half".parse().unwrap();
    let new = NewProject {
        id,
        slug: slug.clone(),
        name: "Half".into(),
        settings,
        storage_limit_bytes: None,
    };
    let unit = platform.begin().await.unwrap();
    unit.projects().create(new).await.unwrap();
    unit.projects().delete(id).await.unwrap();
    unit.commit().await.unwrap();
    platform.close().await.unwrap();
    let (app, platform) = start(folder.path()).await;
    assert_eq!(app.project("half").await.unwrap_err().code(), "not_found");
    assert_eq!(
        app.create_project(&Actor::host(), named("Half"))
            .await
            .unwrap()
            .project
            .slug,
        slug
    );
    let gone = app
        .create_project(&Actor::host(), named("Gone"))
        .await
        .unwrap()
        .project
        .id;
    app.delete_project(&Actor::host(), gone).await.unwrap();
    assert!(app.directory().by_id(gone).is_none());
    eventually("both are purged", || async {
        platform.projects().deleted().await.unwrap().is_empty()
    })
    .await;
    assert_eq!(app.projects(None, None, 10).await.unwrap().items.len(), 1);
    app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (app, _platform) = start(folder.path()).await;
    let project = app
        .create_project(&Actor::host(), named("Keys"))
        .await
        .unwrap()
        .project
        .id;
    let wanted = CreateKey {
        kind: KeyKind::Secret,
        name: Some("ci".into()),
        expires_at: None,
    };
    let first = app
        .create_key(&Actor::host(), project, wanted.clone())
        .await
        .unwrap();
    assert!(app.directory().key(&first.token).await.unwrap().is_some());
    let second = app
        .rotate_key(&Actor::host(), project, first.key.id, RotateKey::default())
        .await
        .unwrap();
    assert!(app.directory().key(&first.token).await.unwrap().is_none());
    assert!(app.directory().key(&second.token).await.unwrap().is_some());
    let error = app
        .rotate_key(&Actor::host(), project, first.key.id, RotateKey::default())
        .await
        .err()
        .unwrap();
    assert_eq!(error.code(), "key_revoked");
    app.revoke_key(&Actor::host(), project, second.key.id)
        .await
        .unwrap();
    assert!(app.directory().key(&second.token).await.unwrap().is_none());
    let past = SystemClock.now() - Duration::from_secs(1);
    let late = CreateKey {
        expires_at: Some(past),
        ..wanted
    };
    assert_eq!(
        app.create_key(&Actor::host(), project, late)
            .await
            .err()
            .unwrap()
            .code(),
        "invalid_expiry"
    );
    app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_tables_that_a_crash_cut_short_is_completed_or_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (app, platform) = start(folder.path()).await;
    let project = app.create_project(&Actor::host(), named("Tables")).await;
    let project = project.unwrap().project.id;
    let table = |name: &str| -> NewTable {
        let column = serde_json::json!({"name": "id", "type": "bigint", "primary_key": true});
        serde_json::from_value(serde_json::json!({"name": name, "columns": [column]})).unwrap()
    };
    // Where a crash may fall: after the table was made, and before.
    let databases = ProjectDatabases::sqlite(folder.path().join("projects"), Options::default());
    let migrations = platform.project_migrations();
    let made = migrations.begin(project, "make it", "ann").await.unwrap();
    databases
        .create_table(project, &table("made"), &made.mark)
        .await
        .unwrap();
    let not_made = migrations.begin(project, "do not", "ann").await.unwrap();
    app.shutdown().await;

    let (app, _platform) = start(folder.path()).await;
    app.settle_changes(None).await.unwrap();
    let kept = app
        .schema_migrations(project, None, 10)
        .await
        .unwrap()
        .items;
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(
        (kept[0].number, kept[0].title.as_str()),
        (made.number, "make it")
    );
    let sql = kept[0].sql.as_deref().unwrap();
    assert!(sql.contains("\"made\""), "{sql}");
    assert!(kept[0].applied_at.is_some() && kept[0].digest.is_some());
    // Whoever still works on the other comes too late.
    let late = databases
        .create_table(project, &table("late"), &not_made.mark)
        .await;
    assert_eq!(late.unwrap_err().code(), "schema_change_given_up");
    let tables = app.tables(project).await.unwrap();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["made"]);
    app.create_table(&Actor::host(), project, &table("next"))
        .await
        .unwrap();
    let filter = AuditFilter {
        action: Some("schema.settle".into()),
        ..AuditFilter::default()
    };
    assert!(app.audit(&filter, 10).await.unwrap().items.len() >= 2);
    app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_first_owner_who_signs_in_and_out() {
    let folder = tempfile::tempdir().unwrap();
    let (app, _platform) = start(folder.path()).await;
    let (mail, password) = ("owner@example.com", "correct horse battery");
    assert_eq!(
        app.set_up(mail, "password1".into(), HERE, None)
            .await
            .err()
            .unwrap()
            .code(),
        "weak_password"
    );
    app.set_up(mail, password.into(), HERE, None).await.unwrap();
    let error = app
        .set_up("b@example.com", password.into(), HERE, None)
        .await
        .err()
        .unwrap();
    assert_eq!(error.code(), "already_set_up");
    for (mail, password) in [
        (mail, "wrong horse battery"),
        ("nobody@example.com", password),
    ] {
        let error = app.sign_in(wanted(mail, password)).await.err().unwrap();
        assert_eq!(error.code(), "invalid_credentials");
    }
    let signed_in = app
        .sign_in(wanted("OWNER@example.com", password))
        .await
        .unwrap();
    let identity = app
        .authenticate_admin(&signed_in.token)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(identity.email, mail);
    app.sign_out(&Actor::host(), &identity).await.unwrap();
    assert!(
        app.authenticate_admin(&signed_in.token)
            .await
            .unwrap()
            .is_none()
    );
    let filter = AuditFilter {
        action: Some("session.*".into()),
        ..AuditFilter::default()
    };
    let noted = app.audit(&filter, 10).await.unwrap().items;
    let actions: Vec<&str> = noted.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "session.delete",
            "session.create",
            "session.refused",
            "session.refused",
            "session.create",
        ]
    );
    app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_answer_is_sealed_and_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let (app, _platform) = start(folder.path()).await;
    let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
    let Idempotent::Run(ticket) = app.begin_idempotent("caller", "key", one).await.unwrap() else {
        panic!("the first call runs");
    };
    let running = app
        .begin_idempotent("caller", "key", one)
        .await
        .err()
        .unwrap();
    assert_eq!(running.code(), "request_running");
    let secret = token::generate("ahs_").unwrap();
    let answer = StoredAnswer {
        status: 201,
        headers: Vec::new(),
        body: secret.clone().into_bytes(),
    };
    app.keep_answer(&ticket, answer.clone()).await.unwrap();
    match app.begin_idempotent("caller", "key", one).await.unwrap() {
        Idempotent::Again(again) => assert_eq!((again.status, again.body), (201, answer.body)),
        Idempotent::Run(_) => panic!("it runs once"),
    }
    let reused = app
        .begin_idempotent("caller", "key", other)
        .await
        .err()
        .unwrap();
    assert_eq!(reused.kind().status(), 422);
    assert!(matches!(
        app.begin_idempotent("another", "key", one).await.unwrap(),
        Idempotent::Run(_)
    ));
    app.shutdown().await;
    let mut stored = Vec::new();
    for file in std::fs::read_dir(folder.path())
        .unwrap()
        .filter_map(Result::ok)
    {
        if file
            .file_name()
            .to_string_lossy()
            .starts_with("platform.db")
        {
            stored.extend(std::fs::read(file.path()).unwrap());
        }
    }
    let found = stored
        .windows(secret.len())
        .any(|part| part == secret.as_bytes());
    assert!(
        !stored.is_empty() && !found,
        "the key lies open in the database"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_a_plugin_are_stored_and_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (app, _platform) = start(folder.path()).await;
    let project = app
        .create_project(&Actor::host(), named("Logs"))
        .await
        .unwrap()
        .project
        .id;
    let plugin: PluginName = "hello".parse().unwrap();
    let scope = PluginScope { project, plugin };
    let write = |text: String| {
        app.plugin_log().write(LogLine {
            scope: scope.clone(),
            at: SystemClock.now(),
            level: Level::Info,
            source: Source::Log,
            request: None,
            message: text,
        });
    };
    for number in 0..1_200 {
        write(format!("before {number}"));
    }
    eventually("the lines are stored", || async {
        let page = app
            .plugin_logs(scope.project, Some(&scope.plugin), &Default::default(), 1)
            .await
            .unwrap();
        page.items
            .first()
            .is_some_and(|line| line.line.message == "before 1199")
    })
    .await;
    let lines = app
        .follow_plugin_logs(scope.project, Some(scope.plugin.clone()), 2)
        .await
        .unwrap();
    for number in 0..1_200 {
        write(format!("after {number}"));
    }
    let seen: Vec<String> = lines
        .take(1_202)
        .map(|line| line.unwrap().line.message)
        .collect()
        .await;
    let expected: Vec<String> = ["before 1198".to_owned(), "before 1199".to_owned()]
        .into_iter()
        .chain((0..1_200).map(|number| format!("after {number}")))
        .collect();
    assert_eq!(seen, expected);
    app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_cannot_take_the_platforms_own_names() {
    let folder = tempfile::tempdir().unwrap();
    let (app, _platform) = start(folder.path()).await;
    let project = app
        .create_project(&Actor::host(), named("Names"))
        .await
        .unwrap()
        .project
        .id;
    for host in [
        "hub.test",
        "apps.test",
        "other.apps.test",
        "Other.APPS.test.",
    ] {
        let error = app
            .add_domain(&Actor::host(), project, host)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "reserved_domain", "{host}");
    }
    app.add_domain(&Actor::host(), project, "Shop.example.com")
        .await
        .unwrap();
    let found = app
        .directory()
        .by_host("shop.example.com:8080")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.id, project);
    app.remove_domain(&Actor::host(), project, "shop.example.com")
        .await
        .unwrap();
    assert!(
        app.directory()
            .by_host("shop.example.com")
            .await
            .unwrap()
            .is_none()
    );
    app.shutdown().await;
}
