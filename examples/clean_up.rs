//! Deletes flow runs that ended long ago: `cargo run --example clean_up -- 30` prints how many ended more
//! than 30 days ago; with `--yes` added, it deletes them.
//!
//! It uses the same server as Prefect's own tools (`PREFECT_API_URL`, or the profile).

use chrono::Utc;
use prefect_sdk::types::StateType;
use prefect_sdk::{Client, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let (mut days, mut yes) = (30, false);
    for argument in std::env::args().skip(1) {
        match argument.parse() {
            Ok(number) => days = number,
            Err(_) if argument == "--yes" => yes = true,
            Err(_) => {
                eprintln!("{argument:?} is neither a number of days nor --yes");
                std::process::exit(2);
            }
        }
    }
    run(&Client::from_env()?, days, yes).await?;
    Ok(())
}

/// Deletes old flow runs if `yes` is set. Returns how many were deleted, or would be.
pub async fn run(client: &Client, days: u32, yes: bool) -> Result<usize> {
    let long_ago = Utc::now() - chrono::Duration::days(days.into());
    let old = || {
        client
            .flow_runs()
            .delete_many()
            .state(StateType::Completed)
            .state(StateType::Failed)
            .state(StateType::Cancelled)
            .state(StateType::Crashed)
            .ended_until(long_ago)
    };
    let count = old().dry_run().await?;
    println!("{count} flow runs ended more than {days} days ago");
    if !yes {
        println!("nothing was deleted; add --yes to delete them");
        return Ok(count as usize);
    }
    let deleted = old()
        .on_progress(|progress| println!("{} of {}", progress.done, progress.total))
        .await?;
    println!("{} were deleted", deleted.len());
    Ok(deleted.len())
}
