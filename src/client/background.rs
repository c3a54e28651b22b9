//! `Background`: the client's own runtime, for work that goes on while the program's threads are busy.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::{self, Runtime};
use tokio::task::block_in_place;
use tracing::level_filters::LevelFilter;

use super::services::{Service, Services};
use crate::error::{Error, Result};
use crate::raw;
use crate::transport::Channel;

/// How long a thread is kept that has taken over while another was blocked.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(60);

/// A runtime with a thread and connections of its own, because the program's connections are driven by the program's
/// threads. It ends when this is dropped and its jobs have ended.
pub(crate) struct Background {
    runtime: Arc<OwnRuntime>,
    raw: Arc<raw::Client>,
    /// Whether the program has hooks, which may block.
    has_hooks: bool,
}

struct OwnRuntime(Option<Runtime>);

impl Service for Background {
    fn start(services: &Services) -> Result<Self> {
        let transport = services.transport().with_own_connections()?;
        let channel = transport.channel();
        let has_hooks = !(channel.interceptors().is_empty() && channel.observers().is_empty());
        let raw = Arc::new(raw::Client::with_transport(transport));
        // One thread does all the work. Another takes over while a job blocks.
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("prefect-sdk")
            .thread_keep_alive(THREAD_KEEP_ALIVE)
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| {
            let what = "the client's background thread cannot be started";
            Error::configuration(what).with_source(error)
        })?;
        Ok(Self {
            runtime: Arc::new(OwnRuntime(Some(runtime))),
            raw,
            has_hooks,
        })
    }
}

impl Background {
    /// The raw client, which uses the connections of this runtime.
    pub(crate) fn raw(&self) -> &Arc<raw::Client> {
        &self.raw
    }

    /// The raw client with the retry policy and timeout of the caller's channel.
    pub(crate) fn raw_for(&self, caller: &Channel) -> raw::Client {
        let raw = self.raw.with_retry(caller.retry().clone());
        raw.with_timeout(caller.timeout())
    }

    /// The raw client with the timeout of the caller's channel, and one attempt.
    pub(crate) fn raw_once(&self, caller: &Channel) -> raw::Client {
        let raw = self.raw.with_retry(caller.retry().clone().attempts(1));
        raw.with_timeout(caller.timeout())
    }

    /// Runs a job to its end. Code of the program's that it calls, such as a hook or a subscriber to the log, may
    /// block: meanwhile all other jobs go on.
    ///
    /// Jobs are boxed, so that the code which runs one is compiled once, and not for each job.
    pub(crate) fn spawn(&self, job: impl Future<Output = ()> + Send + 'static) {
        self.spawn_boxed(Box::pin(job));
    }

    fn spawn_boxed(&self, mut job: BoxFuture<'static, ()>) {
        let (runtime, own) = (self.runtime.0.as_ref(), Arc::clone(&self.runtime));
        let has_hooks = self.has_hooks;
        let job = async move {
            poll_fn(
                |context| match has_hooks || LevelFilter::current() != LevelFilter::OFF {
                    true => block_in_place(|| job.poll_unpin(context)),
                    false => job.poll_unpin(context),
                },
            )
            .await;
            drop(own);
        };
        // There is a runtime until this is dropped.
        if let Some(runtime) = runtime {
            runtime.spawn(job);
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        // Not the drop of the runtime, which waits for code of the program's that blocks, and panics in a runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
