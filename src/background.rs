//! The thread of a client's own, for what must go on while the program's threads are busy.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, mpsc as std_mpsc};

use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::error::{Error, Result};
use crate::raw;
use crate::transport::Transport;

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A thread with a runtime, and connections of its own: those of the program are served by the
/// program's threads. It ends when this is dropped and its jobs are done.
pub(crate) struct Background {
    jobs: mpsc::UnboundedSender<Job>,
    raw: Arc<raw::Client>,
}

impl Background {
    pub fn start(transport: &Transport) -> Result<Self> {
        let raw = Arc::new(raw::Client::with_transport(transport.apart()?));
        let (jobs, received) = mpsc::unbounded_channel();
        let (tell, told) = std_mpsc::sync_channel(1);
        let run = move || match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                let _ = tell.send(Ok(()));
                runtime.block_on(work(received));
            }
            Err(error) => {
                let _ = tell.send(Err(error));
            }
        };
        let thread = std::thread::Builder::new().name("prefect-sdk".to_owned());
        let started = thread.spawn(run).and_then(|_| {
            told.recv()
                .unwrap_or_else(|gone| Err(std::io::Error::other(gone)))
        });
        match started {
            Ok(()) => Ok(Self { jobs, raw }),
            Err(error) => {
                let what = "the client's thread cannot be started";
                Err(Error::configuration(what).caused_by(error))
            }
        }
    }

    /// The operations, over connections of this thread.
    pub fn raw(&self) -> &Arc<raw::Client> {
        &self.raw
    }

    pub fn spawn(&self, job: impl Future<Output = ()> + Send + 'static) {
        // It fails if the thread has ended, which it does not while this is there.
        let _ = self.jobs.send(Box::pin(job));
    }
}

async fn work(mut received: mpsc::UnboundedReceiver<Job>) {
    let mut jobs = JoinSet::new();
    while let Some(job) = received.recv().await {
        jobs.spawn(job);
        while jobs.try_join_next().is_some() {}
    }
    while jobs.join_next().await.is_some() {}
}
