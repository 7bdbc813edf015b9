//! The composition root: the opened parts, and the background tasks that the
//! use cases need. Ends its tasks when [`App::shutdown`] is called.

use atlashub_core::Clock;
use std::{fmt, sync::Arc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What an [`App`] is made of, opened by the server at start.
pub struct AppParts {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// All use cases of the host; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    parts: AppParts,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl App {
    /// Starts the background tasks over opened parts. Call within a runtime.
    #[must_use]
    pub fn start(parts: AppParts) -> Self {
        Self(Arc::new(Inner {
            parts,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }))
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.0.parts.clock.as_ref()
    }

    /// Ends the background tasks and waits for them.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}
