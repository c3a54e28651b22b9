//! `RenewedLease`: a lease that the server has granted with something else, such as the state of a run.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use uuid::Uuid;

use super::lease::{self, LeaseStatus};
use super::lease_manager::LeaseManager;
use crate::client::Client;
use crate::error::{Error, Result};

/// A lease that is renewed until this is dropped. It is not given back: the server does that by its own rules.
pub(crate) struct RenewedLease {
    id: Uuid,
    manager: Arc<LeaseManager>,
    client: Client,
    status: watch::Receiver<LeaseStatus>,
}

impl RenewedLease {
    /// Renews a lease that was requested at `requested_at` for `duration` each time.
    pub(crate) fn new(
        client: &Client,
        id: Uuid,
        requested_at: Instant,
        duration: Duration,
    ) -> Result<Self> {
        let manager: Arc<LeaseManager> = client.service()?;
        Ok(Self {
            id,
            status: manager.manage(id, requested_at, duration),
            manager,
            client: client.clone(),
        })
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Resolves when the lease is lost, with the reason; or when it is no longer renewed, with `None`.
    pub(crate) fn lost(&self) -> impl Future<Output = Option<Error>> + Send + 'static {
        let (id, mut status, client) = (self.id, self.status.clone(), self.client.clone());
        async move {
            loop {
                let LeaseStatus { until, lost } = status.borrow_and_update().clone();
                if let Some(error) = lost {
                    return Some(error.copy());
                }
                let left = until.saturating_duration_since(client.channel().clock().now());
                if left.is_zero() {
                    return Some(lease::lost(id, None));
                }
                // Whatever happens to the renewals, the lease is lost when its time is over.
                if let Ok(Err(_)) = tokio::time::timeout(left, status.changed()).await {
                    return None;
                }
            }
        }
    }
}

impl Drop for RenewedLease {
    fn drop(&mut self) {
        self.manager.forget(self.id);
    }
}
