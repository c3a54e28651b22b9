//! Many runs, created by `run_many`, ended one by one, and awaited by `wait_all`.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use prefect_sdk::types::{
    DeploymentFlowRunCreate, SetFlowRunStateRequest, SetStateStatus, StateCreate, StateType,
};
use uuid::Uuid;

use crate::cluster::{Cluster, SHUTDOWN_TIMEOUT};
use crate::figures::Figures;
use crate::support::Findings;

/// How long all of them may take.
const WAIT_TIMEOUT: Duration = Duration::from_secs(3600);

/// How many requests of `run_many` are in flight.
const CREATIONS_AT_ONCE: usize = 4;

/// The states of each so manieth run are read.
const SAMPLE: usize = 20;

/// How many runs are read, or ended, at once.
const AT_ONCE: usize = 8;

/// Creates this many runs, and ends them while they are awaited.
pub async fn run(cluster: &Cluster, count: usize) -> Figures {
    let deployment = cluster.deployment().await;
    let (client, requests) = cluster.client();
    let (waiter, polls) = cluster.client();
    let mut findings = Findings::default();

    let begun = Instant::now();
    let running = || DeploymentFlowRunCreate::new().state(StateCreate::new(StateType::Running));
    let created = client
        .deployments()
        .run_many(deployment, (0..count).map(|_| running()))
        .concurrency(CREATIONS_AT_ONCE)
        .await;
    let creation = begun.elapsed();
    let mut ids = Vec::new();
    for run in created {
        match run {
            Ok(id) => ids.push(id),
            Err(error) => findings
                .lost
                .push(format!("a run was not created: {error}")),
        }
    }

    let waiting = tokio::spawn({
        let (waiter, ids) = (waiter.clone(), ids.clone());
        async move { waiter.flow_runs().wait_all(ids).timeout(WAIT_TIMEOUT).await }
    });
    let completed = SetFlowRunStateRequest::new(StateCreate::new(StateType::Completed));
    let end = |id: Uuid| {
        let (client, completed) = (client.clone(), completed.clone());
        async move { (id, client.flow_runs().set_state(id, &completed).await) }
    };
    let mut ends = stream::iter(ids.clone()).map(end).buffer_unordered(AT_ONCE);
    while let Some((id, ended)) = ends.next().await {
        match ended {
            Ok(result) if result.status == SetStateStatus::Accept => {}
            Ok(result) => findings.untrue.push(format!("end of {id}: {result:?}")),
            Err(error) => findings.lost.push(format!("end of {id}: {error}")),
        }
    }
    let ended = begun.elapsed();
    let awaited = waiting.await.expect("no panic");
    let took = begun.elapsed();
    match awaited {
        Ok(runs) => {
            let is_right = runs.len() == ids.len()
                && runs.iter().zip(&ids).all(|(run, id)| run.id == *id)
                && runs
                    .iter()
                    .all(|run| run.state_type == StateType::Completed);
            if !is_right {
                let what = "wait_all has returned other runs, or in other states".to_owned();
                findings.untrue.push(what);
            }
        }
        Err(error) => findings.lost.push(format!("wait_all: {error}")),
    }
    for client in [&client, &waiter] {
        let left = client.shutdown(SHUTDOWN_TIMEOUT).await;
        findings.leaked.extend(left.err().map(|it| it.to_string()));
    }
    check(cluster, deployment, &ids, &mut findings).await;
    let requests = requests.load(Ordering::Relaxed);
    let polls = polls.load(Ordering::Relaxed);
    Figures {
        part: "runs",
        count,
        took,
        requests: requests + polls,
        details: format!(
            "created in {:.1} s, ended {:.1} s later, seen by wait_all {:.1} s after that, by {polls} requests",
            creation.as_secs_f64(),
            (ended - creation).as_secs_f64(),
            (took - ended).as_secs_f64(),
        ),
        findings,
    }
}

/// Whether the deployment has these runs and no others, each ended once; then removes them.
async fn check(cluster: &Cluster, deployment: Uuid, ids: &[Uuid], findings: &mut Findings) {
    let checker = &cluster.checker;
    let mut found = HashMap::<Uuid, usize>::new();
    let mut runs = checker.flow_runs().list().deployment_id(deployment).pager();
    while let Some(run) = runs.next().await {
        *found.entry(run.expect("read").id).or_default() += 1;
    }
    for id in ids {
        let count = usize::from(found.remove(id).is_some());
        findings.compare(|| format!("run {id}"), count, [1, 1]);
    }
    for id in found.keys() {
        let what = || format!("run {id}, of which run_many has not told");
        findings.compare(what, 1, [0, 0]);
    }
    let count = |id: Uuid| {
        let checker = checker.clone();
        async move {
            let states = checker.flow_runs().states(id).await.expect("read");
            let of = |type_| states.iter().filter(|state| state.type_ == type_).count();
            (id, [of(StateType::Running), of(StateType::Completed)])
        }
    };
    let sample: Vec<_> = ids.iter().copied().step_by(SAMPLE).collect();
    let mut sample = stream::iter(sample).map(count).buffer_unordered(AT_ONCE);
    while let Some((id, counts)) = sample.next().await {
        for (state, count) in ["Running", "Completed"].into_iter().zip(counts) {
            findings.compare(|| format!("state {state} of {id}"), count, [1, 1]);
        }
    }
    let runs = checker.flow_runs().delete_many().deployment_id(deployment);
    runs.await.expect("deleted");
    let deleted = checker.deployments().delete(deployment).await;
    deleted.expect("deleted");
}
