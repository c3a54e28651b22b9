//! Bulk operations on deployments: deleting them.

use futures_core::future::BoxFuture;
use uuid::Uuid;

use crate::client::Client;
use crate::error::Result;
use crate::query::{BulkRequest, Query, bulk_request};
use crate::types::{
    BulkDeleteDeploymentsRequest, CountDeploymentsRequest, DeploymentFilter, DeploymentFilterId,
    DeploymentResponse, DeploymentSort, Field, Operator, ReadDeploymentsRequest,
};

bulk_request! {
    BulkDeleteDeploymentsRequest { deployments: DeploymentFilter by DeploymentFilterId }
    lists ReadDeploymentsRequest of DeploymentResponse by DeploymentSort::CreatedDesc, counts CountDeploymentsRequest,
    bulk_delete_deployments gives Uuid, in deleted
}
