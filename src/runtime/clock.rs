//! The clock of the SDK, which a test can replace so that it need not wait.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// The clock of a client: see [`ClientBuilder::clock`](crate::ClientBuilder::clock).
///
/// It measures the waits between attempts, deadlines, the age of a CSRF token, and when what goes on in the background is due:
/// renewals, heartbeats, the reads of a subscription to events. It does not measure the timeouts of single requests, which
/// concern real sockets, nor how often runs are polled that are waited for or watched. If its waits end at once, what is
/// repeated in the background goes on without a pause.
///
/// ```
/// use std::{future::{self, Future}, pin::Pin, sync::Mutex, time::{Duration, Instant}};
///
/// /// Ends every wait at once, and adds up the time.
/// struct Impatient(Instant, Mutex<Duration>);
///
/// impl prefect_sdk::client::Clock for Impatient {
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
    /// The current time, which never goes back.
    fn now(&self) -> Instant;

    /// Resolves after this duration.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// The time of day, which is written into what is sent: heartbeats, the states of tasks, scheduled times. By default it is the
    /// system's.
    fn time_of_day(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// The system's monotonic clock, and tokio's timer.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}
