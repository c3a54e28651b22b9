//! What maintainers run: see `USAGE`.

use std::process::ExitCode;

use xtask::build_cost::Subject;
use xtask::{api, build_cost, check, licences, package, release, root, structure, update};

const USAGE: &str = "\
cargo xtask check       everything that CI runs: formatting, lints, structure, docs, and the README's tests
cargo xtask api         writes the public API that is written by hand into xtask/api.txt, and says what changed
cargo xtask build-cost [ROUNDS] what a program with the SDK costs to build, against programs by hand: CPU time, crates, size
cargo xtask build-cost features [ROUNDS]
                        the same for each feature, against the default features
cargo xtask licences    licences and origins of all dependencies
cargo xtask package     the package as docs.rs builds it
cargo xtask release     whether the version says what has changed for users since the last tag
cargo xtask structure   no circle of imports in src/, no file of more than 400 lines, a short root
cargo xtask update VERSION [--document FILE] [--check]
                        takes the OpenAPI document of another version of Prefect, and says what that changes for users;
                        --document takes it from a file instead of making it, --check changes nothing and fails on drift";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["check"] => check::check(&root()),
        ["api"] => api::update(&root()),
        ["build-cost", subject @ ..] => match subject {
            ["features", rounds @ ..] => build_cost(Subject::Features, rounds),
            rounds => build_cost(Subject::Floors, rounds),
        },
        ["licences"] => licences::check(&root()),
        ["package"] => package::check(&root()),
        ["release"] => release::check(&root()),
        ["structure"] => structure::check(&root()),
        ["update", options @ ..] => match update::Options::read(options) {
            Some(options) => update::update(&root(), &options),
            None => Err(USAGE.to_owned()),
        },
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn build_cost(subject: Subject, rounds: &[&str]) -> Result<(), String> {
    let rounds = match rounds {
        [] => Ok(1),
        [rounds] => rounds.parse().map_err(|_| USAGE.to_owned()),
        _ => Err(USAGE.to_owned()),
    };
    build_cost::measure(&root(), subject, rounds?)
}
