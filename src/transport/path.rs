//! Path parameters as URL segments.

use crate::error::{Error, Result};

/// Percent-encodes one path segment; the generated code calls this for every path parameter.
///
/// `.` and `..` cannot be sent: every URL parser resolves them, encoded or not, so that the request
/// would reach another endpoint. An empty segment would, too. And a server decodes `%2F` before
/// routing, and no route accepts a slash within a parameter.
pub(crate) fn segment(value: &str) -> Result<String> {
    match value {
        "" => Err(Error::invalid_request("a path parameter may not be empty")),
        "." | ".." => Err(Error::invalid_request(format!(
            "the path parameter {value:?} cannot be sent: URLs resolve `.` and `..`"
        ))),
        value if value.contains(['\n', '\0']) => Err(Error::invalid_request(format!(
            "{value:?} cannot be sent in a URL: no route of the API takes a line end, and no database a NUL"
        ))),
        value if value.contains('/') => Err(Error::invalid_request(format!(
            "{value:?} cannot be sent in a URL: no route of the API takes a `/`; use a filter instead"
        ))),
        // `\` is a slash to URL parsers; progenitor's own encoder leaves it alone.
        value => Ok(percent_encoding::utf8_percent_encode(value, SEGMENT).to_string()),
    }
}

/// All characters but those that RFC 3986 calls unreserved.
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
        let encoded = segment(r"a?c#d%e\f é").expect("can be sent");
        assert_eq!(encoded, "a%3Fc%23d%25e%5Cf%20%C3%A9");
    }

    #[test]
    fn what_no_url_can_name_is_refused() {
        for value in ["", ".", "..", "a/b", "a\nb", "a\0"] {
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
