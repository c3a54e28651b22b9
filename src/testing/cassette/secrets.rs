//! What a cassette must not hold.

use serde_json::Value;

/// Parts of keys whose values are secrets.
const SECRET_KEYS: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "auth_string",
    "credential",
    "private_key",
];

/// The text in the place of a secret.
const REDACTED: &str = "<redacted>";

/// Takes the secrets out of a body: values of keys that sound like secrets, and user information in URLs.
pub(super) fn redact(value: &mut Value) {
    match value {
        Value::Object(keys) => {
            for (key, value) in keys {
                let key = key.to_lowercase();
                match SECRET_KEYS.iter().any(|secret| key.contains(secret)) && !value.is_null() {
                    true => *value = Value::from(REDACTED),
                    false => redact(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::String(text) => {
            if let Some((scheme, rest)) = text.split_once("://")
                && let Some((user, rest)) = rest.split_once('@')
                && !user.contains('/')
            {
                *text = format!("{scheme}://{REDACTED}@{rest}");
            }
        }
        _ => {}
    }
}
