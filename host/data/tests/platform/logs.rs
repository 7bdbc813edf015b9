//! Log lines of plugins.

use crate::fixture::{Fixture, on_both_engines, scope};
use atlashub_core::{
    Clock as _, RequestId,
    capability::{
        PluginScope,
        log::{Level, LogLine, Source},
    },
};
use atlashub_data::platform::LogFilter;
use std::{sync::Arc, time::Duration};

on_both_engines! {
    lines_come_back_newest_first,
    lines_are_filtered,
    old_lines_are_pruned,
    the_newest_lines_of_each_plugin_are_kept,
}

fn line(fixture: &Fixture, scope: &PluginScope, message: &str) -> LogLine {
    LogLine {
        scope: scope.clone(),
        at: fixture.clock.now(),
        level: Level::Info,
        source: Source::Log,
        request: None,
        message: message.to_owned(),
    }
}

async fn messages(fixture: &Fixture, scope: &PluginScope, filter: LogFilter) -> Vec<String> {
    let page = fixture
        .platform
        .plugin_logs()
        .list(scope, &filter, 1_000)
        .await
        .unwrap();
    page.items
        .into_iter()
        .map(|stored| stored.line.message)
        .collect()
}

async fn lines_come_back_newest_first(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let (own, other) = (scope(&project, "hello"), scope(&project, "files"));
    let logs = fixture.platform.plugin_logs();
    let mut lines: Vec<_> = (0..450)
        .map(|n| line(&fixture, &own, &n.to_string()))
        .collect();
    lines.push(line(&fixture, &other, "other"));
    logs.insert(&lines).await.unwrap();
    logs.insert(&[]).await.unwrap();
    let page = logs.list(&own, &LogFilter::default(), 2).await.unwrap();
    let texts: Vec<_> = page
        .items
        .iter()
        .map(|stored| stored.line.message.as_str())
        .collect();
    assert_eq!(texts, ["449", "448"]);
    let older = LogFilter {
        before: page.next,
        ..LogFilter::default()
    };
    let page = logs.list(&own, &older, 1).await.unwrap();
    assert_eq!(page.items[0].line.message, "447");
    let newer = LogFilter {
        after: page.next,
        ..LogFilter::default()
    };
    assert_eq!(messages(&fixture, &own, newer).await, ["449", "448"]);
    assert_eq!(
        messages(&fixture, &own, LogFilter::default()).await.len(),
        450
    );
    assert_eq!(logs.delete_all(&own).await.unwrap(), 450);
    assert_eq!(
        messages(&fixture, &other, LogFilter::default()).await,
        ["other"]
    );
}

async fn lines_are_filtered(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let scope = scope(&project, "hello");
    let request = RequestId::new();
    let lines = [
        LogLine {
            level: Level::Trace,
            ..line(&fixture, &scope, "100% Sure_thing\\")
        },
        LogLine {
            level: Level::Warn,
            source: Source::Stderr,
            ..line(&fixture, &scope, "1000 things")
        },
        LogLine {
            level: Level::Critical,
            request: Some(request),
            ..line(&fixture, &scope, "nul\0byte")
        },
    ];
    fixture.platform.plugin_logs().insert(&lines).await.unwrap();
    let stored = fixture
        .platform
        .plugin_logs()
        .list(&scope, &LogFilter::default(), 10)
        .await
        .unwrap();
    for (stored, line) in stored.items.iter().rev().zip(&lines) {
        assert_eq!(
            (stored.line.level, stored.line.source),
            (line.level, line.source)
        );
        assert_eq!(
            (stored.line.at, stored.line.request),
            (line.at, line.request)
        );
        assert_eq!(stored.line.scope, line.scope);
    }
    let with_text = |text: &str| LogFilter {
        text: Some(text.into()),
        ..LogFilter::default()
    };
    assert_eq!(
        messages(&fixture, &scope, with_text("0% sure")).await,
        ["100% Sure_thing\\"]
    );
    assert_eq!(
        messages(&fixture, &scope, with_text("e_t")).await,
        ["100% Sure_thing\\"]
    );
    assert_eq!(
        messages(&fixture, &scope, with_text("thing\\")).await,
        ["100% Sure_thing\\"]
    );
    assert_eq!(
        messages(&fixture, &scope, with_text("THING")).await.len(),
        2
    );
    assert_eq!(
        messages(&fixture, &scope, with_text("'; DROP")).await.len(),
        0
    );
    let grave = LogFilter {
        min_level: Some(Level::Warn),
        ..LogFilter::default()
    };
    assert_eq!(
        messages(&fixture, &scope, grave).await,
        ["nul\\0byte", "1000 things"]
    );
    let of_request = LogFilter {
        request: Some(request),
        ..LogFilter::default()
    };
    assert_eq!(messages(&fixture, &scope, of_request).await, ["nul\\0byte"]);
}

async fn old_lines_are_pruned(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let scope = scope(&project, "hello");
    let logs = fixture.platform.plugin_logs();
    logs.insert(&[line(&fixture, &scope, "old")]).await.unwrap();
    fixture.clock.advance(Duration::from_secs(61));
    logs.insert(&[line(&fixture, &scope, "new")]).await.unwrap();
    assert_eq!(logs.prune_older(Duration::from_secs(60)).await.unwrap(), 1);
    assert_eq!(
        messages(&fixture, &scope, LogFilter::default()).await,
        ["new"]
    );
}

async fn the_newest_lines_of_each_plugin_are_kept(fixture: Arc<Fixture>) {
    let (one, two) = (fixture.project("one").await, fixture.project("two").await);
    let scopes = [
        scope(&one, "hello"),
        scope(&one, "files"),
        scope(&two, "hello"),
    ];
    let logs = fixture.platform.plugin_logs();
    for n in 0..5 {
        for scope in &scopes[..=n % 3] {
            logs.insert(&[line(&fixture, scope, &n.to_string())])
                .await
                .unwrap();
        }
    }
    // 5, 3 and 1 lines.
    assert_eq!(logs.prune_to(2).await.unwrap(), 4);
    assert_eq!(
        messages(&fixture, &scopes[0], LogFilter::default()).await,
        ["4", "3"]
    );
    assert_eq!(
        messages(&fixture, &scopes[1], LogFilter::default()).await,
        ["4", "2"]
    );
    assert_eq!(
        messages(&fixture, &scopes[2], LogFilter::default()).await,
        ["2"]
    );
    assert_eq!(logs.prune_to(2).await.unwrap(), 0);
}
