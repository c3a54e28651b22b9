//! The pool of a worker.

use prefect_sdk::types::{WorkPoolCreate, WorkQueueCreate};
use prefect_sdk::worker::ProcessInfrastructure;
use serde_json::json;

use super::{Working, a_shell_in, a_worker};
use crate::flow::a_run_of;
use crate::support::{live, unique};

#[tokio::test]
async fn a_pool_that_does_not_exist_is_an_error_unless_it_is_to_be_created() {
    let client = live().await;
    let pool = unique("pool");
    let worker = client.worker(&pool, ProcessInfrastructure::new());
    let error = worker.without_signals().run().await.expect_err("no pool");
    assert!(error.is_not_found(), "{error}");
    Working::start(a_worker(&client, &pool)).await.stop().await;
    let found = client.work_pools().get(&pool).await.expect("a pool");
    assert_eq!(found.type_, "process");
    let template = found.base_job_template.expect("a template");
    assert!(template.get("job_configuration").is_some());
}

#[tokio::test]
async fn a_pool_without_a_template_is_given_one() {
    let client = live().await;
    let pool = unique("pool");
    let new = WorkPoolCreate::new(&pool)
        .type_("process")
        .base_job_template(json!({}));
    client.work_pools().create(&new).await.expect("a pool");
    Working::start(a_worker(&client, &pool)).await.stop().await;
    let found = client.work_pools().get(&pool).await.expect("a pool");
    let template = found.base_job_template.expect("a template");
    assert!(template.get("variables").is_some());
}

#[tokio::test]
async fn only_the_queues_that_are_named_are_served() {
    let client = live().await;
    let pool = unique("pool");
    let working = Working::start(a_worker(&client, &pool).queues(["default"])).await;
    let urgent = WorkQueueCreate::new("urgent");
    client
        .work_pools()
        .queues(&pool)
        .create(&urgent)
        .await
        .expect("a queue");
    let deployment = a_shell_in(&client, &pool, "exit 0").await;
    let other = client.deployments().run(deployment).work_queue("urgent");
    let other = other.send().await.expect("a run").id();
    let run = a_run_of(&client, deployment).await;
    client.flow_runs().wait(run).await.expect("ended");
    assert_eq!(working.stop().await.started, 1);
    let other = client.flow_runs().get(other).await.expect("a run");
    assert!(other.start_time.is_none() && other.infrastructure_pid.is_none());
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let client = live().await;
    let worker = || client.worker("pool", ProcessInfrastructure::new());
    for worker in [worker().limit(0), worker().name("a/b"), worker().name("")] {
        let error = worker.run().await.expect_err("refused");
        assert!(error.is_invalid_request(), "{error}");
    }
}
