//! The states that attempts propose, with the texts that Prefect's own engine writes.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::stop::StopReason;
use crate::types::{Json, StateCreate, StateDetails, StateType};

/// The most bytes of a result that is stored in the state, which each reading of the run returns.
const MAX_RESULT_BYTES: usize = 1_000_000;

/// The most characters of a message.
const MAX_MESSAGE_CHARS: usize = 20_000;

/// What became of the function of a run.
#[derive(Debug)]
pub(super) enum BodyEnd {
    /// It has returned a value; what that is as JSON, or why it cannot be JSON.
    Returned(Result<Json, String>),
    /// It has failed or panicked.
    Failed(String),
    /// It was dropped.
    Dropped,
}

/// The state for parameters that the flow cannot read.
pub(super) fn invalid_parameters(error: &str) -> StateCreate {
    failed(format!(
        "Validation of flow parameters failed with error: {error}"
    ))
}

/// The state for a function that has ended by itself.
pub(super) fn ended(end: BodyEnd) -> StateCreate {
    match end {
        BodyEnd::Returned(Ok(value)) => completed(value),
        BodyEnd::Returned(Err(error)) => failed(format!(
            "Flow run encountered an exception: the result cannot be stored as JSON: {error}"
        )),
        BodyEnd::Failed(error) => failed(format!("Flow run encountered an exception: {error}")),
        BodyEnd::Dropped => {
            StateCreate::crashed("Execution was aborted: the function was dropped.")
        }
    }
}

/// The state for a run that was stopped for this reason, and could not go on.
pub(super) fn crashed(reason: &StopReason) -> StateCreate {
    let why = match reason {
        StopReason::Terminated | StopReason::Rescheduled => " by a termination signal".to_owned(),
        StopReason::Interrupted => " by an interrupt signal".to_owned(),
        reason => format!(": {reason}"),
    };
    StateCreate::crashed(cut(format!("Execution was aborted{why}.")))
}

pub(super) fn cancelled() -> StateCreate {
    StateCreate::cancelled().message("Flow run was cancelled.")
}

/// The state for a run whose timeout is over.
pub(super) fn timed_out(timeout: Option<Duration>) -> StateCreate {
    let seconds = timeout.unwrap_or_default().as_secs_f64();
    let message = format!("Flow run exceeded timeout of {seconds:?} second(s)");
    failed(message).name("TimedOut")
}

/// The state for a run that another process is to take up.
pub(super) fn rescheduled(at: DateTime<Utc>) -> StateCreate {
    StateCreate::new(StateType::Scheduled)
        .name("AwaitingRetry")
        .message("The run was rescheduled because its process was asked to end.")
        .state_details(StateDetails::new().scheduled_time(at))
}

fn completed(value: Json) -> StateCreate {
    let state = StateCreate::completed();
    match value.as_str().len() {
        _ if value.is_null() => state,
        ..=MAX_RESULT_BYTES => state.data(value),
        bytes => state.message(format!(
            "The result has {bytes} bytes, more than the {MAX_RESULT_BYTES} that are stored."
        )),
    }
}

fn failed(message: String) -> StateCreate {
    StateCreate::failed(cut(message))
}

/// What the server can store of a message.
pub(super) fn cut(message: String) -> String {
    let message = match message.contains('\0') {
        true => message.replace('\0', ""),
        false => message,
    };
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((at, _)) => format!("{}… [truncated]", &message[..at]),
        None => message,
    }
}

/// An error and its causes, in one line; a cause that the text before already names is not repeated.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use serde_json::json;

    use super::*;

    #[derive(Debug)]
    struct Outer(std::io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the file is lost")
        }
    }

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_message_names_all_causes_once() {
        let error = Outer(std::io::Error::other("no space"));
        assert_eq!(chain(&error), "the file is lost: no space");
    }

    #[test]
    fn a_result_that_is_too_large_is_not_stored_but_said() {
        let state = completed("x".repeat(MAX_RESULT_BYTES).into());
        assert!(state.data.is_none());
        assert!(
            state
                .message
                .as_deref()
                .is_some_and(|it| it.contains("1000002 bytes"))
        );
        assert_eq!(
            completed(json!({ "n": 1 }).into()).data,
            Some(json!({ "n": 1 }).into())
        );
    }

    #[test]
    fn a_message_is_what_the_server_can_store() {
        assert_eq!(cut("a\0b".to_owned()), "ab");
        let long = cut("ä".repeat(MAX_MESSAGE_CHARS + 1));
        assert!(long.starts_with('ä') && long.ends_with("… [truncated]"));
    }

    #[test]
    fn a_timeout_is_told_as_python_tells_it() {
        let state = timed_out(Some(Duration::from_secs(5)));
        assert_eq!(state.name.as_deref(), Some("TimedOut"));
        assert_eq!(
            state.message.as_deref(),
            Some("Flow run exceeded timeout of 5.0 second(s)")
        );
    }
}
