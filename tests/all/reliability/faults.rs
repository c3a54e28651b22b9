//! Two thousand mixed operations on a real server, through a proxy that spoils every fifth request: each
//! succeeds, or its error says whether it may have happened.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;
use prefect_sdk::types::*;
use prefect_sdk::{Client, Error, LocalServer, Result, RetryPolicy};
use uuid::Uuid;

use crate::support::{FaultProxy, spoiling, unique};

const SEEDS: [u64; 2] = [3, 2026];
const OPERATIONS: usize = 1000;

#[tokio::test]
async fn nothing_is_doubled_lost_or_falsely_said_to_exist() {
    // A server of its own: on a shared one, other tests would wait for the database.
    let server = LocalServer::start().await.expect("a server");
    let client = server.client().expect("a client");
    for seed in SEEDS {
        run(&client, seed).await;
    }
}

/// Runs the operations one after the other, so that the same seed does the same. (Many concurrent writers
/// make a real server on SQLite block for a minute at a time: it waits for a lock whose holder waits for
/// it.)
async fn run(server: &Client, seed: u64) {
    let spoilt = Arc::new(AtomicUsize::new(0));
    let proxy = FaultProxy::start(server.api_url(), spoiling(seed, Arc::clone(&spoilt))).await;
    let retry = RetryPolicy::default().base_delay(Duration::from_millis(5));
    let client = proxy.builder().retry(retry).build().expect("a client");
    let mut stage = Stage::set(server, client).await;
    let mut rng = Rng::with_seed(!seed);
    while stage.said.all().len() < OPERATIONS {
        stage.operate(&mut rng).await;
    }
    let spoilt = spoilt.load(Ordering::Relaxed);
    let summary = stage.check(server).await;
    println!("seed {seed}: {spoilt} requests spoilt; {summary}");
    assert!(spoilt > OPERATIONS / 10, "{spoilt}");
}

/// Whether an operation was executed, as reported by its result.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Report {
    Done,
    Perhaps,
    NotDone,
}

fn said<T>(result: &Result<T>) -> Report {
    if let Err(error) = result {
        // All names are unique.
        assert!(!error.is_conflict(), "falsely a conflict: {error}");
    }
    match result {
        Ok(_) => Report::Done,
        Err(error) if error.may_have_happened() => Report::Perhaps,
        Err(error) => {
            assert!(error.attempts() > 0, "{error:?}");
            Report::NotDone
        }
    }
}

/// Whether the number of objects found on the server agrees with the report.
fn agrees(said: Report, found: usize) -> bool {
    match said {
        Report::Done => found == 1,
        Report::Perhaps => found <= 1,
        Report::NotDone => found == 0,
    }
}

/// The objects that the operations work on, and what the operations reported.
struct Stage {
    client: Client,
    flow: Uuid,
    deployment: Uuid,
    limit: String,
    tag: String,
    said: Reports,
}

#[derive(Default)]
struct Reports {
    runs: BTreeMap<String, Report>,
    states: Vec<(Uuid, StateType, Report)>,
    variables: BTreeMap<String, Report>,
    /// The reports of taking a slot and of giving it back.
    slots: Vec<(Report, Option<Report>)>,
    tag_slots: Vec<(Report, Option<Report>)>,
    limits: BTreeMap<String, (i64, Report)>,
    reads: Vec<Report>,
}

impl Stage {
    async fn set(server: &Client, client: Client) -> Self {
        let raw = server.raw();
        let flow = raw.create_flow(&FlowCreate::new(unique("faults"))).await;
        let flow = flow.expect("created").into_inner().id;
        let deployment = DeploymentCreate::new(unique("faults"), flow);
        let deployment = raw.create_deployment(&deployment).await;
        let limit = ConcurrencyLimitV2Create::new(unique("faults"), 100_000);
        raw.create_concurrency_limit_v2(&limit)
            .await
            .expect("created");
        let tag = unique("faults");
        let limits = server.concurrency_limits();
        limits.create(&tag, 100_000).await.expect("created");
        Self {
            client,
            flow,
            deployment: deployment.expect("created").into_inner().id,
            limit: limit.name,
            tag,
            said: Reports::default(),
        }
    }

    /// Executes one operation, or some that belong together.
    async fn operate(&mut self, rng: &mut Rng) {
        match rng.u8(..8) {
            0 => self.create_run_of_deployment().await,
            1 | 2 => self.create_run_and_set_states().await,
            3 => self.create_variable().await,
            4 => self.take_slot().await,
            5 => self.take_slot_of_tag().await,
            6 => self.upsert_limit(rng.i64(1..1000)).await,
            _ => self.read().await,
        }
    }

    async fn create_run_of_deployment(&mut self) {
        let name = unique("run");
        let body = DeploymentFlowRunCreate::new().name(name.clone());
        let created = self.client.raw();
        let created = created
            .create_flow_run_from_deployment(&self.deployment, &body)
            .await;
        self.said.runs.insert(name, said(&created));
    }

    async fn create_run_and_set_states(&mut self) {
        let name = unique("run");
        let body = FlowRunCreate::new(self.flow).name(name.clone());
        let created = self.client.raw().create_flow_run(&body).await;
        self.said.runs.insert(name, said(&created));
        let Ok(run) = created else { return };
        for state in [StateType::Running, StateType::Completed] {
            let body = SetFlowRunStateRequest::new(StateCreate::new(state.clone()));
            let result = self.client.raw().set_flow_run_state(&run.id, &body).await;
            if let Ok(result) = &result {
                assert_eq!(result.status, SetStateStatus::Accept, "{result:?}");
            }
            let said = said(&result);
            self.said.states.push((run.id, state, said));
            if said != Report::Done {
                return;
            }
        }
    }

    async fn create_variable(&mut self) {
        let name = unique("variable");
        let body = VariableCreate::new(&name, Json::from(name.as_str()));
        let created = self.client.raw().create_variable(&body).await;
        self.said.variables.insert(name, said(&created));
    }

    async fn take_slot(&mut self) {
        let take = BulkIncrementActiveSlotsWithLeaseRequest::new(1, [self.limit.clone()]);
        let raw = self.client.raw();
        let taken = raw.bulk_increment_active_slots_with_lease(&take).await;
        let said_of_taking = said(&taken);
        let mut given = None;
        if let Ok(taken) = taken {
            let give = BulkDecrementActiveSlotsWithLeaseRequest::new(taken.lease_id);
            given = Some(said(
                &raw.bulk_decrement_active_slots_with_lease(&give).await,
            ));
        }
        self.said.slots.push((said_of_taking, given));
    }

    async fn take_slot_of_tag(&mut self) {
        let (limits, holder) = (self.client.concurrency_limits(), Uuid::new_v4());
        let taken = said(&limits.increment([&self.tag], holder).await);
        let mut given = None;
        if taken == Report::Done {
            given = Some(said(&limits.decrement([&self.tag], holder).await));
        }
        self.said.tag_slots.push((taken, given));
    }

    async fn upsert_limit(&mut self, limit: i64) {
        let tag = unique("upsert");
        let created = self.client.concurrency_limits().create(&tag, limit).await;
        self.said.limits.insert(tag, (limit, said(&created)));
    }

    async fn read(&mut self) {
        let read = self.client.raw().read_flow(&self.flow).await;
        self.said.reads.push(said(&read));
    }

    /// Compares the reports with what the server has, and returns a summary.
    async fn check(&self, server: &Client) -> String {
        let book = &self.said;
        let mut runs = self.names_of_runs(server).await;
        for (name, said) in &book.runs {
            let found = runs.remove(name).unwrap_or(0);
            assert!(agrees(*said, found), "run {name}: {said:?}, {found} found");
        }
        assert!(runs.is_empty(), "runs that nobody asked for: {runs:?}");
        for (run, state, said) in &book.states {
            let states = server.raw().read_flow_run_states(run).await.expect("read");
            let found = states.iter().filter(|found| found.type_ == *state).count();
            assert!(
                agrees(*said, found),
                "state {state} of {run}: {said:?}, {found} found"
            );
        }
        let open = book
            .states
            .iter()
            .filter(|(_, _, said)| *said == Report::Perhaps);
        let (open, all) = (open.count(), book.states.len());
        assert!(
            open * 20 <= all,
            "{open} of {all} transitions are ambiguous: they should be reconciled"
        );
        for (name, said) in &book.variables {
            let read = server.raw().read_variable_by_name(name).await;
            let found = found(read).is_some_and(|it| it.value.to_string().contains(name));
            assert!(
                agrees(*said, usize::from(found)),
                "variable {name}: {said:?}"
            );
        }
        for (tag, (limit, said)) in &book.limits {
            let read = server.concurrency_limits().get_by_tag(tag).await;
            let read = found(read);
            let right = read
                .as_ref()
                .is_some_and(|it| it.concurrency_limit == *limit);
            assert_eq!(read.is_some(), right, "limit {tag} is not {limit}");
            assert!(agrees(*said, usize::from(right)), "limit {tag}: {said:?}");
        }
        for (limit, slots) in [
            (self.limit.clone(), &book.slots),
            (format!("tag:{}", self.tag), &book.tag_slots),
        ] {
            let read = server.raw().read_concurrency_limit_v2(&limit).await;
            let active = read.expect("read").active_slots as usize;
            let (least, most) = held(slots);
            assert!(
                (least..=most).contains(&active),
                "{limit}: {least}..={most}, {active}"
            );
        }
        assert!(
            !book.reads.contains(&Report::Perhaps),
            "a failed read is never ambiguous"
        );
        book.summary()
    }

    async fn names_of_runs(&self, server: &Client) -> BTreeMap<String, usize> {
        let mut names = BTreeMap::new();
        let filter = FlowFilter::new().id(FlowFilterId::new().any_(vec![self.flow]));
        let mut offset = 0;
        loop {
            let body = ReadFlowRunsRequest::new()
                .flows(filter.clone())
                .offset(offset);
            let page = server
                .raw()
                .read_flow_runs(&body)
                .await
                .expect("read")
                .into_inner();
            if page.is_empty() {
                return names;
            }
            offset += page.len() as i64;
            for run in page {
                *names.entry(run.name.expect("a name")).or_default() += 1;
            }
        }
    }
}

/// The least and the greatest number of slots that may be held.
fn held(slots: &[(Report, Option<Report>)]) -> (usize, usize) {
    let count = |taken: Report, given: &[Option<Report>]| {
        let those = slots
            .iter()
            .filter(|slot| slot.0 == taken && given.contains(&slot.1));
        those.count()
    };
    let least = count(Report::Done, &[Some(Report::NotDone)]);
    let open = count(Report::Done, &[Some(Report::Perhaps)]) + count(Report::Perhaps, &[None]);
    (least, least + open)
}

fn found<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) if error.is_not_found() => None,
        Err(error) => panic!("{error}"),
    }
}

impl Reports {
    /// The reports of all operations.
    fn all(&self) -> Vec<Report> {
        let mut all = self.reads.clone();
        all.extend(self.runs.values());
        all.extend(self.states.iter().map(|(_, _, said)| said));
        all.extend(self.variables.values());
        all.extend(self.limits.values().map(|(_, said)| said));
        for (taken, given) in self.slots.iter().chain(&self.tag_slots) {
            all.push(*taken);
            all.extend(given);
        }
        all
    }

    fn summary(&self) -> String {
        let all = self.all();
        let count = |said| all.iter().filter(|other| **other == said).count();
        let [done, open, not_done] = [Report::Done, Report::Perhaps, Report::NotDone].map(count);
        let total = all.len();
        assert!(done > total * 8 / 10, "{done} of {total}");
        format!("{total} operations: {done} done, {open} may be, {not_done} not")
    }
}
