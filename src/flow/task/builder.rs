//! `TaskBuilder`: a task that is to be run.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use uuid::Uuid;

use super::error::TaskError;
use super::execution::Execution;
use super::input::{Source, TaskInput};
use super::options::TaskOptions;
use super::output::Output;
use super::task::Task;
use crate::flow::flow::BoxError;
use crate::flow::run::Run;

/// The input that names the tasks which a task comes after, without taking anything from them; as in Python.
const WAIT_FOR: &str = "wait_for";

/// The input that names the task in which a task is nested.
const PARENTS: &str = "__parents__";

/// How many tasks of [`TaskBuilder::map`] run at once, if nothing else is said.
const DEFAULT_CONCURRENCY: usize = 16;

/// A task that is to be run: see [`Run::task`].
///
/// Its states are reported by events, in the background and in batches: a task costs the run no request, unless it has
/// tags. How often it is tried, and whether it has failed, is decided here, not by the server. Only when the states
/// of 10,000 task runs wait, because the server is slower or out of reach, the next task waits before it begins.
#[derive(Clone)]
#[must_use = "a task is run by `run` or `map`"]
pub struct TaskBuilder {
    options: TaskOptions,
    concurrency: usize,
}

impl Run {
    /// A task of this run, of this name.
    ///
    /// ```no_run
    /// # use prefect_sdk::flow::{BoxError, Run};
    /// async fn body(run: Run, _: ()) -> Result<usize, BoxError> {
    ///     let rows = run.task("extract").retries(2).run(|_| async { Ok::<_, BoxError>(vec![1, 2]) }).await?;
    ///     let sum = run.task("sum").input("rows", &rows).run(|_| async { Ok::<_, BoxError>(rows.len()) }).await?;
    ///     Ok(*sum)
    /// }
    /// ```
    pub fn task(&self, name: impl Into<String>) -> TaskBuilder {
        TaskBuilder::new(self.clone(), None, name.into())
    }
}

impl Task {
    /// A task within this one, of this name.
    pub fn task(&self, name: impl Into<String>) -> TaskBuilder {
        TaskBuilder::new(self.run.clone(), Some(self.id), name.into())
    }
}

impl TaskBuilder {
    fn new(run: Run, parent: Option<Uuid>, name: String) -> Self {
        let parent = parent.map(|id| (PARENTS.to_owned(), vec![Source::task_run(id)]));
        Self {
            options: TaskOptions {
                run,
                name,
                retries: 0,
                retry_delay: Duration::ZERO,
                timeout: None,
                tags: Vec::new(),
                version: None,
                inputs: parent.into_iter().collect(),
            },
            concurrency: DEFAULT_CONCURRENCY,
        }
    }

    /// Sets how often the task is tried again after its function has failed. Default: not at all.
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.retries = retries;
        self
    }

    /// Sets how long to wait before the task is tried again. Default: 0 s.
    pub fn retry_delay(mut self, delay: Duration) -> Self {
        self.options.retry_delay = delay;
        self
    }

    /// Sets how long the function may take: after that it is dropped, which counts as a failure. Default: no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Adds a tag. If there is a concurrency limit for it, the task waits for a slot of that limit before it begins, and
    /// holds it (`POST /v2/concurrency_limits/increment-with-lease`), as Python's tasks do.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.options.tags.push(tag.into());
        self
    }

    /// Sets the version of the task that its runs show.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.options.version = Some(version.into());
        self
    }

    /// Names something that the task takes. The [`Output`] of another task makes an edge in the graph; of any other value
    /// only the type is shown, not the value itself.
    pub fn input(mut self, name: impl Into<String>, value: &(impl TaskInput + ?Sized)) -> Self {
        let sources = self.options.inputs.entry(name.into()).or_default();
        sources.extend(value.sources());
        self
    }

    /// Names outputs of tasks that the task takes, such as those of [`map`](Self::map).
    pub fn inputs<'o, T: 'o>(
        self,
        name: &str,
        values: impl IntoIterator<Item = &'o Output<T>>,
    ) -> Self {
        let values = values.into_iter();
        values.fold(self, |task, value| task.input(name, value))
    }

    /// Draws an edge from another task, of which this one takes nothing.
    pub fn after<T>(self, earlier: &Output<T>) -> Self {
        self.input(WAIT_FOR, earlier)
    }

    /// Draws an edge from each of these tasks, of which this one takes nothing.
    pub fn after_all<'o, T: 'o>(self, earlier: impl IntoIterator<Item = &'o Output<T>>) -> Self {
        earlier.into_iter().fold(self, Self::after)
    }

    /// Sets how many tasks of [`map`](Self::map) run at once. Default: 16; 0 counts as 1.
    pub fn concurrency(mut self, tasks: usize) -> Self {
        self.concurrency = tasks.max(1);
        self
    }

    /// Runs the task: calls the function, and again as often as it may be tried, until it returns a value.
    ///
    /// If this future is dropped before its end, the task run is CANCELLED when the run is cancelled, and otherwise CRASHED.
    ///
    /// # Errors
    ///
    /// The last error of the function, its panic, its timeout, or why there is no slot for its tags.
    ///
    /// ```no_run
    /// # use prefect_sdk::flow::{BoxError, Run};
    /// # async fn fetch() -> prefect_sdk::Result<Vec<u8>> { Ok(Vec::new()) }
    /// async fn body(run: Run, _: ()) -> Result<(), BoxError> {
    ///     let fetched = run.task("fetch").retries(3).run(|task| async move {
    ///         println!("{} is tried for the {}. time", task.name(), task.attempt());
    ///         fetch().await
    ///     });
    ///     println!("{} bytes", fetched.await?.len());
    ///     Ok(())
    /// }
    /// ```
    pub async fn run<T, E, R, F>(self, mut body: F) -> Result<Output<T>, TaskError>
    where
        F: FnMut(Task) -> R,
        R: Future<Output = Result<T, E>>,
        E: Into<BoxError>,
    {
        let mut execution = Execution::new(self.options);
        execution.begin().await?;
        loop {
            let task = execution.try_once();
            let result = execution.attempt(async { body(task).await }).await;
            match result {
                Ok(value) => return Ok(execution.complete(value)),
                Err(error) => execution.fail(error).await?,
            }
        }
    }

    /// Runs the task once for each item, some at a time, and returns the results in the order of the items. One that fails
    /// does not end the others.
    ///
    /// # Errors
    ///
    /// Each result is that of [`run`](Self::run); `collect::<Result<Vec<_>, _>>()` makes one of them.
    ///
    /// ```no_run
    /// # use prefect_sdk::flow::{BoxError, Run};
    /// async fn body(run: Run, _: ()) -> Result<usize, BoxError> {
    ///     let pages = run.task("page").concurrency(4).map(1..=100, |_, page| async move {
    ///         Ok::<_, BoxError>(page * 2)
    ///     });
    ///     let pages = pages.await.into_iter().collect::<Result<Vec<_>, _>>()?;
    ///     Ok(pages.len())
    /// }
    /// ```
    pub async fn map<I, T, E, R, F>(self, items: I, body: F) -> Vec<Result<Output<T>, TaskError>>
    where
        I: IntoIterator,
        I::Item: Clone,
        F: Fn(Task, I::Item) -> R,
        R: Future<Output = Result<T, E>>,
        E: Into<BoxError>,
    {
        let (mut items, body) = (items.into_iter().enumerate(), &body);
        let mut results: Vec<Option<_>> = Vec::new();
        let start = |(at, item): (usize, I::Item)| {
            let task = self.clone();
            async move {
                let result = task.run(|task| body(task, item.clone())).await;
                (at, result)
            }
        };
        let mut running: FuturesUnordered<_> =
            items.by_ref().take(self.concurrency).map(start).collect();
        while let Some((at, result)) = running.next().await {
            if results.len() <= at {
                results.resize_with(at + 1, || None);
            }
            results[at] = Some(result);
            running.extend(items.next().map(start));
        }
        results.into_iter().flatten().collect()
    }
}

impl fmt::Debug for TaskBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskBuilder")
            .field("run", &self.options.run.id())
            .field("name", &self.options.name)
            .field("retries", &self.options.retries)
            .field("retry_delay", &self.options.retry_delay)
            .field("timeout", &self.options.timeout)
            .field("tags", &self.options.tags)
            .finish_non_exhaustive()
    }
}
