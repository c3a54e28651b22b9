//! Starts a run of a deployment, and shows its states and log lines as they arrive:
//! `cargo run --example run_and_follow -- etl/nightly '{"full": true}'`
//!
//! Exits with code 0 if the run completes, otherwise with 1. Ctrl-C ends this program but not the run. It
//! uses the same server as Prefect's own tools (`PREFECT_API_URL`, or the profile).

use std::error::Error;
use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::{DateTime, Local, Utc};
use prefect_sdk::types::{State, StateType};
use prefect_sdk::{Client, flow_runs::RunUpdate};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

// ANSI codes for text styles and colours.
const PLAIN: u8 = 0;
const DIM: u8 = 2;
const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;
const BLUE: u8 = 34;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let (deployment, parameters) = match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(deployment), None, _) => (deployment, json!({})),
        (Some(deployment), Some(parameters), None) => {
            (deployment, serde_json::from_str(&parameters)?)
        }
        _ => {
            eprintln!("usage: run_and_follow FLOW/DEPLOYMENT ['{{\"parameter\": …}}']");
            return Ok(ExitCode::from(2));
        }
    };
    let client = Client::from_env()?;
    let (mut out, is_terminal) = (io::stdout(), io::stdout().is_terminal());
    match run(&client, &deployment, parameters, &mut out, is_terminal).await? {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

/// Starts a run and follows it. Returns whether it completed.
pub async fn run(
    client: &Client,
    deployment: &str,
    parameters: Value,
    out: &mut impl Write,
    is_terminal: bool,
) -> Result<bool> {
    let run = client.deployments().run(deployment).parameters(parameters);
    let run = run.send().await?;
    let (mut screen, start) = (Screen { out, is_terminal }, Instant::now());
    let name = run.snapshot().and_then(|run| run.name.as_deref());
    let name = name.unwrap_or_default();
    screen.line(Utc::now(), PLAIN, &format!("{name} of {deployment}"))?;
    let mut updates = run.watch();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let (mut last, mut frame) = (None, 0);
    loop {
        // No update is lost when the spinner is drawn: the future of `next` may be dropped at any time.
        let update = tokio::select! {
            update = updates.next() => update,
            _ = ticks.tick(), if is_terminal => {
                let state = last.as_ref().map_or("no state yet", name_of);
                let seconds = start.elapsed().as_secs();
                screen.spinner(FRAMES[frame % FRAMES.len()], &format!("{state} {seconds} s"))?;
                frame += 1;
                continue;
            }
        };
        match update {
            Some(Ok(RunUpdate::State(state))) => {
                let at = state.timestamp.unwrap_or_else(Utc::now);
                let message = state.message.as_deref().unwrap_or_default();
                let text = format!("{} {message}", name_of(&state));
                screen.line(at, colour_of(&state.type_), text.trim_end())?;
                last = Some(*state);
            }
            Some(Ok(RunUpdate::Log(log))) => {
                let (level, colour) = match log.level {
                    50.. => ("CRITICAL", RED),
                    40.. => ("ERROR", RED),
                    30.. => ("WARNING", YELLOW),
                    20.. => ("INFO", PLAIN),
                    _ => ("DEBUG", DIM),
                };
                screen.line(log.timestamp, colour, &format!("{level:8} {}", log.message))?;
            }
            Some(Ok(_)) => {}
            // The run has ended, or there was an error.
            end => {
                screen.clear()?;
                end.transpose()?;
                return Ok(last.is_some_and(|state| state.type_ == StateType::Completed));
            }
        }
    }
}

fn name_of(state: &State) -> &str {
    state.name.as_deref().unwrap_or(state.type_.as_str())
}

fn colour_of(state: &StateType) -> u8 {
    match state {
        StateType::Completed => GREEN,
        StateType::Failed | StateType::Crashed => RED,
        StateType::Cancelled | StateType::Cancelling | StateType::Paused => YELLOW,
        _ => BLUE,
    }
}

/// Prints lines and, on a terminal, a spinner below them.
struct Screen<'a, W> {
    out: &'a mut W,
    is_terminal: bool,
}

impl<W: Write> Screen<'_, W> {
    fn line(&mut self, at: DateTime<Utc>, colour: u8, text: &str) -> io::Result<()> {
        self.clear()?;
        let time = at.with_timezone(&Local).format("%H:%M:%S");
        match self.is_terminal {
            true => writeln!(self.out, "\x1b[{DIM}m{time}\x1b[0;{colour}m {text}\x1b[0m")?,
            false => writeln!(self.out, "{time} {text}")?,
        }
        self.out.flush()
    }

    fn spinner(&mut self, frame: &str, text: &str) -> io::Result<()> {
        self.clear()?;
        write!(self.out, "{frame} {text}")?;
        self.out.flush()
    }

    fn clear(&mut self) -> io::Result<()> {
        match self.is_terminal {
            true => write!(self.out, "\r\x1b[K"),
            false => Ok(()),
        }
    }
}
