//! `SingleFlight`: work that several tasks need, and that is done once for all of them.

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};

use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use futures_util::future::{Shared, WeakShared};
use tokio::runtime::{self, Handle};

/// The work under way, if there is any.
///
/// Every task that waits for the work drives it, so that none depends on a task that is no longer polled. When all
/// of them have gone the work is dropped. No lock is held while it goes on. Tasks of another runtime do the work anew:
/// its sockets and timers belong to the runtime in which it began.
pub(crate) struct SingleFlight<T: Clone>(Mutex<Vec<(Option<runtime::Id>, Work<T>)>>);

/// Work that may have panicked, as in a hook of the program's.
type Work<T> = WeakShared<BoxFuture<'static, Option<T>>>;

impl<T: Clone> Default for SingleFlight<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone + Send + Sync + 'static> SingleFlight<T> {
    /// Joins the work under way, or else starts it. Returns `None` if it has panicked.
    pub(crate) async fn run(&self, start: impl FnOnce() -> BoxFuture<'static, T>) -> Option<T> {
        self.join(start).await
    }

    fn join(
        &self,
        start: impl FnOnce() -> BoxFuture<'static, T>,
    ) -> Shared<BoxFuture<'static, Option<T>>> {
        let here = Handle::try_current().ok().map(|runtime| runtime.id());
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Work that has ended, or that everybody has given up, is forgotten.
        current.retain(|(_, work)| work.upgrade().is_some_and(|work| work.peek().is_none()));
        let current_here = current.iter().find(|(runtime, _)| *runtime == here);
        if let Some(work) = current_here.and_then(|(_, work)| work.upgrade()) {
            return work;
        }
        let work = AssertUnwindSafe(start()).catch_unwind();
        let work = work.map(|done| done.ok()).boxed().shared();
        current.extend(work.downgrade().map(|work| (here, work)));
        work
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::poll;
    use tokio::sync::Semaphore;

    use super::*;

    /// Work that counts how often it was started, and ends when it gets a permit.
    struct Fixture {
        flight: SingleFlight<usize>,
        started: AtomicUsize,
        permits: Arc<Semaphore>,
    }

    impl Fixture {
        fn new() -> Self {
            Self {
                flight: SingleFlight::default(),
                started: AtomicUsize::new(0),
                permits: Arc::new(Semaphore::new(0)),
            }
        }

        async fn run(&self) -> Option<usize> {
            let start = || {
                let number = self.started.fetch_add(1, Ordering::SeqCst) + 1;
                let permits = Arc::clone(&self.permits);
                let work = async move {
                    permits.acquire().await.expect("open").forget();
                    number
                };
                work.boxed()
            };
            self.flight.run(start).await
        }
    }

    #[tokio::test]
    async fn one_task_drives_the_work_that_another_has_started() {
        let fixture = Fixture::new();
        let mut first = Box::pin(fixture.run());
        assert!(poll!(&mut first).is_pending());
        fixture.permits.add_permits(1);
        assert_eq!(fixture.run().await, Some(1), "the first is not polled");
        assert_eq!(first.await, Some(1));
    }

    #[tokio::test]
    async fn work_that_everybody_has_given_up_is_started_again() {
        let fixture = Fixture::new();
        let mut first = Box::pin(fixture.run());
        assert!(poll!(&mut first).is_pending());
        drop(first);
        fixture.permits.add_permits(1);
        assert_eq!(fixture.run().await, Some(2));
    }

    #[tokio::test]
    async fn a_result_is_for_those_who_waited_for_it_and_not_for_later_ones() {
        let fixture = Fixture::new();
        fixture.permits.add_permits(2);
        let mut kept = Box::pin(fixture.run()).shared();
        assert!(poll!(&mut kept).is_ready());
        assert_eq!(fixture.run().await, Some(2));
    }

    #[tokio::test]
    async fn a_panic_reaches_all_who_wait_and_the_next_work_is_new() {
        let flight = SingleFlight::<()>::default();
        let panicking = || async { panic!("a hook") }.boxed();
        assert_eq!(flight.run(panicking).await, None);
        assert_eq!(flight.run(|| async {}.boxed()).await, Some(()));
    }
}
