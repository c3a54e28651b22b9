//! `Recording`: a test that meets a real server once, and a cassette from then on.

use std::path::{Path, PathBuf};

use super::cassette::{Recorder, Replay};
use super::clock::KitClock;
use super::kit::Backend;
use super::server::TestServer;
use crate::client::Client;

/// The environment variable that makes a test record.
const RECORD: &str = "PREFECT_RECORD";

/// A test that meets a real server once, and a cassette from then on.
///
/// With the environment variable `PREFECT_RECORD=1`, requests are passed on to a real server, and [`finish`](Self::finish) writes them down with
/// their replies: ids become labels, times become relative, and secrets are left out. Without it, the cassette is replayed: each request
/// must be one of those recorded, with the same operation, path, query and body but for new ids and times, and each is answered once. What does not
/// fit fails the test.
///
/// A cassette is a file of lines, one JSON object each. A program that polls makes as many requests as its timing wants, so record programs that do
/// not, or use the fake. WebSockets are refused: clients then poll.
///
/// ```no_run
/// # async fn example() -> prefect_sdk::Result<()> {
/// use prefect_sdk::Client;
/// use prefect_sdk::testing::Recording;
///
/// let recording = Recording::open("tests/cassettes/variables.jsonl", || {
///     Client::from_env().expect("a client of the server to record")
/// });
/// let client = recording.client();
/// client.variables().set("region", "eu").await?;
/// recording.finish();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Recording {
    server: TestServer,
    file: PathBuf,
}

impl Recording {
    /// Records into this file what the server of the `upstream` client replies, or replays the file; `upstream` is called only to record.
    ///
    /// # Panics
    ///
    /// If there is no cassette, or none that can be read.
    pub fn open(file: impl AsRef<Path>, upstream: impl FnOnce() -> Client) -> Self {
        let records = std::env::var(RECORD).is_ok_and(|value| value == "1");
        match records {
            true => Self::record(file, upstream()),
            false => Self::replay(file),
        }
    }

    /// Records into this file, whatever the environment says.
    pub fn record(file: impl AsRef<Path>, upstream: Client) -> Self {
        let clock = KitClock::new(false);
        let recorder = Recorder::new(upstream, clock.time());
        Self::with_backend(file.as_ref(), clock, Backend::Recorder(Box::new(recorder)))
    }

    /// Replays this file, whatever the environment says.
    ///
    /// # Panics
    ///
    /// If there is no cassette, or none that can be read.
    pub fn replay(file: impl AsRef<Path>) -> Self {
        let file = file.as_ref();
        let text = std::fs::read_to_string(file);
        let text = text.unwrap_or_else(|error| {
            panic!(
                "the cassette {} cannot be read ({error}): record it with {RECORD}=1",
                file.display()
            )
        });
        let clock = KitClock::new(false);
        let replay = Replay::read(&text, clock.time());
        let replay =
            replay.unwrap_or_else(|error| panic!("{} is no cassette: {error}", file.display()));
        Self::with_backend(file, clock, Backend::Replay(Box::new(replay.into())))
    }

    fn with_backend(file: &Path, clock: KitClock, backend: Backend) -> Self {
        Self {
            server: TestServer::with_backend(clock, backend).expect("a test server"),
            file: file.to_owned(),
        }
    }

    /// A client whose requests are recorded or replayed.
    pub fn client(&self) -> Client {
        self.server.client()
    }

    /// The server that it talks to, for rules and for the requests that have come.
    pub fn server(&self) -> &TestServer {
        &self.server
    }

    /// Ends the test: writes the cassette, or checks that nothing of it is left.
    ///
    /// # Panics
    ///
    /// If the file cannot be written, or if recorded requests did not come.
    pub fn finish(self) {
        match self.server.kit().backend() {
            Backend::Recorder(recorder) => {
                let folder = self
                    .file
                    .parent()
                    .filter(|folder| !folder.as_os_str().is_empty());
                let made = folder.map_or(Ok(()), std::fs::create_dir_all);
                let written = made.and_then(|()| std::fs::write(&self.file, recorder.text()));
                written.unwrap_or_else(|error| {
                    panic!("{} cannot be written: {error}", self.file.display())
                });
            }
            Backend::Replay(replay) => {
                let replay = replay
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                assert!(
                    replay.left().is_empty(),
                    "recorded requests did not come: {}",
                    replay.left().join(", ")
                );
            }
            Backend::Fake(_) | Backend::OnlyRules => {}
        }
    }
}
