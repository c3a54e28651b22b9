//! A part of these tests runs on several servers, too: they have PostgreSQL, which refuses what SQLite stores and the
//! other way round, and what one server did is read from another.

use std::process::Command;

use crate::support::live::{ELSEWHERE, KIND};

/// What depends on the database or on where the server keeps something: filters, what cannot be stored, idempotent
/// changes, leases, events and tasks.
const PART: [&str; 7] = [
    "flow::tasks",
    "query::",
    "resources::events::",
    "resources::concurrency::holding",
    "resources::concurrency::tag_limits",
    "resources::ensured",
    "resources::storable",
];

#[test]
fn a_part_of_these_tests_passes_on_several_servers() {
    // The whole suite runs there, or on a server that was started elsewhere.
    if [KIND, ELSEWHERE]
        .iter()
        .any(|name| std::env::var_os(name).is_some())
    {
        return;
    }
    let tests = std::env::current_exe().expect("this program");
    let mut part = Command::new(tests);
    part.args(PART).args(["--test-threads", "4"]);
    let output = part.env(KIND, "cluster").output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "on several servers:\n{text}");
    for part in PART {
        assert!(text.contains(&format!("test {part}")), "no test of {part}");
    }
}
