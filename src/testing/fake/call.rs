//! `Call`: one request, as the handlers of the fake read it.

use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::reply::Refusal;
use crate::types::Member;

/// One request, as the handlers of the fake read it.
pub(crate) struct Call<'a> {
    /// The name of the operation: that of its method in [`crate::raw`].
    pub operation: &'static str,
    /// The values of the placeholders in the path, decoded.
    pub path: &'a [(&'static str, String)],
    /// The pairs of the query, decoded.
    pub query: &'a [(String, String)],
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

impl Call<'_> {
    /// The value of a placeholder in the path.
    pub(crate) fn text(&self, placeholder: &str) -> &str {
        let found = self.path.iter().find(|(name, _)| *name == placeholder);
        found.map_or("", |(_, value)| value)
    }

    /// The id that a placeholder in the path has. Where it is none, no route of the server fits: 404.
    pub(crate) fn id(&self, placeholder: &str) -> Result<Uuid, Refusal> {
        let id = Uuid::try_parse(self.text(placeholder));
        id.map_err(|_| Refusal::not_found("Not Found"))
    }

    /// The first value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The version of Prefect that asks, if it is Prefect: it says so by its `User-Agent`.
    pub(crate) fn client_version(&self) -> Option<&str> {
        let agent = self.header("user-agent")?;
        let (version, rest) = agent.strip_prefix("prefect/")?.split_once(' ')?;
        let api = rest.strip_prefix("(API ")?.strip_suffix(')')?;
        let is_number = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
        let is_version = version.split('.').count() >= 3 && version.split('.').all(is_number);
        (is_version && !api.is_empty() && !api.contains(' ')).then_some(version)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body, decoded; keys that its type does not declare are refused, as the server refuses them.
    pub(crate) fn body<T: DeserializeOwned + Member>(&self) -> Result<T, Refusal> {
        let value: T = self.decode()?;
        refuse_undeclared(&value)?;
        Ok(value)
    }

    /// The body of a request about a run. The server takes a name for none that Python takes for false.
    pub(crate) fn run_body<T: DeserializeOwned + Member>(&self) -> Result<T, Refusal> {
        self.body().map_err(|refusal| match self.json() {
            Ok(sent) if [json!({}), json!([]), json!(0), json!(false)].contains(&sent["name"]) => {
                Refusal::unsupported("a name that is no text")
            }
            _ => refusal,
        })
    }

    /// The body, decoded; keys that its type does not declare are ignored.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let mut read = serde_json::Deserializer::from_slice(self.body);
        serde_path_to_error::deserialize(&mut read).map_err(|error| {
            let path = error.path().to_string();
            let place: Vec<&str> = std::iter::once("body").chain(path.split('.')).collect();
            Refusal::invalid(&place, "value_error", error.inner().to_string())
        })
    }

    /// The body as JSON; an empty object where there is none.
    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        match self.body {
            [] => Ok(Value::Object(serde_json::Map::new())),
            _ => self.decode(),
        }
    }
}

/// Refuses a value with keys that its type does not declare.
pub(crate) fn refuse_undeclared(value: &impl Member) -> Result<(), Refusal> {
    match value.undeclared() {
        0 => Ok(()),
        _ => Err(Refusal::invalid(
            &["body"],
            "extra_forbidden",
            "Extra inputs are not permitted",
        )),
    }
}
