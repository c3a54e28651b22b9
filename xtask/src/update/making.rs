//! Makes the OpenAPI document of a version of Prefect, in an environment that is thrown away.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::requirements::requirements;

/// Prints the document, and the versions of the frameworks that shape it.
const DUMP: &str = "
import json, platform, sys
from importlib.metadata import version
from prefect.server.api.server import create_api_app
frameworks = {name: version(name) for name in ('fastapi', 'pydantic')}
frameworks['python'] = platform.python_version()
json.dump({'document': create_api_app().openapi(), 'frameworks': frameworks}, sys.stdout)
";

/// Top level in its usual order, keys sorted below: the text of the same document is the same.
const TO_YAML: &str = "
import json, sys, yaml
document = json.load(sys.stdin)
first = ['openapi', 'info', 'paths', 'components']
for key in first + sorted(set(document) - set(first)):
    if key in document:
        yaml.safe_dump({key: document[key]}, sys.stdout, sort_keys=True, allow_unicode=True, width=100)
";

/// An environment with one version of Prefect.
pub struct Environment {
    folder: PathBuf,
    python: PathBuf,
}

/// A document as Prefect writes it.
pub struct Made {
    pub document: Value,
    /// The versions of Python and of the frameworks.
    pub frameworks: Value,
}

impl Environment {
    /// Installs a version with the bounds that its server needs, too.
    pub fn install(version: &str) -> Result<Self, String> {
        println!("installing Prefect {version} for this once …");
        let since_1970 = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default();
        let name = format!(
            "prefect-update-{}-{}",
            std::process::id(),
            since_1970.as_nanos()
        );
        let folder = std::env::temp_dir().join(name);
        // It must be a new one: what is in it is executed.
        std::fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let environment = Self {
            python: folder.join("venv").join("bin").join("python"),
            folder,
        };
        let mut create = Command::new("python3");
        create
            .args(["-m", "venv"])
            .arg(environment.folder.join("venv"));
        run(&mut create, None)?;
        let mut install = Command::new(&environment.python);
        install.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]);
        run(install.args(requirements(version)), None)?;
        Ok(environment)
    }

    /// Makes the document.
    pub fn make(&self) -> Result<Made, String> {
        let mut dump = Command::new(&self.python);
        // Settings of this shell would become defaults in the document; so would SSL_CERT_FILE.
        let is_setting = |name: &str| name.to_uppercase().starts_with("PREFECT_");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(is_setting) {
                dump.env_remove(name);
            }
        }
        dump.env_remove("SSL_CERT_FILE");
        // So would those of a project's folder.
        dump.current_dir(&self.folder);
        dump.env("PREFECT_HOME", self.folder.join("home"))
            .env("DO_NOT_TRACK", "1");
        let dumped = run(dump.args(["-c", DUMP]), None)?;
        let mut dumped: Value =
            serde_json::from_slice(&dumped).map_err(|error| error.to_string())?;
        Ok(Made {
            document: dumped["document"].take(),
            frameworks: dumped["frameworks"].take(),
        })
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        // A folder that stays in the temporary folder does no harm.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Writes a document as YAML, in the form of the vendored one.
pub fn to_yaml(document: &Value, environment: Option<&Environment>) -> Result<Vec<u8>, String> {
    let python = environment.map_or_else(|| Path::new("python3"), |found| found.python.as_path());
    let text = document.to_string();
    run(Command::new(python).args(["-c", TO_YAML]), Some(text))
}

fn run(command: &mut Command, input: Option<String>) -> Result<Vec<u8>, String> {
    use std::io::Write as _;

    let shown = command.get_program().display().to_string();
    let failed = |error: std::io::Error| format!("{shown}: {error}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    // A thread, because the program may print before it has read all.
    let mut stdin = child.stdin.take();
    let writer = std::thread::spawn(move || {
        if let (Some(stdin), Some(input)) = (&mut stdin, input) {
            stdin.write_all(input.as_bytes())
        } else {
            Ok(())
        }
    });
    let output = child.wait_with_output().map_err(failed)?;
    let written = writer
        .join()
        .map_err(|_| format!("{shown}: its input was not written"))?;
    match output.status.success() {
        true => written.map(|()| output.stdout).map_err(failed),
        false => Err(format!("{shown} failed: {}", output.status)),
    }
}
