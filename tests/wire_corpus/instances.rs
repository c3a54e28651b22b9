//! Instances of every schema.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::compare::Document;
use crate::judge;
use crate::recording::{lines, paths};
use crate::table::schema;

#[derive(Deserialize)]
struct Instance {
    schema: String,
    kind: String,
    /// `false` if the server refuses what the document allows.
    server_accepts: Option<bool>,
    value: Box<RawValue>,
}

#[test]
fn instances_of_every_schema_survive() {
    let document = Document::vendored();
    let defaults = [
        "tests/wire_corpus/sample-instances.jsonl",
        "../shared/corpus/instances.jsonl.gz",
    ];
    let mut all_failed = 0;
    for path in paths("PREFECT_WIRE_INSTANCES", &defaults) {
        let (mut judged, mut ignored) = (0, 0);
        let mut failures: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in lines(&path) {
            let instance: Instance = serde_json::from_str(&line).expect("an instance");
            judged += 1;
            if instance.server_accepts == Some(false) {
                ignored += 1;
                continue;
            }
            let sent = instance.value.get();
            let problem = match schema(&instance.schema) {
                None => Some("the schema has no type".to_owned()),
                Some(round_trip) => {
                    judge::value(round_trip, &document.schema(&instance.schema), sent, true)
                }
            };
            if let Some(problem) = problem {
                failures
                    .entry(instance.schema)
                    .or_default()
                    .push(format!("{}: {problem}", instance.kind));
            }
        }
        let failed: usize = failures.values().map(Vec::len).sum();
        for (schema, problems) in &failures {
            println!(
                "{schema}: {} failed, first: {}",
                problems.len(),
                problems[0]
            );
        }
        println!(
            "{}: {ignored} that the server refuses are not judged",
            path.display()
        );
        println!("{judged} instances, {failed} failed");
        assert!(judged > 0, "{} has no instance to judge", path.display());
        all_failed += failed;
    }
    assert_eq!(all_failed, 0, "see above");
}
