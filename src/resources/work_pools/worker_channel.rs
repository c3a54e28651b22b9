//! `WorkerChannel`: a WebSocket by which a worker shows that it lives, and learns of changes of its pool.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout_at;
use uuid::Uuid;

use super::generated::WorkPoolWorkers;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Socket;
use crate::types::WorkPoolResponse;

const PATH: &str = "/work_pools/{work_pool_name}/workers/connect";

const VERSION: &str = "work_pool_worker_channel.v1";

/// How long the server may take to answer the greeting.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// A WebSocket between a worker and its pool: see [`WorkPoolWorkers::connect`].
pub struct WorkerChannel {
    socket: Socket,
    consumer: Uuid,
    worker: String,
    interval: Duration,
    next_heartbeat: Instant,
    pool: WorkPoolResponse,
}

/// A frame of the server's, of which the others are ignored.
#[derive(Deserialize)]
#[serde(tag = "type", content = "payload")]
enum Frame {
    #[serde(rename = "worker.ready.v1")]
    Ready {
        effective_heartbeat_interval_seconds: u64,
        initial_snapshot: Snapshot,
    },
    #[serde(rename = "work_pool.snapshot.v1")]
    Snapshot(Snapshot),
}

#[derive(Deserialize)]
struct Snapshot {
    work_pool: WorkPoolResponse,
}

impl WorkPoolWorkers<'_> {
    /// Opens the channel of a worker: a WebSocket to `/work_pools/{work_pool_name}/workers/connect`. It takes the place of
    /// [`heartbeat`](Self::heartbeat) and of reading the pool, but not of looking for runs. Servers before 3.7.2 do not have
    /// it.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) or [`Forbidden`](crate::ErrorKind::Forbidden) from a server that does not have it,
    /// or has no such pool; otherwise any [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use std::time::Duration;
    ///
    /// let workers = client.work_pools();
    /// let mut channel = workers.workers("batch").connect("worker-1", "process", Duration::from_secs(30)).await?;
    /// println!("{} has the type {}", channel.pool().name, channel.pool().type_);
    /// println!("its template has changed: {:?}", channel.changed().await?.base_job_template);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(
        self,
        worker: &str,
        worker_type: &str,
        heartbeat_interval: Duration,
    ) -> Result<WorkerChannel> {
        let channel = self.client.channel();
        let mut socket = channel.worker_socket(PATH, self.work_pool).await?;
        let consumer = Uuid::new_v4();
        let hello = json!({
            "consumer_id": consumer,
            "worker_name": worker,
            "worker_type": worker_type,
            "heartbeat_interval_seconds": heartbeat_interval.as_secs().max(1),
            "supported_channel_versions": [VERSION],
            "requested_capabilities": ["worker_heartbeat.v1", "work_pool_snapshot.v1"],
            "work_queue_names": [],
            "create_pool_if_not_found": false,
            "default_base_job_template": {},
        });
        socket.send(frame("worker.hello.v1", &hello)).await?;
        let ready = tokio::time::timeout(READY_TIMEOUT, async {
            loop {
                if let Some(Frame::Ready {
                    effective_heartbeat_interval_seconds,
                    initial_snapshot,
                }) = next_frame(&mut socket).await?
                {
                    let interval = Duration::from_secs(effective_heartbeat_interval_seconds.max(1));
                    return Ok::<_, Error>((interval, initial_snapshot.work_pool));
                }
            }
        });
        let (interval, pool) = ready.await.unwrap_or_else(|_| {
            let what = "the server did not answer the worker's greeting in time";
            Err(Error::new(ErrorKind::Timeout, what).with_operation(PATH))
        })?;
        Ok(WorkerChannel {
            socket,
            consumer,
            worker: worker.to_owned(),
            interval,
            next_heartbeat: Instant::now() + interval,
            pool,
        })
    }
}

impl WorkerChannel {
    /// The pool, as the server has last told.
    pub fn pool(&self) -> &WorkPoolResponse {
        &self.pool
    }

    /// Waits until the pool has changed, and sends heartbeats meanwhile: the worker counts as online only while this is
    /// awaited. If the future is dropped, nothing is lost.
    ///
    /// # Errors
    ///
    /// [`Connection`](crate::ErrorKind::Connection) when the channel has ended, and another error when the server has
    /// closed it for a reason that will not go away. Open another one, or go on with heartbeats.
    pub async fn changed(&mut self) -> Result<&WorkPoolResponse> {
        loop {
            let next = next_frame(&mut self.socket);
            match timeout_at(self.next_heartbeat.into(), next).await {
                Ok(frame) => {
                    if let Some(Frame::Snapshot(snapshot)) = frame? {
                        self.pool = snapshot.work_pool;
                        return Ok(&self.pool);
                    }
                }
                Err(_) => {
                    let heartbeat = json!({
                        "consumer_id": self.consumer,
                        "worker_name": self.worker,
                        "heartbeat_interval_seconds": self.interval.as_secs(),
                    });
                    // Before it is sent: if this future is dropped, another one is due only after the interval.
                    self.next_heartbeat = Instant::now() + self.interval;
                    let heartbeat = frame("worker.heartbeat.v1", &heartbeat);
                    self.socket.send(heartbeat).await?;
                }
            }
        }
    }
}

fn frame(type_: &str, payload: &Value) -> String {
    let (id, now) = (Uuid::new_v4(), chrono::Utc::now());
    json!({ "type": type_, "id": id, "sent_at": now, "payload": payload }).to_string()
}

/// The next frame; `None` for one that is of no interest here.
async fn next_frame(socket: &mut Socket) -> Result<Option<Frame>> {
    let text = socket
        .next_text()
        .await
        .map_err(|error| match socket.refusal() {
            // It knows why, and the next attempt would end in the same way.
            Some(reason) => {
                let what = format!("the server refuses the worker: {reason}");
                Error::new(ErrorKind::Forbidden, what).with_operation(PATH)
            }
            None => error,
        })?;
    Ok(serde_json::from_str(&text).ok())
}

impl fmt::Debug for WorkerChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerChannel")
            .field("worker", &self.worker)
            .field("pool", &self.pool.name)
            .finish_non_exhaustive()
    }
}
