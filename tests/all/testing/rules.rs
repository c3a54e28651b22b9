//! Rules: what the server of a kit does with the requests of one operation.

use std::time::Duration;

use prefect_sdk::ErrorKind;
use prefect_sdk::testing::{TestServer, op, samples};
use prefect_sdk::types::{FlowCreate, FlowRunCreate, SetFlowRunStateRequest, StateCreate};
use serde_json::json;
use uuid::Uuid;

fn only_rules() -> TestServer {
    TestServer::builder().only_rules().start()
}

#[tokio::test]
async fn a_reply_is_made_of_the_request() {
    let kit = only_rules();
    let rule = kit.on(op::read_flow_run);
    let rule = rule.reply(|request| samples::flow_run().id(request.id).name("x"));
    let id = Uuid::new_v4();
    let run = kit.client().flow_runs().get(id).await.expect("a run");
    assert_eq!((run.id, run.name.as_deref()), (id, Some("x")));
    assert_eq!(rule.calls(), 1);
    assert_eq!(kit.requests().of(op::read_flow_run)[0].id, id);
}

#[tokio::test]
async fn a_list_is_replied_by_pages_that_end() {
    let kit = only_rules();
    let runs = || (1..=450).map(|n| samples::flow_run().id(Uuid::from_u128(n)));
    let lists = kit.on(op::read_flow_runs).pages(runs());
    let pages = kit.on(op::paginate_flow_runs).pages(runs());
    let client = kit.client();
    let all = client.flow_runs().list().await.expect("all pages");
    assert_eq!(all.len(), 450);
    assert_eq!(all[449].id, Uuid::from_u128(450));
    // 200, 200, 50, and an empty page.
    assert_eq!(lists.calls(), 4);
    let numbered = client.flow_runs().paginate().pager();
    let numbered: Vec<_> = numbered.try_collect().await.expect("all pages");
    assert_eq!((numbered.len(), numbered[449].id), (450, all[449].id));
    assert!(pages.calls() >= 3);
}

#[tokio::test]
async fn rules_of_one_operation_are_a_sequence() {
    let kit = only_rules();
    let busy = kit.on(op::read_flow).status(503).times(2);
    let flow = kit
        .on(op::read_flow)
        .reply(|request| samples::flow().id(request.id));
    let read = kit.skip_waits(async { kit.client().flows().get(Uuid::nil()).await });
    assert_eq!(read.await.expect("a flow").id, Uuid::nil());
    assert_eq!((busy.calls(), flow.calls()), (2, 1));
    assert_eq!(kit.requests().count(op::read_flow), 3);
}

#[tokio::test]
async fn a_rule_takes_what_fulfils_its_conditions() {
    let kit = only_rules();
    let _forced = kit
        .on(op::set_flow_run_state)
        .when(|request| request.body.force == Some(true))
        .status(409);
    let _failed = kit
        .on(op::set_flow_run_state)
        .with_body(json!({"state": {"type": "FAILED"}}))
        .respond(403, json!({"detail": "not you"}));
    let client = kit.client();
    let runs = client.flow_runs();
    let forced = SetFlowRunStateRequest::new(StateCreate::running()).force(true);
    let forced = runs.set_state(Uuid::nil(), &forced).await;
    assert_eq!(forced.expect_err("409").status().expect("a status"), 409);
    let failed = runs.propose(Uuid::nil(), StateCreate::failed("why")).await;
    assert_eq!(failed.expect_err("403").kind(), ErrorKind::Forbidden);
}

#[tokio::test]
#[should_panic(expected = "body.name: expected \"a\", found \"b\"")]
async fn a_request_that_no_rule_takes_fails_the_test_with_the_difference() {
    let kit = only_rules();
    let _rule = kit
        .on(op::create_flow)
        .with_body(json!({"name": "a"}))
        .status(500);
    let refused = kit.client().flows().create(&FlowCreate::new("b")).await;
    assert_eq!(refused.expect_err("501").status().expect("a status"), 501);
}

#[tokio::test]
#[should_panic(expected = "it is used up, after 1 requests")]
async fn a_rule_that_is_used_up_says_so() {
    let kit = only_rules();
    let _rule = kit.on(op::read_flow).reply(|_| samples::flow()).once();
    let client = kit.client();
    client.flows().get(Uuid::nil()).await.expect("a flow");
    drop(client.flows().get(Uuid::nil()).await);
}

#[tokio::test]
#[should_panic(expected = "the fake cannot answer read_block_types")]
async fn what_the_fake_does_not_do_fails_the_test() {
    let kit = TestServer::start();
    let refused = kit
        .client()
        .raw()
        .read_block_types(&Default::default())
        .await;
    assert_eq!(refused.expect_err("501").status().expect("a status"), 501);
}

#[tokio::test]
async fn a_test_may_tolerate_that() {
    let mut kit = TestServer::start();
    kit.tolerate_unanswered();
    drop(
        kit.client()
            .raw()
            .read_block_types(&Default::default())
            .await,
    );
    assert_eq!(kit.unanswered().len(), 1);
}

#[tokio::test]
async fn a_rule_that_panics_fails_its_request_only() {
    let mut kit = TestServer::start();
    kit.tolerate_unanswered();
    let _rule = kit.on(op::health_check).reply(|_| panic!("oh"));
    let client = kit.client();
    client.health().await.expect_err("501");
    client.version().await.expect("a version");
    assert_eq!(kit.unanswered(), ["a rule for health_check panicked"]);
}

#[tokio::test]
async fn a_lost_reply_is_executed_and_a_broken_connection_is_not() {
    let kit = TestServer::start();
    let client = kit.client().with_retry(prefect_sdk::RetryPolicy::none());
    let flow = client
        .flows()
        .create(&FlowCreate::new("etl"))
        .await
        .expect("a flow");
    let _broken = kit.on(op::create_flow_run).break_connection().once();
    let run = FlowRunCreate::new(flow.id);
    let lost = client.raw().create_flow_run(&run).await;
    assert!(lost.expect_err("no reply").may_have_happened());
    assert!(kit.flow_runs().is_empty());
    let _lost = kit.on(op::create_flow_run).lose_reply().once();
    drop(client.raw().create_flow_run(&run).await);
    assert_eq!(kit.flow_runs().len(), 1);
}

#[tokio::test]
async fn a_body_that_is_cut_is_read_again() {
    let kit = TestServer::start();
    let client = kit.client();
    let flow = client
        .flows()
        .create(&FlowCreate::new("etl"))
        .await
        .expect("a flow");
    let cut = kit.on(op::read_flow).cut_body().once();
    let read = kit.skip_waits(client.flows().get(flow.id)).await;
    assert_eq!(read.expect("a flow").name, "etl");
    assert_eq!((cut.calls(), kit.requests().count(op::read_flow)), (1, 2));
}

#[tokio::test]
async fn a_server_that_hangs_is_a_timeout() {
    let kit = TestServer::start();
    let client = kit.client().with_retry(prefect_sdk::RetryPolicy::none());
    let _hang = kit.on_any().hang();
    let client = client.with_timeout(Duration::from_millis(50));
    assert!(client.health().await.expect_err("no reply").is_timeout());
}

#[tokio::test]
async fn a_delay_is_one_of_the_kits_clock() {
    let kit = TestServer::builder().paused().start();
    let _slow = kit.on(op::health_check).delay(Duration::from_secs(3600));
    let client = kit.client();
    let (health, ()) = tokio::join!(client.health(), async {
        kit.until(|kit| (kit.requests().len() == 1).then_some(()))
            .await;
        kit.advance(Duration::from_secs(3600)).await;
    });
    health.expect("healthy");
}

#[tokio::test]
async fn a_retry_after_is_obeyed_without_waiting() {
    let kit = only_rules();
    let _busy = kit
        .on(op::read_flow)
        .status(429)
        .header("retry-after", "30")
        .once();
    let _flow = kit.on(op::read_flow).reply(|_| samples::flow());
    let begin = kit.now();
    let client = kit.client();
    kit.skip_waits(client.flows().get(Uuid::nil()))
        .await
        .expect("a flow");
    assert!(kit.now() - begin >= chrono::TimeDelta::seconds(30));
}
