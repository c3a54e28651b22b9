//! Slots that nobody holds are found and freed; those that are held are not.

use prefect_sdk::types::*;
use prefect_sdk::{
    Client, LocalServer,
    concurrency::{HeldLimit, Holders, Remedy, StuckSlots},
};
use uuid::Uuid;

use super::{a_limit, held};
use crate::support::{a_deployment, a_flow, a_run, unique};

/// Creates a task run in this state, and returns its id.
async fn a_task_run(client: &Client, flow_run: Uuid, state: StateType) -> Uuid {
    let task = TaskRunCreate::new(unique("task"), "0").flow_run_id(flow_run);
    let task = task.state(StateCreate::new(state));
    let task = client.task_runs().create(&task).await;
    task.expect("a task run").id
}

fn of<'a>(stuck: &'a StuckSlots, name: &str) -> &'a HeldLimit {
    let mut limits = stuck.limits.iter();
    limits.find(|limit| limit.name == name).expect("it is held")
}

#[tokio::test]
async fn stuck_slots_are_reported_and_then_freed_and_no_others() {
    // A server of its own: on a shared one, other tests hold slots.
    let server = LocalServer::start().await.expect("a server");
    let client = server.client().expect("a client");
    let stuck = client.stuck_slots().await.expect("read");
    assert!(
        stuck.is_empty() && stuck.to_string() == "no slot is held",
        "{stuck}"
    );

    // One task run is running, one has ended, and one never existed.
    let (limits, tag) = (client.concurrency_limits(), "db");
    limits.create(tag, 10).await.expect("created");
    let flow_run = a_run(&client, a_flow(&client).await, |run| run).await;
    let running = a_task_run(&client, flow_run, StateType::Running).await;
    let ended = a_task_run(&client, flow_run, StateType::Crashed).await;
    let never = Uuid::new_v4();
    for holder in [running, ended, never] {
        limits.increment([tag], holder).await.expect("free");
    }
    // The leases of this limit are forgotten, as when a server is restarted.
    limits.create("forgotten", 3).await.expect("created");
    let forgotten = limits.for_task_run(running, "forgotten").acquire().await;
    let forgotten = forgotten.expect("free");
    limits.reset("forgotten").await.expect("reset");
    // A deployment that has no running flow run.
    let deployment = a_deployment(&client).await;
    let update = DeploymentUpdate::new().concurrency_limit(2);
    client
        .deployments()
        .update(deployment, &update)
        .await
        .expect("limited");
    let of_deployment = format!("deployment:{deployment}");
    let update = ConcurrencyLimitV2Update::new().active_slots(1);
    let globals = client.global_concurrency_limits();
    globals
        .update(&of_deployment, &update)
        .await
        .expect("counted");
    // A limit whose holders only this test knows.
    let ours = a_limit(&client, 2).await;
    let slot = client.concurrency(&ours).acquire().await.expect("free");

    let stuck = client.stuck_slots().await.expect("read");
    let said = stuck.to_string();
    assert_eq!(stuck.limits.len(), 4, "{said}");
    let tagged = of(&stuck, "tag:db");
    let Holders::TaskRuns(holders) = &tagged.holders else {
        panic!("{tagged}")
    };
    assert!(
        holders.contains(&(running, Some(StateType::Running))),
        "{said}"
    );
    assert!(holders.contains(&(never, None)), "{said}");
    let give_back = |task_run_id| Remedy::GiveBack { task_run_id };
    let perhaps = |task_run_id| Remedy::GiveBackUnknown { task_run_id };
    assert_eq!(tagged.remedies.len(), 2, "{said}");
    assert!(
        tagged.remedies.contains(&give_back(ended)) && tagged.remedies.contains(&perhaps(never))
    );
    let uncount = [Remedy::ReduceCount { slots: 1 }];
    assert_eq!(of(&stuck, "tag:forgotten").remedies, uncount);
    assert_eq!(of(&stuck, &of_deployment).remedies, uncount);
    assert_eq!(of(&stuck, &ours).holders, Holders::Unknown);
    assert!(of(&stuck, &ours).remedies.is_empty());
    assert!(
        said.contains(&format!("would give back what the task run {ended} holds")),
        "{said}"
    );
    assert_eq!(held(&client, "tag:db").await, 3, "reading changes nothing");

    // A slot that has changed since the report is left alone.
    limits.decrement([tag], never).await.expect("given back");
    assert_eq!(stuck.free().await.expect("freed"), 1);
    assert_eq!(held(&client, "tag:db").await, 1);
    assert_eq!(
        held(&client, "tag:forgotten").await,
        1,
        "its holder is not verified"
    );
    assert_eq!(stuck.free_unverified().await.expect("freed"), 2);
    for (name, slots) in [
        ("tag:db", 1),
        ("tag:forgotten", 0),
        (&of_deployment, 0),
        (&ours, 1),
    ] {
        assert_eq!(held(&client, name).await, slots, "{name}");
    }
    assert!(client.stuck_slots().await.expect("read").is_empty());
    globals.reset_and_free(&ours).await.expect("freed");
    assert_eq!(held(&client, &ours).await, 0);
    drop((slot, forgotten));
    server.stop().await.expect("it stops");
}
