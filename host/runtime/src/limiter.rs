//! Memory of one store: the sum over all its memories and tables, bounded
//! together. Growth past the bound fails the guest's call, it does not trap.

use wasmtime::ResourceLimiter;

/// Most instances in a store.
const MAX_INSTANCES: usize = 32;
/// Most tables in a store.
const MAX_TABLES: usize = 32;
/// Most memories in a store.
const MAX_MEMORIES: usize = 8;
/// What a table's element counts for, bytes.
const ELEMENT_BYTES: usize = 16;

#[derive(Debug)]
pub(crate) struct Limiter {
    limit: usize,
    used: usize,
    refused: bool,
}

impl Limiter {
    pub(crate) fn new(limit_mib: u32) -> Self {
        Self {
            limit: limit_mib as usize * 1024 * 1024,
            used: 0,
            refused: false,
        }
    }

    /// Bytes in use, over all memories and tables.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Whether growth was refused since the last call.
    pub(crate) fn take_refused(&mut self) -> bool {
        std::mem::take(&mut self.refused)
    }

    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.limit {
            self.refused = true;
            return false;
        }
        self.used = used;
        true
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(maximum.is_none_or(|maximum| desired <= maximum) && self.grow(current, desired))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let within = maximum.is_none_or(|maximum| desired <= maximum);
        Ok(within
            && self.grow(
                current.saturating_mul(ELEMENT_BYTES),
                desired.saturating_mul(ELEMENT_BYTES),
            ))
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_over_all_memories_is_bounded() {
        let mut limiter = Limiter::new(1);
        assert!(limiter.memory_growing(0, 600 * 1024, None).unwrap());
        assert!(!limiter.memory_growing(0, 600 * 1024, None).unwrap());
        assert!(limiter.take_refused());
        assert!(limiter.table_growing(0, 1000, None).unwrap());
        assert!(!limiter.table_growing(1000, 1_000_000, None).unwrap());
        assert_eq!(limiter.used(), 600 * 1024 + 16_000);
    }
}
