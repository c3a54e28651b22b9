//! Flow runs, their inputs and logs, and task runs.

use std::time::Duration;

use chrono::Utc;
use prefect_sdk::types::*;
use serde_json::json;

use super::tour::Tour;

pub async fn visit(tour: &Tour) {
    let client = &tour.client;
    let flow = client
        .flows()
        .create(&FlowCreate::new("runs"))
        .await
        .expect("a flow")
        .id;
    let runs = client.flow_runs();
    let run = FlowRunCreate::new(flow)
        .tags(["tour"])
        .parameters(json!({}));
    let run = tour
        .step("create a run", runs.create(&run))
        .await
        .expect("a run")
        .id;
    let propose = |kind| SetFlowRunStateRequest::new(StateCreate::new(kind));
    tour.step("pending", runs.set_state(run, &propose(StateType::Pending)))
        .await;
    tour.step("running", runs.set_state(run, &propose(StateType::Running)))
        .await;
    let paused = tour
        .step("pause", runs.pause(run, Duration::from_secs(600)))
        .await;
    assert_eq!(paused.expect("an answer").status, SetStateStatus::Accept);
    tour.step("resume", runs.resume(run)).await;
    tour.step("get", runs.get(run)).await;
    tour.step(
        "list",
        runs.list().state(StateType::Running).flow_name("runs"),
    )
    .await;
    tour.step("paginate", runs.paginate().tag("tour")).await;
    tour.step("count", runs.count().state(StateType::Running))
        .await;
    tour.step(
        "update",
        runs.update(run, &FlowRunUpdate::new().name("n".to_owned())),
    )
    .await;
    tour.step(
        "labels",
        runs.set_labels(run, &json!({ "team": "data" }).into()),
    )
    .await;
    let states = tour.step("states", runs.states(run)).await.expect("states");
    tour.step("a state", runs.get_state(states[0].id)).await;
    tour.step("graph", runs.graph(run)).await;
    tour.step("graph since", runs.graph_since(run, Utc::now()))
        .await;
    let (start, end) = (Utc::now() - chrono::Duration::hours(1), Utc::now());
    let minute = Duration::from_secs(60);
    tour.step(
        "history",
        runs.history(&FlowRunHistoryRequest::new(start, end, minute)),
    )
    .await;
    tour.step("lateness", runs.lateness()).await;
    let observed = runs.observed_states().limit(2);
    let observed = observed.order_by(ObservedStateSort::NameAsc).query("comp");
    tour.step("observed states", observed).await;
    tour.step("chart", runs.chart()).await;
    tour.step(
        "task run counts",
        runs.task_run_counts(&CountTaskRunsByFlowRunRequest::new([run])),
    )
    .await;

    let inputs = runs.inputs(run);
    tour.step(
        "add an input",
        inputs.create(&CreateFlowRunInputRequest::new("answer", "42")),
    )
    .await;
    let value = tour.step("read it", inputs.get("answer")).await;
    assert_eq!(value.as_deref(), Some("42"));
    let found = tour
        .step(
            "filter",
            inputs.filter(&FilterFlowRunInputRequest::new("ans")),
        )
        .await;
    assert_eq!(found.map(|found| found.len()), Some(1));
    tour.step("delete it", inputs.delete("answer")).await;

    let tasks = client.task_runs();
    let task = TaskRunCreate::new("load", "0").flow_run_id(run);
    let task = tour
        .step("create a task run", tasks.create(&task))
        .await
        .expect("a task run")
        .id;
    let completed = SetTaskRunStateRequest::new(StateCreate::new(StateType::Completed));
    tour.step("complete", tasks.set_state(task, &completed))
        .await;
    tour.step("get", tasks.get(task)).await;
    tour.step("get for the UI", tasks.get_with_flow_run_name(task))
        .await;
    tour.step(
        "list",
        tasks.list().flow_run_id(run).state(StateType::Completed),
    )
    .await;
    tour.step("paginate", tasks.paginate().flow_run_id(run))
        .await;
    tour.step("count", tasks.count().flow_run_id(run)).await;
    tour.step(
        "update",
        tasks.update(task, &TaskRunUpdate::new().name("n")),
    )
    .await;
    let states = tour
        .step("states", tasks.states(task))
        .await
        .expect("states");
    tour.step("a state", tasks.get_state(states[0].id)).await;
    tour.step(
        "history",
        tasks.history(&TaskRunHistoryRequest::new(start, end, minute)),
    )
    .await;
    tour.step(
        "by state",
        tasks.count_by_state(&ReadTaskRunCountsByStateRequest::new()),
    )
    .await;
    let of_the_hour =
        TaskRunFilter::new().start_time(TaskRunFilterStartTime::new().after_(start).before_(end));
    tour.step(
        "dashboard",
        tasks.dashboard_counts(&ReadDashboardTaskRunCountsRequest::new(of_the_hour)),
    )
    .await;
    tour.step("workers", tasks.workers(&ReadTaskWorkersRequest::new()))
        .await;
    tour.step("dependencies", runs.dependencies(run)).await;
    tour.step("delete", tasks.delete(task)).await;

    let log = LogCreate::new("tour", 20, "hello", Utc::now()).flow_run_id(run);
    tour.step("log", client.logs().create(vec![log])).await;
    tour.step("logs", client.logs().list().flow_run_id(run))
        .await;
    if let Some(logs) = tour.step("download", runs.download_logs(run)).await {
        let csv = tour
            .step("read it", logs.try_collect())
            .await
            .expect("a file");
        assert!(String::from_utf8_lossy(&csv).contains("hello"));
    }

    let cancelled = || StateCreate::new(StateType::Cancelled);
    tour.step("cancel all", runs.set_state_many(cancelled()).tag("tour"))
        .await;
    for _ in 0..3 {
        let run = FlowRunCreate::new(flow).tags(["old"]).parameters(json!({}));
        tour.step("create", runs.create(&run)).await;
    }
    tour.step("delete runs", runs.delete_many().tag("old"))
        .await;
    tour.step("delete", runs.delete(run)).await;
}
