//! Requests that find out whether an ambiguous attempt was executed.

use std::time::{Duration, Instant};

use reqwest::Url;

use super::call_context::CallContext;
use super::execution_evidence::Transition;
use super::operation::Operation;
use super::prerequisites::NoPrerequisites;
use super::raw_reply::RawReply;
use super::request::Request;
use super::retry_loop::RetryLoop;

const READ_STATES: Operation = Operation("read_flow_run_states", "/flow_run_states/");

/// Reads the states of the run to find the transition with this id.
pub(super) async fn find_transition(
    context: &CallContext<'_>,
    id: &str,
    since: Instant,
) -> Option<Transition> {
    let run = context.call.url().path_segments()?.rev().nth(1)?;
    let mut url = context.call.url().clone();
    let path = url.path().rsplit_once("/flow_runs/")?.0.to_owned();
    url.set_path(&format!("{path}/flow_run_states/"));
    url.set_query(Some(&format!("flow_run_id={run}")));
    let (states, ago) = read(context, url, READ_STATES, since).await?;
    Transition::read(states, id, ago)
}

/// Reads an object on behalf of the call, and returns it with the time that has passed since `since`.
pub(super) async fn read(
    context: &CallContext<'_>,
    url: Url,
    operation: Operation,
    since: Instant,
) -> Option<(RawReply, Duration)> {
    let channel = context.subordinate(context.channel.retry().clone());
    let call = RetryLoop::new(&channel, Request::get(url), operation).ok()?;
    let (_, found) = Box::pin(call.reply(&NoPrerequisites)).await;
    Some((found.ok()?, since.elapsed()))
}
