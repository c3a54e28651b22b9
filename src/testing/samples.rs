//! Samples: one real, complete value of each type that the API returns.
//!
//! They come from recorded replies of real servers. Each has its own function; the setters of the types change what matters to the
//! test.
//!
//! ```
//! use prefect_sdk::testing::samples;
//!
//! let run = samples::flow_run().name("nightly").run_count(2);
//! assert_eq!(run.name.as_deref(), Some("nightly"));
//! assert!(run.state.is_some());
//! ```

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::types::*;

/// The samples as JSON, by the names of their types.
const SAMPLES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/samples.json"));

macro_rules! samples {
    ($($function:ident $name:ident,)*) => {
        $(
            #[doc = concat!("A real [`", stringify!($name), "`].")]
            #[must_use]
            pub fn $function() -> $name {
                sample(stringify!($name))
            }
        )*

        #[cfg(test)]
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// Decodes each sample, and encodes it again.
        #[cfg(test)]
        fn encoded() -> Vec<(&'static str, serde_json::Result<serde_json::Value>)> {
            vec![$((stringify!($name), serde_json::to_value($function()))),*]
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/samples.rs"));

/// The sample of a type. That all decode is a test of the SDK itself.
fn sample<T: DeserializeOwned>(name: &str) -> T {
    static PARSED: OnceLock<HashMap<&'static str, &'static RawValue>> = OnceLock::new();
    let parsed =
        PARSED.get_or_init(|| serde_json::from_str(SAMPLES).expect("samples.json is JSON"));
    serde_json::from_str(parsed[name].get()).expect("a sample is a value of its type")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_samples_are_values_of_their_types_without_a_loss() {
        let original: HashMap<String, serde_json::Value> =
            serde_json::from_str(SAMPLES).expect("JSON");
        assert_eq!(original.len(), NAMES.len());
        for (name, encoded) in encoded() {
            let (mut encoded, mut original) = (encoded.expect("JSON"), original[name].clone());
            spell_times(&mut encoded);
            spell_times(&mut original);
            // The durations of settings are read as text, and written as seconds.
            if name != "Settings" {
                assert_eq!(encoded, original, "{name}");
            }
        }
    }

    /// `.123000Z` and `.123Z` are one time.
    fn spell_times(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => {
                if let Ok(time) = text.parse::<chrono::DateTime<chrono::Utc>>() {
                    *text = time.to_rfc3339();
                }
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(spell_times),
            serde_json::Value::Object(keys) => keys.values_mut().for_each(spell_times),
            _ => {}
        }
    }
}
