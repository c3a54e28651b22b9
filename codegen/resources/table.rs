//! Reads `openapi/resources.yaml`.

use serde_json::{Map, Value};

use crate::codegen::problem::{Problem, Result};

/// All resources, and the operations that belong to none.
pub struct Table {
    pub resources: Vec<Resource>,
    /// Operation and reason.
    pub elsewhere: Vec<(String, String)>,
}

/// One resource.
pub struct Resource {
    pub name: String,
    /// The public module that it belongs to.
    pub module: String,
    pub ty: String,
    pub about: String,
    pub under: Option<Under>,
    /// A name for the examples.
    pub named: String,
    pub methods: Vec<Method>,
    /// The filter methods of its queries: name, and the path that each sets.
    pub by: Vec<(String, String)>,
}

/// Which method of which resource returns a resource, and what that binds: path parameter and field.
pub struct Under {
    pub resource: String,
    pub method: String,
    pub binds: Vec<(String, String)>,
}

/// One method of a resource.
pub struct Method {
    pub name: String,
    pub operation: String,
    pub source: Source,
    pub summary: String,
    pub example: Option<String>,
    /// The filters in the example of a query.
    pub narrow: String,
    /// The operation that lists the objects of a bulk operation.
    pub list: Option<String>,
    /// Arguments that are fixed: name and expression.
    pub with: Vec<(String, String)>,
    pub no_content: bool,
    pub conflict: bool,
}

/// How a method is written.
#[derive(Clone, Copy, PartialEq)]
pub enum Source {
    Generated,
    /// The method is generated; how the pages of its query are read is written by hand.
    Query,
    /// The method is generated; how its bulk operation is sent is written by hand.
    Bulk,
    Handwritten,
}

impl Table {
    pub fn read(document: &Value) -> Result<Self> {
        let resources = pairs(document, "resources")?
            .iter()
            .map(|(name, entry)| Resource::read(name, entry))
            .collect::<Result<_>>()?;
        let elsewhere = texts(document, "elsewhere");
        Ok(Self {
            resources,
            elsewhere,
        })
    }

    pub fn resource(&self, name: &str) -> Result<&Resource> {
        let found = self.resources.iter().find(|resource| resource.name == name);
        found.ok_or_else(|| problem(name, "there is no such resource"))
    }

    /// Every operation that the table names, some more than once.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        let methods = self.resources.iter().flat_map(|resource| &resource.methods);
        let elsewhere = self.elsewhere.iter().map(|(operation, _)| operation);
        methods
            .map(|method| &method.operation)
            .chain(elsewhere)
            .map(String::as_str)
    }
}

impl Resource {
    fn read(name: &str, entry: &Value) -> Result<Self> {
        let text = |key: &str| {
            let text = entry.get(key).and_then(Value::as_str);
            text.ok_or_else(|| problem(name, format!("`{key}` is missing")))
        };
        let under = entry.get("under").map(|under| {
            let text = |key: &str| under[key].as_str().unwrap_or_default().to_owned();
            Under {
                resource: text("resource"),
                method: text("method"),
                binds: texts(under, "binds"),
            }
        });
        Ok(Self {
            name: name.to_owned(),
            module: text("module").unwrap_or(name).to_owned(),
            ty: text("type")?.to_owned(),
            about: text("about")?.to_owned(),
            under,
            named: text("named").unwrap_or("etl").to_owned(),
            methods: pairs(entry, "methods")?
                .iter()
                .map(|(method, entry)| Method::read(name, method, entry))
                .collect::<Result<_>>()?,
            by: texts(entry, "by"),
        })
    }
}

impl Method {
    fn read(resource: &str, name: &str, entry: &Value) -> Result<Self> {
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        let sources = [
            ("operation", Source::Generated),
            ("query", Source::Query),
            ("bulk", Source::Bulk),
            ("handwritten", Source::Handwritten),
        ];
        let source = sources
            .into_iter()
            .find_map(|(key, source)| text(key).map(|operation| (operation, source)));
        let (operation, source) = source.ok_or_else(|| {
            let at = format!("{resource}.{name}");
            problem(&at, "no operation is given")
        })?;
        let flag = |key: &str| entry.get(key) == Some(&Value::Bool(true));
        Ok(Self {
            name: name.to_owned(),
            operation: operation.to_owned(),
            source,
            summary: text("summary").unwrap_or_default().to_owned(),
            example: text("example").map(str::to_owned),
            narrow: text("narrow").unwrap_or_default().to_owned(),
            list: text("list").map(str::to_owned),
            with: texts(entry, "with"),
            no_content: flag("no_content"),
            conflict: flag("conflict"),
        })
    }
}

fn pairs<'a>(value: &'a Value, key: &str) -> Result<&'a Map<String, Value>> {
    let map = value.get(key).and_then(Value::as_object);
    map.ok_or_else(|| problem(key, "not a map"))
}

fn texts(value: &Value, key: &str) -> Vec<(String, String)> {
    let map = value.get(key).and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn problem(at: &str, message: impl Into<String>) -> Problem {
    Problem::new(format!("openapi/resources.yaml: {at}"), message)
}
