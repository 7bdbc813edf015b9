//! How slowly an upload may come. Counts only; whoever takes the bytes in
//! tells how long the client was waited for and what came.

use crate::{Error, ErrorKind, Result};
use std::time::Duration;

/// Longest silence in a transfer.
pub const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// The slowest that an upload may come: its time does not count as the
/// plugin's, so that a client that dribbles would hold a place without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadPace {
    /// Bytes a second, over each `window`; 0 lets it come as it likes.
    pub bytes_per_second: u64,
    /// The time over which they are counted, only while the client is waited
    /// for.
    pub window: Duration,
}

impl Default for UploadPace {
    fn default() -> Self {
        Self {
            bytes_per_second: 1024,
            window: LONGEST_SILENCE,
        }
    }
}

/// Watches how fast an upload comes: so many bytes in each window of waiting
/// for its client. What storage takes of the time does not count.
#[derive(Debug)]
pub struct UploadWatch {
    pace: UploadPace,
    waited: Duration,
    came: u64,
    silence: Duration,
}

impl UploadWatch {
    /// Begins to watch.
    #[must_use]
    pub fn new(pace: UploadPace) -> Self {
        Self {
            pace,
            waited: Duration::ZERO,
            came: 0,
            silence: Duration::ZERO,
        }
    }

    /// How long the client may be waited for before the next look.
    #[must_use]
    pub fn patience(&self) -> Duration {
        let silence = LONGEST_SILENCE.saturating_sub(self.silence);
        match self.pace.bytes_per_second {
            0 => silence,
            _ => silence.min(self.pace.window.saturating_sub(self.waited)),
        }
    }

    /// Counts a wait, and how many bytes came of it.
    ///
    /// # Errors
    /// `upload_interrupted` when it comes too slowly, or nothing does.
    pub fn count(&mut self, waited: Duration, bytes: usize) -> Result<()> {
        self.silence = if bytes == 0 {
            self.silence.saturating_add(waited)
        } else {
            Duration::ZERO
        };
        if self.silence >= LONGEST_SILENCE {
            return Err(silent());
        }
        self.waited = self.waited.saturating_add(waited);
        self.came = self.came.saturating_add(bytes as u64);
        if self.waited < self.pace.window {
            return Ok(());
        }
        let wanted = self
            .pace
            .bytes_per_second
            .saturating_mul(self.pace.window.as_secs());
        if self.came < wanted {
            let least = self.pace.bytes_per_second;
            return Err(interrupted(&format!(
                "it came at less than {least} bytes a second"
            )));
        }
        self.waited = Duration::ZERO;
        self.came = 0;
        Ok(())
    }
}

/// The error of an upload whose client went away or fell silent.
#[must_use]
pub fn interrupted(why: &str) -> Error {
    Error::new(
        ErrorKind::BadRequest,
        "upload_interrupted",
        format!("the upload was interrupted: {why}"),
    )
}

/// The error of an upload of which nothing comes any more.
#[must_use]
pub fn silent() -> Error {
    interrupted("nothing came for a minute")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: UploadPace = UploadPace {
        bytes_per_second: 10,
        window: Duration::from_secs(60),
    };

    #[test]
    fn an_upload_that_dribbles_is_ended_after_its_window() {
        let mut watch = UploadWatch::new(MINUTE);
        for _ in 0..59 {
            watch.count(Duration::from_secs(1), 9).unwrap();
        }
        let error = watch.count(Duration::from_secs(1), 9).unwrap_err();
        assert_eq!(error.code(), "upload_interrupted");
    }

    #[test]
    fn a_slow_line_passes_and_each_window_counts_by_itself() {
        let mut watch = UploadWatch::new(MINUTE);
        for _ in 0..180 {
            watch.count(Duration::from_secs(1), 10).unwrap();
        }
        // What came fast before is no credit for what dribbles now.
        watch.count(Duration::ZERO, 1_000_000).unwrap();
        watch.count(Duration::from_secs(60), 1).unwrap();
        assert!(watch.count(Duration::from_secs(60), 599).is_err());
    }

    #[test]
    fn without_a_rate_only_silence_counts() {
        let mut watch = UploadWatch::new(UploadPace {
            bytes_per_second: 0,
            ..MINUTE
        });
        for _ in 0..10 {
            watch.count(Duration::from_secs(50), 1).unwrap();
        }
        assert_eq!(watch.patience(), LONGEST_SILENCE);
        watch.count(Duration::from_secs(50), 0).unwrap();
        assert_eq!(watch.patience(), Duration::from_secs(10));
        let error = watch.count(Duration::from_secs(10), 0).unwrap_err();
        assert!(error.message().contains("nothing came"), "{error}");
    }
}
