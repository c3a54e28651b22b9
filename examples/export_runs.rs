//! Writes all flow runs of the last week as JSON, one per line:
//! `cargo run --example export_runs > runs.jsonl`. Progress goes to standard error. Memory use stays
//! small, however many runs there are.
//!
//! It uses the same server as Prefect's own tools (`PREFECT_API_URL`, or the profile).

use std::error::Error;
use std::io::{self, BufWriter, Write};

use chrono::Utc;
use prefect_sdk::Client;
use prefect_sdk::types::FlowRunSort;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(io::stdout().lock());
    run(&Client::from_env()?, &mut out).await?;
    Ok(())
}

/// Writes the runs to `out`, and returns how many there were.
pub async fn run(client: &Client, out: &mut impl Write) -> Result<i64, Box<dyn Error>> {
    // With an end time, runs that are created during the export do not shift the pages.
    let now = Utc::now();
    let a_week_ago = now - chrono::Duration::weeks(1);
    let total = client
        .flow_runs()
        .count()
        .expected_since(a_week_ago)
        .expected_until(now)
        .await?;
    let runs = client
        .flow_runs()
        .list()
        .expected_since(a_week_ago)
        .expected_until(now);
    let runs = runs.sort(FlowRunSort::ExpectedStartTimeAsc);
    let mut runs = runs.pager();
    let mut written = 0;
    while let Some(run) = runs.next().await {
        serde_json::to_writer(&mut *out, &run?)?;
        out.write_all(b"\n")?;
        written += 1;
        if written % 1000 == 0 || written == total {
            eprintln!("{written} of {total}");
        }
    }
    out.flush()?;
    Ok(written)
}
