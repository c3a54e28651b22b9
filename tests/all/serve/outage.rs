//! A server that is out of reach while its deployments are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::{Serving, a_gated_flow, a_kit, served};
use crate::flow::process::until_running;
use crate::flow::{a_run_of, states};
use crate::support::{BUSY_TIMEOUT, Fault, FaultProxy};

/// Half of an outage of more than ten minutes.
const HALF: Duration = Duration::from_secs(303);

#[tokio::test]
async fn work_goes_on_after_an_outage_of_ten_minutes() {
    let kit = a_kit();
    let client = kit.client();
    let is_out = Arc::new(AtomicBool::new(false));
    let refused_reports = Arc::new(AtomicUsize::new(0));
    let (out, refused) = (Arc::clone(&is_out), Arc::clone(&refused_reports));
    let url = kit.api_url();
    let proxy = FaultProxy::start(&url, move |request| {
        if !out.load(Ordering::SeqCst) {
            return Fault::None;
        }
        let is_report = request.target().ends_with("/set_state");
        refused.fetch_add(usize::from(is_report), Ordering::SeqCst);
        Fault::ResetBefore
    });
    let proxy = proxy.await;
    let through = kit.client_builder().api_url(&proxy.url);
    let through = through.timeout(BUSY_TIMEOUT).build().expect("a client");

    let (flow, go_on) = a_gated_flow();
    let serving = Serving::start(through.serve().add(flow.deployment("d"))).await;
    let deployment = served(&client, &flow).await;
    let first = a_run_of(&client, deployment).await;
    until_running(&client, first).await;

    is_out.store(true, Ordering::SeqCst);
    let second = a_run_of(&client, deployment).await;
    kit.advance(HALF).await;
    // It ends in the middle of the outage.
    go_on.notify_one();
    while refused_reports.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    kit.advance(HALF).await;
    assert!(!serving.ended.is_finished());
    is_out.store(false, Ordering::SeqCst);

    go_on.notify_one();
    let ended = client.flow_runs().wait_all([first, second]);
    let ended = kit.skip_waits(ended.into_future()).await;
    ended.expect("ended");
    for run in [first, second] {
        assert_eq!(
            states(&client, run).await,
            ["Scheduled", "Pending", "Running", "Completed"]
        );
    }
    assert_eq!(serving.stop().await.completed, 2);
}
