//! Acquisitions of slots by tasks of three processes, of which every fifth request is spoilt.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::support::{Contention, FaultProxy, Findings, spoiling_slots, unique};

use prefect_sdk::types::ConcurrencyLimitV2Create;

/// How many slots the tasks contend for. A grant whose reply is lost holds one for a minute.
const SLOTS: i64 = 10;

/// Lets so many tasks take a slot so often.
pub async fn run(cluster: &Cluster, tasks: usize, rounds: usize, seed: u64) -> Figures {
    let checker = &cluster.checker;
    let limit = ConcurrencyLimitV2Create::new(unique("load"), SLOTS);
    let limit = checker.global_concurrency_limits().create(&limit).await;
    let limit = limit.expect("a limit").name;
    let proxy = FaultProxy::start(cluster.api_url(), spoiling_slots(seed)).await;
    let contention = Contention {
        url: &proxy.url,
        limit: &limit,
        tasks,
        rounds,
        arguments: &[],
    };
    let outcome = contention.run(checker).await;
    proxy.stop();
    let mut findings = Findings::default();
    let what = || format!("acquisitions of {limit}: {outcome:?}");
    let all = tasks * rounds;
    findings.compare(what, outcome.acquisitions, [all, all]);
    if outcome.failed > 0 {
        findings.lost.push(format!("processes failed: {outcome:?}"));
    }
    if outcome.most_at_once > SLOTS || outcome.most_counted > SLOTS {
        let what = format!("more holders than {SLOTS} slots: {outcome:?}");
        findings.doubled.push(what);
    }
    Figures {
        part: "slots",
        count: all,
        took: outcome.took,
        requests: 0,
        details: format!(
            "{tasks} tasks of 3 processes, {SLOTS} slots, {} held at once at most, {} counted, {} left to their leases, longest wait {} grants",
            outcome.most_at_once,
            outcome.most_counted,
            outcome.not_given_back,
            outcome.longest_wait
        ),
        findings,
    }
}
