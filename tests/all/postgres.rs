//! PostgreSQL refuses what SQLite stores, and the other way round, so a part of these tests runs on both.

use std::process::Command;

/// What depends on the database: filters, what cannot be stored, and idempotent changes.
const PART: [&str; 4] = [
    "query::filters",
    "query::bulk",
    "resources::ensured",
    "resources::storable",
];

#[test]
fn a_part_of_these_tests_passes_on_postgresql() {
    // The whole suite runs there, or on a server that was started elsewhere.
    if ["PREFECT_SDK_TEST_DATABASE", "PREFECT_TEST_API_URL"]
        .iter()
        .any(|name| std::env::var_os(name).is_some())
    {
        return;
    }
    let tests = std::env::current_exe().expect("this program");
    let mut part = Command::new(tests);
    part.args(PART).args(["--test-threads", "2"]);
    let output = part.env("PREFECT_SDK_TEST_DATABASE", "postgres").output();
    let output = output.expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "on PostgreSQL:\n{text}");
    for part in PART {
        assert!(
            text.contains(&format!("test {part}::")),
            "no test of {part}"
        );
    }
}
