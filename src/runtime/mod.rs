//! Time, waiting and shared work, for all layers above.

mod backoff;
mod clock;
mod single_flight;
mod sleep_detector;

pub(crate) use backoff::Backoff;
pub use clock::Clock;
pub(crate) use clock::SystemClock;
pub(crate) use single_flight::SingleFlight;
pub(crate) use sleep_detector::SleepDetector;
