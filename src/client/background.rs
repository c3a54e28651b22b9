//! `Background`: the client's own thread, for work that goes on while the program's threads are busy.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, mpsc as std_mpsc};

use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::services::{Service, Services};
use crate::error::{Error, Result};
use crate::raw;

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A thread with its own runtime and connections, because the program's connections are driven by the
/// program's threads. The thread ends when this is dropped and its jobs have ended.
pub(crate) struct Background {
    jobs: mpsc::UnboundedSender<Job>,
    raw: Arc<raw::Client>,
}

impl Service for Background {
    fn start(services: &Services) -> Result<Self> {
        let transport = services.transport().with_own_connections()?;
        let raw = Arc::new(raw::Client::with_transport(transport));
        let (jobs, received) = mpsc::unbounded_channel();
        let (started, is_started) = std_mpsc::sync_channel(1);
        let run = move || match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                let _ = started.send(Ok(()));
                runtime.block_on(run_jobs(received));
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        };
        let thread = std::thread::Builder::new().name("prefect-sdk".to_owned());
        let spawned = thread.spawn(run).and_then(|_| {
            is_started
                .recv()
                .unwrap_or_else(|gone| Err(std::io::Error::other(gone)))
        });
        match spawned {
            Ok(()) => Ok(Self { jobs, raw }),
            Err(error) => {
                let what = "the client's background thread cannot be started";
                Err(Error::configuration(what).with_source(error))
            }
        }
    }
}

impl Background {
    /// The raw client, which uses the connections of this thread.
    pub(crate) fn raw(&self) -> &Arc<raw::Client> {
        &self.raw
    }

    pub(crate) fn spawn(&self, job: impl Future<Output = ()> + Send + 'static) {
        // This fails only when the thread has ended, and it does not end before this is dropped.
        let _ = self.jobs.send(Box::pin(job));
    }
}

async fn run_jobs(mut received: mpsc::UnboundedReceiver<Job>) {
    let mut jobs = JoinSet::new();
    while let Some(job) = received.recv().await {
        jobs.spawn(job);
        while jobs.try_join_next().is_some() {}
    }
    while jobs.join_next().await.is_some() {}
}
