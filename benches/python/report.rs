//! What is printed: the tables, and what they were taken on.

use std::path::Path;
use std::process::Command;

use crate::figures::Figure;
use crate::process::Client;

/// The table of the README: medians.
pub fn print_medians(figures: &[&Figure]) {
    println!("\n| | `prefect-sdk` | Prefect's Python client | |\n|---|--:|--:|--:|");
    for figure in figures {
        let [ours, theirs] = [Client::Sdk, figure.better_python()]
            .map(|client| figure.unit.write(figure.median(client)));
        let kind = match figure.better_python() {
            Client::PythonAsync => "async",
            _ => "sync",
        };
        let (name, ratio) = (figure.name, times(figure.ratio()));
        println!("| {name} | {ours} | {theirs} ({kind}) | {ratio} |");
    }
}

/// The table with both of Python's clients, and the lowest and the highest value of each.
pub fn print_all(figures: &[&Figure]) {
    println!("\n| | `prefect-sdk` | Python, async | Python, sync |\n|---|--:|--:|--:|");
    for figure in figures {
        let [ours, asynchronous, synchronous] = Client::ALL.map(|client| {
            let (low, high) = figure.spread(client);
            let [median, low, high] =
                [figure.median(client), low, high].map(|value| figure.unit.write(value));
            format!("{median} ({low} – {high})")
        });
        println!(
            "| {} | {ours} | {asynchronous} | {synchronous} |",
            figure.name
        );
    }
}

/// `138 ×`, `2.4 ×`.
pub fn times(ratio: f64) -> String {
    match ratio {
        _ if ratio >= 10.0 => format!("{ratio:.0} ×"),
        _ if ratio >= 1.95 => format!("{ratio:.1} ×"),
        _ => format!("{ratio:.2} ×"),
    }
}

/// The machine and the versions.
pub fn print_setting(python: &Path) {
    let versions = "import platform, httpx, prefect, pydantic\n\
        print(f'Prefect {prefect.__version__} (httpx {httpx.__version__}, pydantic {pydantic.VERSION}), \
        Python {platform.python_version()}')";
    let python = output(Command::new(python).args(["-c", versions]));
    let rust = output(Command::new("rustc").arg("-V"));
    let cpus = std::thread::available_parallelism().map_or(0, |cpus| cpus.get());
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split(": ").nth(1));
    println!(
        "{cpus} cores, {}; {rust}; {python}",
        model.unwrap_or("unknown")
    );
}

/// How many processes wanted a core in the last minutes.
pub fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("a program");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
