//! `Client::doctor`: what is wrong with a connection, in plain words.

use std::fmt;

use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::retry::RetryPolicy;
use crate::transport::{Fit, PREFECT_VERSION};
use crate::types::CountFlowsRequest;

/// What [`Client::doctor`] has found; `Display` is a line for each, with advice.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Diagnosis {
    /// What was looked at, in this order: each needs what is before it.
    pub findings: Vec<Finding>,
}

/// What is known of one part of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at: `url`, `server`, `version`, `credentials`, `csrf` or `api`.
    pub part: &'static str,
    /// Whether it is as it should be.
    pub verdict: Verdict,
    /// What was seen, and what to do about it.
    pub says: String,
}

/// How good a part of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, but something may not.
    Doubtful,
    /// It does not work.
    Bad,
}

impl Diagnosis {
    /// Whether calls will work, as far as can be seen.
    pub fn is_good(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.all(|finding| finding.verdict != Verdict::Bad)
    }

    /// A failure to be told of, under what it is about.
    fn add_failure(&mut self, part: &'static str, error: &Error) -> Result<(), ()> {
        let part = match error.kind() {
            ErrorKind::Unauthorized | ErrorKind::Forbidden => "credentials",
            _ => part,
        };
        self.add(part, Verdict::Bad, format!("{error}. {}", advice(error)));
        Err(())
    }

    fn add(&mut self, part: &'static str, verdict: Verdict, says: impl Into<String>) {
        let says = says.into();
        self.findings.push(Finding {
            part,
            verdict,
            says,
        });
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, finding) in self.findings.iter().enumerate() {
            let mark = match finding.verdict {
                Verdict::Good => "good",
                Verdict::Doubtful => "doubtful",
                Verdict::Bad => "BAD",
            };
            let end = if number == 0 { "" } else { "\n" };
            write!(f, "{end}{mark:8} {:11} {}", finding.part, finding.says)?;
        }
        Ok(())
    }
}

impl Client {
    /// Looks at the connection, part by part, and says in plain words what is wrong with it: the URL,
    /// whether a server answers there and is one of Prefect's (and not a proxy's page), its version,
    /// the credentials, and CSRF protection. It ends at the first part that is bad, for the others need
    /// it.
    ///
    /// Sends `GET /health`, `GET /admin/version`, `GET /csrf-token` and `POST /flows/count`, without
    /// retries; it changes nothing. (Of Prefect Cloud, only the last.) It cannot fail: a failure is what it tells of. Nothing
    /// secret is in it.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) {
    /// let diagnosis = client.doctor().await;
    /// println!("{diagnosis}");
    /// std::process::exit(if diagnosis.is_good() { 0 } else { 1 });
    /// # }
    /// ```
    pub async fn doctor(&self) -> Diagnosis {
        let client = self.with_retry(RetryPolicy::none());
        let mut found = Diagnosis {
            findings: Vec::new(),
        };
        let kind = if client.is_cloud() {
            "Prefect Cloud"
        } else {
            "a Prefect server"
        };
        found.add(
            "url",
            Verdict::Good,
            format!("{} has the form of {kind}'s", client.api_url()),
        );
        // What it ends at is in what was found.
        let _ = client.look(&mut found).await;
        found
    }

    /// Stops at what is bad.
    async fn look(&self, found: &mut Diagnosis) -> Result<(), ()> {
        // Cloud tells neither its health nor a version, and wants no tokens.
        if !self.is_cloud() {
            let health = self.raw().health_check().await;
            if let Err(error) = &health
                && error.kind() == ErrorKind::Unauthorized
            {
                // With authentication, a server asks for credentials wherever it has nothing.
                let says = "a Prefect server tells its health to everybody, and this wants credentials for it: the URL is not that of the API, or a proxy is in front";
                found.add("url", Verdict::Bad, says);
                return Err(());
            }
            let says = health.map(|_| "it answers, and is healthy".to_owned());
            seen("server", says, found)?;
            let (verdict, says) = match self.version().await {
                Ok(version) => judge_version(&version),
                Err(error) => return found.add_failure("api", &error),
            };
            found.add("version", verdict, says);
            if !found.is_good() {
                return Err(());
            }
            self.look_at_csrf(found).await?;
        }
        let flows = self.raw().count_flows(&CountFlowsRequest::new()).await;
        let says =
            flows.map(|flows| format!("calls work: {} flows can be seen", flows.into_inner()));
        seen("api", says, found)
    }

    async fn look_at_csrf(&self, found: &mut Diagnosis) -> Result<(), ()> {
        let wanted = match self.raw().create_csrf_token("prefect-sdk-doctor").await {
            Ok(_) => true,
            Err(error) if error.is_validation() || error.is_unsupported() => false,
            Err(error) => {
                let says = format!("whether the server wants tokens cannot be told: {error}");
                found.add("csrf", Verdict::Doubtful, says);
                return Ok(());
            }
        };
        let sent = self.raw().transport().sends_csrf_tokens();
        let (verdict, says) = match (wanted, sent) {
            (false, _) => (Verdict::Good, "the server wants no tokens"),
            (true, true) => (Verdict::Good, "the server wants tokens, and gets them"),
            (true, false) => (
                Verdict::Bad,
                "the server wants tokens, and this client is told to send none: changes will be refused; set PREFECT_CLIENT_CSRF_SUPPORT_ENABLED=true, or `.csrf(true)`",
            ),
        };
        found.add("csrf", verdict, says);
        if verdict == Verdict::Bad {
            Err(())
        } else {
            Ok(())
        }
    }
}

/// Adds what was seen, or what went wrong.
fn seen(part: &'static str, says: Result<String>, found: &mut Diagnosis) -> Result<(), ()> {
    match says {
        Ok(says) => {
            found.add(part, Verdict::Good, says);
            Ok(())
        }
        Err(error) => found.add_failure(part, &error),
    }
}

fn judge_version(version: &str) -> (Verdict, String) {
    let both = format!("the server is {version}, this client is made for {PREFECT_VERSION}");
    match Fit::of(version) {
        Fit::Good => (Verdict::Good, both),
        Fit::Older => (
            Verdict::Doubtful,
            format!("{both}: what it lacks is an error of the kind Unsupported"),
        ),
        Fit::OtherMajor => (
            Verdict::Bad,
            format!("{both}: the major versions must be the same"),
        ),
        Fit::Unknown => (
            Verdict::Doubtful,
            format!("{both}: whether they fit cannot be told"),
        ),
    }
}

/// What to do about a failure.
fn advice(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::Connection => {
            "Is the server running, and the address right? A firewall, a proxy or a certificate can be in the way: the error's source has the details"
        }
        ErrorKind::Timeout => {
            "Something took the connection and did not answer: is the port that of Prefect?"
        }
        ErrorKind::Unauthorized => {
            "Set PREFECT_API_KEY, or PREFECT_API_AUTH_STRING for a server with basic authentication"
        }
        ErrorKind::Forbidden => {
            "The credentials are known, but may not do this; or they are of another workspace"
        }
        ErrorKind::NotFound | ErrorKind::Unsupported => {
            "The URL must be that of the API, as http://127.0.0.1:4200/api"
        }
        ErrorKind::UnexpectedBody | ErrorKind::Decode => {
            "Something else than Prefect answers: a proxy's login page, or another service; the URL must be that of the API"
        }
        ErrorKind::Server => "The server, or what is in front of it, fails: its log says why",
        _ => "See the documentation of prefect_sdk::ErrorKind",
    }
}
