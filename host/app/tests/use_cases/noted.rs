//! Nothing is changed that the audit does not tell of: where it cannot be
//! written, neither can the change.

use super::{HERE, named, start, wanted};
use atlashub_app::{Actor, plugins::InstallPlugin};
use atlashub_core::{Digest, Manifest, PluginName};
use atlashub_data::platform::{AuditFilter, NewRevision};
use secrecy::ExposeSecret as _;
use std::{path::Path, time::SystemTime};
use totp_rs::{Builder, Secret};

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

/// What an authenticator shows now.
fn code_of(secret: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let secret = Secret::try_from_base32(secret).unwrap();
    let authenticator = Builder::new().with_secret(secret).build().unwrap();
    authenticator.generate(now.unwrap().as_secs()).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_neither_used_nor_dropped_without_an_entry_in_the_audit() {
    let folder = tempfile::tempdir().unwrap();
    let (app, _platform) = start(folder.path()).await;
    let (mail, password) = ("owner@example.com", "correct horse battery");
    app.set_up(mail, password.into(), HERE, None).await.unwrap();
    let signed_in = app.sign_in(wanted(mail, password)).await.unwrap();
    let identity = app.authenticate_admin(&signed_in.token).await;
    let identity = identity.unwrap().unwrap();
    let begun = app.begin_second_factor(&identity, password.into(), HERE, None);
    let begun = begun.await.unwrap();
    let code = code_of(begun.base32.expose_secret()).into();
    let is_asked_for = async || {
        let tried = app.sign_in(wanted(mail, password)).await;
        match tried {
            Ok(_) => false,
            Err(error) => {
                assert_eq!(error.code(), "totp_required");
                true
            }
        }
    };

    refuse_entries(folder.path(), true);
    let prove = || app.prove_second_factor(&identity, &code, HERE, None);
    assert!(prove().await.is_err());
    refuse_entries(folder.path(), false);
    assert!(!is_asked_for().await);
    // The code was not used up by what did not come about.
    prove().await.unwrap();
    assert!(is_asked_for().await);

    let actor = Actor::host();
    refuse_entries(folder.path(), true);
    let dropped = app.reset_admin_second_factor(&actor, identity.admin).await;
    assert!(dropped.is_err());
    refuse_entries(folder.path(), false);
    assert!(is_asked_for().await);
    let dropped = app.reset_admin_second_factor(&actor, identity.admin).await;
    dropped.unwrap();
    assert!(!is_asked_for().await);
    app.shutdown().await;
}
