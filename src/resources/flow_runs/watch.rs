//! `Watch`: streams the states and log lines of a run.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use chrono::{DateTime, Utc};
use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use uuid::Uuid;

use super::follower::{Follower, WatchOptions};
use super::generated::FlowRuns;
use super::run_update::RunUpdate;
use crate::client::Client;
use crate::error::{Error, Result};

/// The states and log lines of a run, as a stream: see [`FlowRuns::watch`].
#[must_use = "streams do nothing unless they are polled"]
pub struct Watch {
    progress: Progress,
}

enum Progress {
    Waiting {
        client: Client,
        run: Uuid,
        options: WatchOptions,
    },
    Idle(Box<Follower>),
    Reading(BoxFuture<'static, Read>),
    Ended,
}

/// The follower, unless a hook has panicked, and the next update.
type Read = (Option<Box<Follower>>, Option<Result<RunUpdate>>);

impl FlowRuns<'_> {
    /// Streams the states and log lines of a run, from the first on, each once. The stream ends when the run
    /// has ended and has logged nothing for 5 s. (If a state is proposed after the end, the stream goes on
    /// with it.)
    ///
    /// States and lines come in the order of their timestamps, except those that reach the server after later
    /// ones. The states are read from the run's history (`GET /flow_run_states/`), so that none is missed, and
    /// the lines from those that the server has stored (`POST /logs/filter`), which works whether or not the
    /// server streams logs; lines that reach the server more than a minute after later ones, or after 100,000
    /// later ones, are not seen. Lines that the program of the run has not sent, for example because it was
    /// killed, never arrive.
    ///
    /// Each page of lines is delivered when it is read, and the next is read when the stream is polled, so that
    /// memory does not grow with the log. Lines are read every second; after 10 s without news there is a request
    /// every two seconds; and states at once when events report a change, as for [`wait`](Self::wait).
    ///
    /// # Errors
    ///
    /// When the run cannot be read, the stream ends with the same errors as
    /// [`Wait`](crate::flow_runs::Wait#errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::flow_runs::RunUpdate;
    ///
    /// let mut updates = client.flow_runs().watch(id);
    /// while let Some(update) = updates.next().await {
    ///     match update? {
    ///         RunUpdate::State(state) => println!("it is {:?}", state.name),
    ///         RunUpdate::Log(log) => println!("{} {}", log.timestamp, log.message),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(self, id: Uuid) -> Watch {
        Watch {
            progress: Progress::Waiting {
                client: self.client.clone(),
                run: id,
                options: WatchOptions {
                    lines: true,
                    since: None,
                    tail: None,
                },
            },
        }
    }
}

impl Watch {
    /// Leaves out the log lines; the stream then ends as soon as the run has ended. Call it before the stream is
    /// polled.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let mut states = client.flow_runs().watch(id).states();
    /// while let Some(state) = states.next().await {
    ///     println!("{:?}", state?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn states(self) -> Self {
        self.with(|options| options.lines = false)
    }

    /// Begins with the states and lines of this time. Default: with the first. Call it before the stream is polled.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let an_hour_ago = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    /// let mut updates = client.flow_runs().watch(id).since(an_hour_ago);
    /// println!("{:?}", updates.next().await);
    /// # Ok(())
    /// # }
    /// ```
    pub fn since(self, since: DateTime<Utc>) -> Self {
        self.with(|options| options.since = Some(since))
    }

    /// Begins with the last lines that there are, so many of them, and the states since then. (If several lines
    /// have the time of the first of these, all of them are delivered.) Call it before the stream is polled.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client, id: uuid::Uuid) -> prefect_sdk::Result<()> {
    /// let mut updates = client.flow_runs().watch(id).tail(100);
    /// println!("{:?}", updates.next().await);
    /// # Ok(())
    /// # }
    /// ```
    pub fn tail(self, lines: u32) -> Self {
        self.with(|options| options.tail = Some(lines))
    }

    fn with(mut self, change: impl FnOnce(&mut WatchOptions)) -> Self {
        if let Progress::Waiting { options, .. } = &mut self.progress {
            change(options);
        }
        self
    }

    /// Returns the next update, or `None` when the stream has ended. No update is lost if the future is
    /// dropped before it completes.
    pub async fn next(&mut self) -> Option<Result<RunUpdate>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    #[inline]
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RunUpdate>>> {
        loop {
            self.progress = match std::mem::replace(&mut self.progress, Progress::Ended) {
                Progress::Waiting {
                    client,
                    run,
                    options,
                } => match Follower::start(&client, run, options) {
                    Ok(follower) => Progress::Idle(Box::new(follower)),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
                Progress::Idle(follower) => Progress::Reading(read(follower)),
                Progress::Reading(mut reading) => match reading.as_mut().poll(context) {
                    Poll::Pending => {
                        self.progress = Progress::Reading(reading);
                        return Poll::Pending;
                    }
                    Poll::Ready((follower, update)) => {
                        if let Some(follower) = follower.filter(|_| update.is_some()) {
                            self.progress = Progress::Idle(follower);
                        }
                        return Poll::Ready(update);
                    }
                },
                Progress::Ended => return Poll::Ready(None),
            }
        }
    }
}

#[inline]
fn read(mut follower: Box<Follower>) -> BoxFuture<'static, Read> {
    let read = async move {
        let update = follower.next().await;
        (Some(follower), update)
    };
    // A panic in a hook of the program is an error, and not the end of the run.
    let read = AssertUnwindSafe(read).catch_unwind();
    let panicked = |_| {
        (
            None,
            Some(Err(Error::hook_panicked("the run is no longer read"))),
        )
    };
    Box::pin(read.map(move |read| read.unwrap_or_else(panicked)))
}

impl Stream for Watch {
    type Item = Result<RunUpdate>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
