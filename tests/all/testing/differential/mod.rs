//! The fake server is held against a real one: random operations on both, whose replies must be the same.

pub(super) mod compare;
mod differ;
mod events;
mod filters;
mod generate;
pub(super) mod ids;
mod model;
pub(super) mod operation;
pub(super) mod pieces;
mod report;
mod rows;
mod servers;
mod values;

use std::time::Instant;

use uuid::Builder;

use differ::Differ;
use model::Model;

/// How many ids there are that no object has.
const STRANGERS: usize = 40;

/// How many ids there are for objects whose id the client chooses.
const FRESH: usize = 2_000;

/// The number that an environment variable has, or another one.
fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().expect("a number"))
}

/// `PREFECT_SDK_DIFFERENTIAL_SEED` and `PREFECT_SDK_DIFFERENTIAL_OPERATIONS` choose other operations than the usual ones.
#[tokio::test]
async fn the_fake_answers_as_a_real_server_does() {
    let seed = number("PREFECT_SDK_DIFFERENTIAL_SEED", 1);
    let operations = number("PREFECT_SDK_DIFFERENTIAL_OPERATIONS", 1_500);
    let mut differ = Differ::start().await;
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut ids = |count: usize| -> Vec<String> {
        let ids = (0..count).map(|_| {
            let bytes = rng.u128(..).to_le_bytes();
            let id = Builder::from_random_bytes(bytes).into_uuid().to_string();
            differ.ids.add(&id, &id)
        });
        ids.collect()
    };
    let (strangers, fresh) = (ids(STRANGERS), ids(FRESH));
    let mut model = Model::new(seed, strangers, fresh);
    let start = Instant::now();
    for done in 0..operations {
        if done > 0 && done % 500 == 0 {
            println!("{done} operations, {:.0} s", start.elapsed().as_secs_f64());
        }
        let operation = generate::next(&mut model);
        differ.execute(&mut model, operation).await;
    }
    let (since, until) = (model.at(-10_000), model.at(10_000));
    events::compare(&mut differ, &since, &until).await;
    let text = differ.report.text();
    let file = std::env::temp_dir().join(format!("prefect-sdk-differential-{seed}.txt"));
    std::fs::write(&file, &text).expect("a report");
    let journal = file.with_extension("log");
    std::fs::write(&journal, differ.report.journal()).expect("a journal");
    println!(
        "seed {seed}, {:.0} s; the report is in {}",
        start.elapsed().as_secs_f64(),
        file.display()
    );
    let (distinct, all) = differ.report.divergences();
    let (refusals, executed) = (differ.report.refusals(), differ.report.executed());
    assert_eq!(
        distinct,
        0,
        "the fake differs from the real server in {all} of {executed} operations: see {}
{}",
        file.display(),
        differ.report.summary()
    );
    assert!(
        refusals * 20 < refusals + executed,
        "the fake refuses {refusals} of the operations: see {}",
        file.display()
    );
}
