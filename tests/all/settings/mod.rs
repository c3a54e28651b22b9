//! Settings: sources, precedence, profiles, and errors in them.

mod prefect;
mod requests;
mod scenarios;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use prefect_sdk::{
    Error, RetryPolicy, Settings,
    settings::{Origin, ServerType, Sources},
};
use uuid::Uuid;

/// A temporary folder, removed when it is dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name = format!("prefect-sdk-settings-{}", Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("home/.prefect")).expect("a folder");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str, text: &str) -> &Self {
        fs::write(self.0.join(name), text).expect("written");
        self
    }

    pub fn profiles(&self, text: &str) -> &Self {
        self.file("home/.prefect/profiles.toml", text)
    }

    pub fn sources(&self) -> Sources {
        Sources::empty()
            .directory(&self.0)
            .home(self.0.join("home"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn load(sources: &Sources) -> Settings {
    sources.load().expect("settings")
}

fn refusal(sources: &Sources) -> String {
    let error: Error = sources.load().expect_err("must be refused");
    assert!(error.is_configuration(), "{error}");
    let said = error.to_string();
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn the_first_source_wins_and_without_it_the_next() {
    let folder = Folder::new();
    let url = |from: &str| format!("http://{from}/api");
    folder
        .file(".env", &format!("PREFECT_API_URL={}", url("dotenv")))
        .file("prefect.toml", &format!("[api]\nurl = {:?}", url("toml")))
        .file(
            "pyproject.toml",
            &format!("[tool.prefect.api]\nurl = {:?}", url("pyproject")),
        )
        .profiles(&format!(
            "active = 'p'\n[profiles.p]\nPREFECT_API_URL = {:?}",
            url("profile")
        ));
    let with_variable = folder.sources().variable("prefect_api_url", url("env"));
    let found = load(&with_variable);
    assert_eq!(found.api_url(), Some(url("env").as_str()));

    for (origin, host, file) in [
        (Origin::DotEnv, "dotenv", ".env"),
        (Origin::PrefectToml, "toml", "prefect.toml"),
        (Origin::PyprojectToml, "pyproject", "pyproject.toml"),
        (
            Origin::Profile("p".to_owned()),
            "profile",
            "home/.prefect/profiles.toml",
        ),
    ] {
        let found = load(&folder.sources());
        assert_eq!(found.api_url(), Some(url(host).as_str()));
        assert_eq!(found.origin("PREFECT_API_URL"), Some(&origin));
        fs::remove_file(folder.path().join(file)).expect("removed");
    }
    let found = load(&folder.sources());
    assert_eq!(
        (found.api_url(), found.server_type()),
        (None, ServerType::Unconfigured)
    );
}

#[test]
fn a_value_that_is_set_and_empty_hides_those_of_later_sources() {
    let folder = Folder::new();
    folder.profiles("active = 'p'\n[profiles.p]\nPREFECT_API_KEY = 'pnu_1'");
    let blank = load(&folder.sources().variable("PREFECT_API_KEY", " "));
    assert!(!format!("{blank}").contains("redacted"), "{blank}");
    assert!(format!("{}", load(&folder.sources())).contains("redacted"));
}

#[test]
fn what_cloud_login_writes_just_works() {
    let folder = Folder::new();
    folder.profiles(
        r#"active = "cloud"
[profiles.cloud]
PREFECT_API_URL = "https://api.prefect.cloud/api/accounts/a/workspaces/w"
PREFECT_API_KEY = "pnu_hunter2""#,
    );
    let settings = load(&folder.sources());
    assert_eq!(settings.server_type(), ServerType::Cloud);
    assert_eq!(settings.profile(), Some("cloud"));
    let client = settings.client_builder().build().expect("a client");
    assert!(client.is_cloud());
    let said = settings.to_string();
    assert!(
        said.contains("PREFECT_API_KEY='[redacted]' (from the profile \"cloud\")"),
        "{said}"
    );
    assert!(!format!("{settings:?}{said}").contains("hunter2"));
}

#[test]
fn a_profile_that_is_asked_for_wins_over_the_environment() {
    let folder = Folder::new();
    folder.profiles(
        "active = 'one'\n[profiles.one]\nPREFECT_API_URL = 'http://one/api'\n\
         [profiles.two]\nPREFECT_API_URL = 'http://two/api'",
    );
    let sources = folder.sources().variable("PREFECT_API_KEY", "k");
    let sources = sources.variable("PREFECT_API_URL", "http://env/api");
    let two = sources.load_profile("two").expect("settings");
    assert_eq!(
        (two.api_url(), two.profile()),
        (Some("http://two/api"), Some("two"))
    );
    // The key of another server is not sent to this one.
    assert_eq!(two.origin("PREFECT_API_KEY"), None);

    let named = folder.sources().variable("PREFECT_PROFILE", "two");
    assert_eq!(load(&named).api_url(), Some("http://two/api"));

    for name in ["three", "cloud"] {
        let error = sources.load_profile(name).expect_err("there is none");
        let said = error.to_string();
        assert!(said.contains(name) && said.contains("one, two"), "{said}");
    }
    let said = refusal(&folder.sources().variable("PREFECT_PROFILE", "three"));
    assert!(said.contains("PREFECT_PROFILE"), "{said}");
}

#[test]
fn the_local_profile_needs_no_file_and_a_broken_file_is_not_hidden_by_a_name() {
    let folder = Folder::new();
    let local = folder.sources().load_profile("local").expect("settings");
    assert_eq!(local.api_url(), Some("http://127.0.0.1:4200/api"));
    folder.profiles("<html>");
    let said = refusal(&folder.sources().variable("PREFECT_PROFILE", "local"));
    assert!(said.contains("not TOML"), "{said}");
}

#[test]
fn a_url_that_is_set_to_nothing_is_named_by_the_error() {
    let settings = load(&Sources::empty().variable("PREFECT_API_URL", ""));
    let error = settings.client_builder().build().expect_err("no URL");
    let said = error.to_string();
    assert!(
        said.contains("PREFECT_API_URL is set to nothing in the environment"),
        "{said}"
    );
}

#[test]
fn trouble_with_profiles_that_nobody_asked_for_is_a_warning() {
    for text in [
        "not toml",
        "active = 'gone'\n[profiles.p]\nPREFECT_API_URL = 'http://p/api'",
    ] {
        let folder = Folder::new();
        folder.profiles(text);
        let settings = load(&folder.sources());
        assert_eq!((settings.api_url(), settings.profile()), (None, None));
        let [warning] = settings.warnings() else {
            panic!("one warning: {:?}", settings.warnings());
        };
        assert!(warning.contains("profiles.toml"), "{warning}");
        // The warning is also in the error that it leads to.
        let error = settings.client_builder().build().expect_err("no URL");
        assert!(error.to_string().contains(warning), "{error}");
    }
    // These count as no profile.
    for text in [
        "[profiles.p]\nPREFECT_API_URL = 'http://p/api'",
        "active = 'ephemeral'",
        "",
    ] {
        let folder = Folder::new();
        folder.profiles(text);
        let settings = load(&folder.sources());
        assert!(
            settings.warnings().is_empty() && settings.api_url().is_none(),
            "{text}"
        );
    }
}

#[test]
fn malformed_files_are_refused_with_their_line_and_without_what_they_hold() {
    let folder = Folder::new();
    folder.file("prefect.toml", "[api]\nurl = 'http://h/api'\nkey = hunter2");
    let said = refusal(&folder.sources());
    assert!(
        said.contains("prefect.toml") && said.contains("line 3"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");

    folder.file("prefect.toml", "api = 5");
    assert!(refusal(&folder.sources()).contains("`api` is not a table"));
    fs::remove_file(folder.path().join("prefect.toml")).expect("removed");
    folder.file("pyproject.toml", "[tool]\nprefect = 1");
    assert!(refusal(&folder.sources()).contains("`prefect` is not a table"));
    folder.file("pyproject.toml", "[project]\nname = 'x'");
    load(&folder.sources());
    fs::write(folder.path().join(".env"), b"PREFECT_API_URL=\xff").expect("written");
    assert!(refusal(&folder.sources()).contains(".env"));
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_and_never_waited_for() {
    let folder = Folder::new();
    let make = |name: &str| {
        let made = std::process::Command::new("mkfifo")
            .arg(folder.path().join(name))
            .status();
        assert!(made.expect("mkfifo").success());
    };
    // Prefect ignores such a `.env`, too; a folder of that name is common.
    make(".env");
    load(&folder.sources());
    make("home/.prefect/profiles.toml");
    assert!(load(&folder.sources()).warnings()[0].contains("not a regular file"));
    folder
        .sources()
        .load_profile("p")
        .expect_err("cannot be read");
    make("prefect.toml");
    assert!(refusal(&folder.sources()).contains("not a regular file"));

    let pem = folder.path().join("ca.pem");
    make("ca.pem");
    let client = prefect_sdk::Client::builder()
        .api_url("https://h/api")
        .ca_file(pem);
    let error = client.build().expect_err("cannot be read");
    assert!(
        error.is_configuration() && error.to_string().contains("ca.pem"),
        "{error}"
    );
}

#[test]
fn values_that_do_not_fit_are_refused_by_their_name_and_not_repeated() {
    for (name, value) in [
        ("PREFECT_API_REQUEST_TIMEOUT", "hunter2"),
        ("PREFECT_API_REQUEST_TIMEOUT", "0"),
        ("PREFECT_API_REQUEST_TIMEOUT", "nan"),
        ("PREFECT_API_ENABLE_HTTP2", "maybe"),
        ("PREFECT_CLIENT_MAX_RETRIES", "-1"),
        ("PREFECT_CLIENT_RETRY_JITTER_FACTOR", "nan"),
        ("PREFECT_CLIENT_RETRY_EXTRA_CODES", "foo"),
        ("PREFECT_CLIENT_RETRY_EXTRA_CODES", "-1"),
        ("PREFECT_CLIENT_RETRY_EXTRA_CODES", "10"),
        ("PREFECT_API_TLS_INSECURE_SKIP_VERIFY", "1.0"),
        ("PREFECT_CLIENT_RETRY_EXTRA_CODES", "400,foo"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", "not json"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", r#"{"X-A": 1}"#),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", r#"["hunter2"]"#),
    ] {
        let said = refusal(&Sources::empty().variable(name, value));
        assert!(
            said.contains(name) && said.contains("the environment"),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn retries_are_as_the_settings_say() {
    let shown = |sources: Sources| format!("{:?}", load(&sources).client_builder());
    let policy = |policy: RetryPolicy| format!("{policy:?}");
    let codes = |value: &str| Sources::empty().variable("PREFECT_CLIENT_RETRY_EXTRA_CODES", value);
    let extra = |codes: &[u16]| {
        let codes = codes
            .iter()
            .map(|code| (*code).try_into().expect("a status"));
        policy(RetryPolicy::default().extra_codes(codes))
    };
    assert!(shown(codes("400, 401, 402")).contains(&extra(&[400, 401, 402])));
    assert!(shown(codes("400,400")).contains(&extra(&[400])));
    assert!(shown(codes("")).contains(&extra(&[])));
    let sources = Sources::empty()
        .variable("PREFECT_CLIENT_MAX_RETRIES", "10")
        .variable("PREFECT_CLIENT_RETRY_JITTER_FACTOR", "0.5")
        .variable("PREFECT_API_REQUEST_TIMEOUT", "2.5");
    let builder = shown(sources);
    assert!(
        builder.contains(&policy(RetryPolicy::default().attempts(11).jitter(0.5))),
        "{builder}"
    );
    assert!(
        builder.contains(&format!("{:?}", Duration::from_millis(2500))),
        "{builder}"
    );
}

#[test]
fn a_header_of_the_sdks_own_is_refused_by_the_builder() {
    let builder = prefect_sdk::Client::builder().api_url("http://h/api");
    for name in ["User-Agent", "prefect-csrf-client", "no header"] {
        let error = builder.clone().header(name, "hunter2").build();
        let error = error.expect_err("refused");
        assert!(
            error.is_configuration() && !error.to_string().contains("hunter2"),
            "{error}"
        );
    }
}
