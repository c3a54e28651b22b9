//! Mixed operations, and whether what each has reported agrees with what the server has.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use fastrand::Rng;
use prefect_sdk::types::*;
use prefect_sdk::{Client, Error, Result};
use uuid::Uuid;

use super::{Findings, unique};

/// How long a slot is held that is not given back: the server's default for a lease.
const LEASE: Duration = Duration::from_secs(300);

/// Slots that are taken are never so many.
const PLENTY: i64 = 100_000;

/// Whether an operation was executed, as reported by its result.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Report {
    Done,
    Perhaps,
    NotDone,
}

impl Report {
    /// How often its object must be there, and how often it may be.
    fn bounds(self) -> [usize; 2] {
        match self {
            Self::Done => [1, 1],
            Self::Perhaps => [0, 1],
            Self::NotDone => [0, 0],
        }
    }
}

/// The objects that the operations work on, and what the operations reported. Many may run at once.
pub struct MixedOperations {
    client: Client,
    /// The flow of all runs that are created.
    pub flow: Uuid,
    deployment: Uuid,
    limit: String,
    tag: String,
    begun: Instant,
    reports: Mutex<Reports>,
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
    count: usize,
    findings: Findings,
}

/// How many operations there were, by their reports.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "it is also printed")]
pub struct Summary {
    pub operations: usize,
    pub done: usize,
    pub perhaps: usize,
    pub not_done: usize,
    /// Transitions of runs, and how many of them are ambiguous.
    pub transitions: usize,
    pub open_transitions: usize,
}

impl MixedOperations {
    /// Creates what the operations need by the first client, which meets no faults; the operations are those of the second.
    pub async fn prepare(server: &Client, client: Client) -> Self {
        let flow = FlowCreate::new(unique("faults"));
        let flow = server.flows().create(&flow).await.expect("created").id;
        let deployment = DeploymentCreate::new(unique("faults"), flow);
        let deployment = server.deployments().create(&deployment).await;
        let limit = ConcurrencyLimitV2Create::new(unique("faults"), PLENTY);
        let limits = server.global_concurrency_limits();
        limits.create(&limit).await.expect("created");
        let tag = unique("faults");
        let limits = server.concurrency_limits();
        limits.create(&tag, PLENTY).await.expect("created");
        Self {
            client,
            flow,
            deployment: deployment.expect("created").id,
            limit: limit.name,
            tag,
            begun: Instant::now(),
            reports: Mutex::default(),
        }
    }

    /// How many operations there were so far.
    pub fn count(&self) -> usize {
        self.reports().count
    }

    /// Executes one operation, or some that belong together.
    pub async fn operate(&self, rng: &mut Rng) {
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

    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().expect("not poisoned")
    }

    /// What the result of an operation reports, which is counted.
    fn said<T>(&self, result: &Result<T>) -> Report {
        let mut reports = self.reports();
        reports.count += 1;
        match result {
            Ok(_) => Report::Done,
            Err(error) => {
                // All names are unique.
                let untrue = error.is_conflict() || error.attempts() == 0;
                if untrue {
                    reports.findings.untrue.push(error.to_string());
                }
                match error.may_have_happened() {
                    true => Report::Perhaps,
                    false => Report::NotDone,
                }
            }
        }
    }

    async fn create_run_of_deployment(&self) {
        let name = unique("run");
        let body = DeploymentFlowRunCreate::new().name(name.clone());
        let created = self.client.raw();
        let created = created
            .create_flow_run_from_deployment(&self.deployment, &body)
            .await;
        let said = self.said(&created);
        self.reports().runs.insert(name, said);
    }

    async fn create_run_and_set_states(&self) {
        let name = unique("run");
        let body = FlowRunCreate::new(self.flow).name(name.clone());
        let created = self.client.raw().create_flow_run(&body).await;
        let said = self.said(&created);
        self.reports().runs.insert(name, said);
        let Ok(run) = created else { return };
        for state in [StateType::Running, StateType::Completed] {
            let body = SetFlowRunStateRequest::new(StateCreate::new(state.clone()));
            let result = self.client.raw().set_flow_run_state(&run.id, &body).await;
            let said = self.said(&result);
            let mut reports = self.reports();
            if let Ok(result) = result
                && result.status != SetStateStatus::Accept
            {
                let what = format!("{state} of {}: {result:?}", run.id);
                reports.findings.untrue.push(what);
            }
            reports.states.push((run.id, state, said));
            if said != Report::Done {
                return;
            }
        }
    }

    async fn create_variable(&self) {
        let name = unique("variable");
        let body = VariableCreate::new(&name, Json::from(name.as_str()));
        let created = self.client.raw().create_variable(&body).await;
        let said = self.said(&created);
        self.reports().variables.insert(name, said);
    }

    async fn take_slot(&self) {
        let take = BulkIncrementActiveSlotsWithLeaseRequest::new(1, [self.limit.clone()]);
        let raw = self.client.raw();
        let taken = raw.bulk_increment_active_slots_with_lease(&take).await;
        let said_of_taking = self.said(&taken);
        let mut given = None;
        if let Ok(taken) = taken {
            let give = BulkDecrementActiveSlotsWithLeaseRequest::new(taken.lease_id);
            given = Some(self.said(&raw.bulk_decrement_active_slots_with_lease(&give).await));
        }
        self.reports().slots.push((said_of_taking, given));
    }

    async fn take_slot_of_tag(&self) {
        let (limits, holder) = (self.client.concurrency_limits(), Uuid::new_v4());
        let taken = self.said(&limits.increment([&self.tag], holder).await);
        let mut given = None;
        if taken == Report::Done {
            given = Some(self.said(&limits.decrement([&self.tag], holder).await));
        }
        self.reports().tag_slots.push((taken, given));
    }

    async fn upsert_limit(&self, limit: i64) {
        let tag = unique("upsert");
        let created = self.client.concurrency_limits().create(&tag, limit).await;
        let said = self.said(&created);
        self.reports().limits.insert(tag, (limit, said));
    }

    async fn read(&self) {
        let read = self.client.raw().read_flow(&self.flow).await;
        let said = self.said(&read);
        self.reports().reads.push(said);
    }

    /// Compares the reports with what the server has.
    pub async fn check(self, server: &Client) -> (Summary, Findings) {
        let mut runs = self.names_of_runs(server).await;
        let mut reports = self.reports.into_inner().expect("not poisoned");
        let mut findings = std::mem::take(&mut reports.findings);
        for (name, said) in &reports.runs {
            let found = runs.remove(name).unwrap_or(0);
            findings.compare(|| format!("run {name}, {said:?}"), found, said.bounds());
        }
        for (name, found) in runs {
            findings.compare(|| format!("run {name}, never asked for"), found, [0, 0]);
        }
        for (run, state, said) in &reports.states {
            let states = server.flow_runs().states(*run).await.expect("read");
            let found = states.iter().filter(|found| found.type_ == *state).count();
            let what = || format!("state {state} of {run}, {said:?}");
            findings.compare(what, found, said.bounds());
        }
        for (name, said) in &reports.variables {
            let read = server.raw().read_variable_by_name(name).await;
            let found = found(read).is_some_and(|it| it.value.to_string().contains(name));
            let what = || format!("variable {name}, {said:?}");
            findings.compare(what, usize::from(found), said.bounds());
        }
        for (tag, (limit, said)) in &reports.limits {
            let read = found(server.concurrency_limits().get_by_tag(tag).await);
            if let Some(other) = read.as_ref().filter(|it| it.concurrency_limit != *limit) {
                let what = format!("limit {tag} is not {limit}: {other:?}");
                findings.untrue.push(what);
            }
            let what = || format!("limit {tag}, {said:?}");
            findings.compare(what, usize::from(read.is_some()), said.bounds());
        }
        let limits = server.global_concurrency_limits();
        let [mut least, most] = held(&reports.slots);
        let active = limits.get(&self.limit).await.expect("read").active_slots;
        if self.begun.elapsed() >= LEASE {
            // Some leases may have ended by now.
            least = 0;
        }
        findings.compare_slots(&self.limit, active, [least, most]);
        let limit = format!("tag:{}", self.tag);
        let active = limits.get(&limit).await.expect("read").active_slots;
        findings.compare_slots(&limit, active, held(&reports.tag_slots));
        // Nobody but the caller can free those whose reply was lost: they have no lease.
        let limits = server.concurrency_limits();
        limits.delete_by_tag(&self.tag).await.expect("deleted");
        if reports.reads.contains(&Report::Perhaps) {
            let what = "a failed read is never ambiguous".to_owned();
            findings.untrue.push(what);
        }
        (reports.summary(), findings)
    }

    async fn names_of_runs(&self, server: &Client) -> BTreeMap<String, usize> {
        let mut names = BTreeMap::new();
        let mut runs = server.flow_runs().list().flow_id(self.flow).pager();
        while let Some(run) = runs.next().await {
            let name = run.expect("read").name.expect("a name");
            *names.entry(name).or_default() += 1;
        }
        names
    }
}

impl Findings {
    /// Slots beyond those that may be held have leaked; one that is missing was given back twice.
    fn compare_slots(&mut self, limit: &str, active: i64, [least, most]: [usize; 2]) {
        let of = match usize::try_from(active).unwrap_or_default() {
            active if active > most => &mut self.leaked,
            active if active < least => &mut self.doubled,
            _ => return,
        };
        of.push(format!(
            "{active} slots of {limit} are held, not {least}..={most}"
        ));
    }
}

/// The least and the greatest number of slots that may be held.
fn held(slots: &[(Report, Option<Report>)]) -> [usize; 2] {
    let count = |taken: Report, given: &[Option<Report>]| {
        let those = slots
            .iter()
            .filter(|slot| slot.0 == taken && given.contains(&slot.1));
        those.count()
    };
    let least = count(Report::Done, &[Some(Report::NotDone)]);
    let open = count(Report::Done, &[Some(Report::Perhaps)]) + count(Report::Perhaps, &[None]);
    [least, least + open]
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

    fn summary(&self) -> Summary {
        let all = self.all();
        let count = |said| all.iter().filter(|other| **other == said).count();
        let open = |(_, _, said): &&(Uuid, StateType, Report)| *said == Report::Perhaps;
        Summary {
            operations: all.len(),
            done: count(Report::Done),
            perhaps: count(Report::Perhaps),
            not_done: count(Report::NotDone),
            transitions: self.states.len(),
            open_transitions: self.states.iter().filter(open).count(),
        }
    }
}
