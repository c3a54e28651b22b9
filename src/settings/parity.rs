//! Values of settings are read as Prefect reads them, or refused for a reason.
//!
//! `tests/all/settings/parity.json` holds what Prefect makes of hundreds of texts: source, variable, text, and the value
//! unless it refuses it. `parity.py` beside it judges the same texts by an installed Prefect.

use serde_json::{Value, json};

use super::Sources;
use super::settings::Settings;

const CASES: &str = include_str!("../../tests/all/settings/parity.json");

const HEADERS: &str = "PREFECT_CLIENT_CUSTOM_HEADERS";
const CODES: &str = "PREFECT_CLIENT_RETRY_EXTRA_CODES";
const JITTER: &str = "PREFECT_CLIENT_RETRY_JITTER_FACTOR";
const RETRIES: &str = "PREFECT_CLIENT_MAX_RETRIES";
const SKIP_VERIFY: &str = "PREFECT_API_TLS_INSECURE_SKIP_VERIFY";
const TIMEOUT: &str = "PREFECT_API_REQUEST_TIMEOUT";

/// Where the SDK reads another value than Prefect, or only one of them refuses it, and why.
fn reason(
    source: &str,
    variable: &str,
    text: &str,
    prefects: Option<&Value>,
) -> Option<&'static str> {
    let blank = text.trim_matches('"').trim().is_empty();
    let number = prefects.and_then(Value::as_f64);
    match (variable, prefects) {
        (_, None) if blank => Some("a variable that is set to nothing counts as not set"),
        (TIMEOUT, Some(Value::String(text))) if text != "inf" => {
            Some("with NaN and -inf no request of Prefect's succeeds")
        }
        (TIMEOUT, Some(_)) if number.is_some_and(|seconds| seconds < 1e-9) => {
            Some("with no time no request succeeds")
        }
        (_, Some(_)) if source == "prefect.toml" && text.starts_with('{') => {
            Some("a table in the place of a value is a mistake, which Prefect ignores")
        }
        _ => None,
    }
}

/// What the SDK makes of a text.
fn read(source: &str, variable: &str, text: &str) -> Option<Value> {
    let settings = match source {
        "environment" => Sources::empty().variable(variable, text).load(),
        _ => {
            let folder = std::env::temp_dir().join(format!("parity-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir(&folder).expect("a folder");
            let (section, key) = place(variable);
            let file = format!("[{section}]\n{key} = {text}\n");
            std::fs::write(folder.join("prefect.toml"), file).expect("written");
            let settings = Sources::empty().directory(&folder).load();
            std::fs::remove_dir_all(&folder).expect("removed");
            settings
        }
    };
    Some(value(&settings.ok()?, variable))
}

fn place(variable: &str) -> (&'static str, String) {
    let name = variable.trim_start_matches("PREFECT_").to_lowercase();
    match name.strip_prefix("api_") {
        Some(key) => ("api", key.to_owned()),
        None => ("client", name.trim_start_matches("client_").to_owned()),
    }
}

fn value(settings: &Settings, variable: &str) -> Value {
    match variable {
        HEADERS => json!(settings.headers),
        CODES => settings
            .extra_codes
            .iter()
            .map(|code| code.as_u16())
            .collect(),
        JITTER => json!(settings.jitter),
        RETRIES => json!(settings.max_retries),
        SKIP_VERIFY => json!(settings.skip_verify),
        TIMEOUT => json!(settings.timeout.map(|timeout| timeout.as_secs_f64())),
        other => panic!("{other} is not compared"),
    }
}

/// Whether the two values mean the same.
fn is_same(variable: &str, ours: &Value, prefects: &Value) -> bool {
    let (own, theirs) = (ours.as_f64(), prefects.as_f64());
    match variable {
        // What is too large for us is the most that we have.
        RETRIES if *prefects != *ours => {
            *ours == json!(u32::MAX) && theirs.is_none_or(|theirs| theirs > f64::from(u32::MAX))
        }
        JITTER => own == Some(theirs.unwrap_or(1.0).min(1.0)),
        TIMEOUT => {
            let theirs = theirs.unwrap_or(f64::INFINITY);
            own.is_some_and(|own| {
                own >= 1e8 && theirs >= 1e8 || (own - theirs).abs() <= theirs * 1e-9
            })
        }
        // Our own headers are not overridden.
        HEADERS => prefects.as_object().is_some_and(|theirs| {
            theirs.iter().all(|(name, value)| {
                ours[name] == *value
                    || crate::transport::config::is_protected(name)
                    || ours.as_object().is_some_and(|ours| {
                        ours.keys().any(|other| other.eq_ignore_ascii_case(name))
                    })
            })
        }),
        _ => ours == prefects,
    }
}

#[test]
fn texts_have_the_values_that_prefect_reads() {
    let cases: Vec<Vec<Value>> = serde_json::from_str(CASES).expect("the cases");
    assert!(cases.len() > 1000);
    let mut wrong = Vec::new();
    for case in &cases {
        let [source, variable, text] = [0, 1, 2].map(|at| case[at].as_str().expect("text"));
        let prefects = case.get(3);
        let ours = read(source, variable, text);
        let is_same = match (&ours, prefects) {
            (None, None) => true,
            (Some(ours), Some(prefects)) => is_same(variable, ours, prefects),
            _ => false,
        };
        if !is_same && reason(source, variable, text, prefects).is_none() {
            wrong.push(format!(
                "{source} {variable} {text:?}: {ours:?}, Prefect {prefects:?}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
