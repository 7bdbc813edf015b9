//! Nothing is changed that the audit does not tell of: where it cannot be
//! written, neither can the change.

use super::{named, start};
use atlashub_app::{Actor, plugins::InstallPlugin};
use atlashub_core::{Digest, Manifest, PluginName};
use atlashub_data::platform::{AuditFilter, NewRevision};
use std::path::Path;

/// Has the database refuse entries of the audit, or take them again.
fn refuse_entries(folder: &Path, refused: bool) {
    let database = rusqlite::Connection::open(folder.join("platform.db")).unwrap();
    database
        .busy_timeout(std::time::Duration::from_secs(20))
        .unwrap();
    let sql = if refused {
        "CREATE TRIGGER refused BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'refused'); END"
    } else {
        "DROP TRIGGER refused"
    };
    database.execute_batch(sql).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_not_changed_without_an_entry_in_the_audit() {
    let folder = tempfile::tempdir().unwrap();
    let (app, platform) = start(folder.path()).await;
    let actor = Actor::host();
    let project = app.create_project(&actor, named("Shop")).await.unwrap();
    let project = project.project.id;
    let plugin: PluginName = "till".parse().unwrap();
    let revision = NewRevision {
        digest: Digest::of(b"till"),
        size_bytes: 4,
        manifest: Manifest::bare(plugin.clone()),
        openapi: None,
        imports: Vec::new(),
        exports: Vec::new(),
        builtin: false,
    };
    let _ = platform.revisions().add(revision).await.unwrap();
    let off = || InstallPlugin {
        enabled: Some(false),
        ..InstallPlugin::default()
    };
    let installed = async || {
        let found = platform.installations().find(project, &plugin).await;
        found.unwrap().map(|found| found.generation)
    };
    let noted = async || {
        let filter = AuditFilter {
            action: Some("plugin.*".into()),
            ..AuditFilter::default()
        };
        let events = app.audit(&filter, 10).await.unwrap().items;
        let actions = events.into_iter().map(|event| event.action);
        actions.collect::<Vec<String>>()
    };

    refuse_entries(folder.path(), true);
    let refused = app.install_plugin(&actor, project, &plugin, off()).await;
    assert!(refused.is_err());
    assert_eq!(installed().await, None);

    refuse_entries(folder.path(), false);
    let done = app.install_plugin(&actor, project, &plugin, off()).await;
    assert!(done.unwrap().created);
    assert_eq!(noted().await, ["plugin.install"]);

    refuse_entries(folder.path(), true);
    let refused = app.install_plugin(&actor, project, &plugin, off()).await;
    assert!(refused.is_err());
    assert_eq!(installed().await, Some(1));
    let refused = app.remove_plugin(&actor, project, &plugin, false).await;
    assert!(refused.is_err());
    assert_eq!(installed().await, Some(1));

    refuse_entries(folder.path(), false);
    let done = app.remove_plugin(&actor, project, &plugin, false).await;
    done.unwrap();
    assert_eq!(installed().await, None);
    assert_eq!(noted().await, ["plugin.remove", "plugin.install"]);
    app.shutdown().await;
}
