//! Flow runs: controlling them, waiting for them, watching them.

mod control;
mod handle;
mod lines;
mod polling;
mod wait;
mod watch;
