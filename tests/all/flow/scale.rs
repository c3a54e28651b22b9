//! Many tasks and many lines in one run. (The bench `participant` has ten thousand and a hundred thousand of them.)

use std::collections::BTreeSet;

use prefect_sdk::Flow;
use prefect_sdk::flow::{BoxError, Run};
use prefect_sdk::logs::layer;
use prefect_sdk::types::StateType;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{live, subscribe, unique};

const TASKS: usize = 1000;
const LINES: usize = 10_000;

#[tokio::test]
async fn all_tasks_and_lines_of_a_run_arrive_once_and_in_order() {
    let client = live().await;
    let flow = Flow::new(unique("flow"), |run: Run, _: ()| async move {
        let tasks = run
            .task("many")
            .map(0..TASKS, |_, n| async move { Ok::<_, BoxError>(n) });
        let tasks = tasks.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        for n in 0..LINES {
            tracing::info!(target: "many", "{n}");
        }
        Ok::<_, BoxError>(tasks.len())
    });
    let _subscriber = subscribe(tracing_subscriber::registry().with(layer(&client)));
    let outcome = client.attempt(&flow).await.expect("run");
    assert_eq!(outcome.value(), Some(&TASKS), "{outcome:?}");
    let id = outcome.run_id();
    // They are there when the run has ended.
    let tasks = client
        .task_runs()
        .list()
        .flow_run_id(id)
        .at_most(2 * TASKS)
        .await
        .expect("listed");
    let ids: BTreeSet<_> = tasks.iter().map(|task| task.id).collect();
    assert_eq!((tasks.len(), ids.len()), (TASKS, TASKS));
    assert!(
        tasks
            .iter()
            .all(|task| task.state_type.as_ref() == Some(&StateType::Completed))
    );
    let lines = client
        .logs()
        .list()
        .flow_run_id(id)
        .at_most(2 * LINES)
        .await
        .expect("listed");
    let lines: Vec<_> = lines
        .iter()
        .filter(|line| line.name == "many")
        .map(|line| line.message.parse().ok())
        .collect();
    assert!(
        lines == (0..LINES).map(Some).collect::<Vec<_>>(),
        "{} lines",
        lines.len()
    );
}
