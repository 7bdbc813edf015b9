//! Projects, domains, buckets and credentials.

use crate::fixture::{Fixture, new_project, on_both_engines};
use atlashub_core::{BucketName, ErrorKind, ProjectId};
use atlashub_data::platform::{
    BucketSettings, DEFAULT_STORAGE_BYTES, NewProject, ProjectPatch, ProjectSettings,
};
use std::{sync::Arc, time::Duration};

on_both_engines! {
    a_project_comes_with_buckets_and_an_account,
    a_slug_belongs_to_one_project_until_it_is_deleted,
    of_many_who_want_a_slug_one_gets_it,
    projects_are_paged,
    projects_are_found_by_a_part_of_name_or_slug,
    a_change_of_a_project_keeps_the_rest,
    a_deleted_project_is_found_by_nothing,
    a_hidden_project_can_be_shown_again,
    a_domain_leads_to_one_project,
    buckets_are_kept_by_name,
    credentials_are_replaced,
    a_thousand_projects_load_at_once,
    a_unit_takes_effect_as_a_whole,
    text_that_an_engine_cannot_hold_is_the_callers_fault,
}

async fn a_project_comes_with_buckets_and_an_account(fixture: Arc<Fixture>) {
    let settings: ProjectSettings =
        serde_json::from_str(r#"{"requests_per_second":50,"later":{"a":1}}"#).unwrap();
    let new = NewProject {
        settings: settings.clone(),
        ..new_project("demo", Some(DEFAULT_STORAGE_BYTES))
    };
    let project = fixture.platform.projects().create(new).await.unwrap();
    let projects = fixture.platform.projects();
    assert_eq!(
        projects.find(project.id).await.unwrap(),
        Some(project.clone())
    );
    assert_eq!(
        projects.find_by_slug(&project.slug).await.unwrap(),
        Some(project.clone())
    );
    assert_eq!(project.settings, settings);
    let buckets = fixture.platform.buckets().list(project.id).await.unwrap();
    let names: Vec<_> = buckets.iter().map(|bucket| bucket.name.as_str()).collect();
    assert_eq!(names, ["private", "uploads"]);
    let usage = fixture.platform.usage().get(project.id).await.unwrap();
    assert_eq!(
        (usage.used_bytes, usage.limit_bytes),
        (0, Some(DEFAULT_STORAGE_BYTES))
    );
}

async fn a_slug_belongs_to_one_project_until_it_is_deleted(fixture: Arc<Fixture>) {
    let first = fixture.project("demo").await;
    let projects = fixture.platform.projects();
    let error = projects
        .create(new_project("demo", None))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Conflict, "slug_taken")
    );
    let second = fixture.project("other").await;
    let patch = ProjectPatch {
        slug: Some(first.slug.clone()),
        ..ProjectPatch::default()
    };
    let error = projects.update(second.id, patch).await.unwrap_err();
    assert_eq!(error.code(), "slug_taken");
    assert!(projects.delete(first.id).await.unwrap());
    let again = fixture.project("demo").await;
    assert_ne!(again.id, first.id);
}

async fn of_many_who_want_a_slug_one_gets_it(fixture: Arc<Fixture>) {
    let attempts = (0..12).map(|_| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move { platform.projects().create(new_project("demo", None)).await })
    });
    let mut made = 0;
    for attempt in futures::future::join_all(attempts).await {
        match attempt.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(error.code(), "slug_taken"),
        }
    }
    assert_eq!(made, 1);
}

async fn projects_are_paged(fixture: Arc<Fixture>) {
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(fixture.project(&format!("demo-{n}")).await.id);
    }
    let projects = fixture.platform.projects();
    let mut seen: Vec<ProjectId> = Vec::new();
    let mut after = None;
    loop {
        let page = projects.list(None, after, 2).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.iter().map(|project| project.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, made);
}

async fn projects_are_found_by_a_part_of_name_or_slug(fixture: Arc<Fixture>) {
    let projects = fixture.platform.projects();
    for (slug, name) in [
        ("corner-shop", "Corner Shop"),
        ("cafe", "Caf\u{e9} Z\u{fc}rich"),
        ("sale", "100% off_now"),
    ] {
        let new = NewProject {
            name: name.to_owned(),
            ..new_project(slug, None)
        };
        projects.create(new).await.unwrap();
    }
    for (text, found) in [
        ("SHOP", vec!["corner-shop"]),
        ("z\u{fc}rich", vec!["cafe"]),
        ("0%", vec!["sale"]),
        ("f_n", vec!["sale"]),
        ("c_fe", vec![]),
        (" corner ", vec!["corner-shop"]),
        ("", vec!["corner-shop", "cafe", "sale"]),
    ] {
        let page = projects.list(Some(text), None, 10).await.unwrap();
        let slugs: Vec<&str> = page.items.iter().map(|one| one.slug.as_str()).collect();
        assert_eq!(slugs, found, "{text}");
    }
}

async fn a_change_of_a_project_keeps_the_rest(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    fixture.clock.advance(Duration::from_secs(1));
    let patch = ProjectPatch {
        name: Some("Renamed".into()),
        ..ProjectPatch::default()
    };
    let projects = fixture.platform.projects();
    let changed = projects.update(project.id, patch).await.unwrap();
    assert_eq!(changed.name, "Renamed");
    assert_eq!(changed.slug, project.slug);
    assert_eq!(changed.created_at, project.created_at);
    assert!(changed.updated_at > project.updated_at);
    assert_eq!(projects.find(project.id).await.unwrap(), Some(changed));
    let error = projects
        .update(ProjectId::new(), ProjectPatch::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

async fn a_deleted_project_is_found_by_nothing(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let platform = &fixture.platform;
    platform
        .domains()
        .add(project.id, "demo.example.com")
        .await
        .unwrap();
    assert!(!platform.projects().purge(project.id).await.unwrap());
    assert!(platform.projects().delete(project.id).await.unwrap());
    assert!(!platform.projects().delete(project.id).await.unwrap());
    assert_eq!(platform.projects().find(project.id).await.unwrap(), None);
    assert_eq!(
        platform
            .projects()
            .find_by_slug(&project.slug)
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        platform
            .domains()
            .project("demo.example.com")
            .await
            .unwrap(),
        None
    );
    assert!(platform.projects().load_all().await.unwrap().is_empty());
    assert_eq!(platform.projects().deleted().await.unwrap().len(), 1);
    assert!(platform.projects().purge(project.id).await.unwrap());
    assert!(platform.projects().deleted().await.unwrap().is_empty());
    assert!(
        platform
            .buckets()
            .list(project.id)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn a_hidden_project_can_be_shown_again(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let projects = fixture.platform.projects();
    let settings = ProjectSettings {
        burst: Some(7),
        ..ProjectSettings::default()
    };
    let error = projects.restore(project.id, &settings).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    projects.delete(project.id).await.unwrap();
    let shown = projects.restore(project.id, &settings).await.unwrap();
    assert_eq!((shown.deleted_at, &shown.settings), (None, &settings));
    assert_eq!(projects.find(project.id).await.unwrap(), Some(shown));
    projects.delete(project.id).await.unwrap();
    fixture.project("demo").await;
    let error = projects.restore(project.id, &settings).await.unwrap_err();
    assert_eq!(error.code(), "slug_taken");
}

async fn a_domain_leads_to_one_project(fixture: Arc<Fixture>) {
    let first = fixture.project("first").await;
    let second = fixture.project("second").await;
    let domains = fixture.platform.domains();
    domains.add(first.id, "Shop.Example.com.").await.unwrap();
    domains.add(first.id, "shop.example.com").await.unwrap();
    let error = domains
        .add(second.id, "shop.example.com")
        .await
        .unwrap_err();
    assert_eq!(error.code(), "domain_taken");
    let error = domains
        .add(ProjectId::new(), "new.example.com")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        domains.add(first.id, "a b").await.unwrap_err().code(),
        "invalid_host"
    );
    assert_eq!(
        domains.project("SHOP.example.com").await.unwrap(),
        Some(first.clone())
    );
    assert_eq!(domains.load_all().await.unwrap().len(), 1);
    assert!(!domains.remove(second.id, "shop.example.com").await.unwrap());
    assert!(domains.remove(first.id, "shop.example.com").await.unwrap());
    assert_eq!(domains.project("shop.example.com").await.unwrap(), None);
}

async fn buckets_are_kept_by_name(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let buckets = fixture.platform.buckets();
    let name: BucketName = "photos".parse().unwrap();
    let made = buckets
        .create(project.id, name.clone(), BucketSettings::default())
        .await
        .unwrap();
    assert_eq!(buckets.find(project.id, &name).await.unwrap(), Some(made));
    let error = buckets
        .create(project.id, name.clone(), BucketSettings::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "bucket_exists");
    let error = buckets
        .create(ProjectId::new(), name.clone(), BucketSettings::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let settings = BucketSettings {
        max_object_bytes: Some(5),
        ..BucketSettings::default()
    };
    assert!(
        buckets
            .set_settings(project.id, &name, &settings)
            .await
            .unwrap()
    );
    assert_eq!(
        buckets
            .find(project.id, &name)
            .await
            .unwrap()
            .unwrap()
            .settings,
        settings
    );
    assert!(buckets.delete(project.id, &name).await.unwrap());
    assert_eq!(buckets.find(project.id, &name).await.unwrap(), None);
}

async fn credentials_are_replaced(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let credentials = fixture.platform.credentials();
    credentials
        .put(project.id, "proj_x_app", "one")
        .await
        .unwrap();
    credentials
        .put(project.id, "proj_x_app", "two")
        .await
        .unwrap();
    credentials
        .put(project.id, "proj_x_owner", "three")
        .await
        .unwrap();
    let own = credentials
        .get(project.id, "proj_x_app")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(own.sealed_password, "two");
    assert_eq!(credentials.list(project.id).await.unwrap().len(), 2);
    assert!(credentials.delete(project.id, "proj_x_app").await.unwrap());
    assert_eq!(
        credentials.get(project.id, "proj_x_app").await.unwrap(),
        None
    );
    let error = credentials
        .put(ProjectId::new(), "r", "p")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

async fn a_thousand_projects_load_at_once(fixture: Arc<Fixture>) {
    let unit = fixture.platform.begin().await.unwrap();
    for n in 0..1_000 {
        unit.projects()
            .create(new_project(&format!("demo-{n}"), None))
            .await
            .unwrap();
    }
    unit.commit().await.unwrap();
    let projects = fixture.platform.projects().load_all().await.unwrap();
    assert_eq!(projects.len(), 1_000);
}

async fn a_unit_takes_effect_as_a_whole(fixture: Arc<Fixture>) {
    let platform = &fixture.platform;
    let unit = platform.begin().await.unwrap();
    let project = unit
        .projects()
        .create(new_project("demo", None))
        .await
        .unwrap();
    assert!(unit.projects().find(project.id).await.unwrap().is_some());
    assert!(
        platform
            .projects()
            .find(project.id)
            .await
            .unwrap()
            .is_none()
    );
    // A refused step takes back its own part, and leaves the unit usable.
    let error = unit
        .projects()
        .create(new_project("demo", None))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "slug_taken");
    unit.domains()
        .add(project.id, "demo.example.com")
        .await
        .unwrap();
    drop(unit);
    assert!(
        platform
            .projects()
            .find(project.id)
            .await
            .unwrap()
            .is_none()
    );

    let unit = platform.begin().await.unwrap();
    let project = unit
        .projects()
        .create(new_project("demo", None))
        .await
        .unwrap();
    unit.roll_back().await.unwrap();
    assert!(
        platform
            .projects()
            .find(project.id)
            .await
            .unwrap()
            .is_none()
    );

    let unit = platform.begin().await.unwrap();
    let project = unit
        .projects()
        .create(new_project("demo", None))
        .await
        .unwrap();
    unit.commit().await.unwrap();
    assert!(
        platform
            .projects()
            .find(project.id)
            .await
            .unwrap()
            .is_some()
    );
}

async fn text_that_an_engine_cannot_hold_is_the_callers_fault(fixture: Arc<Fixture>) {
    let new = NewProject {
        name: "a\0b".into(),
        ..new_project("demo", None)
    };
    match fixture.platform.projects().create(new).await {
        Ok(project) => assert_eq!(project.name, "a\0b"),
        Err(error) => assert_eq!(error.code(), "invalid_text"),
    }
}
