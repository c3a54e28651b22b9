//! What a program pays for the SDK when it is built: crates, CPU time and size, against the same program by hand.

mod programs;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::check::target;
use programs::{DEFAULTS, FEATURES, Program, by_hand, with, with_defaults, without};

/// What is measured.
#[derive(Clone, Copy)]
pub enum Subject {
    /// The default features, against programs by hand.
    Floors,
    /// Each feature, against the default features.
    Features,
}

impl Subject {
    /// The programs. The one with the default features is the last of the floors, and the first of the features.
    fn programs(self, root: &Path) -> Result<Vec<Program>, String> {
        match self {
            Self::Floors => Ok(vec![
                by_hand("aws-lc"),
                by_hand("ring"),
                with_defaults(root)?,
            ]),
            Self::Features => std::iter::once(with_defaults(root))
                .chain(DEFAULTS.iter().map(|feature| without(root, feature)))
                .chain(
                    FEATURES
                        .iter()
                        .map(|(feature, used)| with(root, feature, used)),
                )
                .collect(),
        }
    }
}

/// Builds the programs from nothing, in the folder of the target, so many times by turns, and prints what each costs.
///
/// The SDK's lock file gives all of them the same versions. CPU time, unlike wall time, hardly depends on what
/// else the machine does, and the ratios depend on it still less: programs are built in turn. Of features, release builds share what
/// they can, and only the size of their programs is measured.
pub fn measure(root: &Path, subject: Subject, rounds: usize) -> Result<(), String> {
    let folder = target(root)?.join("build-cost");
    let programs = subject.programs(root)?;
    for program in &programs {
        program.write(root, &folder)?;
    }
    println!("| Program | Crates | Units | Debug, CPU s | Release, CPU s | Size, stripped, MB |");
    println!("|---|---|---|---|---|---|");
    let mut costs: Vec<Vec<Cost>> = programs.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (program, costs) in programs.iter().zip(&mut costs) {
            let cost = Cost::of(program, &folder, subject)?;
            println!("{}", cost.row(&program.name));
            costs.push(cost);
        }
    }
    match subject {
        Subject::Floors => print_ratios(&programs, &costs),
        Subject::Features => print_additions(&programs, &costs),
    }
    Ok(())
}

/// What each program has in addition to the first, by medians.
fn print_additions(programs: &[Program], costs: &[Vec<Cost>]) {
    let Some((defaults, features)) = costs.split_first() else {
        return;
    };
    for (program, costs) in programs.iter().skip(1).zip(features) {
        let added = |figure: fn(&Cost) -> f64| median(costs, figure) - median(defaults, figure);
        println!(
            "{}: {:+} crates, debug {:+.1} s, {:+.2} MB",
            program.name,
            added(|cost| cost.crates as f64),
            added(|cost| cost.debug),
            added(|cost| cost.megabytes),
        );
    }
}

/// The medians of the last program against those of the others.
fn print_ratios(programs: &[Program], costs: &[Vec<Cost>]) {
    let Some(((_, floors), own)) = programs.split_last().zip(costs.last()) else {
        return;
    };
    for (floor, costs) in floors.iter().zip(costs) {
        let ratio = |figure: fn(&Cost) -> f64| median(own, figure) / median(costs, figure);
        println!(
            "against {}: debug {:.2}, release {:.2}; {:+.2} MB",
            floor.name,
            ratio(|cost| cost.debug),
            ratio(|cost| cost.release.unwrap_or(f64::NAN)),
            median(own, |cost| cost.megabytes) - median(costs, |cost| cost.megabytes),
        );
    }
}

fn median(costs: &[Cost], figure: fn(&Cost) -> f64) -> f64 {
    let mut figures: Vec<f64> = costs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What one program costs.
struct Cost {
    crates: usize,
    /// What cargo calls so: also a build script is one, and its run another.
    units: usize,
    /// CPU seconds of a cold build.
    debug: f64,
    release: Option<f64>,
    /// The stripped release program.
    megabytes: f64,
}

impl Cost {
    fn of(program: &Program, folder: &Path, subject: Subject) -> Result<Self, String> {
        let program = folder.join(&program.name);
        let own_target = program.join("target");
        let cold = |profile| {
            clear(&own_target)?;
            build(&program, &own_target, profile)
        };
        let debug = cold("")?;
        let release = match subject {
            Subject::Floors => cold("--release")?,
            Subject::Features => build(&program, &folder.join("target"), "--release")?,
        };
        let size = std::fs::metadata(&release.executable).map_err(|error| error.to_string())?;
        Ok(Self {
            crates: debug.crates,
            units: debug.units,
            debug: debug.seconds,
            release: matches!(subject, Subject::Floors).then_some(release.seconds),
            megabytes: size.len() as f64 / 1e6,
        })
    }

    fn row(&self, name: &str) -> String {
        let release = self.release.map(|seconds| format!("{seconds:.1}"));
        format!(
            "| {name} | {} | {} | {:.1} | {} | {:.2} |",
            self.crates,
            self.units,
            self.debug,
            release.unwrap_or_default(),
            self.megabytes
        )
    }
}

/// One build.
struct Build {
    crates: usize,
    units: usize,
    seconds: f64,
    executable: PathBuf,
}

/// Removes what was built.
fn clear(target: &Path) -> Result<(), String> {
    match target.exists() {
        true => std::fs::remove_dir_all(target)
            .map_err(|error| format!("{}: {error}", target.display())),
        false => Ok(()),
    }
}

/// Builds the program in a folder.
fn build(folder: &Path, target: &Path, profile: &str) -> Result<Build, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    // `times` prints the CPU time of the shell, and in a second line that of all that it has started.
    let script =
        format!("cargo build --quiet --locked --message-format=json {profile} && LC_ALL=C times");
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0")
        .stderr(Stdio::inherit())
        .output()
        .map_err(failed)?;
    if !output.status.success() {
        return Err(format!("{} cannot be built", folder.display()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let messages: Vec<serde_json::Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let with_reason = |reason: &'static str| {
        messages
            .iter()
            .filter(move |message| message["reason"] == reason)
    };
    let packages: std::collections::BTreeSet<_> = with_reason("compiler-artifact")
        .filter_map(|message| message["package_id"].as_str())
        .collect();
    let executable = with_reason("compiler-artifact")
        .find_map(|message| message["executable"].as_str())
        .ok_or_else(|| format!("{} has no program", folder.display()))?;
    Ok(Build {
        crates: packages.len() - 1,
        units: with_reason("compiler-artifact").count()
            + with_reason("build-script-executed").count(),
        seconds: text
            .lines()
            .last()
            .and_then(cpu_seconds)
            .ok_or("bash's `times` did not print two times")?,
        executable: executable.into(),
    })
}

/// The sum of a line `1m2.345s 0m6.789s`.
fn cpu_seconds(line: &str) -> Option<f64> {
    let mut sum = 0.0;
    for time in line.split_whitespace() {
        let (minutes, seconds) = time.strip_suffix('s')?.split_once('m')?;
        sum += minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::cpu_seconds;

    #[test]
    fn the_times_of_bash_are_added() {
        assert_eq!(cpu_seconds("1m2.500s 0m6.250s"), Some(68.75));
        assert_eq!(cpu_seconds("what"), None);
    }
}
