//! Reading what projects did: aligned points, none left out, a bounded number
//! of them.

use super::latency::quantile;
use crate::App;
use atlashub_core::{Error, PluginName, ProjectId, Result};
use atlashub_data::platform::{Level, Series, SeriesCounts, SeriesPoint, SeriesRange};
use std::{collections::HashMap, time::Duration};
use time::OffsetDateTime;

/// Most points of an answer: a day of minutes.
const MOST_POINTS: i64 = 1_500;
/// Points when nothing says how many.
const USUAL_POINTS: i64 = 60;
/// Most projects whose use is asked for at once.
const MOST_PROJECTS: usize = 100;
/// A step is told this long after it is folded, for clocks that differ.
const GRACE: Duration = Duration::from_secs(3_600);

/// How long a point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesStep {
    /// A minute; known for a day.
    Minute,
    /// Ten minutes; known for a day.
    TenMinutes,
    /// An hour; known for 30 days.
    Hour,
    /// A day (UTC); known for 400 days.
    Day,
}

impl SeriesStep {
    const ALL: [Self; 4] = [Self::Minute, Self::TenMinutes, Self::Hour, Self::Day];

    /// How long it is.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minute => 60,
            Self::TenMinutes => 600,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        })
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::TenMinutes => "ten_minutes",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    fn seconds(self) -> i64 {
        i64::try_from(self.length().as_secs()).unwrap_or(i64::MAX)
    }

    /// How long such points are known.
    const fn kept(self) -> Duration {
        match self {
            Self::Minute | Self::TenMinutes => Series::KEEP_MINUTES,
            Self::Hour => Series::KEEP_HOURS,
            Self::Day => Duration::MAX,
        }
    }

    fn is_known(self, from: OffsetDateTime, now: OffsetDateTime) -> bool {
        let age = Duration::try_from(now - from).unwrap_or_default();
        age <= self.kept().saturating_add(GRACE)
    }

    /// The finest step that is known so far back, in a fair number of points.
    fn usual(from: OffsetDateTime, to: OffsetDateTime, now: OffsetDateTime) -> Self {
        let seconds = (to - from).whole_seconds();
        let fits =
            |step: &Self| step.is_known(from, now) && seconds / step.seconds() <= USUAL_POINTS * 4;
        Self::ALL.into_iter().find(fits).unwrap_or(Self::Day)
    }
}

/// Which points are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct SeriesAsked {
    /// From when on; an hour before `to` unless given.
    pub from: Option<OffsetDateTime>,
    /// Until when; until now unless given.
    pub to: Option<OffsetDateTime>,
    /// How long a point is; what fits unless given.
    pub step: Option<SeriesStep>,
}

/// Latencies, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
}

impl Quantiles {
    fn of(counts: &SeriesCounts) -> Option<Self> {
        let of = |percent| quantile(&counts.latency, percent);
        Some(Self {
            p50: of(50)?,
            p95: of(95)?,
            p99: of(99)?,
        })
    }
}

/// What happened in one step.
#[derive(Clone, Copy, Debug)]
pub struct ViewedPoint {
    /// Its beginning.
    pub at: OffsetDateTime,
    /// What happened.
    pub counts: SeriesCounts,
    /// How long answers took; none when there were none.
    pub latency: Option<Quantiles>,
    /// What was there at its end; none before anything was, and of one plugin.
    pub level: Option<Level>,
}

/// What happened in a range.
#[derive(Clone, Debug)]
pub struct SeriesView {
    /// Where the first point begins.
    pub from: OffsetDateTime,
    /// Where the last ends.
    pub to: OffsetDateTime,
    /// How long each is.
    pub step: SeriesStep,
    /// All of them, oldest first.
    pub points: Vec<ViewedPoint>,
    /// All of it together.
    pub total: SeriesCounts,
    /// How long answers took in all of it.
    pub latency: Option<Quantiles>,
}

/// Requests of a project in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Requests.
    pub requests: u64,
    /// Of those, answered with 500 or above.
    pub server_errors: u64,
}

/// The use of one project, a point for each step.
#[derive(Clone, Debug)]
pub struct SeriesOfProject {
    /// The project.
    pub project: ProjectId,
    /// Its points, oldest first.
    pub points: Vec<Use>,
}

impl App {
    /// What a project did, or all together; all its plugins, or one.
    ///
    /// # Errors
    /// `invalid_range`, `too_many_points`, `step_too_fine`; a 500 when the
    /// database cannot.
    pub async fn series(
        &self,
        project: Option<ProjectId>,
        plugin: Option<&PluginName>,
        asked: SeriesAsked,
    ) -> Result<SeriesView> {
        let (range, step) = range(asked, self.clock().now())?;
        let series = self.platform().series();
        let counted = series.read(project, plugin, range).await?;
        let levels = match plugin {
            None => series.levels(project, range).await?,
            Some(_) => Vec::new(),
        };
        Ok(view(range, step, &counted, &levels))
    }

    /// The use of some projects, and the range that the points lie in.
    ///
    /// # Errors
    /// `too_many_projects`, and as [`App::series`].
    pub async fn use_of_projects(
        &self,
        projects: &[ProjectId],
        asked: SeriesAsked,
    ) -> Result<(SeriesRange, SeriesStep, Vec<SeriesOfProject>)> {
        if projects.len() > MOST_PROJECTS {
            return Err(Error::bad_request(
                "too_many_projects",
                format!("name at most {MOST_PROJECTS} projects at once"),
            ));
        }
        let (range, step) = range(asked, self.clock().now())?;
        let mut by_project: HashMap<ProjectId, Vec<Use>> = HashMap::new();
        let length = usize::try_from(points(range, step)).unwrap_or_default();
        for point in self.platform().series().uses(projects, range).await? {
            let uses = by_project
                .entry(point.project)
                .or_insert_with(|| vec![Use::default(); length]);
            let place = (point.at - range.from).whole_seconds() / step.seconds();
            if let Ok(place) = usize::try_from(place)
                && let Some(there) = uses.get_mut(place)
            {
                *there = Use {
                    requests: point.requests,
                    server_errors: point.server_errors,
                };
            }
        }
        let of = |project: &ProjectId| SeriesOfProject {
            project: *project,
            points: by_project
                .remove(project)
                .unwrap_or_else(|| vec![Use::default(); length]),
        };
        Ok((range, step, projects.iter().map(of).collect()))
    }
}

fn points(range: SeriesRange, step: SeriesStep) -> i64 {
    (range.to - range.from).whole_seconds() / step.seconds()
}

/// The steps that cover what is asked for.
fn range(asked: SeriesAsked, now: OffsetDateTime) -> Result<(SeriesRange, SeriesStep)> {
    let to = asked.to.unwrap_or(now);
    let hour = time::Duration::HOUR;
    let invalid = || Error::bad_request("invalid_range", "`from` must lie before `to`");
    let from = match asked.from {
        Some(from) => from,
        None => to.checked_sub(hour).ok_or_else(invalid)?,
    };
    if from >= to {
        return Err(invalid());
    }
    let step = asked
        .step
        .unwrap_or_else(|| SeriesStep::usual(from, to, now));
    let first = from.unix_timestamp().div_euclid(step.seconds()) * step.seconds();
    let until = to.unix_timestamp() + i64::from(to.nanosecond() > 0);
    let last = (until + step.seconds() - 1).div_euclid(step.seconds()) * step.seconds();
    let wanted = (last - first) / step.seconds();
    if wanted > MOST_POINTS {
        return Err(Error::bad_request(
            "too_many_points",
            format!(
                "that are {wanted} points of a {}, and an answer has {MOST_POINTS} at most: \
                 ask for a longer `step` or a shorter time",
                step.as_str()
            ),
        ));
    }
    if !step.is_known(from, now) {
        let longer = match step {
            SeriesStep::Minute | SeriesStep::TenMinutes => "hour",
            SeriesStep::Hour | SeriesStep::Day => "day",
        };
        return Err(Error::bad_request(
            "step_too_fine",
            format!(
                "points of `{}` are kept for {} hours: ask for `step={longer}`, or for a later `from`",
                step.as_str(),
                step.kept().as_secs() / 3_600
            ),
        ));
    }
    let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| invalid());
    let range = SeriesRange {
        from: at(first)?,
        to: at(last)?,
        step: step.length(),
    };
    Ok((range, step))
}

fn view(
    range: SeriesRange,
    step: SeriesStep,
    counted: &[SeriesPoint],
    levels: &[Level],
) -> SeriesView {
    let mut counted = counted.iter().peekable();
    let mut levels = levels.iter().peekable();
    let (mut total, mut level) = (SeriesCounts::default(), None);
    let mut viewed = Vec::new();
    let mut at = range.from;
    while at < range.to {
        let end = at + step.length();
        let mut counts = SeriesCounts::default();
        while let Some(point) = counted.next_if(|point| point.at < end) {
            counts.add(&point.counts);
        }
        while let Some(next) = levels.next_if(|level| level.at < end) {
            level = Some(*next);
        }
        total.add(&counts);
        viewed.push(ViewedPoint {
            at,
            counts,
            latency: Quantiles::of(&counts),
            level,
        });
        at = end;
    }
    SeriesView {
        from: range.from,
        to: range.to,
        step,
        points: viewed,
        latency: Quantiles::of(&total),
        total,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

    fn asked(hours: i64, step: Option<SeriesStep>) -> SeriesAsked {
        SeriesAsked {
            from: Some(NOW - time::Duration::hours(hours)),
            to: None,
            step,
        }
    }

    #[test]
    fn steps_are_aligned_and_cover_what_is_asked_for() {
        let (range, step) = range(SeriesAsked::default(), NOW).unwrap();
        assert_eq!(step, SeriesStep::Minute);
        assert_eq!(range.from, datetime!(2026-01-02 02:04 UTC));
        assert_eq!(range.to, datetime!(2026-01-02 03:05 UTC));
        assert_eq!(points(range, step), 61);
    }

    #[test]
    fn the_usual_step_grows_with_the_range() {
        let usual = |hours| range(asked(hours, None), NOW).unwrap().1;
        assert_eq!(usual(1), SeriesStep::Minute);
        assert_eq!(usual(24), SeriesStep::TenMinutes);
        assert_eq!(usual(7 * 24), SeriesStep::Hour);
        assert_eq!(usual(30 * 24), SeriesStep::Day);
        assert_eq!(usual(399 * 24), SeriesStep::Day);
    }

    #[test]
    fn too_many_points_and_too_fine_ones_are_refused_with_a_way_out() {
        let refused = |hours, step| range(asked(hours, Some(step)), NOW).unwrap_err();
        assert_eq!(
            refused(26 * 24, SeriesStep::Minute).code(),
            "too_many_points"
        );
        let fine = SeriesAsked {
            from: Some(NOW - time::Duration::hours(50)),
            to: Some(NOW - time::Duration::hours(49)),
            step: Some(SeriesStep::Minute),
        };
        let error = range(fine, NOW).unwrap_err();
        assert_eq!(error.code(), "step_too_fine");
        assert!(error.message().contains("step=hour"), "{error}");
        assert_eq!(refused(40 * 24, SeriesStep::Hour).code(), "step_too_fine");
        assert_eq!(refused(0, SeriesStep::Hour).code(), "invalid_range");
        assert!(range(asked(24, Some(SeriesStep::Minute)), NOW).is_ok());
    }

    #[test]
    fn no_point_is_left_out_and_levels_hold_until_the_next() {
        let (range, step) = range(SeriesAsked::default(), NOW).unwrap();
        let mut counts = SeriesCounts {
            requests: 3,
            ..SeriesCounts::default()
        };
        counts.latency[4] = 3;
        let level = |at, storage_bytes| Level {
            at,
            storage_bytes,
            jobs_waiting: 0,
        };
        let view = view(
            range,
            step,
            &[SeriesPoint {
                at: datetime!(2026-01-02 02:30 UTC),
                counts,
            }],
            &[
                level(datetime!(2026-01-01 00:00 UTC), 5),
                level(datetime!(2026-01-02 02:30:59 UTC), 7),
            ],
        );
        assert_eq!(view.points.len(), 61);
        assert_eq!(view.total.requests, 3);
        let bytes = |place: usize| view.points[place].level.unwrap().storage_bytes;
        assert_eq!((bytes(0), bytes(25), bytes(26), bytes(60)), (5, 5, 7, 7));
        assert!(view.points[25].latency.is_none());
        assert_eq!(view.points[26].counts.requests, 3);
        assert_eq!(view.points[26].latency, view.latency);
    }
}
