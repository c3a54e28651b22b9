//! A server that is out of reach while its deployments are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prefect_sdk::Flow;
use prefect_sdk::flow::{BoxError, Run};
use tokio::sync::Notify;

use super::{Serving, served};
use crate::flow::process::until_running;
use crate::flow::{a_run_of, states};
use crate::support::{FastClock, Fault, FaultProxy, live, unique};

/// How much faster than real time the waits of the client are.
const FACTOR: u32 = 40;

#[tokio::test]
async fn work_goes_on_after_an_outage_of_ten_minutes() {
    let client = live().await;
    let is_out = Arc::new(AtomicBool::new(false));
    let out = Arc::clone(&is_out);
    let proxy = FaultProxy::start(client.api_url(), move |_| {
        match out.load(Ordering::SeqCst) {
            true => Fault::ResetBefore,
            false => Fault::None,
        }
    });
    let proxy = proxy.await;
    let through = proxy
        .builder()
        .clock(FastClock::new(FACTOR))
        .build()
        .expect("a client");

    let go_on = Arc::new(Notify::new());
    let gate = Arc::clone(&go_on);
    let flow = Flow::new(unique("flow"), move |_: Run, _: ()| {
        let gate = Arc::clone(&gate);
        async move {
            gate.notified().await;
            Ok::<_, BoxError>(())
        }
    });
    let serving = Serving::start(through.serve().add(flow.deployment("d"))).await;
    let deployment = served(&client, &flow).await;
    let first = a_run_of(&client, deployment).await;
    until_running(&client, first).await;

    is_out.store(true, Ordering::SeqCst);
    let second = a_run_of(&client, deployment).await;
    tokio::time::sleep(Duration::from_secs(605) / FACTOR / 2).await;
    // It ends in the middle of the outage.
    go_on.notify_one();
    tokio::time::sleep(Duration::from_secs(605) / FACTOR / 2).await;
    assert!(!serving.ended.is_finished());
    is_out.store(false, Ordering::SeqCst);

    go_on.notify_one();
    client
        .flow_runs()
        .wait_all([first, second])
        .await
        .expect("ended");
    for run in [first, second] {
        let mut states = states(&client, run).await;
        // The second one waits for about as long as a server waits before it calls a run late.
        states.retain(|state| state != "Late");
        assert_eq!(states, ["Scheduled", "Pending", "Running", "Completed"]);
    }
    assert_eq!(serving.stop().await.completed, 2);
}
