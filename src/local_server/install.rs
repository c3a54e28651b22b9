//! Installs Prefect into the cache folder, once for each version.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use super::requirements::requirements;
use super::task::error;
use crate::error::Result;

/// Checks that the user's own interpreter has Prefect, and returns its path.
pub(super) fn check(python: &Path) -> Result<PathBuf> {
    // A bare name is looked up in PATH; a path must be valid from another folder, too.
    let python = match python.components().count() {
        1 => python.to_owned(),
        _ => std::path::absolute(python).unwrap_or_else(|_| python.to_owned()),
    };
    let mut import = Command::new(&python);
    // Not in the current folder, which may have a file `prefect.py`.
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

/// What is installed together, in a virtual environment of its own.
pub(super) struct Installation {
    /// What messages call it.
    pub what: String,
    /// Its folder in the cache.
    pub folder: String,
    pub requirements: Vec<String>,
}

impl Installation {
    /// This version of Prefect.
    pub(super) fn prefect(version: &str) -> Result<Self> {
        let well_formed = version
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '.');
        if version.is_empty() || !well_formed {
            return Err(error(format!("{version:?} is not a Prefect version")));
        }
        Ok(Self {
            what: format!("Prefect {version}"),
            folder: version.to_owned(),
            requirements: requirements(version),
        })
    }
}

/// Returns the interpreter of this installation, and installs it if there is none.
pub(super) fn ensure(wanted: &Installation) -> Result<PathBuf> {
    let folder = cache()?.join(&wanted.folder);
    if let Some(python) = installed(&folder, wanted) {
        return Ok(python);
    }
    let _lock = Lock::take(&folder)?;
    // Another process may have installed it while this one waited.
    if let Some(python) = installed(&folder, wanted) {
        return Ok(python);
    }
    // Always a new name: the pip of a process that was killed may still be writing into its folder.
    let name = format!("venv-{}", uuid::Uuid::new_v4().simple());
    let venv = folder.join(&name);
    if let Err(failure) = install(wanted, &folder, &venv) {
        let _ = fs::remove_dir_all(&venv);
        return Err(failure);
    }
    let record = format!("{name}\n{}", wanted.requirements.join("\n"));
    let partial = folder.join("installed.partial");
    let recorded = fs::write(&partial, record);
    recorded
        .and_then(|()| fs::rename(&partial, folder.join(RECORD)))
        .map_err(|cause| {
            error(format!("{} cannot be written", folder.display())).with_source(cause)
        })?;
    Ok(interpreter(&venv))
}

/// The file that holds the folder of a complete installation and its requirements.
const RECORD: &str = "installed";

/// The interpreter of a complete installation with the current requirements, if it exists. (An upgrade
/// of the system's Python may have removed it.)
fn installed(folder: &Path, wanted: &Installation) -> Option<PathBuf> {
    let record = fs::read_to_string(folder.join(RECORD)).ok()?;
    let (name, made_of) = record.split_once('\n')?;
    let python = interpreter(&folder.join(name));
    (made_of == wanted.requirements.join("\n") && python.exists()).then_some(python)
}

fn interpreter(venv: &Path) -> PathBuf {
    venv.join("bin").join("python")
}

/// The folder of an installation, from its interpreter.
pub(super) fn folder_of(python: &Path) -> PathBuf {
    python.ancestors().nth(2).unwrap_or(python).to_owned()
}

fn install(wanted: &Installation, folder: &Path, venv: &Path) -> Result<()> {
    let start = Instant::now();
    progress(&format!(
        "installing {} into {} (once)",
        wanted.what,
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
    fill.args(&wanted.requirements);
    let tool = if uv {
        ["uv venv", "uv pip install"]
    } else {
        ["python3 -m venv", "pip install"]
    };
    for (name, command) in tool.into_iter().zip([&mut create, &mut fill]) {
        // Not in the current folder: its `pyproject.toml` or `uv.toml` belongs to another project.
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
    // An absolute path, because installers and servers run in folders of their own.
    std::path::absolute(&cache).map_err(|cause| {
        error(format!(
            "the cache folder {} cannot be found",
            cache.display()
        ))
        .with_source(cause)
    })
}

/// Locks a folder against other processes that install or migrate in it. The lock is released when this
/// is dropped, and by the system when the process ends.
pub(super) struct Lock(File);

impl Lock {
    pub(super) fn take(folder: &Path) -> Result<Self> {
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
            .with_source(cause)
        })?;
        Ok(Self(locked))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Reports a long step on standard error: a first start would otherwise look like a hang.
pub(super) fn progress(what: &str) {
    eprintln!("prefect-sdk: {what}");
}

/// Runs a command that may take a minute, and reports every ten seconds that it is running.
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
    output.map_err(|cause| error(format!("cannot wait for `{name}`")).with_source(cause))
}

fn missing(program: &str, cause: std::io::Error) -> crate::Error {
    let advice = match cause.kind() {
        std::io::ErrorKind::NotFound => "is not there: a local server needs Python 3.10 or newer",
        _ => "cannot be run",
    };
    error(format!("{program} {advice}")).with_source(cause)
}

/// The last line that a failed command printed, in which pip, uv and venv state the reason.
fn reason(output: &Output) -> String {
    let (errors, said) = (&output.stderr, &output.stdout);
    let texts = [errors, said].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    let last = texts.iter().find_map(|text| text.lines().last());
    last.unwrap_or("it printed nothing").to_owned()
}
