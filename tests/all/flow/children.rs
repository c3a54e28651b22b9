//! Sub-flows, in this process and of deployments.

use prefect_sdk::Flow;
use prefect_sdk::flow::{BoxError, Ending, Run};
use prefect_sdk::types::{FlowRunResponse, StateType};
use serde_json::json;
use tokio::sync::mpsc;

use super::{a_deployment_of, states, task_runs};
use crate::support::{live, unique};

#[tokio::test]
async fn a_flow_within_a_flow_is_a_run_of_its_own_in_the_graph() {
    let client = live().await;
    let name = unique("child");
    let child = Flow::new(&name, |run: Run, n: serde_json::Value| async move {
        run.task("in-child")
            .run(|_| async { Ok::<_, BoxError>(()) })
            .await?;
        Ok::<_, BoxError>((run.id(), n["n"].as_i64().unwrap_or(0) + 1))
    });
    let flow = Flow::new(unique("parent"), move |run: Run, _: ()| {
        let child = child.clone();
        async move {
            let output = run.subflow(&child).parameters(json!({ "n": 41 })).await?;
            run.task("after")
                .input("counted", &output)
                .run(|_| async { Ok::<_, BoxError>(()) })
                .await?;
            Ok::<_, BoxError>(*output)
        }
    });
    let outcome = client.attempt(&flow).await.expect("run");
    let (child, value) = *outcome.value().unwrap_or_else(|| panic!("{outcome:?}"));
    assert_eq!(value, 42);
    let graph = client
        .flow_runs()
        .graph(outcome.run_id())
        .await
        .expect("a graph");
    let graph = serde_json::to_value(graph).expect("JSON");
    let nodes = graph["nodes"].as_array().expect("nodes");
    let of = |kind: &str| {
        nodes
            .iter()
            .find(|node| node[1]["kind"] == kind)
            .map(|node| &node[1])
    };
    assert_eq!(of("flow-run").expect("a sub-flow")["id"], json!(child));
    assert_eq!(
        states(&client, child).await,
        ["Pending", "Running", "Completed"]
    );
    let tracking = task_runs(&client, outcome.run_id()).await;
    let tracking = tracking
        .iter()
        .find(|run| run.task_key == name)
        .expect("a tracking task run");
    assert_eq!(tracking.state_type.as_ref(), Some(&StateType::Completed));
    let parents = of("task-run").expect("the task")["parents"]
        .as_array()
        .expect("a list");
    assert!(!parents.is_empty(), "{graph}");
}

#[tokio::test]
async fn a_flow_within_a_cancelled_flow_is_cancelled() {
    let client = live().await;
    let (started, mut runs) = mpsc::unbounded_channel();
    let child = Flow::new(unique("child"), move |run: Run, _: ()| {
        let _ = started.send(run.id());
        std::future::pending::<Result<(), BoxError>>()
    });
    let flow = Flow::new(unique("parent"), move |run: Run, _: ()| {
        let child = child.clone();
        async move { run.subflow(&child).await.map(|_| ()) }
    });
    let cancel = async {
        let child = runs.recv().await.expect("started");
        let child = client.flow_runs().get(child).await.expect("there");
        let tracking = child.parent_task_run_id.expect("a parent");
        let parent = client
            .task_runs()
            .get(tracking)
            .await
            .expect("there")
            .flow_run_id
            .expect("a run");
        client.flow_runs().cancel(parent).await.expect("cancelled");
        child.id
    };
    let (outcome, child) = tokio::join!(client.attempt(&flow), cancel);
    assert!(matches!(outcome.expect("run").ending(), Ending::Cancelled));
    client.flow_runs().wait(child).await.expect("ended");
    assert_eq!(
        states(&client, child).await,
        ["Pending", "Running", "Cancelled"]
    );
}

#[tokio::test]
async fn a_run_of_a_deployment_may_be_waited_for_as_a_sub_flow() {
    let client = live().await;
    let name = unique("child");
    a_deployment_of(&client, &name, |it| it).await;
    let deployment = format!("{name}/d");
    let flow = Flow::new(unique("parent"), move |run: Run, _: ()| {
        let deployment = deployment.clone();
        async move {
            let ended = run
                .deployment(deployment.as_str())
                .parameters(json!({ "n": 1 }))
                .await?;
            let result: i64 = run.client().flow_runs().result(ended.id).await?;
            Ok::<_, BoxError>(result)
        }
    });
    let child = Flow::new(&name, |_: Run, _: serde_json::Value| async {
        Ok::<_, BoxError>(5)
    });
    let work = async {
        let found = loop {
            let runs = client
                .flow_runs()
                .list()
                .flow_name(&name)
                .await
                .expect("listed");
            if let Some(run) = runs.into_iter().next() {
                break run;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        };
        let run: FlowRunResponse = found;
        client
            .attempt(&child)
            .run_id(run.id)
            .await
            .expect("attempted")
    };
    let (outcome, worked) = tokio::join!(client.attempt(&flow), work);
    let outcome = outcome.expect("run");
    assert_eq!(outcome.value(), Some(&5), "{outcome:?}");
    assert!(worked.is_completed());
}
