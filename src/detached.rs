//! A future that is seen to its end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// A future that, when it has begun and is dropped before its end, goes on as a task of the runtime that
/// drops it: a request that was sent may be carried out whether or not somebody waits for the reply.
/// What comes out of it is dropped then.
pub(crate) struct Detached<T: Send + 'static> {
    future: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    has_begun: bool,
}

impl<T: Send + 'static> Detached<T> {
    pub fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
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
        // Without a runtime, or with one that ends, there is nobody to go on with it.
        if let (Some(future), Ok(runtime)) = (begun, Handle::try_current()) {
            runtime.spawn(async move { drop(future.await) });
        }
    }
}
