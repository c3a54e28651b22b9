//! Whether threads of this process are at work for the SDK.

use std::fs;

/// How the names of the threads begin that work for clients and kits: their own, and those of the program's runtimes.
const NAMES: [&str; 2] = ["prefect", "tokio"];

/// Whether a thread that works for a client, a kit or a runtime is running, or would if there were a processor for it.
///
/// This is known on Linux only; elsewhere the answer is no.
pub(super) fn are_at_work() -> bool {
    let own = fs::read_link("/proc/thread-self");
    let own = own
        .ok()
        .and_then(|own| own.file_name().map(ToOwned::to_owned));
    let tasks = fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    tasks
        .filter(|task| Some(task.file_name()) != own)
        .any(|task| {
            // A thread may have ended meanwhile.
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            is_at_work(&stat)
        })
}

/// Reads a line such as `42 (tokio-rt-worker) S 1 …`.
fn is_at_work(stat: &str) -> bool {
    let Some((name, rest)) = stat
        .split_once('(')
        .and_then(|(_, rest)| rest.rsplit_once(')'))
    else {
        return false;
    };
    let state = rest.trim_start().chars().next();
    NAMES.iter().any(|start| name.starts_with(start)) && matches!(state, Some('R' | 'D'))
}

#[cfg(test)]
mod tests {
    use super::is_at_work;

    #[test]
    fn a_line_tells_who_is_at_work() {
        assert!(is_at_work("42 (tokio-rt-worker) R 1 1"));
        assert!(is_at_work("42 (prefect (a)) D 1 1"));
        assert!(!is_at_work("42 (prefect-sdk) S 1 1"));
        assert!(!is_at_work("42 (other) R 1 1"));
        assert!(!is_at_work(""));
    }
}
