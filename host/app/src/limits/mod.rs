//! How often something may be done. [`strict`] counts tries at signing in and
//! the like in the platform database, for all nodes together.

pub(crate) mod strict;

pub use strict::{Attempt, StrictLimits};
