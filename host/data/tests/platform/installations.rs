//! Plugin revisions, installations and their history.

use crate::fixture::{Fixture, new_revision, on_both_engines, plugin};
use atlashub_core::{
    Digest, ErrorKind, Grant, Limits, ProjectId, RevisionId, manifest::Route, openapi::Document,
};
use atlashub_data::platform::{InstallationChange, InstallationState, Revision};
use std::{sync::Arc, time::Duration};

on_both_engines! {
    the_same_bytes_are_one_revision,
    what_a_revision_says_of_its_routes_is_kept_apart,
    the_catalogue_shows_the_newest_of_each_plugin,
    an_installed_revision_cannot_be_deleted,
    a_change_needs_the_generation_it_was_made_from,
    of_many_changes_from_one_generation_one_wins,
    who_locks_a_project_sees_what_was_installed_by_who_locked_it_before,
    the_history_holds_every_state,
    only_what_serves_is_loaded,
}

fn state(revision: &Revision) -> InstallationState {
    InstallationState {
        revision: revision.id,
        enabled: true,
        config: "{}".into(),
        grants: [Grant::Sql].into_iter().collect(),
        routes: Some(vec![Route {
            path: "/hi".into(),
            strip: true,
            basic: false,
        }]),
        limits: Some(Limits::default()),
    }
}

async fn the_same_bytes_are_one_revision(fixture: Arc<Fixture>) {
    let attempts = (0..8).map(|_| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move { platform.revisions().add(new_revision("hello", 1)).await })
    });
    let mut ids = Vec::new();
    let mut new = 0;
    for attempt in futures::future::join_all(attempts).await {
        let (revision, is_new) = attempt.unwrap().unwrap();
        ids.push(revision.id);
        new += u32::from(is_new);
    }
    ids.dedup();
    assert_eq!((ids.len(), new), (1, 1));
    // The same bytes under another name are another plugin's revision.
    let other = fixture.revision("other", 1).await;
    assert_ne!(other.id, ids[0]);
    let revisions = fixture.platform.revisions();
    assert_eq!(revisions.find(other.id).await.unwrap(), Some(other.clone()));
    let digest = Digest::from_bytes([1; 32]);
    let found = revisions
        .find_by_digest(&plugin("other"), &digest)
        .await
        .unwrap();
    assert_eq!(found, Some(other));
    assert_eq!(revisions.find(RevisionId::new()).await.unwrap(), None);
}

async fn what_a_revision_says_of_its_routes_is_kept_apart(fixture: Arc<Fixture>) {
    let text = "[paths.\"/hello\".get]\nresponses.200.description = \"hello\"\n";
    let document = Document::from_toml(text).unwrap();
    let mut new = new_revision("hello", 1);
    new.openapi = Some(document.clone());
    let revisions = fixture.platform.revisions();
    let (told, _) = revisions.add(new).await.unwrap();
    let silent = fixture.revision("silent", 2).await;
    let found = revisions.descriptions([told.id, silent.id]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[&told.id], document);
    assert!(revisions.delete(told.id).await.unwrap());
    assert!(revisions.descriptions([told.id]).await.unwrap().is_empty());
}

async fn the_catalogue_shows_the_newest_of_each_plugin(fixture: Arc<Fixture>) {
    let old = fixture.revision("hello", 1).await;
    let files = fixture.revision("files", 2).await;
    let new = fixture.revision("hello", 3).await;
    let revisions = fixture.platform.revisions();
    let page = revisions.catalogue(None, 1).await.unwrap();
    assert_eq!(page.items, std::slice::from_ref(&files));
    let page = revisions.catalogue(page.next.as_ref(), 1).await.unwrap();
    assert_eq!(page.items, std::slice::from_ref(&new));
    assert_eq!(page.next, None);
    let page = revisions.list(&plugin("hello"), None, 1).await.unwrap();
    assert_eq!(page.items, std::slice::from_ref(&new));
    let page = revisions
        .list(&plugin("hello"), page.next, 1)
        .await
        .unwrap();
    assert_eq!(page.items, std::slice::from_ref(&old));
    assert_eq!(
        revisions.latest(&plugin("hello")).await.unwrap(),
        Some(new.clone())
    );
    let many = revisions
        .find_many(&[old.id, files.id, RevisionId::new()])
        .await
        .unwrap();
    assert_eq!(many.len(), 2);
}

async fn an_installed_revision_cannot_be_deleted(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let (old, new) = (
        fixture.revision("hello", 1).await,
        fixture.revision("hello", 2).await,
    );
    let name = plugin("hello");
    let platform = &fixture.platform;
    let installations = platform.installations();
    installations
        .put(project.id, &name, state(&old), None, "ada")
        .await
        .unwrap();
    let now = installations
        .put(project.id, &name, state(&new), Some(1), "ada")
        .await
        .unwrap();
    assert_eq!(now.previous_revision, Some(old.id));
    for revision in [&old, &new] {
        let error = platform.revisions().delete(revision.id).await.unwrap_err();
        assert_eq!(error.code(), "revision_in_use");
    }
    assert_eq!(
        installations.projects_on(new.id).await.unwrap(),
        [project.id]
    );
    assert!(
        installations
            .delete(project.id, &name, None, "ada")
            .await
            .unwrap()
    );
    assert!(platform.revisions().delete(old.id).await.unwrap());
    assert!(!platform.revisions().delete(old.id).await.unwrap());
}

async fn a_change_needs_the_generation_it_was_made_from(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let revision = fixture.revision("hello", 1).await;
    let name = plugin("hello");
    let installations = fixture.platform.installations();
    let put = async |expected| {
        installations
            .put(project.id, &name, state(&revision), expected, "ada")
            .await
    };
    assert_eq!(
        put(Some(1)).await.unwrap_err().code(),
        "installation_changed"
    );
    let first = put(None).await.unwrap();
    assert_eq!(first.generation, 1);
    assert_eq!(
        installations.find(project.id, &name).await.unwrap(),
        Some(first.clone())
    );
    assert_eq!(put(None).await.unwrap_err().code(), "installation_changed");
    assert_eq!(
        put(Some(2)).await.unwrap_err().code(),
        "installation_changed"
    );
    let second = put(Some(1)).await.unwrap();
    assert_eq!((second.generation, second.id), (2, first.id));
    let error = installations
        .delete(project.id, &name, Some(1), "ada")
        .await
        .unwrap_err();
    assert_eq!(error.code(), "installation_changed");
    assert!(
        installations
            .delete(project.id, &name, Some(2), "ada")
            .await
            .unwrap()
    );
    assert!(
        !installations
            .delete(project.id, &name, None, "ada")
            .await
            .unwrap()
    );
    // Installed anew, it is newer than what was removed.
    assert_eq!(put(None).await.unwrap().generation, 4);
    let error = installations
        .put(ProjectId::new(), &name, state(&revision), None, "ada")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

async fn of_many_changes_from_one_generation_one_wins(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let revision = fixture.revision("hello", 1).await;
    for expected in [None, Some(1)] {
        let attempts = (0..8).map(|_| {
            let platform = fixture.platform.clone();
            let (project, state) = (project.id, state(&revision));
            tokio::spawn(async move {
                let name = plugin("hello");
                platform
                    .installations()
                    .put(project, &name, state, expected, "ada")
                    .await
            })
        });
        let mut won = 0;
        for attempt in futures::future::join_all(attempts).await {
            match attempt.unwrap() {
                Ok(_) => won += 1,
                Err(error) => assert_eq!(error.code(), "installation_changed"),
            }
        }
        assert_eq!(won, 1);
    }
}

async fn who_locks_a_project_sees_what_was_installed_by_who_locked_it_before(
    fixture: Arc<Fixture>,
) {
    let project = fixture.project("demo").await.id;
    let mut attempts = Vec::new();
    for number in 0..8 {
        let name = plugin(&format!("rival-{number}"));
        let revision = fixture.revision(name.as_str(), number).await;
        let platform = fixture.platform.clone();
        attempts.push(tokio::spawn(async move {
            let unit = platform.begin().await.unwrap();
            unit.projects().lock(project).await.unwrap();
            let others = unit.installations().list(project).await.unwrap();
            // Time for the others to look as well, if nothing holds them.
            tokio::task::yield_now().await;
            if !others.is_empty() {
                return false;
            }
            let wanted = state(&revision);
            unit.installations()
                .put(project, &name, wanted, None, "ada")
                .await
                .unwrap();
            unit.commit().await.unwrap();
            true
        }));
    }
    let mut won = 0;
    for attempt in futures::future::join_all(attempts).await {
        won += u32::from(attempt.unwrap());
    }
    assert_eq!(won, 1);
    let installations = fixture.platform.installations();
    assert_eq!(installations.list(project).await.unwrap().len(), 1);
    // What is not there, or no longer, is not held.
    let unit = fixture.platform.begin().await.unwrap();
    let unknown = unit.projects().lock(ProjectId::new()).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    unit.projects().delete(project).await.unwrap();
    let deleted = unit.projects().lock(project).await.unwrap_err();
    assert_eq!(deleted.kind(), ErrorKind::NotFound);
}

async fn the_history_holds_every_state(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let (one, two) = (
        fixture.revision("hello", 1).await,
        fixture.revision("hello", 2).await,
    );
    let name = plugin("hello");
    let installations = fixture.platform.installations();
    let put = async |state, expected| {
        fixture.clock.advance(Duration::from_secs(1));
        installations
            .put(project.id, &name, state, expected, "ada")
            .await
            .unwrap()
    };
    put(state(&one), None).await;
    put(state(&two), Some(1)).await;
    put(
        InstallationState {
            enabled: false,
            ..state(&two)
        },
        Some(2),
    )
    .await;
    put(
        InstallationState {
            config: "{\"a\":1}".into(),
            ..state(&two)
        },
        Some(3),
    )
    .await;
    let configured = InstallationState {
        config: "{}".into(),
        ..state(&two)
    };
    put(configured.clone(), Some(4)).await;
    installations
        .delete(project.id, &name, None, "bob")
        .await
        .unwrap();
    let mut entries = Vec::new();
    let mut before = None;
    loop {
        let page = installations
            .history(project.id, &name, before, 2)
            .await
            .unwrap();
        entries.extend(page.items);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let changes: Vec<_> = entries
        .iter()
        .rev()
        .map(|entry| entry.change.as_str())
        .collect();
    assert_eq!(
        changes,
        [
            "installed",
            "revised",
            "disabled",
            "enabled",
            "configured",
            "removed"
        ]
    );
    let last = &entries[0];
    assert_eq!(
        (last.change, last.actor.as_str()),
        (InstallationChange::Removed, "bob")
    );
    assert_eq!((last.generation, &last.state), (6, &configured));
    assert_eq!(entries[5].state, state(&one));
}

async fn only_what_serves_is_loaded(fixture: Arc<Fixture>) {
    let revision = fixture.revision("hello", 1).await;
    let off = fixture.revision("off", 1).await;
    let here = fixture.project("here").await;
    let gone = fixture.project("gone").await;
    let installations = fixture.platform.installations();
    for project in [&here, &gone] {
        installations
            .put(project.id, &plugin("hello"), state(&revision), None, "ada")
            .await
            .unwrap();
    }
    let disabled = InstallationState {
        enabled: false,
        ..state(&off)
    };
    installations
        .put(here.id, &plugin("off"), disabled, None, "ada")
        .await
        .unwrap();
    fixture.platform.projects().delete(gone.id).await.unwrap();
    let enabled = installations.load_enabled().await.unwrap();
    assert_eq!(enabled.len(), 1);
    assert_eq!(enabled[0].project, here.id);
    assert_eq!(installations.list(here.id).await.unwrap().len(), 2);
}
