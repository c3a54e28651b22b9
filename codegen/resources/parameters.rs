//! Query parameters that may be left out: words of a query.

use std::collections::BTreeSet;

use super::signature::{Parameter, fixed, parameters, reply};
use super::table::Method;
use crate::codegen::document::Operation;
use crate::codegen::problem::{Problem, Result};

/// The query parameters that may be left out, and that the table does not fix.
pub fn words<'a>(method: &Method, operation: &Operation<'a>) -> Result<Vec<Parameter<'a>>> {
    let mut words = parameters(operation)?;
    words.retain(|word| word.is_optional && fixed(method, word).is_none());
    Ok(words)
}

/// The macro call that defines the query parameters of an operation as a request.
pub fn parameters_impl(
    method: &Method,
    operation: &Operation<'_>,
    request: &str,
    requests: &mut BTreeSet<String>,
) -> Result<String> {
    if !requests.insert(request.to_owned()) {
        let message = format!("two queries would send {request}");
        return Err(Problem::new(operation.at.as_str(), message));
    }
    let id = operation.id()?;
    let all = parameters(operation)?;
    let (words, held): (Vec<_>, Vec<_>) = all.iter().partition(|parameter| parameter.is_optional);
    let held: Vec<_> = held
        .iter()
        .map(|parameter| format!("{}: {}", parameter.name, parameter.owned()))
        .collect();
    let passed = all.iter().map(|parameter| match parameter.is_optional {
        true => format!("word {}", parameter.name),
        false => format!("held {}", parameter.name),
    });
    let passed: Vec<_> = passed.collect();
    let mut out = format!(
        "parameters! {{ {request} {id} ({}) [{}] {} {{\n",
        held.join(", "),
        passed.join(", "),
        reply(method, operation)?
    );
    for word in words {
        out.push_str(&format!(
            "    {:?} {} [{}],\n",
            word.key,
            word.name,
            word.owned()
        ));
    }
    out.push_str("} }\n\n");
    Ok(out)
}
