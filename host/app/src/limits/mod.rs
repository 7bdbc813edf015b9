//! How often something may be done. [`StrictLimits`] counts tries at signing
//! in and the like in the platform database, for all nodes together;
//! [`RequestLimits`] counts every request in memory, each node against its
//! share of the budget.

pub(crate) mod rate;
mod requests;
mod strict;

pub use requests::{Admission, CallerRates, RequestLimits, RouteClass};
pub(crate) use requests::{ProjectLimits, ProjectRate};
pub use strict::{Attempt, StrictLimits};
