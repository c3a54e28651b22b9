//! Checks a request for what a server cannot store: it would answer 503 each time, or lose what is sent along with it.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::operation::Operation;
use super::request::Request;

include!(concat!(env!("OUT_DIR"), "/stored.rs"));

/// The shortest whole number that has more than 32 bits: 2,147,483,648.
const MIN_LONG_DIGITS: usize = 10;

/// Checks the URL, the body and the name of a new object; the error says why a server cannot store them.
pub(super) fn check(operation: Operation, request: &Request) -> Result<(), String> {
    if request.url.as_str().contains("%00") {
        return Err("the URL has a NUL character, which PostgreSQL cannot store".to_owned());
    }
    let Some(body) = &request.body else {
        return Ok(());
    };
    if is_suspect(body) {
        check_json(body)?;
    }
    match request.method {
        Method::POST => check_name(operation, body),
        _ => Ok(()),
    }
}

/// Whether JSON has anything that is worth a closer look: an escaped NUL or surrogate, or a long number. (Not one inside a
/// text: most ids have so many digits somewhere.)
pub(crate) fn is_suspect(json: &[u8]) -> bool {
    let (mut digits, mut is_text) = (0, false);
    let mut rest = json.iter();
    while let Some(byte) = rest.next() {
        digits = match byte.is_ascii_digit() && !is_text {
            true => digits + 1,
            false => 0,
        };
        if digits == MIN_LONG_DIGITS {
            return true;
        }
        match byte {
            b'"' => is_text = !is_text,
            b'\\' => {
                let escape = rest.as_slice();
                let suspects: [&[u8]; 3] = [b"u0000", b"ud", b"uD"];
                if suspects.iter().any(|suspect| escape.starts_with(suspect)) {
                    return true;
                }
                // An escaped backslash begins no escape, and an escaped quote ends no text.
                rest.next();
            }
            _ => {}
        }
    }
    false
}

/// Checks that JSON can be stored; the error has the path of what cannot.
pub(crate) fn check_json(json: &[u8]) -> Result<(), String> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    match serde_path_to_error::deserialize::<_, Value>(&mut deserializer) {
        Ok(value) => check_value(&value, "", false, &mut String::new()),
        Err(error) => {
            let (path, error) = (error.path().to_string(), error.inner());
            match error.to_string().contains("escape") {
                true => Err(format!(
                    "`{path}` has a lone surrogate, with which a server can no longer list the objects"
                )),
                // A number beyond those of JSON's usual readers, in a value that is any JSON.
                false => Ok(()),
            }
        }
    }
}

fn check_value(
    value: &Value,
    key: &str,
    is_any_json: bool,
    path: &mut String,
) -> Result<(), String> {
    let nul = |path: &str| {
        Err(format!(
            "`{path}` has a NUL character, which PostgreSQL cannot store"
        ))
    };
    match value {
        Value::String(text) if text.contains('\0') => nul(path),
        Value::Number(number) if !is_any_json && WHOLE_NUMBERS.contains(&key) => {
            let fits = number
                .as_i64()
                .is_some_and(|number| i32::try_from(number).is_ok());
            match fits || number.is_f64() && !number.to_string().contains('e') {
                true => Ok(()),
                false => Err(format!(
                    "`{path}` is {number}, but servers store whole numbers of 32 bits: up to {}",
                    i32::MAX
                )),
            }
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            let length = path.len();
            path.push_str(&format!("[{index}]"));
            check_value(item, key, is_any_json, path)?;
            path.truncate(length);
            Ok(())
        }),
        Value::Object(members) => members.iter().try_for_each(|(key, member)| {
            let length = path.len();
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&key.replace('\0', "\\0"));
            if key.contains('\0') {
                return nul(path);
            }
            let is_any_json = is_any_json || ANY_JSON.contains(&key.as_str());
            check_value(member, key, is_any_json, path)?;
            path.truncate(length);
            Ok(())
        }),
        _ => Ok(()),
    }
}

/// The fields by which other requests name an object.
#[derive(Deserialize)]
struct Named {
    name: Option<String>,
    tag: Option<String>,
    slug: Option<String>,
    key: Option<String>,
}

/// Checks the name of a new object: under some names it could be created, but not reached any more.
fn check_name(operation: Operation, body: &[u8]) -> Result<(), String> {
    if !matches!(
        operation.template(),
        "/artifacts/"
            | "/block_documents/"
            | "/block_types/"
            | "/concurrency_limits/"
            | "/deployments/"
            | "/flows/"
            | "/v2/concurrency_limits/"
            | "/variables/"
            | "/work_pools/"
            | "/work_pools/{work_pool_name}/queues"
            | "/work_queues/"
    ) {
        return Ok(());
    }
    let Ok(named) = serde_json::from_slice::<Named>(body) else {
        return Ok(());
    };
    for (field, name) in [
        ("name", &named.name),
        ("tag", &named.tag),
        ("slug", &named.slug),
        ("key", &named.key),
    ] {
        let Some(name) = name else { continue };
        let why = if name.contains('\n') {
            "has a line end"
        } else if matches!(name.as_str(), "." | "..") {
            "stands for a folder in URLs"
        } else if name.is_empty() && field == "key" {
            "is empty"
        } else if operation.template() == "/v2/concurrency_limits/" && Uuid::try_parse(name).is_ok()
        {
            "has the form of an id"
        } else {
            continue;
        };
        return Err(format!(
            "the {field} {name:?} {why}: no request could name the object"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(json: &str) -> Option<String> {
        let json = json.as_bytes();
        let refusal = check_json(json).err();
        assert!(refusal.is_none() || is_suspect(json));
        refusal
    }

    #[test]
    fn what_cannot_be_stored_is_refused_with_its_path() {
        for (json, path) in [
            (r#"{"name": "a\u0000b"}"#, "`name`"),
            (r#"{"tags": ["a", "\u0000"]}"#, "`tags[1]`"),
            (
                r#"{"parameters": {"a": [{"b": "\u0000"}]}}"#,
                "`parameters.a[0].b`",
            ),
            (r#"{"parameters": {"a\u0000": 1}}"#, "`parameters.a\\0`"),
            (r#"{"parameters": {"a": "\ud83d"}}"#, "`parameters.a`"),
            (
                r#"{"concurrency_limit": 2147483648}"#,
                "`concurrency_limit`",
            ),
            (
                r#"{"concurrency_limit": -2147483649}"#,
                "`concurrency_limit`",
            ),
            (r#"[{"level": 99999999999999999999}]"#, "`[0].level`"),
        ] {
            let said = refusal(json).expect(json);
            assert!(said.contains(path), "{json}: {said}");
        }
    }

    #[test]
    fn what_can_be_stored_is_not_refused() {
        for json in [
            r#"{"name": "a\\u0000b", "x": "\\\\u0000"}"#,
            r#"{"name": "\ud83d\ude00 \u00e9 \u0001"}"#,
            r#"{"concurrency_limit": 2147483647}"#,
            r#"{"concurrency_limit": -2147483648}"#,
            r#"{"parameters": {"limit": 99999999999999999999, "priority": 1e400}}"#,
            r#"{"name": "20260101000000000000"}"#,
            r#"{"offset": 2147483648}"#,
        ] {
            assert_eq!(refusal(json), None, "{json}");
        }
    }

    #[test]
    fn the_digits_of_a_text_are_not_worth_a_closer_look() {
        assert!(!is_suspect(
            br#"{"id": "0000-123456789012", "a\"1234567890": 123456789}"#
        ));
        assert!(is_suspect(br#"{"a\"": "", "limit": 1234567890}"#));
    }

    #[test]
    fn names_that_no_request_could_carry_are_refused() {
        let check = |template, body: Value| {
            check_name(Operation("create", template), body.to_string().as_bytes())
        };
        for name in [".", "..", "a\nb"] {
            for (template, field) in [("/flows/", "name"), ("/concurrency_limits/", "tag")] {
                check(template, json!({ field: name })).expect_err(name);
            }
        }
        let id = Uuid::new_v4().to_string();
        check("/v2/concurrency_limits/", json!({"name": id})).expect_err("an id");
        check("/flows/", json!({"name": id})).expect("flows are read by another route");
        check("/artifacts/", json!({"key": ""})).expect_err("empty");
        check("/artifacts/", json!({"data": 1})).expect("no key");
        check("/flows/", json!({"name": "a b/é..."})).expect("the server decides");
        check("/logs/", json!({"name": "."})).expect("no object");
    }
}
