//! `Flows`: what is run, by name.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! for flow in client.flows().list().tag("etl").await? {
//!     println!("{}", flow.name);
//! }
//! # Ok(())
//! # }
//! ```

generated!("flows");

use futures_core::future::BoxFuture;
use uuid::Uuid;

pub use generated::Flows;

use crate::client::Client;
use crate::error::Result;
use crate::query::{BulkRequest, Query, bulk_request};
use crate::types::{
    BulkDeleteFlowsRequest, CountFlowsRequest, Field, Flow, FlowFilter, FlowFilterId, FlowSort,
    Operator, ReadFlowsRequest,
};

bulk_request! {
    BulkDeleteFlowsRequest { flows: FlowFilter by FlowFilterId }
    lists ReadFlowsRequest of Flow by FlowSort::CreatedDesc, counts CountFlowsRequest,
    bulk_delete_flows gives Uuid, in deleted
}
