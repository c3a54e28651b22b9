//! The URL of the API: its validation, and a form without credentials for messages.

use url::Url;

use crate::error::{Error, Result};

/// The default URL of Prefect Cloud's API.
pub(crate) const CLOUD: &str = "https://api.prefect.cloud/api";

/// Parses and validates the URL of an API.
pub(crate) fn parse(text: &str) -> Result<Url> {
    let shown = without_credentials(text);
    let wrong = |what: &str| {
        Err(Error::configuration(format!(
            "the API URL {shown:?} {what}"
        )))
    };
    let url = match Url::parse(text.trim()) {
        Ok(url) => url,
        Err(_) if text.contains('@') => {
            return wrong("is not a URL, and may contain credentials: pass them as an API key");
        }
        Err(error) => return wrong(&format!("is not a URL: {error}")),
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return wrong("is neither http:// nor https:// followed by a host");
    }
    // A password with a `#` or `/` is not parsed as user information, but is still a secret.
    if text.contains('@') {
        return wrong("contains credentials: pass them as an API key or auth string");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("has a query or a fragment, which an API URL must not have");
    }
    if !segments(&url).any(|segment| segment == "api") {
        let guess = shown.trim().trim_end_matches('/');
        return wrong(&format!(
            "has no /api in its path; {guess}/api may be meant"
        ));
    }
    Ok(url)
}

/// Whether the URL of an API is that of Prefect Cloud, or below it.
pub(crate) fn is_cloud(api: &Url, cloud: &Url) -> bool {
    let mut path = segments(api);
    api.origin() == cloud.origin() && segments(cloud).all(|segment| path.next() == Some(segment))
}

fn segments(url: &Url) -> impl Iterator<Item = &str> {
    let segments = url.path_segments().into_iter().flatten();
    segments.filter(|segment| !segment.is_empty())
}

/// Returns a URL, even one that does not parse, without anything that may be a credential.
pub(crate) fn without_credentials(text: &str) -> String {
    let (before, rest) = match text.rfind('@') {
        Some(at) => ("[redacted]", &text[at..]),
        None => ("", text),
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    format!("{before}{}", &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        let error = parse(url).expect_err("must be refused");
        assert!(error.is_configuration(), "{error}");
        error.to_string()
    }

    #[test]
    fn a_url_without_api_is_a_configuration_error_that_names_the_remedy() {
        assert!(
            refusal("http://127.0.0.1:4200").contains("http://127.0.0.1:4200/api may be meant")
        );
        assert!(refusal("https://api.prefect.cloud/").contains("/api"));
    }

    #[test]
    fn malformed_urls_are_configuration_errors() {
        for url in [
            "",
            "127.0.0.1:4200/api",
            "ftp://host/api",
            "http://",
            "http://h/api?x=1",
            "http://[::1/api",
        ] {
            refusal(url);
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        for url in [
            "https://joe:hunter2@host/api",
            "joe:hunter2@host/api",
            "https:/joe:hunter2@host/api",
            "https://host/api?token=hunter2",
            "https://host/api#hunter2",
            "https://joe:hunter2#x@host/api",
            "https://joe:/hunter2@host",
            "https://joe:12/hunter2@host/api",
            "https://joe:hunter2?x@host/api",
        ] {
            let said = refusal(url);
            assert!(!said.contains("hunter2") && !said.contains("joe"), "{said}");
            let shown = without_credentials(url);
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn cloud_is_what_is_at_or_below_its_url() {
        for (url, cloud) in [
            ("https://api.prefect.cloud/api", true),
            (
                "https://api.prefect.cloud/api/accounts/a/workspaces/w",
                true,
            ),
            ("https://API.prefect.cloud:443/api/", true),
            ("https://api.prefect.cloud/api-of-mine/api", false),
            ("https://api.prefect.cloud.evil.org/api", false),
            ("http://api.prefect.cloud/api", false),
            ("http://127.0.0.1:4200/api", false),
        ] {
            let url = parse(url).expect("a good URL");
            let prefects = parse(CLOUD).expect("a good URL");
            assert_eq!(is_cloud(&url, &prefects), cloud, "{url}");
        }
        let cloud = parse("https://prefect.example.com/api/").expect("a good URL");
        let own = parse("https://prefect.example.com/api/accounts/a").expect("a good URL");
        assert!(is_cloud(&own, &cloud));
    }
}
