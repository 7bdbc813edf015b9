//! The road of a request: admission, an instance, the guest's call, the head,
//! the body.
//!
//! The guest is driven in the request's own task until the head of the
//! response is there. Most guests have returned by then, and their instance
//! goes back at once. One that is still at work goes on in a task of its own,
//! which ends with the body or at the deadline: a client that stops reading
//! cannot hold an instance beyond it.

use crate::{
    breaker::Pass,
    cpu::{Meter, wall_clock},
    heavy::Placed,
    instance::Instance,
    pace::Pace,
    places::unavailable,
    plugin::LivePlugin,
    runtime::{Inner, RequestContext},
    seat::Held,
};
use atlashub_core::{Error, ErrorKind, Isolation, Result};
use bytes::Bytes;
use futures::FutureExt as _;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::{Sleep, sleep},
};
use tokio_util::task::AbortOnDropHandle;
use wasmtime_wasi_http::{
    WasiBody, WasiHttpView as _,
    p2::bindings::http::types::{ErrorCode, Scheme},
};

type Head = Result<Response<WasiBody>, ErrorCode>;
type Finished = (Instance, wasmtime::Result<()>);
type Guest = Placed<Finished>;

/// A request in a plugin: its places and its share in the counters, for as
/// long as the guest is at work. A body that then streams by itself, from the
/// store to a slow client, holds no place.
pub(crate) struct Visit {
    plugin: Arc<LivePlugin>,
    pub(crate) context: RequestContext,
    _place: OwnedSemaphorePermit,
    _held: Arc<Held>,
    _pass: Pass,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.plugin.counters().end();
    }
}

impl LivePlugin {
    /// Hands `request` to the plugin and returns its answer once the head is
    /// there. Dropping the future, or the body, ends the guest.
    ///
    /// The request's URI has the path as the plugin shall see it; its
    /// authority comes from the URI or the `Host` header.
    ///
    /// # Errors
    /// `saturated` and `plugin_cut_off` (503, with a time to wait),
    /// `plugin_trapped` and `plugin_no_response` (502), `cpu_exceeded` and
    /// `deadline_exceeded` (504).
    pub async fn handle<B>(
        self: &Arc<Self>,
        request: Request<B>,
        context: RequestContext,
    ) -> Result<Response<GuestBody>>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<wasmtime_wasi_http::Error>,
    {
        let began = Instant::now();
        let (runtime, visit, instance) = self.enter(context).await?;
        let (sender, head) = oneshot::channel();
        let meter = instance.meter();
        let guest = start(instance, request, sender)?;
        let limit = Duration::from_millis(u64::from(self.limits().wall_ms));
        let mut guest = self.place(&runtime, guest, &meter, began);
        let deadline = wall_clock(Arc::clone(&meter), began, limit);
        let mut deadline = std::pin::pin!(deadline);

        let arrived = await_head(&mut guest, head, deadline.as_mut()).await;
        let counters = self.counters();
        match arrived {
            Arrived::Late => Err(self.timed_out(
                &visit.context,
                &meter,
                "deadline_exceeded",
                &format!("gave no answer within {} ms", limit.as_millis()),
            )),
            // A guest that gave no answer is in no state to be asked again.
            Arrived::Never(instance, outcome) => Err(match outcome {
                Ok(()) => self.no_response(&visit.context),
                Err(error) => self.fell(&visit.context, instance, &error, &meter),
            }),
            Arrived::Head(head, finished) => {
                let head = head.map_err(|code| self.guest_error(&visit.context, &code))?;
                let rest = match finished {
                    Some((instance, Ok(()))) => {
                        self.returned(instance);
                        Rest::Done
                    }
                    Some((instance, Err(error))) => {
                        return Err(self.fell(&visit.context, instance, &error, &meter));
                    }
                    None => Rest::spawn(guest, visit, meter, began, limit),
                };
                counters.head(began.elapsed(), head.status().as_u16());
                Ok(head.map(|body| GuestBody { body, rest }))
            }
        }
    }

    /// Lets a call in: its places, and an instance that is ready for it.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        context: RequestContext,
    ) -> Result<(Arc<Inner>, Visit, Instance)> {
        let runtime = self
            .runtime
            .upgrade()
            .ok_or_else(|| unavailable("shutting_down", "the server is shutting down"))?;
        let visit = self.admit(&runtime, context).await?;
        let mut instance = match self.idle_instance() {
            Some(instance) => instance,
            None => Instance::new(&runtime, self, &visit.context).await?,
        };
        instance.begin(visit.context.clone());
        Ok((runtime, visit, instance))
    }

    /// Takes back an instance whose guest has returned as it should.
    pub(crate) fn returned(&self, instance: Instance) {
        self.give_back(instance);
        self.breaker.success();
    }

    /// Ends an instance whose guest has failed, and says how.
    pub(crate) fn fell(
        &self,
        context: &RequestContext,
        mut instance: Instance,
        error: &wasmtime::Error,
        meter: &Meter,
    ) -> Error {
        let refused = instance.store.data_mut().limiter.take_refused();
        instance.discard();
        self.fault(context, error, meter, refused)
    }

    /// Waits for a place in the plugin, in the project and in the host; who
    /// waits for one of the narrower holds none of the wider. A call of another
    /// plugin needs one in the plugin only: it rides on its caller's others.
    async fn admit(
        self: &Arc<Self>,
        runtime: &Inner,
        mut context: RequestContext,
    ) -> Result<Visit> {
        let counters = self.counters();
        let admitted = async {
            let pass = self.breaker.enter()?;
            let place = self.places.take().await?;
            let own = async {
                let share = self.project_places.take().await?;
                Ok((share, runtime.running.take().await?))
            };
            Ok((place, context.seat.take(own).await?, pass))
        };
        match admitted.await {
            Ok((place, held, pass)) => {
                counters.begin();
                context.seat = held.seat();
                Ok(Visit {
                    plugin: Arc::clone(self),
                    context,
                    _place: place,
                    _held: held,
                    _pass: pass,
                })
            }
            Err(error) => {
                counters.refused();
                Err(error)
            }
        }
    }

    fn idle_instance(&self) -> Option<Instance> {
        match self.limits().isolation {
            Isolation::Reuse => self.take_idle(),
            Isolation::Request => None,
        }
    }

    fn guest_error(&self, context: &RequestContext, code: &ErrorCode) -> Error {
        self.counters().error();
        self.shared().output.host(
            atlashub_core::capability::log::Level::Error,
            context,
            &format!("answered with the error {code:?}"),
        );
        Error::new(
            ErrorKind::PluginFault,
            "plugin_error",
            "the plugin answered with an error",
        )
    }
}

/// Begins the call. The future owns the instance and gives it back.
fn start<B>(
    mut instance: Instance,
    request: Request<B>,
    sender: oneshot::Sender<Head>,
) -> Result<impl Future<Output = Finished> + Send + use<B>>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<wasmtime_wasi_http::Error>,
{
    let failed =
        |error: wasmtime::Error| Error::internal("hand a request to a plugin", error.to_string());
    let scheme = match request.uri().scheme_str() {
        Some("https") => Scheme::Https,
        _ => Scheme::Http,
    };
    let mut http = instance.store.data_mut().http();
    let request = http.new_incoming_request(scheme, request).map_err(failed)?;
    let response = http.new_response_outparam(sender).map_err(failed)?;
    Ok(async move {
        let outcome = instance
            .proxy
            .wasi_http_incoming_handler()
            .call_handle(&mut instance.store, request, response)
            .await;
        (instance, outcome)
    })
}

/// What came of waiting for the head.
enum Arrived {
    /// The head, and the guest's end if it has ended.
    Head(Head, Option<Finished>),
    /// The guest has ended without a head.
    Never(Instance, wasmtime::Result<()>),
    /// The deadline passed.
    Late,
}

async fn await_head(
    guest: &mut Guest,
    mut head: oneshot::Receiver<Head>,
    mut deadline: Pin<&mut impl Future<Output = ()>>,
) -> Arrived {
    poll_fn(move |context| {
        if let Poll::Ready((instance, outcome)) = guest.poll_unpin(context) {
            // Not polled: a poll may be told to give way and miss what is there.
            return Poll::Ready(match head.try_recv() {
                Ok(head) => Arrived::Head(head, Some((instance, outcome))),
                Err(_) => Arrived::Never(instance, outcome),
            });
        }
        if !head.is_terminated()
            && let Poll::Ready(Ok(head)) = head.poll_unpin(context)
        {
            return Poll::Ready(Arrived::Head(head, None));
        }
        deadline.as_mut().poll(context).map(|()| Arrived::Late)
    })
    .await
}

/// What is left of the guest after the head.
enum Rest {
    /// Nothing: it has returned, and what it wrote waits in the body.
    Done,
    /// It is still at work, in a task that ends with this.
    Running(Running),
}

/// A guest that is still writing.
struct Running {
    outcome: oneshot::Receiver<bool>,
    pace: Arc<Pace>,
    /// Over when more may be taken.
    pause: Option<Pin<Box<Sleep>>>,
    _task: AbortOnDropHandle<()>,
}

impl Running {
    /// Waits until the next part of the body may be taken.
    fn poll_pause(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        Poll::Ready(())
    }

    fn took(&mut self, bytes: usize) {
        let pause = self.pace.wrote(bytes, Instant::now());
        if !pause.is_zero() {
            self.pause = Some(Box::pin(sleep(pause)));
        }
    }
}

impl Rest {
    fn spawn(
        guest: Guest,
        visit: Visit,
        meter: Arc<Meter>,
        began: Instant,
        limit: Duration,
    ) -> Self {
        let (sender, outcome) = oneshot::channel();
        let pace = Arc::clone(&visit.plugin.pace);
        let task = tokio::spawn(async move {
            let (plugin, context) = (&visit.plugin, &visit.context);
            let deadline = wall_clock(Arc::clone(&meter), began, limit);
            let well = tokio::select! {
                (instance, outcome) = guest => match outcome {
                    Ok(()) => {
                        plugin.returned(instance);
                        true
                    }
                    Err(error) => {
                        let _ = plugin.fell(context, instance, &error, &meter);
                        false
                    }
                },
                () = deadline => {
                    let why = format!("did not finish its answer within {} ms", limit.as_millis());
                    let _ = plugin.timed_out(context, &meter, "deadline_exceeded", &why);
                    false
                }
            };
            let _ = sender.send(well);
        });
        Self::Running(Running {
            outcome,
            pace,
            pause: None,
            _task: AbortOnDropHandle::new(task),
        })
    }
}

/// The body of a plugin's answer. It ends in an error when the guest fails
/// before it has written all of it.
pub struct GuestBody {
    body: WasiBody,
    rest: Rest,
}

impl Body for GuestBody {
    type Data = Bytes;
    type Error = wasmtime_wasi_http::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Rest::Running(running) = &mut this.rest {
            ready!(running.poll_pause(context));
        }
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(None) => {}
            Poll::Pending => {
                // A body that the host goes on with may last for hours: what
                // belonged to the guest is given up as soon as that has ended.
                let Rest::Running(running) = &mut this.rest else {
                    return Poll::Pending;
                };
                let ended_well = ready!(running.outcome.poll_unpin(context));
                this.rest = Rest::Done;
                return match ended_well {
                    Ok(true) => Poll::Pending,
                    _ => Poll::Ready(Some(Err(wasmtime_wasi_http::Error::HttpResponseIncomplete))),
                };
            }
            other => {
                if let (Poll::Ready(Some(Ok(frame))), Rest::Running(running)) =
                    (&other, &mut this.rest)
                {
                    running.took(frame.data_ref().map_or(0, Bytes::len));
                }
                return other;
            }
        }
        // Whether this is the whole body only the guest's end tells.
        match &mut this.rest {
            Rest::Done => Poll::Ready(None),
            Rest::Running(running) => running.outcome.poll_unpin(context).map(|outcome| {
                this.rest = Rest::Done;
                match outcome {
                    Ok(true) => None,
                    _ => Some(Err(wasmtime_wasi_http::Error::HttpResponseIncomplete)),
                }
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.rest, Rest::Done) && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
