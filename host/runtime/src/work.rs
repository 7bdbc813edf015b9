//! The road of a job: the same admission, instances, limits and breaker as a
//! request's, and a call of the guest's handler under the job's own time.

use crate::{bindings::job::Job, cpu::wall_clock, plugin::LivePlugin, runtime::RequestContext};
use atlashub_core::{
    Error, ErrorKind, Result,
    capability::{
        events::EventRefusal,
        jobs::{DeliveredJob, to_ms},
    },
};
use std::{sync::Arc, time::Instant};

impl LivePlugin {
    /// Has the plugin do a job; what it answers is the inner result. Dropping
    /// the future ends the guest.
    ///
    /// # Errors
    /// `no_job_handler` when the plugin does none; `saturated` and
    /// `plugin_cut_off` (503, with a time to wait), when it was not asked;
    /// `plugin_trapped` (502), `cpu_exceeded` and `deadline_exceeded` (504).
    pub async fn work(
        self: &Arc<Self>,
        job: DeliveredJob,
        context: RequestContext,
    ) -> Result<std::result::Result<(), EventRefusal>> {
        if self.revision().job_handler.is_none() {
            return Err(no_handler());
        }
        let began = Instant::now();
        let limit = job.timeout;
        let (runtime, visit, mut instance) = self.enter(context).await?;
        let meter = instance.meter();
        let job = guest_job(job);
        let work = async move {
            let outcome = match &instance.job_handler {
                Some(exports) => {
                    let handler = exports.atlashub_jobs_handler();
                    handler.call_run(&mut instance.store, &job).await
                }
                None => Err(wasmtime::format_err!("the instance does no jobs")),
            };
            (instance, outcome)
        };
        let (instance, outcome) = tokio::select! {
            done = self.place(&runtime, work, &meter, began) => done,
            () = wall_clock(Arc::clone(&meter), began, limit) => {
                let why = format!("did not do a job within {} ms", limit.as_millis());
                return Err(self.timed_out(&visit.context, &meter, "deadline_exceeded", &why));
            }
        };
        match outcome {
            Ok(answer) => {
                self.returned(instance);
                Ok(answer.map_err(|error| EventRefusal {
                    code: error.code,
                    message: error.message,
                    retry: error.retry,
                }))
            }
            Err(error) => Err(self.fell(&visit.context, instance, &error, &meter)),
        }
    }
}

fn no_handler() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "no_job_handler",
        "the plugin does not export `atlashub:jobs/handler@0.1.0`",
    )
}

fn guest_job(job: DeliveredJob) -> Job {
    Job {
        id: job.id.to_string(),
        name: job.name,
        payload: job.payload,
        attempt: job.attempt,
        max_attempts: job.max_attempts,
        schedule: job.schedule,
        scheduled_ms: job.scheduled_at.map(to_ms),
        idempotency_key: job.idempotency_key,
    }
}
