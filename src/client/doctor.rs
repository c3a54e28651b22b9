//! `Client::doctor`: a diagnosis of the connection, in plain words.

use std::fmt;

use super::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::retry::RetryPolicy;
use crate::transport::{Compatibility, PREFECT_VERSION};
use crate::types::CountFlowsRequest;

/// The result of [`Client::doctor`]; `Display` shows one line per finding, with advice.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The findings, in the order of the checks: each check needs the ones before it.
    pub findings: Vec<Finding>,
}

/// The result of checking one part of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The part that was checked: `url`, `server`, `version`, `credentials`, `csrf` or `api`.
    pub part: &'static str,
    /// Whether the part works.
    pub verdict: Verdict,
    /// A description of the result, with advice if something is wrong.
    pub message: String,
}

/// The state of one part of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The part works.
    Good,
    /// The part works, but some calls may fail.
    Doubtful,
    /// The part does not work.
    Bad,
}

impl Diagnosis {
    /// Whether calls will work, as far as the checks can tell.
    pub fn is_good(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.all(|finding| finding.verdict != Verdict::Bad)
    }

    /// Adds a failure of this part, or of `credentials` if the server refused them.
    fn add_failure(&mut self, part: &'static str, error: &Error) -> Result<(), ()> {
        let part = match error.kind() {
            ErrorKind::Unauthorized | ErrorKind::Forbidden => "credentials",
            _ => part,
        };
        let message = match advice(error) {
            Some(advice) => format!("{error}. {advice}"),
            None => error.to_string(),
        };
        self.add(part, Verdict::Bad, message);
        Err(())
    }

    fn add(&mut self, part: &'static str, verdict: Verdict, message: impl Into<String>) {
        let message = message.into();
        self.findings.push(Finding {
            part,
            verdict,
            message,
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
            write!(f, "{end}{mark:8} {:11} {}", finding.part, finding.message)?;
        }
        Ok(())
    }
}

impl Client {
    /// Checks the connection, part by part, and describes in plain words what is wrong with it: the URL,
    /// whether a Prefect server answers there (and not a proxy's page), its version, the credentials, and
    /// CSRF protection. It stops at the first part that is bad, because the later checks depend on it.
    ///
    /// Sends `GET /health`, `GET /admin/version`, `GET /csrf-token` and `POST /flows/count`, without
    /// retries; to Prefect Cloud, only the last. It changes nothing on the server. It cannot fail: failures
    /// are part of the diagnosis, which contains no secrets.
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
        let mut diagnosis = Diagnosis {
            findings: Vec::new(),
        };
        let kind = if client.is_cloud() {
            "Prefect Cloud"
        } else {
            "a Prefect server"
        };
        diagnosis.add(
            "url",
            Verdict::Good,
            format!("{} looks like the API URL of {kind}", client.api_url()),
        );
        // If a check failed, its finding says so.
        let _ = client.run_checks(&mut diagnosis).await;
        if !diagnosis.is_good() && !self.channel().config().has_ascii_auth {
            let message = "the auth string has characters beyond ASCII, with which a Prefect server fails (500): it needs another one";
            diagnosis.add("credentials", Verdict::Doubtful, message);
        }
        diagnosis
    }

    /// Runs the checks, and stops at the first part that is bad.
    async fn run_checks(&self, diagnosis: &mut Diagnosis) -> Result<(), ()> {
        // Cloud reports neither health nor version, and requires no CSRF tokens.
        if !self.is_cloud() {
            let health = self.raw().health_check().await;
            if let Err(error) = &health
                && error.kind() == ErrorKind::Unauthorized
            {
                // With authentication, a server answers 401 on every path that it does not have.
                let message = "a Prefect server reports its health without credentials, but this one asks for them: the URL is not that of the API, or a proxy is in front";
                diagnosis.add("url", Verdict::Bad, message);
                return Err(());
            }
            let message = health.map(|_| "it answers, and is healthy".to_owned());
            add_result("server", message, diagnosis)?;
            let (verdict, message) = match self.version().await {
                Ok(version) => judge_version(&version),
                Err(error) => return diagnosis.add_failure("api", &error),
            };
            diagnosis.add("version", verdict, message);
            if !diagnosis.is_good() {
                return Err(());
            }
            self.check_csrf(diagnosis).await?;
        }
        let flows = self.raw().count_flows(&CountFlowsRequest::new()).await;
        let message =
            flows.map(|flows| format!("calls work: {} flows are visible", flows.into_inner()));
        add_result("api", message, diagnosis)
    }

    async fn check_csrf(&self, diagnosis: &mut Diagnosis) -> Result<(), ()> {
        let wanted = match self.raw().create_csrf_token("prefect-sdk-doctor").await {
            Ok(_) => true,
            Err(error) if error.is_validation() || error.is_unsupported() => false,
            Err(error) => {
                let message = format!("it is unknown whether the server requires tokens: {error}");
                diagnosis.add("csrf", Verdict::Doubtful, message);
                return Ok(());
            }
        };
        let sent = self.channel().sends_csrf_tokens();
        let (verdict, message) = match (wanted, sent) {
            (false, _) => (Verdict::Good, "the server requires no tokens"),
            (true, true) => (Verdict::Good, "the server requires tokens, and gets them"),
            (true, false) => (
                Verdict::Bad,
                "the server requires tokens, but this client is configured to send none: changes will be refused; set PREFECT_CLIENT_CSRF_SUPPORT_ENABLED=true, or `.csrf(true)`",
            ),
        };
        diagnosis.add("csrf", verdict, message);
        if verdict == Verdict::Bad {
            Err(())
        } else {
            Ok(())
        }
    }
}

/// Adds a good finding, or the failure.
fn add_result(
    part: &'static str,
    message: Result<String>,
    diagnosis: &mut Diagnosis,
) -> Result<(), ()> {
    match message {
        Ok(message) => {
            diagnosis.add(part, Verdict::Good, message);
            Ok(())
        }
        Err(error) => diagnosis.add_failure(part, &error),
    }
}

fn judge_version(version: &str) -> (Verdict, String) {
    let both = format!("the server is {version}, this client is made for {PREFECT_VERSION}");
    match Compatibility::of(version) {
        Compatibility::Compatible => (Verdict::Good, both),
        Compatibility::Older => (
            Verdict::Doubtful,
            format!("{both}: operations that it lacks fail as Unsupported"),
        ),
        Compatibility::OtherMajor => (
            Verdict::Bad,
            format!("{both}: the major versions must be the same"),
        ),
        Compatibility::Unknown => (
            Verdict::Doubtful,
            format!("{both}: it is unknown whether they are compatible"),
        ),
    }
}

/// Advice for a failure, where its own description has none.
fn advice(error: &Error) -> Option<&'static str> {
    Some(match error.kind() {
        ErrorKind::Connection => {
            "Is the server running, and are the address and the port right? A firewall or a proxy may be the cause, too"
        }
        ErrorKind::Timeout => {
            "Something accepted the connection but did not answer: is this Prefect's port?"
        }
        ErrorKind::Unauthorized => return None,
        ErrorKind::Forbidden => {
            "The credentials are valid but do not allow this, or they belong to another workspace"
        }
        ErrorKind::NotFound | ErrorKind::Unsupported => {
            "The URL must be that of the API, such as http://127.0.0.1:4200/api"
        }
        ErrorKind::UnexpectedBody | ErrorKind::Decode => {
            "Something other than Prefect answers: a proxy's login page, or another service; the URL must be that of the API"
        }
        ErrorKind::Server => "The server, or a proxy in front of it, failed: see its log",
        _ => "See the documentation of prefect_sdk::ErrorKind",
    })
}
