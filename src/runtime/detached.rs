//! `Detached`: a future that keeps running after it is dropped.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// A future that, once it has begun, keeps running when it is dropped, as a task of the runtime in which it
/// is dropped: a request that was sent may be executed whether or not somebody waits for the reply. Its
/// output is dropped then.
pub(crate) struct Detached<T: Send + 'static> {
    future: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    has_begun: bool,
}

impl<T: Send + 'static> Detached<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self {
            future: Some(Box::pin(future)),
            has_begun: false,
        }
    }
}

impl<T: Send + 'static> Future for Detached<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.has_begun = true;
        let future = self.future.as_mut().expect("not polled after its end");
        let polled = future.as_mut().poll(context);
        if polled.is_ready() {
            self.future = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Detached<T> {
    fn drop(&mut self) {
        let begun = self.future.take().filter(|_| self.has_begun);
        // Without a runtime, or in one that is shutting down, nothing can run it any further.
        if let (Some(future), Ok(runtime)) = (begun, Handle::try_current()) {
            runtime.spawn(async move { drop(future.await) });
        }
    }
}
