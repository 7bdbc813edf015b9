//! The backend of the `log` crate: lines go to the plugin's log. The host
//! caps and escapes them.

use crate::host;

struct HostLog;

static LOG: HostLog = HostLog;

impl log::Log for HostLog {
    fn enabled(&self, _metadata: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        host::log(record.level(), record.target(), &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Makes `log` write to the host. A logger that stands already stays.
pub(crate) fn install() {
    if log::set_logger(&LOG).is_ok() {
        log::set_max_level(log::LevelFilter::Debug);
    }
}
