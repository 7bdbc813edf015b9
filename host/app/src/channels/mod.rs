//! Held connections: server-sent events that the host writes for plugins,
//! whose instances are gone by then.
//!
//! A message is a row of a short history, which every node follows; a hint
//! says when to look. The node hands it to those of its streams that listen.
//! Bounded are: the streams of a node, a project and a caller, what waits for
//! a slow reader, what a project publishes, and the history's age. A stream
//! ends with its caller's token, session, key or account, with the plugin and
//! the project, and with the node, which tells clients to come back soon.

mod budget;
mod encode;
mod follow;
mod held;
mod streams;

pub(crate) use follow::follow;
pub use streams::StreamLimits;

use crate::changes::{ChangeBatch, ChangeListener};
use async_trait::async_trait;
use atlashub_core::{
    Caller, Clock, Error, ErrorKind, PluginName, Result, UserId,
    capability::{
        PluginScope,
        channel::{Channels, HeldStream, Holder, NewMessage},
    },
};
use atlashub_data::platform::{ChangeKind, ChannelMessage, Platform};
use budget::PublishBudget;
use futures::StreamExt as _;
use held::Held;
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use streams::{Ending, Listener, Streams};
use tokio::sync::Notify;

/// How long messages are kept for clients that come back.
pub(crate) const HISTORY: Duration = Duration::from_secs(120);
/// Messages given to a client that comes back; with more, it is told that it
/// missed some.
const MOST_MISSED: u64 = 200;

/// The held connections of this node.
pub(crate) struct HeldChannels {
    platform: Platform,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
    budget: PublishBudget,
    wake: Notify,
}

/// The streams, and how far the history was read for them.
struct State {
    streams: Streams,
    /// The number of the message that was handed out last; none while nobody
    /// listens.
    seq: Option<i64>,
}

impl HeldChannels {
    pub(crate) fn new(
        platform: Platform,
        clock: Arc<dyn Clock>,
        limits: StreamLimits,
    ) -> Arc<Self> {
        Arc::new(Self {
            platform,
            clock,
            state: Arc::new(Mutex::new(State {
                streams: Streams::new(limits),
                seq: None,
            })),
            budget: PublishBudget::new(),
            wake: Notify::new(),
        })
    }

    /// Ends all streams, for the node ends: clients come back, to others.
    pub(crate) fn end_all(&self) {
        let mut state = self.state.lock();
        state.streams.close();
        state.streams.end(Ending::ShuttingDown, |_| true);
    }

    /// Hands messages to those who listen.
    fn hand_out(&self, messages: &[ChannelMessage]) {
        let mut state = self.state.lock();
        for message in messages {
            if state.seq.is_none_or(|seq| message.seq <= seq) {
                continue;
            }
            state.seq = Some(message.seq);
            state.streams.hand_out(message);
        }
    }

    /// The number after which to read, unless nobody listens.
    fn read_from(&self) -> Option<i64> {
        let mut state = self.state.lock();
        if state.streams.is_empty() {
            state.seq = None;
        }
        state.seq
    }
}

#[async_trait]
impl Channels for HeldChannels {
    async fn hold(
        &self,
        scope: &PluginScope,
        channel: &str,
        last_id: Option<&str>,
        holder: &Holder,
    ) -> Result<HeldStream> {
        let listener = Listener {
            scope: scope.clone(),
            channel: channel.to_owned(),
            holder: holder.clone(),
        };
        // Listens before the history is read: nothing falls between.
        let (place, receiver) = streams::register(&self.state, listener)?;
        let messages = self.platform.channel_messages();
        let latest = messages.latest_seq().await?;
        {
            let mut state = self.state.lock();
            if state.seq.is_none() {
                state.seq = Some(latest);
            }
        }
        let mut first = VecDeque::from([encode::opening()]);
        let after = last_id.and_then(|id| id.trim().parse::<i64>().ok());
        if let Some(after) = after.filter(|after| (0..latest).contains(after)) {
            let missed = messages
                .missed(scope, channel, after, latest, MOST_MISSED)
                .await?;
            if missed.lost {
                first.push_back(encode::missed());
            }
            first.extend(missed.messages.iter().map(encode::message));
        } else if last_id.is_some() && after != Some(latest) {
            first.push_back(encode::missed());
        }
        let until = holder.session.map(|session| session.until);
        let left = until
            .map(|until| Duration::try_from(until - self.clock.now()).unwrap_or(Duration::ZERO));
        Ok(Held::new(place, receiver, first, latest, left).boxed())
    }

    async fn publish(&self, scope: &PluginScope, message: NewMessage) -> Result<i64> {
        self.budget.take(scope.project, message.data.len())?;
        let seq = self
            .platform
            .channel_messages()
            .publish(scope, message)
            .await?;
        metrics::counter!("atlashub_channel_messages_total").increment(1);
        self.wake.notify_one();
        Ok(seq)
    }
}

/// A client whose stream was ended by a change that did not concern it after
/// all comes back at once, and is let in.
#[async_trait]
impl ChangeListener for HeldChannels {
    async fn take(&self, batch: &ChangeBatch) -> Result<()> {
        let mut state = self.state.lock();
        if batch.lost {
            state.streams.end(Ending::Changed, |_| true);
            return Ok(());
        }
        for change in &batch.changes {
            let subject = change.subject.as_deref();
            let concerns = |listener: &Listener| is_of(listener, &change.kind, subject);
            match change.project {
                Some(project) => state.streams.end(Ending::Changed, |listener| {
                    listener.scope.project == project && concerns(listener)
                }),
                None => state.streams.end(Ending::Changed, concerns),
            }
        }
        Ok(())
    }
}

/// Whether a change takes from a listener what it was let in for.
fn is_of(listener: &Listener, kind: &ChangeKind, subject: Option<&str>) -> bool {
    let holder = &listener.holder;
    match kind {
        ChangeKind::ProjectDeleted | ChangeKind::Other(_) => true,
        ChangeKind::InstallationChanged => {
            subject.and_then(|name| name.parse::<PluginName>().ok())
                == Some(listener.scope.plugin.clone())
        }
        ChangeKind::KeyRevoked => match (holder.key(), subject) {
            (Some(key), Some(subject)) => key.to_string() == subject,
            (key, _) => key.is_some(),
        },
        ChangeKind::UserChanged => match (&holder.caller, subject) {
            (Caller::User(user), Some(subject)) => {
                subject.parse().ok() == Some(UserId::from_uuid(user.id))
            }
            (caller, _) => matches!(caller, Caller::User(_)),
        },
        ChangeKind::UserSessionEnded => holder
            .session
            .is_some_and(|session| Some(session.id.to_string().as_str()) == subject),
        ChangeKind::RolesChanged | ChangeKind::AuthChanged => {
            matches!(holder.caller, Caller::User(_))
        }
        ChangeKind::AdminChanged | ChangeKind::SessionsRevoked => {
            matches!(holder.caller, Caller::Admin { .. })
        }
        _ => false,
    }
}

fn too_many(of: &str) -> Error {
    Error::new(
        ErrorKind::RateLimited,
        "too_many_streams",
        format!("{of} has too many open streams on this node"),
    )
    .with_retry_after(30)
}

#[cfg(test)]
mod tests {
    use super::*;
    use atlashub_core::{
        ProjectId, SystemClock, UserSessionId, capability::channel::CallerSession,
    };
    use atlashub_data::platform::{NewProject, PlatformOptions, ProjectSettings};
    use tokio_util::sync::CancellationToken;

    struct Hub {
        channels: Arc<HeldChannels>,
        scope: PluginScope,
        stop: CancellationToken,
        _folder: tempfile::TempDir,
    }

    async fn hub(limits: StreamLimits) -> Hub {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("platform.db").display());
        let platform = Platform::connect(&url.into(), PlatformOptions::default())
            .await
            .unwrap();
        platform.migrate().await.unwrap();
        let project = NewProject {
            id: ProjectId::new(),
            name: "Demo".into(),
            slug: "demo".parse().unwrap(),
            settings: ProjectSettings::default(),
            storage_limit_bytes: None,
        };
        let project = platform.projects().create(project).await.unwrap();
        let channels = HeldChannels::new(platform, Arc::new(SystemClock), limits);
        let stop = CancellationToken::new();
        tokio::spawn(follow(Arc::clone(&channels), stop.clone()));
        Hub {
            channels,
            scope: PluginScope {
                project: project.id,
                plugin: "p".parse().unwrap(),
            },
            stop,
            _folder: folder,
        }
    }

    fn nobody() -> Holder {
        Holder {
            caller: Caller::Nobody,
            session: None,
            client: Some([127, 0, 0, 1].into()),
        }
    }

    impl Hub {
        async fn hold(&self, holder: &Holder) -> HeldStream {
            let held = self.channels.hold(&self.scope, "c", None, holder);
            let mut stream = held.await.unwrap();
            assert_eq!(text(&mut stream).await, ": held\nretry: 2000\n\n");
            stream
        }

        async fn publish(&self, data: &str) {
            let message = NewMessage::new("c".into(), "e".into(), data.into()).unwrap();
            self.channels.publish(&self.scope, message).await.unwrap();
        }
    }

    async fn text(stream: &mut HeldStream) -> String {
        let bytes = stream.next().await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_reader_that_does_not_keep_up_is_cut_and_others_are_not() {
        let hub = hub(StreamLimits::default()).await;
        let mut slow = hub.hold(&nobody()).await;
        let mut quick = hub.hold(&nobody()).await;
        for n in 0..100 {
            let data = n.to_string();
            hub.publish(&data).await;
            assert!(text(&mut quick).await.contains(&format!("data: {data}\n")));
        }
        let mut got = Vec::new();
        while let Some(bytes) = slow.next().await {
            got.push(bytes);
        }
        assert!(got.len() < 100, "{} messages waited", got.len());
        let last = String::from_utf8(got.pop().unwrap().to_vec()).unwrap();
        assert!(last.ends_with("data: {\"reason\":\"slow\"}\n\n"), "{last}");
        hub.stop.cancel();
        assert!(text(&mut quick).await.contains("shutting_down"));
        assert!(quick.next().await.is_none());
        let late = hub.channels.hold(&hub.scope, "c", None, &nobody()).await;
        assert_eq!(late.err().unwrap().code(), "shutting_down");
    }

    #[tokio::test]
    async fn a_stream_ends_with_the_callers_token() {
        let hub = hub(StreamLimits::default()).await;
        let session = CallerSession {
            id: UserSessionId::new(),
            until: SystemClock.now() - Duration::from_secs(1),
        };
        let holder = Holder {
            session: Some(session),
            ..nobody()
        };
        let mut stream = hub.hold(&holder).await;
        assert!(text(&mut stream).await.contains("expired"));
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn streams_of_one_caller_are_counted_and_given_up() {
        let hub = hub(StreamLimits {
            of_project: 3,
            of_caller: 2,
        })
        .await;
        let (one, _two) = (hub.hold(&nobody()).await, hub.hold(&nobody()).await);
        let refused = |holder: Holder| {
            let (channels, scope) = (&hub.channels, &hub.scope);
            async move { channels.hold(scope, "c", None, &holder).await.err() }
        };
        let error = refused(nobody()).await.unwrap();
        assert_eq!(
            (error.code(), error.kind()),
            ("too_many_streams", ErrorKind::RateLimited)
        );
        let other = Holder {
            client: Some([127, 0, 0, 2].into()),
            ..nobody()
        };
        let _three = hub.hold(&other).await;
        assert!(
            refused(other.clone()).await.is_some(),
            "the project has three"
        );
        drop(one);
        let _again = hub.hold(&nobody()).await;
    }
}
