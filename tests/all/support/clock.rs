//! Clocks whose waits end at once, never, or in real time.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prefect_sdk::client::Clock;

/// A clock whose waits end at once; it advances by them and records them.
#[derive(Clone)]
pub struct FakeClock {
    start: Instant,
    waits: Arc<Mutex<Vec<Duration>>>,
}

impl Default for FakeClock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            waits: Arc::default(),
        }
    }
}

impl FakeClock {
    /// The recorded waits, in seconds.
    pub fn waits(&self) -> Vec<f64> {
        let waits = self.waits.lock().expect("not poisoned");
        waits.iter().map(Duration::as_secs_f64).collect()
    }

    pub fn advance(&self, duration: Duration) {
        self.waits.lock().expect("not poisoned").push(duration);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Instant {
        let waits = self.waits.lock().expect("not poisoned");
        self.start + waits.iter().sum::<Duration>()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.advance(duration);
        Box::pin(std::future::ready(()))
    }
}

/// A clock that stands still until the test moves it, and whose waits never end.
#[derive(Clone, Default)]
pub struct StoppedClock(FakeClock);

impl StoppedClock {
    pub fn advance(&self, duration: Duration) {
        self.0.advance(duration);
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

/// The system's clock, for clients that would have another one.
pub struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}
