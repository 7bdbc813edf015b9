//! Archives that are sound as archives, and wrong in what they hold: each is
//! refused, and nothing has changed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::{
    ArchiveKeys, Backups, BackupsParts, RestoreInto,
    archive::{About, ArchiveWriter, Event, PartKind, Sent},
};
use crate::Actor;
use atlashub_core::{
    Digest, ProjectId, SystemClock,
    capability::{
        PluginScope,
        sql::{Sql as _, SqlValue},
    },
    manifest::Migration,
};
use atlashub_data::{
    platform::{
        BackupReason, NewProject, Platform, PlatformOptions, ProjectSettings, seal::Sealer,
    },
    project::{Options, ProjectDatabases},
};
use atlashub_storage::{ObjectPath, Storage, StorageUrl, WriteMode};
use bytes::Bytes;
use futures::StreamExt as _;
use secrecy::SecretBox;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A part of an archive.
#[derive(Clone)]
struct Part {
    kind: PartKind,
    name: String,
    bytes: Vec<u8>,
}

struct World {
    _folder: tempfile::TempDir,
    backups: Backups,
    platform: Platform,
    databases: ProjectDatabases,
    storage: Storage,
    project: ProjectId,
}

const SLUG: &str = "shop";

fn keys() -> ArchiveKeys {
    ArchiveKeys::new(vec![[9; 32]])
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("platform.db").display());
    let platform = Platform::connect(&url.into(), PlatformOptions::default())
        .await
        .unwrap();
    platform.migrate().await.unwrap();
    let databases = ProjectDatabases::sqlite(folder.path().join("projects"), Options::default());
    let objects = StorageUrl::Fs(folder.path().join("objects"));
    let storage = Storage::open(&objects, None)
        .unwrap()
        .with_locations(databases.locations().clone());
    let backups = Backups::new(
        BackupsParts {
            platform: platform.clone(),
            databases: databases.clone(),
            storage: storage.clone(),
            archives: storage.as_it_lies(),
            keys: keys(),
            sealer: Sealer::new(SecretBox::new(Box::new([7; 32])), []),
            link_keys: Vec::new(),
            public_url: String::new(),
            clock: Arc::new(SystemClock),
            scratch: folder.path().join("scratch"),
            usual_policy: None,
        },
        CancellationToken::new(),
    );
    let project = ProjectId::new();
    let unit = platform.begin().await.unwrap();
    unit.projects()
        .create(NewProject {
            id: project,
            slug: SLUG.parse().unwrap(),
            name: "Shop".into(),
            settings: ProjectSettings::default(),
            storage_limit_bytes: None,
        })
        .await
        .unwrap();
    unit.saved_queries()
        .add(project, "all", "SELECT 1", "me")
        .await
        .unwrap();
    unit.commit().await.unwrap();
    databases.provision(project).await.unwrap();
    databases.provision_plugin(&scope(project)).await.unwrap();
    let migration = Migration {
        name: "0001".into(),
        sql: Some("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)".into()),
        sqlite: None,
        postgres: None,
    };
    databases
        .migrate_plugin(&scope(project), &[migration])
        .await
        .unwrap();
    let world = World {
        _folder: folder,
        backups,
        platform,
        databases,
        storage,
        project,
    };
    world.note("first").await;
    let path = ObjectPath::of_project(project, "private/notes/a").unwrap();
    world
        .storage
        .write_bytes(&path, Bytes::from_static(b"bytes"), WriteMode::Replace)
        .await
        .unwrap();
    world
}

fn scope(project: ProjectId) -> PluginScope {
    PluginScope {
        project,
        plugin: "notes".parse().unwrap(),
    }
}

impl World {
    async fn note(&self, text: &str) {
        let sql = "INSERT INTO notes (text) VALUES (?1)";
        let values = vec![SqlValue::Text(text.into())];
        self.databases
            .execute(&scope(self.project), sql, values)
            .await
            .unwrap();
    }

    /// What is live.
    async fn live(&self) -> (String, String, Vec<String>, String) {
        let rows = self
            .databases
            .query(
                &scope(self.project),
                "SELECT text FROM notes ORDER BY id",
                vec![],
            )
            .await
            .unwrap();
        let project = self.platform.projects().find(self.project).await.unwrap();
        let queries = self.platform.saved_queries().list(self.project).await;
        let path = ObjectPath::of_project(self.project, "private/notes/a").unwrap();
        let object = self.storage.read_bytes(&path, 1_000).await.unwrap();
        let project = project.unwrap();
        (
            format!("{:?}", rows.rows),
            format!("{} {:?}", project.slug, project.settings),
            queries
                .unwrap()
                .into_iter()
                .map(|query| query.name)
                .collect(),
            String::from_utf8_lossy(&object).into_owned(),
        )
    }

    /// A sound archive, taken apart.
    async fn archive(&self) -> (About, Vec<Part>) {
        let backup = self
            .backups
            .make_now(&Actor::host(), Some(self.project), BackupReason::Manual)
            .await
            .unwrap();
        let (mut reader, about) = self.backups.open_archive(&backup).await.unwrap();
        let mut parts: Vec<Part> = Vec::new();
        loop {
            match reader.next().await.unwrap() {
                Event::Part(head) => parts.push(Part {
                    kind: head.kind,
                    name: head.name,
                    bytes: Vec::new(),
                }),
                Event::Data(bytes) => parts.last_mut().unwrap().bytes.extend_from_slice(&bytes),
                Event::PartEnd => {}
                Event::End => return (about, parts),
            }
        }
    }

    async fn restore(&self, archive: Vec<u8>) -> atlashub_core::Result<()> {
        let archive = futures::stream::iter([Ok(Bytes::from(archive))]).boxed();
        let into = RestoreInto::Over {
            confirm: SLUG.to_owned(),
        };
        self.backups
            .restore_archive(&Actor::host(), archive, into)
            .await
            .map(drop)
    }
}

async fn sealed(about: &About, parts: &[Part]) -> Vec<u8> {
    let (sender, mut receiver) = mpsc::channel(4);
    let (about, parts) = (about.clone(), parts.to_vec());
    let writing = tokio::spawn(async move {
        let mut writer = ArchiveWriter::begin(&keys(), sender, &about).await.unwrap();
        for part in parts {
            writer.part(part.kind, &part.name).await.unwrap();
            writer.data(&part.bytes).await.unwrap();
            writer.end_part().await.unwrap();
        }
        writer.finish().await.unwrap();
    });
    let mut archive = Vec::new();
    while let Some(Sent::Bytes(bytes)) = receiver.recv().await {
        archive.extend_from_slice(&bytes);
    }
    writing.await.unwrap();
    archive
}

type Change = fn(&mut About, &mut Vec<Part>);

fn named<'a>(parts: &'a mut [Part], kind: PartKind, name: &str) -> &'a mut Part {
    parts
        .iter_mut()
        .find(|part| part.kind == kind && part.name == name)
        .unwrap()
}

fn rows<'a>(parts: &'a mut [Part], table: &str) -> &'a mut Vec<u8> {
    &mut named(parts, PartKind::Rows, table).bytes
}

fn database(parts: &mut [Part]) -> &mut Part {
    named(parts, PartKind::Database, "notes")
}

fn replace(bytes: &mut Vec<u8>, old: &str, new: &str) {
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains(old), "{text}");
    *bytes = text.replace(old, new).into_bytes();
}

/// Changes the one row.
fn change(bytes: &mut Vec<u8>, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    let mut row: Value = serde_json::from_slice(bytes).unwrap();
    change(row.as_object_mut().unwrap());
    *bytes = format!("{row}\n").into_bytes();
}

/// What is wrong, how it is told, and how it came about.
const CHANGES: &[(&str, &str, Change)] = &[
    ("another engine", "archive_other_engine", |about, _| {
        about.engine = "postgres".into();
    }),
    ("a later schema", "archive_too_new", |about, _| {
        about.schema.push("m9999_later".into());
    }),
    (
        "another master key",
        "archive_master_key_unknown",
        |about, _| {
            about.master_key = "another".into();
        },
    ),
    ("another format", "archive_unreadable", |about, _| {
        about.format = 99
    }),
    ("no project", "not_a_project", |about, _| {
        about.project = None
    }),
    ("another project", "not_found", |about, _| {
        about.project.as_mut().unwrap().id = ProjectId::new();
    }),
    ("no parts", "archive_damaged", |_, parts| parts.clear()),
    ("no row of the project", "archive_damaged", |_, parts| {
        parts.retain(|part| part.name != "projects");
    }),
    ("rows behind the database", "archive_damaged", |_, parts| {
        let first = parts.remove(0);
        parts.push(first);
    }),
    (
        "a table that there is not",
        "archive_too_new",
        |_, parts| {
            named(parts, PartKind::Rows, "roles").name = "from_the_future".into();
        },
    ),
    ("a table twice", "archive_damaged", |_, parts| {
        let table = parts.first().unwrap().clone();
        parts.insert(0, table);
    }),
    ("rows that are none", "archive_damaged", |_, parts| {
        *rows(parts, "saved_queries") = b"not a row\n".to_vec();
    }),
    ("rows that are lists", "archive_damaged", |_, parts| {
        *rows(parts, "saved_queries") = b"[1, 2]\n".to_vec();
    }),
    ("rows that are cut off", "archive_damaged", |_, parts| {
        rows(parts, "saved_queries").pop();
    }),
    (
        "a column that there is not",
        "archive_too_new",
        |_, parts| {
            replace(rows(parts, "saved_queries"), "\"name\"", "\"nahme\"");
        },
    ),
    ("a row twice", "row_taken", |_, parts| {
        let rows = rows(parts, "saved_queries");
        rows.extend(rows.clone());
    }),
    (
        "a row without what it must have",
        "archive_damaged",
        |_, parts| {
            replace(rows(parts, "saved_queries"), "\"SELECT 1\"", "null");
        },
    ),
    (
        "a row that does not name what it must have",
        "archive_damaged",
        |_, parts| change(rows(parts, "saved_queries"), |row| drop(row.remove("name"))),
    ),
    (
        "a row with a word for a time",
        "archive_damaged",
        |_, parts| {
            change(rows(parts, "saved_queries"), |row| {
                row.insert("created_at".to_owned(), "soon".into());
            });
        },
    ),
    (
        "a row of a project that there is not",
        "archive_damaged",
        |_, parts| {
            change(rows(parts, "saved_queries"), |row| {
                let id = ProjectId::new().as_uuid().simple().to_string();
                row.insert("project_id".to_owned(), id.to_uppercase().into());
            });
        },
    ),
    ("settings that are none", "archive_damaged", |_, parts| {
        replace(rows(parts, "projects"), "\"settings\"", "\"sett\"");
    }),
    ("a database of noise", "archive_damaged", |_, parts| {
        database(parts).bytes = vec![0x5a; 20_000];
    }),
    ("a database that is empty", "archive_damaged", |_, parts| {
        database(parts).bytes = b"SQLite format 3\0".to_vec();
    }),
    (
        "a database that is cut off",
        "archive_damaged",
        |_, parts| {
            database(parts).bytes.truncate(4_096);
        },
    ),
    (
        "a page of a database of zeros",
        "archive_damaged",
        |_, parts| {
            let bytes = &mut database(parts).bytes;
            let length = bytes.len();
            bytes.get_mut(length - 4_096..).unwrap().fill(0x11);
        },
    ),
    (
        "a database outside of its folder",
        "archive_damaged",
        |_, parts| {
            database(parts).name = "../../notes".into();
        },
    ),
    ("a database twice", "archive_damaged", |_, parts| {
        let again = database(parts).clone();
        parts.push(again);
    }),
    (
        "an object outside of the project",
        "archive_damaged",
        |_, parts| {
            named(parts, PartKind::Object, "private/notes/a").name = "../other/a".into();
        },
    ),
    ("an object without a name", "archive_damaged", |_, parts| {
        named(parts, PartKind::Object, "private/notes/a").name = String::new();
    }),
    (
        "an object with a strange name",
        "archive_damaged",
        |_, parts| {
            named(parts, PartKind::Object, "private/notes/a").name = "private/\u{7}/a".into();
        },
    ),
    (
        "a component of another digest",
        "archive_damaged",
        |_, parts| {
            parts.push(Part {
                kind: PartKind::Component,
                name: Digest::of(b"one").to_hex(),
                bytes: b"another".to_vec(),
            });
        },
    ),
    (
        "a component called by no digest",
        "archive_damaged",
        |_, parts| {
            parts.push(Part {
                kind: PartKind::Component,
                name: "../../component".into(),
                bytes: b"bytes".to_vec(),
            });
        },
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_within_an_archive_is_found_before_anything_changes() {
    let world = world().await;
    let (about, parts) = world.archive().await;
    world.note("second").await;
    let live = world.live().await;
    assert!(CHANGES.len() >= 20);
    for (what, code, change) in CHANGES {
        let (mut about, mut parts) = (about.clone(), parts.clone());
        change(&mut about, &mut parts);
        let archive = sealed(&about, &parts).await;
        let error = world.restore(archive).await.expect_err(what);
        assert_eq!(error.code(), *code, "{what}: {error}");
        assert_eq!(world.live().await, live, "{what}");
        // Nobody was kept out, nothing was archived, nothing is left.
        let backups = world.platform.backups();
        let list = backups.list(Some(world.project), None, 100).await.unwrap();
        assert_eq!(list.len(), 1, "{what}");
        assert!(
            world
                .platform
                .projects()
                .deleted()
                .await
                .unwrap()
                .is_empty(),
            "{what}"
        );
    }
    let archive = sealed(&about, &parts).await;
    world.restore(archive).await.unwrap();
    let restored = world.live().await;
    assert_ne!(restored, live);
    assert!(restored.0.contains("first") && !restored.0.contains("second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_are_deleted_while_a_backup_is_made_are_in_it() {
    let world = world().await;
    let named = Some((world.project, SLUG));
    let backups = world.platform.backups();
    let path = ObjectPath::of_project(world.project, "private/notes/a").unwrap();
    assert!(!backups.keeps_deleted(world.project).await.unwrap());
    let id = backups
        .begin(named, BackupReason::Manual, "me", super::watch::LEASE)
        .await
        .unwrap();
    assert!(backups.keeps_deleted(world.project).await.unwrap());
    // As the store of blobs does while one is.
    let held = path.held().unwrap();
    world.storage.duplicate(&path, &held).await.unwrap();
    world.storage.delete(&path).await.unwrap();
    backups.fail(id, "only begun").await.unwrap();
    assert!(world.storage.stat(&held).await.unwrap().is_some());
    // The next one begins with nothing that was kept for another.
    let (_, parts) = world.archive().await;
    assert!(parts.iter().all(|part| part.kind != PartKind::Object));
    assert!(world.storage.stat(&held).await.unwrap().is_none());
}
