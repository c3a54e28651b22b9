//! The operations and the samples of the test kit.

use std::collections::BTreeSet;

use heck::{ToSnakeCase as _, ToUpperCamelCase as _};
use serde_json::Value;

use super::rust_type;
use crate::codegen::document::{operations, schemas};
use crate::codegen::problem::Result;
use crate::codegen::resources::parameters;

/// A call of the macro `operations!`, which defines a constant and the type of the requests for each operation.
pub fn test_operations(document: &Value) -> Result<String> {
    let mut out = String::from("operations! {\n");
    for operation in operations(document) {
        let ty = |schema: Option<&Value>| match schema {
            Some(schema) => rust_type::element(&operation.at, schema),
            None => Ok("()".to_owned()),
        };
        let reply = match operation.body.pointer("/responses/2XX/content") {
            Some(_) if operation.reply_schema().is_none() => "Bytes".to_owned(),
            _ => ty(operation.reply_schema())?,
        };
        let (mut path, mut query) = (String::new(), String::new());
        for parameter in parameters(&operation)? {
            let field = format!(
                "{:?} {} [{}], ",
                parameter.key,
                parameter.name,
                parameter.owned()
            );
            match operation.path.contains(&format!("{{{}}}", parameter.key)) {
                true => path.push_str(&field),
                false => query.push_str(&field),
            }
        }
        let id = operation.id()?;
        out.push_str(&format!(
            "    {id} {} {:?} {:?} path {{ {path}}} query {{ {query}}} body [{}] reply [{reply}],\n",
            id.to_upper_camel_case(),
            operation.method.to_uppercase(),
            operation.path,
            ty(operation.request_schema())?,
        ));
    }
    out.push_str("}\n");
    Ok(out)
}

/// A call of the macro `samples!`, which defines a function for each type of which there is a sample: those that `names` lists.
pub fn samples(document: &Value, names: &[String]) -> String {
    let known = schemas(document);
    let mut returned = BTreeSet::new();
    let all = operations(document);
    for operation in &all {
        let reply = operation.reply_schema().and_then(rust_type::target);
        returned.extend(reply.map(|name| (operation.id().unwrap_or_default(), name)));
    }
    let mut out = String::from("samples! {\n");
    for name in names.iter().filter(|name| known.contains_key(*name)) {
        let short = name
            .strip_suffix("Response")
            .unwrap_or(name)
            .to_snake_case();
        let twins = names.iter().filter(|other| {
            other
                .strip_suffix("Response")
                .unwrap_or(other)
                .to_snake_case()
                == short
        });
        // Of `FlowRun` and `FlowRunResponse`, the one that `read_flow_run` returns is the flow run.
        let is_read = returned.contains(&(format!("read_{short}").as_str(), name.as_str()));
        let word = match (twins.count(), is_read) {
            (1, _) | (_, true) => short,
            _ if name.ends_with("Response") => name.to_snake_case(),
            _ => format!("plain_{short}"),
        };
        out.push_str(&format!("    {word} {name},\n"));
    }
    out.push_str("}\n");
    out
}
