//! Path parameters as URL segments.

use crate::error::{Error, Result};

/// One path segment, percent-encoded; the generated code calls it for every path parameter.
///
/// `.` and `..` cannot be sent: every URL parser resolves them, encoded or not, so that the request
/// would reach another endpoint. An empty segment would, too.
pub(crate) fn segment(value: &str) -> Result<String> {
    match value {
        "" => Err(Error::invalid_request("a path parameter may not be empty")),
        "." | ".." => Err(Error::invalid_request(format!(
            "the path parameter {value:?} cannot be sent: URLs resolve `.` and `..`"
        ))),
        // `\` is a slash to URL parsers; progenitor's own encoder leaves it alone.
        value => Ok(percent_encoding::utf8_percent_encode(value, SEGMENT).to_string()),
    }
}

/// All that RFC 3986 does not call unreserved.
const SEGMENT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn what_would_end_or_change_a_path_is_encoded() {
        let encoded = segment(r"a/b?c#d%e\f é").expect("can be sent");
        assert_eq!(encoded, "a%2Fb%3Fc%23d%25e%5Cf%20%C3%A9");
    }

    #[test]
    fn dot_segments_are_refused() {
        for value in ["", ".", ".."] {
            assert!(
                segment(value)
                    .expect_err("resolves elsewhere")
                    .is_invalid_request(),
                "{value:?}"
            );
        }
        assert_eq!(segment("...").expect("an ordinary name"), "...");
    }
}
