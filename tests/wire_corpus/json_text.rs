//! JSON as it is written: no digit is lost, and a key may occur twice.

use std::collections::BTreeMap;

use prefect_sdk::types::Json;
use serde::de::DeserializeOwned;

/// The values of each key of an object: more than one if a key occurs more than once.
pub type Keys = BTreeMap<String, Vec<Json>>;

pub fn keys(json: &str) -> Keys {
    struct Collect;

    impl<'de> serde::de::Visitor<'de> for Collect {
        type Value = Keys;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
            let mut keys = Keys::new();
            while let Some((key, value)) = map.next_entry::<String, Json>()? {
                keys.entry(key).or_default().push(value);
            }
            Ok(keys)
        }
    }

    use serde::Deserializer as _;
    let mut json = serde_json::Deserializer::from_str(json);
    json.deserialize_map(Collect).expect("an object")
}

/// `{`, `[`, `"`, `0` for numbers, or the first letter of a keyword.
pub fn kind(json: &str) -> char {
    match json.chars().next() {
        Some(c) if c == '-' || c.is_ascii_digit() => '0',
        Some(c) => c,
        None => ' ',
    }
}

pub fn same_number(sent: &str, encoded: &str) -> bool {
    let is_float = |number: &str| number.contains(['.', 'e', 'E']);
    // `1e2` and `100.0` are the same float.
    sent == encoded
        || (is_float(sent) && is_float(encoded) && same_as_by(sent, encoded, |x: &f64| x.to_bits()))
}

pub fn same_integer(sent: &str, encoded: &str) -> bool {
    !encoded.contains(['.', 'e', 'E']) && same_as::<f64>(sent, encoded)
}

pub fn same_as<T: std::str::FromStr + PartialEq>(sent: &str, encoded: &str) -> bool {
    sent.parse::<T>()
        .ok()
        .is_some_and(|sent| encoded.parse().ok() == Some(sent))
}

pub fn same_as_by<T: std::str::FromStr, K: PartialEq>(
    sent: &str,
    encoded: &str,
    key: fn(&T) -> K,
) -> bool {
    match (sent.parse::<T>(), encoded.parse::<T>()) {
        (Ok(sent), Ok(encoded)) => key(&sent) == key(&encoded),
        _ => false,
    }
}

pub fn items(json: &str) -> Vec<Json> {
    parse(json)
}

pub fn parse<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).expect("JSON of this kind")
}

pub fn parse_opt<T: DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_str(json).ok()
}

pub fn shortened(json: &str) -> String {
    let mut short: String = json.chars().take(120).collect();
    if short.len() < json.len() {
        short.push('…');
    }
    short
}
