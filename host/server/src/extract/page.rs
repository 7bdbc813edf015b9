//! Pages: `limit` and `cursor` in, `items` and `next_cursor` out.

use atlashub_core::{Error, Result};
use atlashub_data::platform::Page;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use utoipa::{IntoParams, ToSchema};

/// Items of a page unless asked otherwise.
const DEFAULT: u64 = 50;
/// Most items of a page.
const MOST: u64 = 1_000;

/// Which page of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// How many items, 1 to 1000; 50 unless given.
    pub(crate) limit: Option<u64>,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

impl PageQuery {
    /// How many items.
    pub(crate) fn limit(&self) -> u64 {
        self.limit.unwrap_or(DEFAULT).clamp(1, MOST)
    }

    /// Where the page starts.
    ///
    /// # Errors
    /// `invalid_cursor`.
    pub(crate) fn cursor<C: FromStr>(&self) -> Result<Option<C>> {
        self.cursor
            .as_deref()
            .filter(|text| !text.is_empty())
            .map(|text| {
                text.parse().map_err(|_| {
                    Error::bad_request(
                        "invalid_cursor",
                        "`cursor` must be the `next_cursor` of an earlier page",
                    )
                })
            })
            .transpose()
    }
}

/// A page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// What to pass as `cursor` for the next page; null at the end.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A list that is whole.
    pub(crate) fn whole(items: impl IntoIterator<Item = T>) -> Self {
        Self {
            items: items.into_iter().collect(),
            next_cursor: None,
        }
    }

    /// A page, its rows shown by `show`.
    pub(crate) fn of<R, C: ToString>(page: Page<R, C>, show: impl FnMut(R) -> T) -> Self {
        Self {
            items: page.items.into_iter().map(show).collect(),
            next_cursor: page.next.map(|next| next.to_string()),
        }
    }
}
