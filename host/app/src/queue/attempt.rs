//! One try at an item: finds the plugin, hands it over, says what came of it.

use super::{
    actions::{PlatformActions, PlatformTask},
    backoff::{FIRST, wait_after},
    endings::Endings,
    publish::subscribed,
};
use crate::{
    directory::{Directory, InstalledPlugin},
    logs::PluginLog,
    mail::KeptMails,
    series::Traffic,
};
use atlashub_core::{
    Caller, Error, ErrorKind, EventId, Grant, PluginName, RequestId, Result,
    capability::{
        PluginScope,
        events::{DeliveredEvent, EventRefusal},
        jobs::{DeliveredJob, JobLease, JobTerms, PlatformJob, to_ms},
        log::{Level, LogLine, LogSink as _, Source},
    },
};
use atlashub_data::platform::{ItemKind, Outcome, Platform, QueueItem, WorkFailure};
use atlashub_runtime::RequestContext;
use std::{sync::Arc, time::Duration};

/// How long an item waits for a plugin that is off. It is readied at once
/// when that is switched on.
const HELD: Duration = Duration::from_secs(60);
/// How long an item waits for what should be there in a moment.
const MOMENT: Duration = Duration::from_secs(2);
/// Longest message of a failure that is kept, characters.
const MESSAGE_CHARS: usize = 1_000;

/// What a try needs.
pub(super) struct Attempts {
    pub(super) platform: Platform,
    pub(super) directory: Arc<Directory>,
    pub(super) mails: KeptMails,
    pub(super) actions: Arc<PlatformActions>,
    pub(super) log: PluginLog,
    pub(super) traffic: Arc<Traffic>,
    pub(super) endings: Endings,
}

/// Whether nothing follows from it: the item was done, and none waits for its
/// end or for a time.
pub(super) fn is_done_alone(item: &QueueItem, outcome: &Outcome) -> bool {
    *outcome == Outcome::Done && item.ordering_key.is_none()
}

impl Attempts {
    /// Notes what came of an item. When that cannot be noted, the lease runs
    /// out, and it is tried again.
    pub(super) async fn note(&self, item: &QueueItem, outcome: Outcome) {
        let result = match &outcome {
            Outcome::Done => "done",
            Outcome::Retry { .. } => "retry",
            Outcome::Dead(_) => "dead",
            Outcome::HandedBack | Outcome::Postponed(_) => "postponed",
        };
        metrics::counter!("atlashub_queue_attempts_total", "result" => result).increment(1);
        let given_up = match &outcome {
            Outcome::Dead(failure) => Some(failure.clone()),
            _ => None,
        };
        let is_done = outcome == Outcome::Done;
        let noted = if is_done_alone(item, &outcome) {
            self.endings.done(&self.platform, item.lease()).await
        } else {
            self.platform.queue().finish(item.lease(), outcome).await
        };
        match noted {
            Ok(true) => {
                if is_done || given_up.is_some() {
                    self.traffic.worked(item.project, &item.consumer, is_done);
                }
                if let Some(failure) = given_up {
                    self.tell_of(item, &failure);
                }
            }
            Ok(false) => {
                tracing::info!(item = %item.id, "what came of work was not taken: the lease had ended");
            }
            Err(error) => {
                tracing::warn!(%error, item = %item.id, "what came of work was not noted");
            }
        }
    }

    /// Work was given up: said in the log of the plugin that it was for, where
    /// admins look, and in the host's.
    fn tell_of(&self, item: &QueueItem, failure: &WorkFailure) {
        let (name, attempt) = (&item.name, item.attempt);
        tracing::warn!(
            item = %item.id, project = %item.project, plugin = %item.consumer, name, attempt,
            code = failure.code, "work was given up"
        );
        let message = format!(
            "gave up {name} ({}) at attempt {attempt}: {}: {}",
            item.id, failure.code, failure.message
        );
        self.log.write(LogLine {
            scope: PluginScope {
                project: item.project,
                plugin: item.consumer.clone(),
            },
            at: self.platform.now(),
            level: Level::Error,
            source: Source::Host,
            request: item.request,
            message: message
                .chars()
                .take(MESSAGE_CHARS)
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect(),
        });
    }

    /// Tries an item: what came of it, which is still to be noted.
    pub(super) async fn outcome(&self, item: &QueueItem) -> Outcome {
        match &item.kind {
            ItemKind::Event => self.deliver(item).await,
            ItemKind::Mail => match self.mails.send(item).await {
                Ok(outcome) => outcome,
                Err(why) => self.failed(item, why),
            },
            ItemKind::Job => self.work(item).await,
            ItemKind::Platform => self.act(item).await,
            // A newer node knows what to do with it.
            ItemKind::Other(_) => self.later(HELD),
        }
    }

    async fn deliver(&self, item: &QueueItem) -> Outcome {
        let Some(source) = &item.source else {
            return self.later(HELD);
        };
        let takes =
            |installed: &InstalledPlugin| subscribed(installed, source, &item.name).is_some();
        let installed = match self.consumer(item, takes).await {
            Ok(installed) => installed,
            Err(error) => return self.waits(item, &error).await,
        };
        let Some(installed) = installed else {
            return self.hold(item, HELD).await;
        };
        if !takes(&installed) {
            return Outcome::Dead(WorkFailure {
                code: "not_subscribed".to_owned(),
                message: "the plugin no longer subscribes to the event".to_owned(),
            });
        }
        self.hand_over(item, source, &installed).await
    }

    /// Has the plugin do its job.
    async fn work(&self, item: &QueueItem) -> Outcome {
        let does = |installed: &InstalledPlugin| {
            let state = &installed.installation.state;
            let declared = installed.revision.manifest.job(&item.name).is_some();
            state.enabled && state.grants.contains(&Grant::Jobs) && declared
        };
        let installed = match self.consumer(item, does).await {
            Ok(Some(installed)) => installed,
            Ok(None) => return self.hold(item, HELD).await,
            Err(error) => return self.waits(item, &error).await,
        };
        if !does(&installed) {
            return Outcome::Dead(WorkFailure {
                code: "job_not_declared".to_owned(),
                message: "the plugin no longer has the job, or was not granted `jobs`".to_owned(),
            });
        }
        let live = match installed.live() {
            Ok(live) => live,
            Err(error) => return self.waits(item, &error).await,
        };
        let tick = item.job.as_ref().and_then(|job| job.tick.as_ref());
        let job = DeliveredJob {
            id: item.id,
            name: item.name.clone(),
            payload: item.payload.clone(),
            attempt: item.attempt,
            max_attempts: item.max_attempts,
            schedule: tick.map(|tick| tick.schedule.clone()),
            scheduled_at: tick.map(|tick| tick.due_at),
            idempotency_key: match tick {
                Some(tick) => format!("{}/{}", item.subject, to_ms(tick.due_at)),
                None => item.id.to_string(),
            },
            timeout: item
                .job
                .as_ref()
                .map_or(JobTerms::PLATFORM.timeout, |job| job.timeout),
        };
        let context = RequestContext {
            hops: item.hops,
            job: Some(JobLease {
                item: item.id,
                fence: item.fence,
            }),
            ..RequestContext::new(RequestId::new(), Caller::Scheduler)
        };
        let answer = live.work(job, context).await;
        self.answered(item, answer).await
    }

    /// Does a job of the platform's.
    async fn act(&self, item: &QueueItem) -> Outcome {
        let may = |installed: &InstalledPlugin| {
            let state = &installed.installation.state;
            state.enabled && state.grants.contains(&Grant::PlatformJobs)
        };
        match self.consumer(item, may).await {
            Ok(Some(installed)) if may(&installed) => {}
            Ok(Some(_)) => {
                return Outcome::Dead(WorkFailure {
                    code: "not_granted".to_owned(),
                    message: "the plugin was not granted `jobs:platform`".to_owned(),
                });
            }
            Ok(None) => return self.hold(item, HELD).await,
            Err(error) => return self.waits(item, &error).await,
        }
        let job = item.name.parse::<PlatformJob>();
        let action = match job.and_then(|job| self.actions.get(job)) {
            Ok(action) => action,
            Err(error) => return Outcome::Dead(failure(&error)),
        };
        let Some(_place) = self.actions.place() else {
            return self.later(MOMENT);
        };
        let task = PlatformTask {
            project: item.project,
            plugin: item.consumer.clone(),
            payload: item.payload.clone(),
            attempt: item.attempt,
            max_attempts: item.max_attempts,
            platform: self.platform.clone(),
            lease: item.lease(),
        };
        let timeout = item.job.as_ref().map(|job| job.timeout);
        let timeout = timeout.unwrap_or(JobTerms::PLATFORM.timeout);
        match tokio::time::timeout(timeout, action.run(&task)).await {
            Ok(Ok(())) => Outcome::Done,
            Ok(Err(error)) if error.kind().is_server_fault() => {
                tracing::warn!(%error, item = %item.id, "a job of the platform failed");
                self.failed(item, failure(&error))
            }
            Ok(Err(error)) => Outcome::Dead(failure(&error)),
            Err(_) => {
                let why = WorkFailure {
                    code: "deadline_exceeded".to_owned(),
                    message: format!("it was not done within {} ms", timeout.as_millis()),
                };
                self.failed(item, why)
            }
        }
    }

    /// The plugin that an item is for, if it is enabled. Before it is taken
    /// as off, or as one that does not take it any more, the database is
    /// asked: this node may not know yet what another one changed.
    async fn consumer(
        &self,
        item: &QueueItem,
        takes: impl Fn(&InstalledPlugin) -> bool,
    ) -> Result<Option<Arc<InstalledPlugin>>> {
        if self.directory.by_id(item.project).is_none() {
            self.directory.refresh(item.project).await?;
        }
        let Some(entry) = self.directory.by_id(item.project) else {
            return Ok(None);
        };
        let routes = self.directory.routes(&entry).await?;
        if let Some(installed) = routes.plugin(&item.consumer)
            && takes(installed)
        {
            return Ok(Some(Arc::clone(installed)));
        }
        let routes = self.directory.bring_up(&entry, None).await?;
        let installed = routes.plugin(&item.consumer).cloned();
        Ok(installed.filter(|installed| installed.installation.state.enabled))
    }

    async fn hand_over(
        &self,
        item: &QueueItem,
        source: &PluginName,
        installed: &InstalledPlugin,
    ) -> Outcome {
        let live = match installed.live() {
            Ok(live) => live,
            Err(error) => return self.waits(item, &error).await,
        };
        let event = DeliveredEvent {
            id: EventId::from_uuid(item.subject),
            name: item.name.clone(),
            source: source.clone(),
            payload: item.payload.clone(),
            key: item.ordering_key.clone(),
            published_at: item.created_at,
            attempt: item.attempt,
            max_attempts: item.max_attempts,
        };
        let context = RequestContext {
            hops: item.hops,
            ..RequestContext::new(RequestId::new(), Caller::Plugin(source.clone()))
        };
        let answer = live.deliver(event, context).await;
        self.answered(item, answer).await
    }

    /// What follows from what a plugin answered, or why it could not.
    async fn answered(
        &self,
        item: &QueueItem,
        answer: Result<std::result::Result<(), EventRefusal>>,
    ) -> Outcome {
        match answer {
            Ok(Ok(())) => Outcome::Done,
            Ok(Err(refusal)) => self.refused(item, refusal),
            Err(error) if error.kind() == ErrorKind::Unavailable => self.waits(item, &error).await,
            Err(error) if error.kind() == ErrorKind::Invalid => Outcome::Dead(failure(&error)),
            Err(error) => self.failed(item, failure(&error)),
        }
    }

    fn refused(&self, item: &QueueItem, refusal: EventRefusal) -> Outcome {
        let why = WorkFailure {
            code: refusal.code.chars().take(100).collect(),
            message: shortened(&refusal.message),
        };
        if refusal.retry {
            self.failed(item, why)
        } else {
            Outcome::Dead(why)
        }
    }

    /// It failed: again later, or no more.
    fn failed(&self, item: &QueueItem, failure: WorkFailure) -> Outcome {
        if item.attempt >= item.max_attempts {
            return Outcome::Dead(failure);
        }
        let first = item.job.as_ref().map_or(FIRST, |job| job.backoff);
        let wait = wait_after(first, item.attempt, fastrand::f64());
        Outcome::Retry {
            at: self.platform.now() + wait,
            failure,
        }
    }

    /// It was not asked: the plugin is cut off or has no place. All that is
    /// ready for it waits as long.
    async fn waits(&self, item: &QueueItem, error: &Error) -> Outcome {
        let wait = error
            .retry_after_seconds()
            .map_or(MOMENT, |seconds| Duration::from_secs(seconds.into()));
        if error.code() == "saturated" {
            return self.later(wait.min(MOMENT));
        }
        self.hold(item, wait).await
    }

    async fn hold(&self, item: &QueueItem, wait: Duration) -> Outcome {
        let until = self.platform.now() + wait;
        let queue = self.platform.queue();
        if let Err(error) = queue.hold(item.project, &item.consumer, until).await {
            tracing::warn!(%error, "work was not put off");
        }
        Outcome::Postponed(until)
    }

    fn later(&self, wait: Duration) -> Outcome {
        Outcome::Postponed(self.platform.now() + wait)
    }
}

fn failure(error: &Error) -> WorkFailure {
    WorkFailure {
        code: error.code().to_owned(),
        message: shortened(error.message()),
    }
}

fn shortened(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS).collect()
}
