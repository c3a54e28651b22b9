//! Installs Prefect into the cache folder, once for each version.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::RecvTimeoutError;
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
    // A bare name is looked up in PATH; a path must hold in another folder, too.
    let python = match python.components().count() {
        1 => python.to_owned(),
        _ => std::path::absolute(python).unwrap_or_else(|_| python.to_owned()),
    };
    let mut import = Command::new(&python);
    // Not from this folder, where a file may be called `prefect.py`.
    import
        .args(["-c", "import prefect"])
        .current_dir(std::env::temp_dir());
    let output = run(&mut import, "import prefect")?;
    match output.status.success() {
        true => Ok(python),
        false => Err(error(format!(
            "{} has no Prefect: {}",
            python.display(),
            reason(&output)
        ))),
    }
}

/// The interpreter of an installation of this version, made if it is not there yet.
pub(super) fn ensure(version: &str) -> Result<PathBuf> {
    let well_formed = version
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '.');
    if version.is_empty() || !well_formed {
        return Err(error(format!("{version:?} is not a Prefect version")));
    }
    let folder = cache()?.join(version);
    if let Some(python) = installed(&folder, version) {
        return Ok(python);
    }
    let _lock = Lock::take(&folder)?;
    // Another process may have installed it while this one waited.
    if let Some(python) = installed(&folder, version) {
        return Ok(python);
    }
    // A name of its own: the pip of a process that was killed may still be writing into the last.
    let name = format!("venv-{}", uuid::Uuid::new_v4().simple());
    let venv = folder.join(&name);
    if let Err(failure) = install(version, &folder, &venv) {
        let _ = fs::remove_dir_all(&venv);
        return Err(failure);
    }
    let record = format!("{name}\n{}", requirements(version).join("\n"));
    let partial = folder.join("installed.partial");
    let recorded = fs::write(&partial, record);
    recorded
        .and_then(|()| fs::rename(&partial, folder.join(RECORD)))
        .map_err(|cause| {
            error(format!("{} cannot be written", folder.display())).caused_by(cause)
        })?;
    Ok(interpreter(&venv))
}

/// Names the folder of a complete installation, and what it was made of.
const RECORD: &str = "installed";

/// The interpreter of a complete installation with today's requirements. (An upgrade of the
/// system's Python may have taken it away.)
fn installed(folder: &Path, version: &str) -> Option<PathBuf> {
    let record = fs::read_to_string(folder.join(RECORD)).ok()?;
    let (name, made_of) = record.split_once('\n')?;
    let python = interpreter(&folder.join(name));
    (made_of == requirements(version).join("\n") && python.exists()).then_some(python)
}

fn interpreter(venv: &Path) -> PathBuf {
    venv.join("bin").join("python")
}

/// The folder of an installation, from its interpreter.
pub(super) fn folder_of(python: &Path) -> PathBuf {
    python.ancestors().nth(2).unwrap_or(python).to_owned()
}

fn install(version: &str, folder: &Path, venv: &Path) -> Result<()> {
    let start = Instant::now();
    progress(&format!(
        "installing Prefect {version} into {} (once)",
        folder.display()
    ));
    let python = interpreter(venv);
    let mut uv_version = Command::new("uv");
    let uv = uv_version
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    let (mut create, mut fill) = if uv {
        let (mut create, mut fill) = (Command::new("uv"), Command::new("uv"));
        create.args(["venv", "--quiet"]).arg(venv);
        fill.args(["pip", "install", "--quiet", "--python"])
            .arg(&python);
        (create, fill)
    } else {
        let (mut create, mut fill) = (Command::new("python3"), Command::new(&python));
        create.args(["-m", "venv"]).arg(venv);
        fill.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]);
        (create, fill)
    };
    fill.args(requirements(version));
    let tool = if uv {
        ["uv venv", "uv pip install"]
    } else {
        ["python3 -m venv", "pip install"]
    };
    for (name, command) in tool.into_iter().zip([&mut create, &mut fill]) {
        // The configuration of this folder (`pyproject.toml`, `uv.toml`) is another project's.
        let output = run(command.current_dir(folder), name)?;
        if !output.status.success() {
            return Err(error(format!("`{name}` failed: {}", reason(&output))));
        }
    }
    progress(&format!("installed in {} s", start.elapsed().as_secs()));
    Ok(())
}

fn cache() -> Result<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = variable("PREFECT_SDK_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("prefect-sdk")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache").join("prefect-sdk")))
        .ok_or_else(|| error("no cache folder is known: set PREFECT_SDK_CACHE"))?;
    // Installers and servers run in folders of their own.
    std::path::absolute(&cache).map_err(|cause| {
        error(format!(
            "the cache folder {} cannot be found",
            cache.display()
        ))
        .caused_by(cause)
    })
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

/// Runs a command that may take a minute, with a sign of life every ten seconds.
fn run(command: &mut Command, name: &str) -> Result<Output> {
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
        while finished.recv_timeout(Duration::from_secs(10)) == Err(RecvTimeoutError::Timeout) {
            progress(&format!("{label} … {} s", start.elapsed().as_secs()));
        }
    });
    let output = child.wait_with_output();
    drop(done);
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

/// The last line that a failed command printed: there pip, uv and venv say why.
fn reason(output: &Output) -> String {
    let (errors, said) = (&output.stderr, &output.stdout);
    let texts = [errors, said].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    let last = texts.iter().find_map(|text| text.lines().last());
    last.unwrap_or("it printed nothing").to_owned()
}
