//! Pages of a list: at most [`MAX_LIMIT`] rows and the place where the next
//! page starts.

/// Most rows that one page holds.
pub const MAX_LIMIT: u64 = 1_000;

/// One page of a list. `C` is the id or number that the list is ordered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The rows, in the list's order.
    pub items: Vec<T>,
    /// What to pass as `after` for the next page; `None` at the end.
    pub next: Option<C>,
}

/// The number of rows to ask the database for: one more than the page holds,
/// which tells whether there is a next page.
pub(super) fn fetch_limit(limit: u64) -> u64 {
    limit.clamp(1, MAX_LIMIT) + 1
}

impl<T, C> Page<T, C> {
    /// Makes a page out of up to [`fetch_limit`] rows.
    pub(super) fn cut(mut items: Vec<T>, limit: u64, cursor: impl Fn(&T) -> C) -> Self {
        let size = usize::try_from(limit.clamp(1, MAX_LIMIT)).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_successor_only_when_there_is_one() {
        let page = Page::cut(vec![1, 2, 3], 2, |n| *n);
        assert_eq!((page.items, page.next), (vec![1, 2], Some(2)));
        let page = Page::cut(vec![1, 2], 2, |n| *n);
        assert_eq!((page.items, page.next), (vec![1, 2], None));
        assert_eq!(fetch_limit(0), 2);
        assert_eq!(fetch_limit(u64::MAX), MAX_LIMIT + 1);
    }
}
