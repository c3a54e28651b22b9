//! The calls of a tour, and their results.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::future::IntoFuture;
use std::sync::{Arc, Mutex};

use prefect_sdk::{Client, Error, ErrorKind, LocalServer, RetryPolicy};

/// The operations that succeeded, and those that the server does not support.
#[derive(Clone, Default)]
pub struct Answers {
    pub succeeded: BTreeSet<&'static str>,
    pub unsupported: BTreeSet<&'static str>,
    /// Operations of the current step that were answered 409. If the step succeeds all the same, the SDK has
    /// found out that an attempt before was executed, whose reply a busy database had spoilt.
    conflicts: BTreeSet<&'static str>,
}

impl Answers {
    pub fn table(&self, operations: &[(&str, &str, &str)]) -> String {
        let mut table = String::new();
        for (name, method, path) in operations {
            let answer = match (
                self.succeeded.contains(name),
                self.unsupported.contains(name),
            ) {
                (true, _) => "2xx",
                (false, true) => "not on this server",
                (false, false) => "-",
            };
            writeln!(table, "{method:6} {path:75} {answer}").expect("text");
        }
        let of = operations.len();
        writeln!(table, "{} of {of}", self.succeeded.len()).expect("text");
        table
    }
}

pub struct Tour {
    pub client: Client,
    answers: Arc<Mutex<Answers>>,
    failures: Mutex<Vec<String>>,
}

impl Tour {
    pub fn new(server: &LocalServer) -> Self {
        let answers = Arc::new(Mutex::new(Answers::default()));
        let seen = answers.clone();
        let client = server
            .client_builder()
            .retry(RetryPolicy::default().attempts(10))
            .observer(move |attempt| {
                let mut seen = seen.lock().expect("the answers");
                if attempt.status().is_some_and(|status| status.is_success()) {
                    seen.succeeded.insert(attempt.operation());
                } else if attempt.error() == Some(ErrorKind::Unsupported) {
                    seen.unsupported.insert(attempt.operation());
                } else if attempt.error() == Some(ErrorKind::Conflict) {
                    seen.conflicts.insert(attempt.operation());
                }
            })
            .build()
            .expect("a client");
        Self {
            client,
            answers,
            failures: Mutex::default(),
        }
    }

    /// Makes a call. An `Unsupported` error is not a failure: the server lacks the operation.
    pub async fn step<T>(
        &self,
        what: &str,
        call: impl IntoFuture<Output = Result<T, Error>>,
    ) -> Option<T> {
        let called = call.await;
        let mut answers = self.answers.lock().expect("the answers");
        let conflicts = std::mem::take(&mut answers.conflicts);
        match called {
            Ok(value) => {
                answers.succeeded.extend(conflicts);
                Some(value)
            }
            Err(error) if error.is_unsupported() => None,
            Err(error) => {
                let mut failures = self.failures.lock().expect("the failures");
                failures.push(format!("{what}: {error}"));
                None
            }
        }
    }

    /// Returns the answers to all calls; panics if a call failed.
    pub fn end(self) -> Answers {
        let failures = self.failures.into_inner().expect("the failures");
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        self.answers.lock().expect("the answers").clone()
    }
}
