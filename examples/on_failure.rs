//! Waits for flow runs that fail or crash, prints a line about each, and puts a report into the run, which the UI
//! shows among its artifacts: `cargo run --example on_failure`, until Ctrl-C.
//!
//! The server is the one that Prefect's own tools would take (`PREFECT_API_URL`, the profile).

use std::error::Error;
use std::io::{self, Write};

use prefect_sdk::types::ReceivedEvent;
use prefect_sdk::{Artifact, Client, Received};
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    println!("waiting for flow runs that fail …");
    run(&Client::from_env()?, &mut io::stdout(), None).await
}

/// Ends after so many runs, if that is said.
pub async fn run(client: &Client, out: &mut impl Write, how_many: Option<usize>) -> Result<()> {
    // Events are named after the name of the state, which is another one when the time of a run is over.
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
            Received::Event(event) => {
                count += usize::from(report(client, &event, out).await?);
            }
            // Printed for whoever wants to look; what the server has stored still comes.
            Received::MayHaveMissed(gap) => eprintln!("{gap}"),
            _ => {}
        }
    }
    Ok(())
}

/// Returns whether there is such a run: it may have been deleted since.
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
    // Where the UI of a server of one's own has the run; that of Prefect Cloud is elsewhere.
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
        .flow_run(id);
    client.artifacts().create(&report.into()).await?;
    Ok(true)
}
