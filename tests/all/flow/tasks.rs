//! Tasks of runs, as the server records them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use prefect_sdk::flow::{BoxError, Run, TaskError};
use prefect_sdk::types::StateType;
use prefect_sdk::{Client, Flow};
use serde_json::Value;
use uuid::Uuid;

use super::task_runs;
use crate::support::{live, unique};

/// The graph of a run, as the UI reads it.
async fn graph(client: &Client, run: Uuid) -> Value {
    let graph = client.flow_runs().graph(run).await.expect("a graph");
    serde_json::to_value(graph).expect("JSON")
}

/// The labels of the nodes that a node has an edge from.
fn parents(graph: &Value, label: &str, kind: &str) -> Vec<String> {
    let nodes = graph["nodes"].as_array().expect("nodes");
    let by_id = |id: &Value| {
        nodes
            .iter()
            .find(|node| node[0] == *id)
            .map(|node| &node[1]["label"])
    };
    let node = nodes.iter().find(|node| {
        node[1]["label"]
            .as_str()
            .is_some_and(|it| it.starts_with(label))
    });
    let node = node.unwrap_or_else(|| panic!("no {label} in {graph}"));
    let parents = node[1][kind].as_array().expect("a list");
    let labels = parents
        .iter()
        .filter_map(|parent| by_id(&parent["id"])?.as_str());
    let mut labels: Vec<_> = labels
        .map(|it| it.split('-').next().unwrap_or(it).to_owned())
        .collect();
    labels.sort();
    labels.dedup();
    labels
}

#[tokio::test]
async fn what_a_task_takes_is_an_edge_and_what_is_within_is_nested() {
    let client = live().await;
    let flow = Flow::new(unique("flow"), |run: Run, _: ()| async move {
        let rows = run
            .task("extract")
            .run(|_| async { Ok::<_, BoxError>(vec![1, 2]) })
            .await?;
        let (clean, count) = tokio::join!(
            run.task("clean")
                .input("rows", &rows)
                .input("limit", &3)
                .run(|_| async { Ok::<_, BoxError>(0) }),
            run.task("count")
                .input("rows", &rows)
                .run(|_| async { Ok::<_, BoxError>(rows.len()) }),
        );
        let (clean, count) = (clean?, count?);
        let outer = run
            .task("load")
            .after(&clean)
            .after(&count)
            .tag(unique("tag"));
        outer
            .run(|task| async move {
                task.task("inner")
                    .run(|_| async { Ok::<_, BoxError>(()) })
                    .await
            })
            .await?;
        Ok::<_, BoxError>(*count)
    });
    let outcome = client.attempt(&flow).await.expect("run");
    assert_eq!(outcome.value(), Some(&2), "{outcome:?}");
    let runs = task_runs(&client, outcome.run_id()).await;
    assert_eq!(runs.len(), 5);
    for run in &runs {
        assert_eq!(
            run.state_type.as_ref(),
            Some(&StateType::Completed),
            "{run:?}"
        );
        assert_eq!((run.run_count, run.flow_run_run_count), (Some(1), Some(1)));
        assert!(run.start_time.is_some() && run.end_time.is_some());
        let prefix = format!("{}-", run.task_key);
        assert!(
            run.name
                .as_ref()
                .is_some_and(|name| name.starts_with(&prefix))
        );
    }
    let graph = graph(&client, outcome.run_id()).await;
    assert_eq!(parents(&graph, "clean", "parents"), ["extract"]);
    assert_eq!(parents(&graph, "load", "parents"), ["clean", "count"]);
    assert_eq!(parents(&graph, "inner", "encapsulating"), ["load"]);
}

#[tokio::test]
async fn a_task_is_tried_again_and_its_failure_is_that_of_the_run() {
    let client = live().await;
    let flow = Flow::new(unique("flow"), |run: Run, _: ()| async move {
        let second = run
            .task("second")
            .retries(2)
            .retry_delay(Duration::from_millis(50))
            .run(|task| async move {
                match task.attempt() {
                    1 => Err::<_, BoxError>("not yet".into()),
                    attempt => Ok(attempt),
                }
            });
        assert_eq!(*second.await?, 2);
        run.task("never")
            .retries(1)
            .run(|_| async { Err::<(), BoxError>("broken".into()) })
            .await?;
        Ok::<_, BoxError>(())
    });
    let outcome = client.attempt(&flow).await.expect("run");
    let state = outcome.state().expect("a state");
    assert_eq!(
        state.message.as_deref(),
        Some("Flow run encountered an exception: the task \"never\" has failed: broken")
    );
    let error = outcome
        .error()
        .and_then(|error| error.downcast_ref::<TaskError>());
    assert_eq!(error.map(TaskError::task), Some("never"));
    let runs = task_runs(&client, outcome.run_id()).await;
    let of = |key: &str| {
        runs.iter()
            .find(|run| run.task_key == key)
            .expect("a task run")
    };
    assert_eq!(
        (of("second").run_count, of("second").state_name.as_deref()),
        (Some(2), Some("Completed"))
    );
    let never = of("never");
    assert_eq!(
        (never.run_count, never.state_name.as_deref()),
        (Some(2), Some("Failed"))
    );
    let message = never
        .state
        .as_ref()
        .and_then(|state| state.message.clone().into_option());
    assert_eq!(
        message.as_deref(),
        Some("Task run encountered an exception broken")
    );
}

#[tokio::test]
async fn a_task_may_time_out_panic_or_be_dropped() {
    let client = live().await;
    let flow = Flow::new(unique("flow"), |run: Run, _: ()| async move {
        let late = run.task("late").timeout(Duration::from_millis(50));
        assert!(
            late.run(|_| std::future::pending::<Result<(), BoxError>>())
                .await
                .is_err()
        );
        let panics = run.task("panics").run(|task| async move {
            let word = task.name().to_owned();
            assert!(word.is_empty(), "boom");
            Ok::<_, BoxError>(word)
        });
        let error = panics.await.expect_err("a panic");
        assert_eq!(
            std::error::Error::source(&error)
                .map(ToString::to_string)
                .as_deref(),
            Some("panicked: boom")
        );
        let dropped = run
            .task("dropped")
            .run(|_| std::future::pending::<Result<(), BoxError>>());
        let _ = tokio::time::timeout(Duration::from_millis(50), dropped).await;
        Ok::<_, BoxError>(())
    });
    let outcome = client.attempt(&flow).await.expect("run");
    assert!(outcome.is_completed(), "{outcome:?}");
    let runs = task_runs(&client, outcome.run_id()).await;
    let mut states: Vec<_> = runs
        .iter()
        .map(|run| {
            (
                run.task_key.as_str(),
                run.state_name.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    states.sort_unstable();
    assert_eq!(
        states,
        [
            ("dropped", "Crashed"),
            ("late", "TimedOut"),
            ("panics", "Failed")
        ]
    );
}

#[tokio::test]
async fn tasks_of_many_items_run_some_at_a_time_and_in_spawned_tasks() {
    let client = live().await;
    let most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    let flow = Flow::new(unique("flow"), move |run: Run, _: ()| {
        let (running, seen) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&seen));
        async move {
            let results = run.task("item").concurrency(3).map(0..20, |_, item| {
                let (running, seen) = (Arc::clone(&running), Arc::clone(&seen));
                async move {
                    seen.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    match item {
                        7 => Err::<_, BoxError>("seven".into()),
                        item => Ok(item),
                    }
                }
            });
            let results = results.await;
            let values: Vec<_> = results
                .iter()
                .map(|it| it.as_ref().ok().map(|it| **it))
                .collect();
            let expected: Vec<_> = (0..20).map(|it| (it != 7).then_some(it)).collect();
            assert_eq!(values, expected);
            let mut set = tokio::task::JoinSet::new();
            for item in 0..5 {
                let run = run.clone();
                set.spawn(async move {
                    run.task("spawned")
                        .run(|_| async { Ok::<_, BoxError>(item) })
                        .await
                });
            }
            set.join_all()
                .await
                .into_iter()
                .collect::<Result<Vec<_>, _>>()?;
            Ok::<_, BoxError>(())
        }
    });
    let outcome = client.attempt(&flow).await.expect("run");
    assert!(outcome.is_completed(), "{outcome:?}");
    assert_eq!(most.load(Ordering::SeqCst), 3);
    let runs = task_runs(&client, outcome.run_id()).await;
    assert_eq!(runs.len(), 25);
    let failed = runs
        .iter()
        .filter(|run| run.state_type.as_ref() == Some(&StateType::Failed));
    assert_eq!(failed.count(), 1);
}

#[tokio::test]
async fn a_task_with_a_tag_waits_for_a_slot_of_its_limit() {
    let client = live().await;
    let tag = unique("tag");
    client
        .concurrency_limits()
        .create(&tag, 1)
        .await
        .expect("a limit");
    let (most, running) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (seen, name) = (Arc::clone(&most), tag.clone());
    let flow = Flow::new(unique("flow"), move |run: Run, _: ()| {
        let (running, seen, tag) = (Arc::clone(&running), Arc::clone(&seen), name.clone());
        async move {
            let results = run.task("limited").tag(&tag).map(0..3, |_, _| {
                let (running, seen) = (Arc::clone(&running), Arc::clone(&seen));
                async move {
                    seen.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok::<_, BoxError>(())
                }
            });
            results.await.into_iter().collect::<Result<Vec<_>, _>>()?;
            Ok::<_, BoxError>(())
        }
    });
    let outcome = client.attempt(&flow).await.expect("run");
    assert!(outcome.is_completed(), "{outcome:?}");
    assert_eq!(most.load(Ordering::SeqCst), 1);
    let runs = task_runs(&client, outcome.run_id()).await;
    assert!(
        runs.iter()
            .all(|run| run.tags.as_deref() == Some(std::slice::from_ref(&tag)))
    );
    client
        .concurrency_limits()
        .create(&tag, 0)
        .await
        .expect("a limit");
    let outcome = client.attempt(&flow).await.expect("run");
    assert!(
        matches!(outcome.ending(), prefect_sdk::flow::Ending::Failed),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_run_ends_although_a_part_of_the_program_goes_on_making_task_runs() {
    let client = live().await;
    let flow = Flow::new(unique("flow"), |run: Run, _: ()| async move {
        run.task("first")
            .run(|_| async { Ok::<_, BoxError>(()) })
            .await?;
        tokio::spawn(async move {
            loop {
                let more = run.task("more").run(|_| async {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    Ok::<_, BoxError>(())
                });
                if more.await.is_err() {
                    return;
                }
            }
        });
        Ok::<_, BoxError>(())
    });
    let outcome = client.attempt(&flow).await.expect("run");
    assert!(outcome.is_completed(), "{outcome:?}");
}
