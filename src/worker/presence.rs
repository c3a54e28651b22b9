//! `Presence`: the pool of a worker, and the heartbeats by which the server knows that the worker lives.

use std::sync::Arc;
#[cfg(feature = "websocket")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::infrastructure::Infrastructure;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::types::{WorkPoolCreate, WorkPoolResponse, WorkPoolUpdate, WorkerHeartbeatRequest};

/// The time between heartbeats. After three of them the server counts a worker as offline.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30);

/// A worker as its pool sees it.
pub(super) struct Presence {
    client: Client,
    heartbeat: WorkerHeartbeatRequest,
    pool: watch::Sender<Arc<WorkPoolResponse>>,
    #[cfg(feature = "websocket")]
    channel: ChannelHistory,
}

/// What has become of the worker's channel until now.
#[cfg(feature = "websocket")]
#[derive(Default)]
struct ChannelHistory {
    was_open: AtomicBool,
    /// Whether the server has refused it before it was ever open.
    is_refused: AtomicBool,
}

impl Presence {
    /// Reads the pool, or creates it, and shows the worker in it.
    pub(super) async fn begin(
        client: Client,
        infrastructure: &impl Infrastructure,
        pool: &str,
        worker: &str,
        creates_pool: bool,
    ) -> Result<Self> {
        let template = infrastructure.base_job_template();
        let found = match client.work_pools().get_opt(pool).await? {
            Some(found) => found,
            None if creates_pool => {
                let new = WorkPoolCreate::new(pool)
                    .type_(infrastructure.pool_type())
                    .base_job_template(template.clone());
                client.work_pools().ensure(&new).await?.into_inner()
            }
            None => client.work_pools().get(pool).await?,
        };
        if found.type_ != infrastructure.pool_type() {
            tracing::warn!(
                work_pool = pool,
                type_ = found.type_,
                worker = infrastructure.pool_type(),
                "the work pool is of another type than its worker"
            );
        }
        let has_template = found.base_job_template.as_ref();
        if has_template.is_none_or(|template| matches!(template.as_str().trim(), "{}" | "null")) {
            let update = WorkPoolUpdate::new().base_job_template(template);
            client.work_pools().update(pool, &update).await?;
        }
        let seconds = HEARTBEAT_INTERVAL.as_secs() as i64;
        let heartbeat = WorkerHeartbeatRequest::new(worker).heartbeat_interval_seconds(seconds);
        let presence = Self {
            client,
            heartbeat,
            pool: watch::Sender::new(Arc::new(found)),
            #[cfg(feature = "websocket")]
            channel: ChannelHistory::default(),
        };
        presence.renew().await?;
        Ok(presence)
    }

    /// The pool, as it was last read.
    pub(super) fn pool(&self) -> watch::Receiver<Arc<WorkPoolResponse>> {
        self.pool.subscribe()
    }

    /// Shows the worker in its pool as long as this is polled, through outages: by the channel, and by requests while there
    /// is none.
    pub(super) async fn keep(&self) {
        let clock = self.client.channel().clock();
        let mut outage = None::<Error>;
        loop {
            #[cfg(feature = "websocket")]
            self.keep_by_channel().await;
            let renewed = self.renew().await;
            if let (Err(error), None) = (&renewed, &outage) {
                tracing::warn!(%error, "the server does not know that the worker lives");
            }
            outage = renewed.err();
            clock.sleep(HEARTBEAT_INTERVAL).await;
        }
    }

    /// Shows the worker by the channel, until that ends. If the server refuses it at first, it is not tried again: an older
    /// server has none.
    #[cfg(feature = "websocket")]
    async fn keep_by_channel(&self) {
        if self.channel.is_refused.load(Ordering::Relaxed) {
            return;
        }
        let WorkPoolResponse {
            name: pool, type_, ..
        } = WorkPoolResponse::clone(&self.pool.borrow());
        let workers = self.client.work_pools();
        let connected = workers
            .workers(&pool)
            .connect(&self.heartbeat.name, &type_, HEARTBEAT_INTERVAL)
            .await;
        let error = match connected {
            Ok(mut channel) => {
                self.channel.was_open.store(true, Ordering::Relaxed);
                self.pool.send_replace(Arc::new(channel.pool().clone()));
                loop {
                    match channel.changed().await {
                        Ok(pool) => drop(self.pool.send_replace(Arc::new(pool.clone()))),
                        Err(error) => break error,
                    }
                }
            }
            Err(error) => error,
        };
        tracing::debug!(%error, "there is no channel between the worker and its pool");
        if error.is_permanent() && !self.channel.was_open.load(Ordering::Relaxed) {
            self.channel.is_refused.store(true, Ordering::Relaxed);
        }
    }

    /// Sends a heartbeat, and reads the pool, which may have another template meanwhile.
    async fn renew(&self) -> Result<()> {
        let name = self.pool.borrow().name.clone();
        let pools = || self.client.work_pools();
        pools().workers(&name).heartbeat(&self.heartbeat).await?;
        self.pool.send_replace(Arc::new(pools().get(&name).await?));
        Ok(())
    }
}
