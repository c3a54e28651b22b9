//! Waits for flow runs that fail or crash, prints a line about each, and adds a report to the run, which the
//! UI shows among its artifacts: `cargo run --example on_failure`. Ctrl-C ends it.
//!
//! It uses the same server as Prefect's own tools (`PREFECT_API_URL`, or the profile).

use std::error::Error;
use std::io::{self, Write};

use prefect_sdk::types::ReceivedEvent;
use prefect_sdk::{Client, artifacts::Artifact, events::EventUpdate};
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    println!("waiting for flow runs that fail …");
    run(&Client::from_env()?, &mut io::stdout(), None).await
}

/// Reports failures to `out`, and returns after `how_many` runs if that is set.
pub async fn run(client: &Client, out: &mut impl Write, how_many: Option<usize>) -> Result<()> {
    // Events are named after the state's name, which is `TimedOut` for a run that exceeds its time limit.
    let events = client
        .events()
        .subscribe()
        .name("prefect.flow-run.Failed")
        .name("prefect.flow-run.TimedOut")
        .name("prefect.flow-run.Crashed");
    let mut events = events.start().await?;
    let mut count = 0;
    while how_many.is_none_or(|how_many| count < how_many) {
        let Some(received) = events.next().await else {
            return Ok(());
        };
        match received? {
            EventUpdate::Event(event) => {
                count += usize::from(report(client, &event, out).await?);
            }
            // Only printed: events that the server has stored are still delivered.
            EventUpdate::Gap(gap) => eprintln!("{gap}"),
            _ => {}
        }
    }
    Ok(())
}

/// Reports one failure. Returns whether the run exists: it may have been deleted since.
async fn report(client: &Client, event: &ReceivedEvent, out: &mut impl Write) -> Result<bool> {
    let label = |key: &str| event.resource.get(key).map(String::as_str);
    let id = label("prefect.resource.id").and_then(|id| id.strip_prefix("prefect.flow-run."));
    let Some(id) = id.and_then(|id| id.parse::<Uuid>().ok()) else {
        return Ok(false);
    };
    let Some(run) = client.flow_runs().get_opt(id).await? else {
        return Ok(false);
    };
    let Some(flow) = client.flows().get_opt(run.flow_id).await? else {
        return Ok(false);
    };
    let name = run.name.as_deref().unwrap_or("a run");
    let state = label("prefect.state-name").unwrap_or("Failed");
    let message = label("prefect.state-message").unwrap_or("no message");
    let at = event.occurred.format("%F %T UTC");
    let attempt = run.run_count.unwrap_or_default();
    // The page of the run in the UI of a self-hosted server; Prefect Cloud has its UI elsewhere.
    let url = client.api_url().trim_end_matches('/').strip_suffix("/api");
    let url = url.map(|ui| format!("{ui}/runs/flow-run/{id}"));

    writeln!(out, "{at}  {}/{name}  {state}: {message}", flow.name)?;
    if let Some(url) = &url {
        writeln!(out, "    {url}")?;
    }
    out.flush()?;

    let text = format!("# {state}\n\nAttempt {attempt} at {at}:\n\n```\n{message}\n```\n");
    let report = Artifact::markdown(text)
        .key("failure")
        .description(format!("Why {name} of {} did not complete", flow.name))
        .flow_run_id(id);
    client.artifacts().create(&report.into()).await?;
    Ok(true)
}
