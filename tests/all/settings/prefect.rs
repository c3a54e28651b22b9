//! Prefect's own settings, read from the same files and variables, must have the same values.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use prefect_sdk::{RetryPolicy, Settings};

use super::Folder;
use super::scenarios::{SCENARIOS, Scenario};
use crate::support::{Scripted, live_server, reply};

/// Prints the values that Prefect reads from each scenario, or `null` if it refuses them.
const PREFECTS: &str = r#"
import json, os, sys, warnings
warnings.simplefilter("ignore")
before = dict(os.environ)
from prefect.settings import sources
from prefect.settings.models.root import Settings
NAMES = {
    "PREFECT_API_URL": "api.url", "PREFECT_API_KEY": "api.key",
    "PREFECT_API_AUTH_STRING": "api.auth_string", "PREFECT_API_REQUEST_TIMEOUT": "api.request_timeout",
    "PREFECT_API_TLS_INSECURE_SKIP_VERIFY": "api.tls_insecure_skip_verify",
    "PREFECT_API_ENABLE_HTTP2": "api.enable_http2", "PREFECT_API_SSL_CERT_FILE": "api.ssl_cert_file",
    "PREFECT_CLOUD_API_URL": "cloud.api_url", "PREFECT_CLIENT_MAX_RETRIES": "client.max_retries",
    "PREFECT_CLIENT_RETRY_JITTER_FACTOR": "client.retry_jitter_factor",
    "PREFECT_CLIENT_RETRY_EXTRA_CODES": "client.retry_extra_codes",
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "client.csrf_support_enabled",
    "PREFECT_CLIENT_CUSTOM_HEADERS": "client.custom_headers",
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "client.server_version_check_enabled",
}
def value(settings, path):
    for key in path.split("."):
        settings = getattr(settings, key)
    if isinstance(settings, set):
        return ",".join(map(str, sorted(settings)))
    if isinstance(settings, dict):
        return ", ".join(f"{name}={settings[name]}" for name in sorted(settings))
    if hasattr(settings, "get_secret_value"):
        return "[redacted]" if settings.get_secret_value() else "None"
    if isinstance(settings, bool):
        return str(settings).lower()
    if settings == "":
        return "None"
    return f"{settings:g}" if isinstance(settings, float) else str(settings)
results = []
for scenario in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update(before)
    os.environ.update(scenario["variables"])
    os.chdir(scenario["folder"])
    sources._file_cache.clear()  # by relative path
    try:
        settings = Settings()
        results.append({name: value(settings, path) for name, path in NAMES.items()})
    except Exception:
        results.append(None)
json.dump(results, sys.stdout)
"#;

/// Prefect's values where nothing is set.
const DEFAULTS: [(&str, &str); 14] = [
    ("PREFECT_API_URL", "None"),
    ("PREFECT_API_KEY", "None"),
    ("PREFECT_API_AUTH_STRING", "None"),
    ("PREFECT_API_REQUEST_TIMEOUT", "60"),
    ("PREFECT_API_TLS_INSECURE_SKIP_VERIFY", "false"),
    ("PREFECT_API_ENABLE_HTTP2", "false"),
    ("PREFECT_API_SSL_CERT_FILE", "None"),
    ("PREFECT_CLOUD_API_URL", "https://api.prefect.cloud/api"),
    ("PREFECT_CLIENT_MAX_RETRIES", "5"),
    ("PREFECT_CLIENT_RETRY_JITTER_FACTOR", "0.2"),
    ("PREFECT_CLIENT_RETRY_EXTRA_CODES", ""),
    ("PREFECT_CLIENT_CSRF_SUPPORT_ENABLED", "true"),
    ("PREFECT_CLIENT_CUSTOM_HEADERS", ""),
    ("PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED", "true"),
];

impl Scenario {
    fn folder(&self) -> Folder {
        let folder = Folder::new();
        let path = folder.path().display().to_string();
        for (name, text) in self.files {
            fs::create_dir_all(folder.path().join(".prefect")).expect("a folder");
            folder.file(name, &text.replace("{}", &path));
        }
        folder
    }

    fn variables(&self, folder: &Folder) -> BTreeMap<String, String> {
        let path = folder.path().display().to_string();
        let variables = self.variables.iter();
        variables
            .map(|(name, value)| ((*name).to_owned(), value.replace("{}", &path)))
            .collect()
    }

    /// The values that the SDK reads, in the same form.
    async fn ours(&self, folder: &Folder) -> Value {
        let mut sources = folder.sources();
        for (name, value) in self.variables(folder) {
            sources = sources.variable(name, value);
        }
        let Ok(settings) = sources.load() else {
            return Value::Null;
        };
        let mut values: BTreeMap<String, String> = DEFAULTS
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for line in settings.to_string().lines() {
            let shown = line.split_once("='");
            let shown = shown.and_then(|(name, rest)| Some((name, rest.split_once("' (from")?.0)));
            if let Some((name, value)) = shown.filter(|(_, value)| !value.is_empty()) {
                values.insert(name.to_owned(), value.to_owned());
            }
        }
        let headers = custom_headers(&settings).await;
        values.insert("PREFECT_CLIENT_CUSTOM_HEADERS".to_owned(), headers);
        json!(values)
    }
}

/// The headers with a name of one letter, or `X-A`, that a client with these settings sends.
async fn custom_headers(settings: &Settings) -> String {
    let server = Scripted::start([reply(200, json!("hi"))]).await;
    // Headers go to the URL of the settings only; this proxy answers for it.
    let builder = settings.client_builder().proxy(&server.url).http2(false);
    let builder = builder.version_check(false).retry(RetryPolicy::none());
    let client = match builder.clone().build() {
        Ok(client) => client,
        Err(_) => builder.api_url(&server.url).build().expect("a client"),
    };
    client.raw().hello().await.expect("a reply");
    let requests = server.requests();
    let headers = requests[0]
        .head
        .lines()
        .filter_map(|line| line.split_once(": "));
    let mut headers: Vec<_> = headers
        .map(|(name, value)| (name.to_ascii_uppercase(), value))
        .filter(|(name, _)| name.len() == 1 || name == "X-A")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    headers.sort();
    headers.join(", ")
}

#[tokio::test]
async fn prefect_itself_says_the_same() {
    let folders: Vec<_> = SCENARIOS.iter().map(Scenario::folder).collect();
    let scenarios = SCENARIOS.iter().zip(&folders).map(|(scenario, folder)| {
        json!({"folder": folder.path(), "variables": scenario.variables(folder)})
    });
    let scenarios = json!(scenarios.collect::<Vec<_>>());

    let server = live_server().await;
    let mut python = Command::new(server.python())
        .args(["-c", PREFECTS])
        .env_clear()
        .env("HOME", folders[0].path().join("home"))
        .current_dir(folders[0].path().join("home"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python");
    let mut input = python.stdin.take().expect("piped");
    input
        .write_all(scenarios.to_string().as_bytes())
        .expect("written");
    drop(input);
    let output = python.wait_with_output().expect("python ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let theirs: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");

    for ((scenario, folder), theirs) in SCENARIOS.iter().zip(&folders).zip(theirs) {
        assert_eq!(scenario.ours(folder).await, theirs, "{}", scenario.name);
    }
}
