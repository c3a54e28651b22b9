//! The requests that a `Query` sends.

use std::sync::Arc;

use futures_core::future::BoxFuture;

use super::page::{Page, Position};
use super::pager::Pager;
use crate::error::Result;
use crate::raw;

/// A request that a [`Query`](super::Query) sends. Only requests of the API implement it.
pub trait QueryRequest: Clone + Send + Sync + 'static {
    /// The path parameters.
    type PathParams: Clone + Send + Sync + 'static;
    /// What `.await` returns.
    type Output: Send + 'static;

    #[doc(hidden)]
    fn send(
        self,
        raw: Arc<raw::Client>,
        path_params: Self::PathParams,
        page_size: Option<usize>,
    ) -> BoxFuture<'static, Result<Self::Output>>;
}

/// A [`QueryRequest`] whose answer is a list.
pub trait ListRequest: QueryRequest {
    /// The type of the items.
    type Item: Send + 'static;

    /// How many items a stream requests at a time; `None` for the server's default.
    #[doc(hidden)]
    const STREAM_PAGE_SIZE: Option<usize> = Some(100);

    /// Whether a page begins at the same item whatever the page size is.
    #[doc(hidden)]
    const PAGE_SIZE_MAY_CHANGE: bool = true;

    #[doc(hidden)]
    fn page(
        self,
        raw: Arc<raw::Client>,
        path_params: Self::PathParams,
        at: Position,
        limit: Option<i64>,
    ) -> BoxFuture<'static, Result<Page<Self::Item>>>;
}

/// The items of a list, `page_size` of them per request.
pub(crate) fn pager<R: ListRequest>(
    request: R,
    raw: Arc<raw::Client>,
    path_params: R::PathParams,
    page_size: Option<usize>,
) -> Pager<R::Item> {
    Pager::new(page_size, R::PAGE_SIZE_MAY_CHANGE, move |at, limit| {
        let (request, path_params) = (request.clone(), path_params.clone());
        request.page(Arc::clone(&raw), path_params, at, limit)
    })
}
