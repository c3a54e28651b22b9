//! Time as the SDK sees it, so that a test need not wait for it.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// What a client waits by: see [`ClientBuilder::clock`](crate::ClientBuilder::clock).
///
/// Waiting between attempts, deadlines and the age of a CSRF token go by it; timeouts of single
/// requests do not, for they are about real sockets, nor what is held against the server's time.
///
/// ```
/// use std::{future::{self, Future}, pin::Pin, sync::Mutex, time::{Duration, Instant}};
///
/// /// Passes at once what it is asked to wait for, and adds it up.
/// struct Impatient(Instant, Mutex<Duration>);
///
/// impl prefect_sdk::Clock for Impatient {
///     fn now(&self) -> Instant {
///         self.0 + *self.1.lock().unwrap()
///     }
///
///     fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
///         *self.1.lock().unwrap() += duration;
///         Box::pin(future::ready(()))
///     }
/// }
///
/// let client = prefect_sdk::Client::builder()
///     .api_url("http://127.0.0.1:4200/api")
///     .clock(Impatient(Instant::now(), Mutex::default()))
///     .build()?;
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The time, which never goes back.
    fn now(&self) -> Instant;

    /// Resolves after this time.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// tokio's.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}
