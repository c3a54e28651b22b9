//! Subscribers of `tracing`, and what they write.

use std::io;
use std::sync::{Arc, Mutex, Once};

use tracing::Subscriber;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// Makes this the subscriber of this thread, until the guard is dropped.
///
/// Another is installed for all threads. While there is only one in the process, `tracing` asks only the thread that reaches
/// a callsite first whether it is of interest, and takes that as the answer for all threads.
pub fn subscribe(subscriber: impl Subscriber + Send + Sync) -> DefaultGuard {
    static ANOTHER: Once = Once::new();
    ANOTHER.call_once(|| {
        let another = tracing_subscriber::registry();
        tracing::subscriber::set_global_default(another).expect("the first");
    });
    tracing::subscriber::set_default(subscriber)
}

/// The captured output of a tracing subscriber.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("not poisoned")).into_owned()
    }

    /// Adds text that was printed elsewhere.
    pub fn note(&self, text: String) {
        self.0
            .lock()
            .expect("not poisoned")
            .extend(text.into_bytes());
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
