//! `openapi/handles.yaml`, read.

use serde_json::{Map, Value};

use crate::pipeline::problem::{Problem, Result};

/// All handles, and the operations that have none.
pub struct Table {
    pub handles: Vec<Handle>,
    /// Operation and reason.
    pub elsewhere: Vec<(String, String)>,
}

/// One handle.
pub struct Handle {
    pub name: String,
    pub ty: String,
    pub about: String,
    pub under: Option<Under>,
    /// A name for the examples.
    pub named: String,
    pub methods: Vec<Method>,
    /// The words of its queries: name, and path of what it sets.
    pub by: Vec<(String, String)>,
}

/// Which method of which handle gives a handle, and what that binds: path parameter and field.
pub struct Under {
    pub handle: String,
    pub method: String,
    pub binds: Vec<(String, String)>,
}

/// One method of a handle.
pub struct Method {
    pub name: String,
    pub operation: String,
    pub home: Home,
    pub does: String,
    pub example: Option<String>,
    /// What the example of a query adds to it.
    pub narrow: String,
    /// The operation that lists what bulk work is about.
    pub list: Option<String>,
    /// Arguments that are fixed: name and expression.
    pub with: Vec<(String, String)>,
    pub nothing: bool,
    pub taken: bool,
}

/// Who writes a method.
#[derive(Clone, Copy, PartialEq)]
pub enum Home {
    Generated,
    /// The method is generated, but not how the pages of its query are read.
    Query,
    /// The method is generated; what it begins is in src/bulk/.
    Bulk,
    Hand,
}

impl Table {
    pub fn read(document: &Value) -> Result<Self> {
        let handles = pairs(document, "handles")?
            .iter()
            .map(|(name, entry)| Handle::read(name, entry))
            .collect::<Result<_>>()?;
        let elsewhere = texts(document, "elsewhere");
        Ok(Self { handles, elsewhere })
    }

    pub fn handle(&self, name: &str) -> Result<&Handle> {
        let found = self.handles.iter().find(|handle| handle.name == name);
        found.ok_or_else(|| problem(name, "there is no such handle"))
    }

    /// Every operation that the table names, some more than once.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        let methods = self.handles.iter().flat_map(|handle| &handle.methods);
        let elsewhere = self.elsewhere.iter().map(|(operation, _)| operation);
        methods
            .map(|method| &method.operation)
            .chain(elsewhere)
            .map(String::as_str)
    }
}

impl Handle {
    fn read(name: &str, entry: &Value) -> Result<Self> {
        let text = |key: &str| {
            let text = entry.get(key).and_then(Value::as_str);
            text.ok_or_else(|| problem(name, format!("`{key}` is missing")))
        };
        let under = entry.get("under").map(|under| {
            let text = |key: &str| under[key].as_str().unwrap_or_default().to_owned();
            Under {
                handle: text("handle"),
                method: text("method"),
                binds: texts(under, "binds"),
            }
        });
        Ok(Self {
            name: name.to_owned(),
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
    fn read(handle: &str, name: &str, entry: &Value) -> Result<Self> {
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        let homes = [
            ("operation", Home::Generated),
            ("query", Home::Query),
            ("bulk", Home::Bulk),
            ("hand", Home::Hand),
        ];
        let home = homes
            .into_iter()
            .find_map(|(key, home)| text(key).map(|operation| (operation, home)));
        let (operation, home) = home.ok_or_else(|| {
            let at = format!("{handle}.{name}");
            problem(&at, "no operation is given")
        })?;
        let flag = |key: &str| entry.get(key) == Some(&Value::Bool(true));
        Ok(Self {
            name: name.to_owned(),
            operation: operation.to_owned(),
            home,
            does: text("does").unwrap_or_default().to_owned(),
            example: text("example").map(str::to_owned),
            narrow: text("narrow").unwrap_or_default().to_owned(),
            list: text("list").map(str::to_owned),
            with: texts(entry, "with"),
            nothing: flag("nothing"),
            taken: flag("taken"),
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

fn problem(at: &str, says: impl Into<String>) -> Problem {
    Problem::new(format!("openapi/handles.yaml: {at}"), says)
}
