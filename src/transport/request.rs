//! `Request`: a request to the API, of which each attempt sends a copy.

use std::fmt;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use url::Url;

/// A request to the API.
pub(crate) struct Request {
    pub method: Method,
    pub url: Url,
    /// JSON.
    pub body: Option<Bytes>,
}

impl Request {
    pub(super) fn get(url: Url) -> RequestBuilder {
        RequestBuilder::new(Method::GET, url)
    }

    /// Returns the request of one attempt, with the headers that this request has of its own.
    pub(super) fn for_attempt(&self) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        if let Some(body) = &self.body {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
            *request.body_mut() = Some(body.clone().into());
        }
        request
    }
}

/// The body is left out: it may hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

/// A request that is being built, or why it cannot be.
pub(crate) struct RequestBuilder(Result<Request, String>);

impl RequestBuilder {
    fn new(method: Method, url: Url) -> Self {
        let body = None;
        Self(Ok(Request { method, url, body }))
    }

    /// Sets the body.
    pub(crate) fn json(self, body: &impl Serialize) -> Self {
        Self(self.0.and_then(|request| {
            // For example, a value that JSON does not have.
            let body = serde_json::to_vec(body).map_err(|error| error.to_string())?;
            let body = Some(body.into());
            Ok(Request { body, ..request })
        }))
    }

    /// Appends parameters to the query.
    pub(crate) fn query(self, parameters: &impl Serialize) -> Self {
        Self(self.0.and_then(|mut request| {
            let mut pairs = request.url.query_pairs_mut();
            let appended = parameters.serialize(serde_urlencoded::Serializer::new(&mut pairs));
            appended.map_err(|error| error.to_string())?;
            drop(pairs);
            // A parameter without a value adds nothing, not even a `?`.
            if request.url.query() == Some("") {
                request.url.set_query(None);
            }
            Ok(request)
        }))
    }

    pub(super) fn build(self) -> Result<Request, String> {
        self.0
            .map_err(|why| format!("the request cannot be built: {why}"))
    }
}

/// Begins requests to an API, whose URL is parsed once for all of them.
#[derive(Clone)]
pub(crate) struct RequestFactory {
    api_url: Url,
}

impl RequestFactory {
    pub(super) fn new(api_url: Url) -> Self {
        Self { api_url }
    }

    /// The path of the API's URL, without a slash at its end: what the paths of all requests begin with.
    pub(crate) fn base_path(&self) -> &str {
        self.api_url.path().trim_end_matches('/')
    }

    pub(crate) fn get(&self, path: String) -> RequestBuilder {
        self.request(Method::GET, &path)
    }

    pub(crate) fn post(&self, path: String) -> RequestBuilder {
        self.request(Method::POST, &path)
    }

    pub(crate) fn put(&self, path: String) -> RequestBuilder {
        self.request(Method::PUT, &path)
    }

    pub(crate) fn patch(&self, path: String) -> RequestBuilder {
        self.request(Method::PATCH, &path)
    }

    pub(crate) fn delete(&self, path: String) -> RequestBuilder {
        self.request(Method::DELETE, &path)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.api_url.clone();
        url.set_path(path);
        RequestBuilder::new(method, url)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn get(api_url: &str, path: &str) -> RequestBuilder {
        let requests = RequestFactory::new(Url::parse(api_url).expect("a URL"));
        requests.get(format!("{}{path}", requests.base_path()))
    }

    #[test]
    fn a_path_is_below_the_url_of_the_api_whatever_that_is() {
        for api_url in ["http://h", "http://[::1]:4200/api", "https://h/a%20b/api"] {
            for path in ["/hello", "/flows/", "/flows/name/a%3Fb%23%25%5C%C3%A9/x..y"] {
                let request = get(api_url, path).build().expect("a request");
                assert_eq!(request.url.as_str(), format!("{api_url}{path}"));
            }
        }
        let request = get("http://h/api/", "/hello").build().expect("a request");
        assert_eq!(request.url.as_str(), "http://h/api/hello");
    }

    #[test]
    fn parameters_are_appended_and_no_parameter_leaves_no_question_mark() {
        let request = get("http://h", "/x").query(&[("a", Some("b c")), ("d", None)]);
        let request = request.query(&[("e", 1)]).build().expect("a request");
        assert_eq!(request.url.query(), Some("a=b+c&e=1"));
        let request = get("http://h", "/x").query(&[("d", None::<&str>)]);
        assert_eq!(request.build().expect("a request").url.query(), None);
    }

    #[test]
    fn what_json_does_not_have_is_refused_with_its_reason() {
        let request = get("http://h", "/x").json(&BTreeMap::from([((), 1)]));
        let why = request.build().expect_err("a key is a text");
        assert_eq!(why, "the request cannot be built: key must be a string");
    }
}
