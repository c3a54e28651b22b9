//! Runtimes of the tests' own, beside that of a test.

use tokio::runtime::{self, Runtime};

/// A runtime that drives its tasks and sockets on a thread of its own.
pub fn driven_runtime() -> Runtime {
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(1)
        .build();
    runtime.expect("a runtime")
}

/// A runtime that drives its tasks and sockets only during `block_on`.
pub fn idle_runtime() -> Runtime {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}
