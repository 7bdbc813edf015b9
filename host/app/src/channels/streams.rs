//! The streams of this node: who listens to what, counted and bounded.

use super::{State, encode, too_many};
use atlashub_core::{
    Caller, Error, ErrorKind, ProjectId, Result,
    capability::{PluginScope, channel::Holder},
};
use atlashub_data::platform::ChannelMessage;
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};
use tokio::sync::mpsc;

/// Most streams of a node.
const MOST: u32 = 50_000;
/// Messages that wait for a slow reader.
const BUFFER: usize = 64;

/// How many streams a node holds.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// Of a project.
    pub of_project: u32,
    /// Of a user, or of an address for callers that are nobody in particular.
    pub of_caller: u32,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            of_project: 20_000,
            of_caller: 32,
        }
    }
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its reader did not keep up.
    Slow,
    /// The caller, the plugin or the project is another.
    Changed,
    /// The caller's token has run out.
    Expired,
    /// The node ends.
    ShuttingDown,
}

/// Who listens to what.
#[derive(Clone, Debug)]
pub(super) struct Listener {
    pub(super) scope: PluginScope,
    pub(super) channel: String,
    pub(super) holder: Holder,
}

/// What a stream gets: messages with their numbers.
pub(super) type Numbered = (i64, Bytes);

/// One stream, as the node sees it. Dropping the sender ends it, once what
/// waits was read.
struct Open {
    listener: Listener,
    sender: mpsc::Sender<Numbered>,
    ending: Arc<OnceLock<Ending>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Channel {
    project: ProjectId,
    plugin: String,
    name: String,
}

/// Who is counted together.
type Counted = (ProjectId, String);

/// The streams of a node.
#[derive(Default)]
pub(super) struct Streams {
    channels: HashMap<Channel, HashMap<u64, Open>>,
    of_project: HashMap<ProjectId, u32>,
    of_holder: HashMap<Counted, u32>,
    count: u32,
    next: u64,
    closed: bool,
    limits: StreamLimits,
}

/// A stream's place among the others, given up when it is dropped.
pub(super) struct Place {
    state: Arc<Mutex<State>>,
    channel: Channel,
    counted: Option<Counted>,
    id: u64,
    pub(super) ending: Arc<OnceLock<Ending>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.state.lock().streams.remove(self);
    }
}

/// Takes a place for a stream.
///
/// # Errors
/// `too_many_streams`; `shutting_down`.
pub(super) fn register(
    state: &Arc<Mutex<State>>,
    listener: Listener,
) -> Result<(Place, mpsc::Receiver<Numbered>)> {
    let (sender, receiver) = mpsc::channel(BUFFER);
    let ending = Arc::new(OnceLock::new());
    let channel = Channel {
        project: listener.scope.project,
        plugin: listener.scope.plugin.to_string(),
        name: listener.channel.clone(),
    };
    let counted = counted(&listener);
    let open = Open {
        listener,
        sender,
        ending: Arc::clone(&ending),
    };
    let id = state
        .lock()
        .streams
        .add(channel.clone(), counted.clone(), open)?;
    let place = Place {
        state: Arc::clone(state),
        channel,
        counted,
        id,
        ending,
    };
    Ok((place, receiver))
}

/// With whom a listener is counted; servers, with a secret key, and admins
/// are with nobody.
fn counted(listener: &Listener) -> Option<Counted> {
    let Holder { caller, client, .. } = &listener.holder;
    let who = match caller {
        Caller::User(user) => user.id.to_string(),
        Caller::Key { kind, .. } if *kind == atlashub_core::KeyKind::Secret => return None,
        Caller::Admin { .. } | Caller::Scheduler | Caller::Plugin(_) => return None,
        Caller::Nobody | Caller::Key { .. } => {
            client.map_or_else(String::new, |client| client.to_string())
        }
    };
    Some((listener.scope.project, who))
}

impl Streams {
    pub(super) fn new(limits: StreamLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Takes no more.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    fn add(&mut self, channel: Channel, counted: Option<Counted>, open: Open) -> Result<u64> {
        if self.closed {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "shutting_down",
                "the server is shutting down",
            ));
        }
        let project = self.of_project.get(&channel.project).copied().unwrap_or(0);
        let holder = counted.as_ref().and_then(|who| self.of_holder.get(who));
        if self.count >= MOST {
            return Err(too_many("the server"));
        }
        if project >= self.limits.of_project {
            return Err(too_many("the project"));
        }
        if holder.is_some_and(|count| *count >= self.limits.of_caller) {
            return Err(too_many("the caller"));
        }
        self.count += 1;
        *self.of_project.entry(channel.project).or_insert(0) += 1;
        if let Some(who) = counted {
            *self.of_holder.entry(who).or_insert(0) += 1;
        }
        let id = self.next;
        self.next += 1;
        self.channels.entry(channel).or_default().insert(id, open);
        self.note();
        Ok(id)
    }

    fn remove(&mut self, place: &Place) {
        self.take_out(&place.channel, place.id);
        self.count = self.count.saturating_sub(1);
        lower(&mut self.of_project, &place.channel.project);
        if let Some(who) = &place.counted {
            lower(&mut self.of_holder, who);
        }
        self.note();
    }

    fn take_out(&mut self, channel: &Channel, id: u64) {
        if let Some(open) = self.channels.get_mut(channel) {
            open.remove(&id);
            if open.is_empty() {
                self.channels.remove(channel);
            }
        }
    }

    /// Hands a message to those who listen; cuts those who do not keep up.
    pub(super) fn hand_out(&mut self, message: &ChannelMessage) {
        let channel = Channel {
            project: message.project,
            plugin: message.plugin.clone(),
            name: message.channel.clone(),
        };
        let Some(open) = self.channels.get_mut(&channel) else {
            return;
        };
        let bytes = encode::message(message);
        open.retain(|_, stream| {
            let sent = stream.sender.try_send((message.seq, bytes.clone())).is_ok();
            if !sent {
                let _ = stream.ending.set(Ending::Slow);
                metrics::counter!("atlashub_streams_cut_total").increment(1);
            }
            sent
        });
        if open.is_empty() {
            self.channels.remove(&channel);
        }
    }

    /// Ends the streams of those listeners.
    pub(super) fn end(&mut self, why: Ending, whose: impl Fn(&Listener) -> bool) {
        self.channels.retain(|_, open| {
            open.retain(|_, stream| {
                let ends = whose(&stream.listener);
                if ends {
                    let _ = stream.ending.set(why);
                }
                !ends
            });
            !open.is_empty()
        });
    }

    fn note(&self) {
        metrics::gauge!("atlashub_streams_held").set(f64::from(self.count));
    }
}

fn lower<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}
