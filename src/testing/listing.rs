//! `Listing`: a reply that is a part of a list.

use serde::Serialize;
use serde_json::Value;

use super::fake::{Call, Refusal, Reply, page};
use super::operation::sealed::Sealed;
use crate::types::{
    DeploymentPaginationResponse, DeploymentResponse, Flow, FlowPaginationResponse,
    FlowRunPaginationResponse, FlowRunResponse, TaskRunPaginationResponse, TaskRunResponse,
};

/// A reply that is a part of a list: what [`Rule::pages`](super::Rule::pages) makes. No other type can be one.
pub trait Listing: Sealed {
    /// What the list is of.
    type Item: Serialize + Send + 'static;

    #[doc(hidden)]
    fn part(items: &[Self::Item], request: &Parameters) -> Part;
}

/// What a request asks for of a list.
#[doc(hidden)]
#[derive(Debug)]
pub struct Parameters(Value);

/// A part of a list on its way to the wire, or why there is none.
#[doc(hidden)]
#[derive(Debug)]
pub struct Part(pub(super) Result<Reply, Refusal>);

impl Parameters {
    pub(super) fn of(call: &Call<'_>) -> Result<Self, String> {
        let body = call.json();
        body.map(Self).map_err(|_| "its body is no JSON".to_owned())
    }
}

impl<T> Sealed for Vec<T> {}

impl<T: Serialize + Send + 'static> Listing for Vec<T> {
    type Item = T;

    fn part(items: &[T], request: &Parameters) -> Part {
        let rows = page::page(items.iter().collect(), &request.0);
        Part(rows.map(|rows| Reply::ok(&rows)))
    }
}

macro_rules! numbered {
    ($($reply:ty: $item:ty,)*) => {$(
        impl Sealed for $reply {}

        impl Listing for $reply {
            type Item = $item;

            fn part(items: &[$item], request: &Parameters) -> Part {
                let page = page::numbered(items.iter().collect(), &request.0);
                Part(page.map(|page| Reply::ok(&page)))
            }
        }
    )*};
}

numbered! {
    DeploymentPaginationResponse: DeploymentResponse,
    FlowPaginationResponse: Flow,
    FlowRunPaginationResponse: FlowRunResponse,
    TaskRunPaginationResponse: TaskRunResponse,
}
