//! Installs Prefect into the cache folder, once for each version.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::error;
use crate::error::Result;

/// What starts each version: newer releases of these libraries break it.
fn requirements(version: &str) -> Vec<String> {
    let mut parts = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(u32::MAX));
    let (_, minor) = (parts.next(), parts.next().unwrap_or(u32::MAX));
    let pins: &[&str] = match minor {
        0 => &["pydantic<2.10", "fastapi<0.116", "sqlalchemy<2.1"],
        1..=4 => &["fastapi<0.137", "sqlalchemy<2.1", "importlib_metadata"],
        5..=6 => &["fastapi<0.137", "sqlalchemy<2.1"],
        _ => &["fastapi>=0.139,<0.151", "sqlalchemy<2.1"],
    };
    let prefect = format!("prefect=={version}");
    std::iter::once(prefect)
        .chain(pins.iter().map(|pin| (*pin).to_owned()))
        .collect()
}

/// An interpreter of the user's own, which must have Prefect.
pub(super) fn check(python: &Path) -> Result<PathBuf> {
    let shown = python.display();
    let output = run(Command::new(python).args(["-c", "import prefect"]))?;
    match output.status.success() {
        true => Ok(python.to_owned()),
        false => Err(error(format!(
            "{shown} has no Prefect: {}",
            last_line(&output)
        ))),
    }
}

/// The interpreter of an installation of this version, made if it is not there yet.
pub(super) fn ensure(version: &str) -> Result<PathBuf> {
    if version.is_empty()
        || !version
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '.')
    {
        return Err(error(format!("{version:?} is not a Prefect version")));
    }
    let folder = cache()?.join(version);
    let python = folder.join("venv").join("bin").join("python");
    let complete = folder.join("installed");
    if complete.exists() {
        return Ok(python);
    }
    let _lock = Lock::take(&folder)?;
    // Another process may have installed it while this one waited.
    if complete.exists() {
        return Ok(python);
    }
    let venv = folder.join("venv");
    let _ = fs::remove_dir_all(&venv);
    install(version, &venv, &python)?;
    fs::write(&complete, requirements(version).join("\n")).map_err(|cause| {
        error(format!("{} cannot be written", complete.display())).caused_by(cause)
    })?;
    Ok(python)
}

fn install(version: &str, venv: &Path, python: &Path) -> Result<()> {
    let start = Instant::now();
    progress(&format!(
        "installing Prefect {version} into {} (once)",
        venv.display()
    ));
    let uv = Command::new("uv")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    let commands: [(&str, Command); 2] = if uv {
        let mut create = Command::new("uv");
        create.args(["venv", "--quiet"]).arg(venv);
        let mut fill = Command::new("uv");
        fill.args(["pip", "install", "--quiet", "--python"])
            .arg(python)
            .args(requirements(version));
        [("uv venv", create), ("uv pip install", fill)]
    } else {
        let mut create = Command::new("python3");
        create.args(["-m", "venv"]).arg(venv);
        let mut fill = Command::new(python);
        fill.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]);
        fill.args(requirements(version));
        [("python3 -m venv", create), ("pip install", fill)]
    };
    for (name, mut command) in commands {
        let output = run_with_progress(&mut command, name)?;
        if !output.status.success() {
            return Err(error(format!("`{name}` failed: {}", last_line(&output))));
        }
    }
    progress(&format!("installed in {} s", start.elapsed().as_secs()));
    Ok(())
}

/// The folder of an installation, from its interpreter.
pub(super) fn folder_of(python: &Path) -> PathBuf {
    python.ancestors().nth(3).unwrap_or(python).to_owned()
}

fn cache() -> Result<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable("PREFECT_SDK_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("prefect-sdk")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache").join("prefect-sdk")))
        .ok_or_else(|| error("no cache folder is known: set PREFECT_SDK_CACHE"))
}

/// Holds a folder against other processes that install or migrate in it. Released when dropped,
/// and by the system when the process ends.
pub(super) struct Lock(File);

impl Lock {
    pub fn take(folder: &Path) -> Result<Self> {
        let locked = || -> std::io::Result<File> {
            fs::create_dir_all(folder)?;
            let file = File::create(folder.join("lock"))?;
            if file.try_lock().is_err() {
                progress("waiting for another process that is installing");
                file.lock()?;
            }
            Ok(file)
        };
        let locked = locked().map_err(|cause| {
            error(format!(
                "the cache folder {} cannot be used",
                folder.display()
            ))
            .caused_by(cause)
        })?;
        Ok(Self(locked))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Says on standard error what takes long: a first start would look like a hang.
pub(super) fn progress(what: &str) {
    eprintln!("prefect-sdk: {what}");
}

fn run(command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|cause| missing(&program, cause))
}

/// Runs a command that may take a minute, with a sign of life every ten seconds.
fn run_with_progress(command: &mut Command, name: &str) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.map_err(|cause| missing(&program, cause))?;
    let (done, finished) = std::sync::mpsc::channel::<()>();
    let label = name.to_owned();
    let ticker = std::thread::spawn(move || {
        let start = Instant::now();
        while finished.recv_timeout(Duration::from_secs(10)).is_err() {
            progress(&format!("{label} … {} s", start.elapsed().as_secs()));
        }
    });
    let output = child.wait_with_output();
    let _ = done.send(());
    let _ = ticker.join();
    output.map_err(|cause| error(format!("`{name}` cannot be observed")).caused_by(cause))
}

fn missing(program: &str, cause: std::io::Error) -> crate::Error {
    let advice = match cause.kind() {
        std::io::ErrorKind::NotFound => "is not there: a local server needs Python 3.10 or newer",
        _ => "cannot be run",
    };
    error(format!("{program} {advice}")).caused_by(cause)
}

/// The last line that a failed command printed, which is where pip and uv say why.
fn last_line(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = said
        .lines()
        .rev()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    lines
        .into_iter()
        .next()
        .unwrap_or("it printed nothing")
        .to_owned()
}
