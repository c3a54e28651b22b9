//! Writes all flow runs of the last week as JSON, one a line: `cargo run --example export_runs > runs.jsonl`.
//! Progress goes to standard error. However many there are, memory stays small.
//!
//! The server is the one that Prefect's own tools would take (`PREFECT_API_URL`, the profile).

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

/// Returns how many were written.
pub async fn run(client: &Client, out: &mut impl Write) -> Result<i64, Box<dyn Error>> {
    // With an end, runs that come while this goes on do not move those that are there.
    let now = Utc::now();
    let a_week_ago = now - chrono::Duration::weeks(1);
    let total = client
        .flow_runs()
        .count()
        .since(a_week_ago)
        .until(now)
        .await?;
    let runs = client.flow_runs().list().since(a_week_ago).until(now);
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
