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

use super::ensure::{self, Changes, Ensured, Matching, Plan, Wanted, compare};
use crate::client::Client;
use crate::error::Result;
use crate::query::{BulkRequest, Query, bulk_request};
use crate::types::{
    BulkDeleteFlowsRequest, CountFlowsRequest, Field, Flow, FlowCreate, FlowFilter, FlowFilterId,
    FlowSort, FlowUpdate, Operator, ReadFlowsRequest,
};

bulk_request! {
    BulkDeleteFlowsRequest { flows: FlowFilter by FlowFilterId }
    lists ReadFlowsRequest of Flow by FlowSort::CreatedDesc, counts CountFlowsRequest,
    bulk_delete_flows gives Uuid, in deleted
}

impl Flows<'_> {
    /// Creates the flow of this name, changes its tags where they differ, or leaves it alone:
    /// `GET /flows/name/{name}`, then `POST /flows/`, or `PATCH /flows/{id}`, and `GET` again, if need be. Tags that are not
    /// set are left as they are; labels are set at creation only.
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::ErrorKind::Validation) for a name that the server rejects, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::FlowCreate;
    ///
    /// let flow = client.flows().ensure(&FlowCreate::new("etl").tags(["nightly"])).await?;
    /// println!("{}", flow.id);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ensure(self, flow: &FlowCreate) -> Result<Ensured<Flow>> {
        ensure::ensure(&WantedFlow { flows: self, flow }).await
    }

    /// Returns what [`ensure`](Self::ensure) would do, and changes nothing: `GET /flows/name/{name}`.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    pub async fn plan(self, flow: &FlowCreate) -> Result<Plan> {
        ensure::plan(&WantedFlow { flows: self, flow }).await
    }
}

/// A flow that is wanted.
struct WantedFlow<'a> {
    flows: Flows<'a>,
    flow: &'a FlowCreate,
}

impl Wanted for WantedFlow<'_> {
    type Found = Flow;

    fn title(&self) -> String {
        format!("the flow {:?}", self.flow.name)
    }

    async fn read(&self) -> Result<Option<Self::Found>> {
        self.flows.get_by_name_opt(&self.flow.name).await
    }

    #[inline]
    fn differences(&self, found: &Self::Found) -> Result<Changes> {
        compare(self.flow, found, |field| {
            (!matches!(field, "name" | "labels")).then_some(Matching::Exact)
        })
    }

    async fn create(&self) -> Result<()> {
        self.flows.create(self.flow).await.map(drop)
    }

    async fn update(&self, found: &Self::Found, changes: &Changes) -> Result<()> {
        let update: FlowUpdate = changes.update()?;
        self.flows.update(found.id, &update).await
    }
}
