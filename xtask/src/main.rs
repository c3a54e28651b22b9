//! What maintainers run: `cargo xtask check`, `cargo xtask structure`.

mod check;
mod imports;
mod links;
mod modules;
mod structure;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask check       everything that CI runs: formatting, lints, structure, docs, and the README's tests
cargo xtask structure   no circle of imports in src/, no file of more than 400 lines, a short root";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["check"] => check::check(&root()),
        ["structure"] => structure::check(&root()),
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

/// The folder of the workspace.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
