//! What SQLite makes of a JSON value that is a number.
//!
//! The server's columns of JSON have the affinity NUMERIC. A text that is a number alone is kept there as a number, so it comes back
//! as SQLite writes it: 50.0 as 50, 2^70 as a float. Numbers within an object or a list are kept as they are.

use crate::types::Json;

/// A JSON value as the server returns it after it has stored it.
pub(crate) fn stored(json: Json) -> Json {
    let text = json.as_str().trim();
    if !text.starts_with(|start: char| start == '-' || start.is_ascii_digit()) {
        return json;
    }
    if let Ok(integer) = text.parse::<i64>() {
        return Json::from(integer);
    }
    match text.parse::<f64>() {
        Ok(float) => number(float),
        Err(_) => json,
    }
}

fn number(float: f64) -> Json {
    // Whether the float is an integer of 64 bits is the question, so the comparison is exact.
    let integer = float as i64;
    if integer as f64 == float && integer != i64::MIN && integer != i64::MAX {
        return Json::from(integer);
    }
    // What is too large for a float is infinite to Python, and null when it is written as JSON.
    Json::new(&float).unwrap_or_else(|_| Json::null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_sqlite_keeps_them() {
        // As a server 3.9.1 returned them.
        for (sent, returned) in [
            ("50.0", "50"),
            ("-0.0", "0"),
            ("1E3", "1000"),
            ("1e18", "1000000000000000000"),
            ("9.3e18", "9.3e18"),
            ("0.1", "0.1"),
            ("9007199254740993", "9007199254740993"),
            ("9223372036854775808", "9.223372036854776e18"),
            ("1e400", "null"),
            ("\"12\"", "\"12\""),
            ("[50.0]", "[50.0]"),
            ("true", "true"),
        ] {
            let json = Json::from_text(sent).expect("JSON");
            // The exponent is spelled by a library of ours: `9.3e18` or `9.3e+18`.
            let spelled = stored(json).as_str().replace("e+", "e");
            assert_eq!(spelled, returned, "{sent}");
        }
    }
}
