//! The URL of the API: its validation, and a form without credentials for messages.

use url::Url;

use crate::error::{Error, Result};

/// The default URL of Prefect Cloud's API.
pub(crate) const CLOUD: &str = "https://api.prefect.cloud/api";

/// The host of Prefect Cloud's pages, whose URLs people copy from their browser.
const CLOUD_PAGES: &str = "app.prefect.cloud";

/// Parses and validates the URL of an API. Empty segments of its path (`//api`) are removed.
pub(crate) fn parse(text: &str) -> Result<Url> {
    let shown = without_credentials(text);
    let wrong = |what: &str| {
        Err(Error::configuration(format!(
            "the API URL {shown:?} {what}"
        )))
    };
    let mut url = match Url::parse(text.trim()) {
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
    if let Some(meant) = cloud_url_meant_by(&url) {
        return wrong(&format!(
            "is not that of Prefect Cloud's API, which is {meant}"
        ));
    }
    let path = segments(&url).collect::<Vec<_>>().join("/");
    url.set_path(&path);
    Ok(url)
}

/// Returns Cloud's API URL, if this is a page of Prefect Cloud or a misspelled URL of its API.
fn cloud_url_meant_by(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    let mut path = segments(url).peekable();
    let is_api = path.next_if_eq(&"api").is_some();
    let [accounts, account, workspaces, workspace] = std::array::from_fn(|_| path.next());
    let is_misspelled = !is_api || accounts == Some("account") || workspaces == Some("workspace");
    if host != CLOUD_PAGES && !(host == "api.prefect.cloud" && is_misspelled) {
        return None;
    }
    let (account, workspace) = match (accounts, workspaces) {
        (Some("account" | "accounts"), Some("workspace" | "workspaces")) => (account, workspace),
        (Some("account" | "accounts"), _) => (account, None),
        _ => (None, None),
    };
    let (account, workspace) = (account.unwrap_or("…"), workspace.unwrap_or("…"));
    Some(format!("{CLOUD}/accounts/{account}/workspaces/{workspace}"))
}

/// Advice for when no API answers at a URL without `/api`, which a server has unless its administrator chose
/// another path.
pub(crate) fn advice(url: &Url) -> Option<String> {
    if segments(url).any(|segment| segment == "api") {
        return None;
    }
    let guess = url.as_str().trim_end_matches('/');
    Some(format!(
        "the API URL has no /api in its path; {guess}/api may be meant"
    ))
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

    /// A server may have any path: `PREFECT_SERVER_API_BASE_PATH`.
    #[test]
    fn a_url_without_api_is_accepted_and_there_is_advice_for_when_nothing_answers() {
        for (url, guess) in [
            ("http://127.0.0.1:4200", "http://127.0.0.1:4200/api"),
            ("http://h/custom-api/", "http://h/custom-api/api"),
        ] {
            let advice = advice(&parse(url).expect("accepted")).expect("advice");
            assert!(
                advice.contains(&format!("{guess} may be meant")),
                "{advice}"
            );
        }
        let usual = parse("http://h/base/api/").expect("accepted");
        assert_eq!(advice(&usual), None);
    }

    #[test]
    fn empty_segments_are_removed() {
        for url in [
            "http://h:4200//api",
            "http://h:4200/api//",
            "http://h:4200///api/",
        ] {
            assert_eq!(parse(url).expect("accepted").as_str(), "http://h:4200/api");
        }
    }

    #[test]
    fn a_page_of_cloud_is_refused_with_the_url_of_its_api() {
        let api = "https://api.prefect.cloud/api/accounts/a/workspaces/w";
        for page in [
            "https://app.prefect.cloud/account/a/workspace/w",
            "https://app.prefect.cloud/account/a/workspace/w/runs/r",
            "https://app.prefect.cloud/api/accounts/a/workspaces/w",
            "https://api.prefect.cloud/api/account/a/workspace/w",
            "https://api.prefect.cloud/api/accounts/a/workspace/w",
            "https://api.prefect.cloud/accounts/a/workspaces/w",
        ] {
            assert!(refusal(page).ends_with(api), "{}", refusal(page));
        }
        let unknown = "https://api.prefect.cloud/api/accounts/…/workspaces/…";
        for page in ["https://app.prefect.cloud/", "https://api.prefect.cloud/"] {
            assert!(refusal(page).ends_with(unknown), "{}", refusal(page));
        }
        parse(api).expect("the right one");
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
            ("https://api.prefect.cloud:8443/api", false),
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
