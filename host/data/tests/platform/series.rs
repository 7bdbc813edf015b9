//! What projects did over time: added up, folded, thinned out.

use crate::fixture::{Fixture, on_both_engines, plugin};
use atlashub_core::{Clock as _, PluginName, ProjectId};
use atlashub_data::platform::{
    Level, Series, SeriesBatch, SeriesCounts, SeriesPoint, SeriesRange, SeriesRow,
};
use std::{sync::Arc, time::Duration};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

on_both_engines! {
    what_nodes_counted_adds_up_by_plugin_project_and_in_all,
    a_batch_that_is_sent_twice_counts_once,
    many_rows_of_many_nodes_at_once_add_up,
    minutes_become_hours_and_hours_days_and_nothing_is_lost,
    what_comes_late_is_folded_too,
    nodes_that_fold_at_once_count_nothing_twice,
    days_go_when_they_are_old,
    levels_are_written_when_they_change_and_once_a_turn,
    old_levels_are_thinned_out_and_the_last_stays,
    a_purged_project_leaves_nothing,
    projects_are_read_together,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn counts(requests: u64) -> SeriesCounts {
    let mut counts = SeriesCounts {
        requests,
        client_errors: 1,
        server_errors: 2,
        bytes_out: 3_000_000_000,
        jobs_done: 4,
        jobs_failed: 5,
        ..SeriesCounts::default()
    };
    counts.latency[0] = requests;
    counts.latency[15] = 7;
    counts
}

fn row(project: ProjectId, plugin: Option<&PluginName>, requests: u64) -> SeriesRow {
    SeriesRow {
        project,
        plugin: plugin.cloned(),
        counts: counts(requests),
    }
}

fn batch(at: OffsetDateTime, rows: Vec<SeriesRow>) -> SeriesBatch {
    SeriesBatch {
        id: Uuid::now_v7(),
        at,
        rows,
    }
}

fn times(counts: SeriesCounts, times: usize) -> SeriesCounts {
    let mut sum = SeriesCounts::default();
    for _ in 0..times {
        sum.add(&counts);
    }
    sum
}

/// All of it in steps of a length.
async fn read(
    fixture: &Fixture,
    project: Option<ProjectId>,
    plugin: Option<&PluginName>,
    step: Duration,
) -> Vec<SeriesPoint> {
    let range = SeriesRange {
        from: datetime!(2025-01-01 00:00 UTC),
        to: datetime!(2029-01-01 00:00 UTC),
        step,
    };
    let series = fixture.platform.series();
    series.read(project, plugin, range).await.unwrap()
}

async fn rows(fixture: &Fixture, table: &'static str) -> u64 {
    let rows = fixture.platform.rows_at_one_moment().await.unwrap();
    rows.count(table).await.unwrap()
}

async fn add(fixture: &Fixture, batch: &SeriesBatch) -> bool {
    fixture.platform.series().add(batch).await.unwrap()
}

async fn what_nodes_counted_adds_up_by_plugin_project_and_in_all(fixture: Arc<Fixture>) {
    let (one, two) = (ProjectId::new(), ProjectId::new());
    let (files, hello) = (plugin("files"), plugin("hello"));
    let at = datetime!(2026-01-02 03:04:05 UTC);
    let of_a_node = || {
        vec![
            row(one, Some(&files), 10),
            row(one, Some(&hello), 20),
            row(one, None, 30),
            row(two, Some(&files), 40),
        ]
    };
    // Nothing is no row.
    assert!(read(&fixture, None, None, MINUTE).await.is_empty());
    for second in [1, 59] {
        let at = at.replace_second(second).unwrap();
        assert!(add(&fixture, &batch(at, of_a_node())).await);
    }
    let later = at + MINUTE;
    assert!(add(&fixture, &batch(later, vec![row(one, Some(&files), 1)])).await);

    let minute = datetime!(2026-01-02 03:04 UTC);
    let found = read(&fixture, Some(one), Some(&files), MINUTE).await;
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].at, minute);
    assert_eq!(found[0].counts, times(counts(10), 2));
    assert_eq!((found[1].at, found[1].counts), (minute + MINUTE, counts(1)));
    let found = read(&fixture, Some(one), None, HOUR).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].at, datetime!(2026-01-02 03:00 UTC));
    assert_eq!(found[0].counts.requests, 2 * 60 + 1);
    assert_eq!(found[0].counts.bytes_out, 7 * 3_000_000_000);
    let found = read(&fixture, None, None, DAY).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].counts.requests, 2 * 100 + 1);
    assert_eq!(found[0].counts.latency[15], 9 * 7);
}

async fn a_batch_that_is_sent_twice_counts_once(fixture: Arc<Fixture>) {
    let project = ProjectId::new();
    let batch = batch(fixture.clock.now(), vec![row(project, None, 5)]);
    assert!(add(&fixture, &batch).await);
    assert!(!add(&fixture, &batch).await);
    let found = read(&fixture, Some(project), None, DAY).await;
    assert_eq!(found[0].counts, counts(5));
    fixture.clock.advance(DAY * 2);
    assert_eq!(fixture.platform.series().forget_writes().await.unwrap(), 1);
}

async fn many_rows_of_many_nodes_at_once_add_up(fixture: Arc<Fixture>) {
    let projects: Vec<_> = (0..600).map(|_| ProjectId::new()).collect();
    let at = fixture.clock.now();
    let mut nodes = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (fixture, projects) = (Arc::clone(&fixture), projects.clone());
        nodes.spawn(async move {
            for _ in 0..2 {
                let rows = projects.iter().map(|id| row(*id, None, 1)).collect();
                assert!(add(&fixture, &batch(at, rows)).await);
            }
        });
    }
    while let Some(ended) = nodes.join_next().await {
        ended.unwrap();
    }
    for project in [projects[0], projects[599]] {
        let found = read(&fixture, Some(project), None, MINUTE).await;
        assert_eq!(found[0].counts, times(counts(1), 8));
    }
    let all = read(&fixture, None, None, MINUTE).await;
    assert_eq!(all[0].counts.requests, 600 * 8);
    assert_eq!(rows(&fixture, "series").await, 601);
}

/// A request a minute for three hours, of two plugins.
async fn three_hours(fixture: &Fixture, project: ProjectId) {
    let began = fixture.clock.now();
    for minute in 0..180 {
        let rows = vec![
            row(project, Some(&plugin("files")), 1),
            row(project, None, 1),
        ];
        let _ = add(fixture, &batch(began + MINUTE * minute, rows)).await;
    }
}

async fn fold(fixture: &Fixture) -> u64 {
    fixture.platform.series().fold().await.unwrap()
}

async fn minutes_become_hours_and_hours_days_and_nothing_is_lost(fixture: Arc<Fixture>) {
    let project = ProjectId::new();
    three_hours(&fixture, project).await;
    let all = read(&fixture, Some(project), None, DAY).await;
    assert_eq!(all[0].counts.requests, 360);
    let by_hour = read(&fixture, Some(project), None, HOUR).await;
    fixture.clock.advance(Series::KEEP_MINUTES);
    assert_eq!(fold(&fixture).await, 0, "they are kept for a day");
    assert_eq!(rows(&fixture, "series").await, 3 * 180);

    fixture.clock.advance(5 * HOUR);
    // Four hours of the clock that they lie in, of the project and of all.
    assert_eq!(fold(&fixture).await, 8);
    assert_eq!(rows(&fixture, "series").await, 4 * 3);
    assert_eq!(read(&fixture, Some(project), None, HOUR).await, by_hour);
    assert_eq!(read(&fixture, Some(project), None, DAY).await, all);
    let files = plugin("files");
    let found = read(&fixture, Some(project), Some(&files), DAY).await;
    assert_eq!(found[0].counts, times(counts(1), 180));

    fixture.clock.advance(Series::KEEP_HOURS + 2 * DAY);
    assert_eq!(fold(&fixture).await, 2);
    assert_eq!(rows(&fixture, "series").await, 3);
    assert_eq!(read(&fixture, Some(project), None, DAY).await, all);
    assert_eq!(
        read(&fixture, None, None, DAY).await[0].counts,
        all[0].counts
    );
}

async fn what_comes_late_is_folded_too(fixture: Arc<Fixture>) {
    let project = ProjectId::new();
    let at = fixture.clock.now();
    let _ = add(&fixture, &batch(at, vec![row(project, None, 1)])).await;
    fixture.clock.advance(2 * DAY);
    assert_eq!(fold(&fixture).await, 2);
    // A node could not reach the database for long.
    let _ = add(&fixture, &batch(at, vec![row(project, None, 1)])).await;
    assert_eq!(fold(&fixture).await, 2);
    assert_eq!(rows(&fixture, "series").await, 2);
    let found = read(&fixture, Some(project), None, HOUR).await;
    assert_eq!(found[0].counts, times(counts(1), 2));
}

async fn nodes_that_fold_at_once_count_nothing_twice(fixture: Arc<Fixture>) {
    let project = ProjectId::new();
    three_hours(&fixture, project).await;
    fixture.clock.advance(3 * DAY);
    let mut nodes = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let fixture = Arc::clone(&fixture);
        nodes.spawn(async move { fold(&fixture).await });
    }
    while let Some(folded) = nodes.join_next().await {
        let _ = folded.unwrap();
    }
    let found = read(&fixture, Some(project), None, DAY).await;
    assert_eq!(found[0].counts, times(counts(1), 360));
    assert_eq!(rows(&fixture, "series").await, 4 * 3);
}

async fn days_go_when_they_are_old(fixture: Arc<Fixture>) {
    let project = ProjectId::new();
    let at = fixture.clock.now();
    let _ = add(&fixture, &batch(at, vec![row(project, None, 1)])).await;
    fixture.clock.advance(Series::KEEP_DAYS);
    let _ = fold(&fixture).await;
    assert_eq!(rows(&fixture, "series").await, 2);
    fixture.clock.advance(2 * DAY);
    let _ = fold(&fixture).await;
    assert_eq!(rows(&fixture, "series").await, 0);
}

async fn levels(fixture: &Fixture, project: Option<ProjectId>) -> Vec<Level> {
    let range = SeriesRange {
        from: datetime!(2025-01-01 00:00 UTC),
        to: datetime!(2029-01-01 00:00 UTC),
        step: DAY,
    };
    fixture
        .platform
        .series()
        .levels(project, range)
        .await
        .unwrap()
}

async fn sample(fixture: &Fixture) -> u64 {
    let series = fixture.platform.series();
    series.sample(Uuid::now_v7()).await.unwrap()
}

async fn store(fixture: &Fixture, project: ProjectId, bytes: u64) {
    let usage = fixture.platform.usage();
    let id = usage.reserve(project, bytes, HOUR).await.unwrap();
    usage.settle(id, bytes).await.unwrap();
}

async fn levels_are_written_when_they_change_and_once_a_turn(fixture: Arc<Fixture>) {
    let one = fixture.project("one").await.id;
    let two = fixture.project("two").await.id;
    assert_eq!(sample(&fixture).await, 0, "idle projects write nothing");
    store(&fixture, one, 100).await;
    let turn = Uuid::from_u64_pair(0, 7);
    let series = fixture.platform.series();
    assert_eq!(series.sample(turn).await.unwrap(), 2, "its and that of all");
    fixture.clock.advance(MINUTE);
    assert_eq!(sample(&fixture).await, 0);
    store(&fixture, two, 11).await;
    assert_eq!(series.sample(turn).await.unwrap(), 0, "another node did");
    assert_eq!(sample(&fixture).await, 2);
    let bytes =
        |found: Vec<Level>| -> Vec<u64> { found.iter().map(|level| level.storage_bytes).collect() };
    assert_eq!(bytes(levels(&fixture, Some(one)).await), [100]);
    assert_eq!(bytes(levels(&fixture, Some(two)).await), [11]);
    assert_eq!(bytes(levels(&fixture, None).await), [100, 111]);
    // What was there before the range holds at its beginning.
    let now = fixture.clock.now();
    let range = SeriesRange {
        from: now + HOUR,
        to: now + 2 * HOUR,
        step: HOUR,
    };
    assert_eq!(bytes(series.levels(None, range).await.unwrap()), [111]);
}

async fn old_levels_are_thinned_out_and_the_last_stays(fixture: Arc<Fixture>) {
    let project = fixture.project("one").await.id;
    for _ in 0..30 {
        store(&fixture, project, 1).await;
        assert_eq!(sample(&fixture).await, 2);
        fixture.clock.advance(10 * MINUTE);
    }
    let thin = async || fixture.platform.series().thin_levels().await.unwrap();
    assert_eq!(thin().await, 0);
    fixture.clock.advance(DAY);
    assert!(thin().await > 0);
    let left = levels(&fixture, Some(project)).await;
    assert!((5..=6).contains(&left.len()), "one an hour: {left:?}");
    assert_eq!(left.last().unwrap().storage_bytes, 30);
    fixture.clock.advance(Series::KEEP_HOURS + DAY);
    let _ = thin().await;
    let left = levels(&fixture, Some(project)).await;
    assert_eq!(left.len(), 1, "one a day: {left:?}");
    fixture.clock.advance(Series::KEEP_DAYS);
    assert_eq!(thin().await, 0);
    assert_eq!(
        levels(&fixture, None).await.last().unwrap().storage_bytes,
        30
    );
}

async fn a_purged_project_leaves_nothing(fixture: Arc<Fixture>) {
    let project = fixture.project("one").await.id;
    let at = fixture.clock.now();
    let _ = add(&fixture, &batch(at, vec![row(project, None, 1)])).await;
    store(&fixture, project, 100).await;
    let _ = sample(&fixture).await;
    let projects = fixture.platform.projects();
    assert!(projects.delete(project).await.unwrap());
    assert!(projects.purge(project).await.unwrap());
    assert!(read(&fixture, Some(project), None, DAY).await.is_empty());
    assert!(levels(&fixture, Some(project)).await.is_empty());
    // What happened happened.
    assert_eq!(read(&fixture, None, None, DAY).await.len(), 1);
}

async fn projects_are_read_together(fixture: Arc<Fixture>) {
    let (one, two, idle) = (ProjectId::new(), ProjectId::new(), ProjectId::new());
    let at = datetime!(2026-01-02 03:04:05 UTC);
    for minute in 0..90 {
        let rows = vec![row(one, None, 1), row(two, Some(&plugin("files")), 2)];
        let _ = add(&fixture, &batch(at + MINUTE * minute, rows)).await;
    }
    let range = SeriesRange {
        from: datetime!(2026-01-02 03:00 UTC),
        to: datetime!(2026-01-02 05:00 UTC),
        step: HOUR,
    };
    let series = fixture.platform.series();
    assert!(series.uses(&[], range).await.unwrap().is_empty());
    let found = series.uses(&[one, two, idle], range).await.unwrap();
    let mut seen: Vec<_> = found
        .iter()
        .map(|point| {
            let hour = point.at.hour();
            (
                point.project == two,
                hour,
                point.requests,
                point.server_errors,
            )
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            (false, 3, 56, 112),
            (false, 4, 34, 68),
            (true, 3, 112, 112),
            (true, 4, 68, 68)
        ]
    );
}
