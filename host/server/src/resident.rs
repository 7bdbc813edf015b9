//! What an idle server keeps resident of its own code.
//!
//! The kernel maps code in clusters around what runs, so that a server which
//! has started, compiled and migrated keeps tens of mebibytes of code mapped
//! that it does not run again. On a small machine that is much of what the
//! process is charged with, and mapped code is what the kernel takes back
//! last. Once a process that worked has come to rest, its mapped code is
//! handed back: the pages stay in the page cache while there is room, and
//! what runs next is mapped again by minor faults, some tens of microseconds
//! in all, without reading a disk.
//!
//! Only code is touched, never data, and only mappings of which the kernel
//! says that no page of theirs is the process's own. Linux only; elsewhere
//! nothing happens.

use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks at what the process works.
const LOOK: Duration = Duration::from_secs(10);
/// Less work than this in a look is rest.
const REST: Duration = Duration::from_millis(100);
/// So much work since the last time is worth handing back what it mapped.
const WORTH: Duration = Duration::from_millis(400);

/// Hands mapped code back each time the process has come to rest, until
/// `stop`.
pub(crate) async fn keep_small(stop: CancellationToken) {
    let mut rest = Rest::default();
    while stop
        .run_until_cancelled(tokio::time::sleep(LOOK))
        .await
        .is_some()
    {
        if processor_time().is_some_and(|now| rest.reached(now)) {
            hand_back();
        }
    }
}

/// Tells when a process that worked has come to rest.
#[derive(Default)]
struct Rest {
    /// Processor time at the last look.
    seen: Duration,
    /// Processor time when code was last handed back.
    handed: Duration,
}

impl Rest {
    /// Whether the process rests at `now`, in processor time, and has worked
    /// since the last time that this was so.
    fn reached(&mut self, now: Duration) -> bool {
        let rests = now.saturating_sub(self.seen) < REST;
        self.seen = now;
        let worked = now.saturating_sub(self.handed) >= WORTH;
        if rests && worked {
            self.handed = now;
        }
        rests && worked
    }
}

/// Processor time of all threads of this process, user and system.
#[cfg(target_os = "linux")]
fn processor_time() -> Option<Duration> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes one timespec, which lives until it returns.
    let code = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    (code == 0).then_some(())?;
    Some(Duration::new(
        u64::try_from(time.tv_sec).ok()?,
        u32::try_from(time.tv_nsec).ok()?,
    ))
}

#[cfg(not(target_os = "linux"))]
fn processor_time() -> Option<Duration> {
    None
}

/// Hands the mapped code of this program back to the kernel.
#[cfg(target_os = "linux")]
fn hand_back() {
    let Ok(program) = std::fs::read_link("/proc/self/exe") else {
        return;
    };
    let Some(program) = program.to_str() else {
        return;
    };
    let Ok(maps) = std::fs::read_to_string("/proc/self/smaps") else {
        return;
    };
    for (start, length) in code_of(program, &maps) {
        // SAFETY: the range is a mapping of this program's file that is
        // executable, cannot be written and has no page that differs from the
        // file: dropping its pages loses nothing, and whichever is needed is
        // mapped from the file again.
        unsafe {
            libc::madvise(
                std::ptr::with_exposed_provenance_mut(start),
                length,
                libc::MADV_DONTNEED,
            );
        }
    }
}

#[cfg(not(target_os = "linux"))]
const fn hand_back() {}

/// Start and length, in bytes, of those mappings in `maps`, in the format of
/// proc_pid_smaps(5), that hold code of the file `program` and nothing else.
#[cfg(any(target_os = "linux", test))]
fn code_of(program: &str, maps: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut last: Option<(usize, usize)> = None;
    for line in maps.lines() {
        if let Some(kibibytes) = line.strip_prefix("Anonymous:") {
            if kibibytes.trim() == "0 kB" {
                found.extend(last.take());
            }
        } else if let Some(mapping) = mapping(line) {
            last = (mapping.path == program && mapping.permissions == "r-xp")
                .then_some((mapping.start, mapping.length));
        }
    }
    found
}

/// The head of a mapping's paragraph.
#[cfg(any(target_os = "linux", test))]
struct Mapping<'a> {
    start: usize,
    length: usize,
    permissions: &'a str,
    path: &'a str,
}

/// `None` for the other lines of a paragraph.
#[cfg(any(target_os = "linux", test))]
fn mapping(line: &str) -> Option<Mapping<'_>> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    Some(Mapping {
        start,
        length: end.checked_sub(start)?,
        permissions: words.next()?,
        path: words.nth(3).unwrap_or_default().trim_start(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
55d000000000-55d000001000 r--p 00000000 08:01 11                         /opt/atlashub
Rss:                   4 kB
Anonymous:             0 kB
55d000001000-55d000003000 r-xp 00001000 08:01 11                         /opt/atlashub
Rss:                   8 kB
Anonymous:             0 kB
55d000003000-55d000004000 r-xp 00003000 08:01 11                         /opt/atlashub
Anonymous:             4 kB
55d000004000-55d000005000 rw-p 00004000 08:01 11                         /opt/atlashub
Anonymous:             0 kB
7f0000000000-7f0000001000 r-xp 00000000 08:01 12                         /lib/libc.so.6
Anonymous:             0 kB
7f0000002000-7f0000003000 rw-p 00000000 00:00 0 
Anonymous:             4 kB
";

    #[test]
    fn only_code_that_is_as_in_the_file_is_handed_back() {
        assert_eq!(code_of("/opt/atlashub", MAPS), [(0x55d0_0000_1000, 0x2000)]);
        assert!(code_of("/opt/other", MAPS).is_empty());
    }

    #[test]
    fn code_is_handed_back_once_for_each_time_of_work() {
        let mut rest = Rest::default();
        let at = Duration::from_millis;
        assert!(!rest.reached(at(3_000)), "the start itself is work");
        assert!(rest.reached(at(3_010)));
        assert!(!rest.reached(at(3_020)), "nothing was done since");
        assert!(!rest.reached(at(3_200)), "it works");
        assert!(!rest.reached(at(3_210)), "too little to be worth it");
        assert!(!rest.reached(at(3_500)));
        assert!(rest.reached(at(3_510)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_goes_on_after_its_code_was_handed_back() {
        assert!(processor_time().is_some());
        hand_back();
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("a process reads its own");
        let program = std::fs::read_link("/proc/self/exe").expect("a process knows its program");
        assert!(!code_of(program.to_str().expect("a plain path"), &maps).is_empty());
    }
}
