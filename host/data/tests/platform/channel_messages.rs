//! Messages to held streams.

use crate::fixture::{Fixture, on_both_engines, open, plugin};
use atlashub_core::{
    ProjectId,
    capability::{PluginScope, channel::NewMessage},
};
use atlashub_data::platform::Engine;
use futures::StreamExt as _;
use std::{sync::Arc, time::Duration};

on_both_engines! {
    who_comes_back_gets_what_was_published_on_the_channel_since,
    what_was_pruned_counts_as_missed,
    numbers_grow_in_the_order_in_which_they_are_seen,
    another_node_is_told_of_a_message,
    nothing_is_published_in_a_project_that_is_gone,
}

fn scope(project: ProjectId) -> PluginScope {
    PluginScope {
        project,
        plugin: plugin("notifications"),
    }
}

fn message(channel: &str, data: &str) -> NewMessage {
    NewMessage::new(channel.into(), "note".into(), data.into()).unwrap()
}

/// What was missed on the channel `a`, and whether there was more.
async fn missed(fixture: &Fixture, scope: &PluginScope, after: i64) -> (Vec<String>, bool) {
    let messages = fixture.platform.channel_messages();
    let latest = messages.latest_seq().await.unwrap();
    let missed = messages.missed(scope, "a", after, latest, 3).await.unwrap();
    let data = missed.messages.into_iter().map(|message| message.data);
    (data.collect(), missed.lost)
}

async fn who_comes_back_gets_what_was_published_on_the_channel_since(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let scope = scope(project.id);
    let messages = fixture.platform.channel_messages();
    let first = messages.publish(&scope, message("a", "1")).await.unwrap();
    messages.publish(&scope, message("b", "2")).await.unwrap();
    messages.publish(&scope, message("a", "3")).await.unwrap();
    let other = PluginScope {
        plugin: plugin("other"),
        ..scope.clone()
    };
    messages.publish(&other, message("a", "4")).await.unwrap();
    assert_eq!(
        missed(&fixture, &scope, first).await,
        (vec!["3".to_owned()], false)
    );
    let all = messages.since(first, 10).await.unwrap();
    let data: Vec<_> = all.iter().map(|message| message.data.as_str()).collect();
    assert_eq!(data, ["2", "3", "4"]);
    for n in 5..9 {
        messages
            .publish(&scope, message("a", &n.to_string()))
            .await
            .unwrap();
    }
    let (newest, lost) = missed(&fixture, &scope, first).await;
    assert_eq!(
        (newest, lost),
        (vec!["6".into(), "7".into(), "8".into()], true)
    );
}

async fn what_was_pruned_counts_as_missed(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let scope = scope(project.id);
    let messages = fixture.platform.channel_messages();
    let first = messages.publish(&scope, message("a", "1")).await.unwrap();
    fixture.clock.advance(Duration::from_secs(10));
    messages.publish(&scope, message("a", "2")).await.unwrap();
    fixture.clock.advance(Duration::from_secs(10));
    let last = messages.publish(&scope, message("a", "3")).await.unwrap();
    assert!(messages.prune(Duration::from_secs(5)).await.unwrap() >= 2);
    assert_eq!(
        missed(&fixture, &scope, first).await,
        (vec!["3".to_owned()], true)
    );
    // The newest stays, however old it is.
    fixture.clock.advance(Duration::from_secs(1_000));
    assert_eq!(messages.prune(Duration::from_secs(5)).await.unwrap(), 0);
    assert_eq!(missed(&fixture, &scope, last).await, (Vec::new(), false));
}

async fn numbers_grow_in_the_order_in_which_they_are_seen(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let publishing = (0..8).map(|writer| {
        let (platform, scope) = (fixture.platform.clone(), scope(project.id));
        tokio::spawn(async move {
            for n in 0..20 {
                let message = message("a", &format!("{writer} {n}"));
                platform
                    .channel_messages()
                    .publish(&scope, message)
                    .await
                    .unwrap();
            }
        })
    });
    let publishing: Vec<_> = publishing.collect();
    let messages = fixture.platform.channel_messages();
    let (mut seq, mut seen) = (0, 0);
    while seen < 160 {
        let page = messages.since(seq, 1_000).await.unwrap();
        seen += page.len();
        seq = page.last().map_or(seq, |message| message.seq);
        tokio::task::yield_now().await;
    }
    for task in publishing {
        task.await.unwrap();
    }
    assert_eq!(messages.since(seq, 10).await.unwrap(), []);
    assert_eq!(seen, 160);
}

async fn another_node_is_told_of_a_message(fixture: Arc<Fixture>) {
    // SQLite has one node, which tells itself.
    if fixture.platform.engine() == Engine::Sqlite {
        return;
    }
    let project = fixture.project("demo").await;
    let listener = open(&fixture.url, fixture.clock.clone()).await;
    let mut hints = listener.listen_for_messages().await.unwrap();
    let messages = fixture.platform.channel_messages();
    messages
        .publish(&scope(project.id), message("a", "1"))
        .await
        .unwrap();
    let hint = tokio::time::timeout(Duration::from_secs(10), hints.next()).await;
    assert_eq!(hint.expect("no hint came"), Some(()));
}

async fn nothing_is_published_in_a_project_that_is_gone(fixture: Arc<Fixture>) {
    let messages = fixture.platform.channel_messages();
    let gone = scope(ProjectId::new());
    let error = messages
        .publish(&gone, message("a", "1"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), atlashub_core::ErrorKind::NotFound);
}
