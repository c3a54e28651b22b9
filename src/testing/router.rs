//! Which operation a request is for.

use std::collections::HashMap;
use std::sync::OnceLock;

use percent_encoding::percent_decode_str;

use super::op;

/// A request's operation, and what its path says.
pub(super) struct Route {
    pub operation: &'static str,
    pub path: Vec<(&'static str, String)>,
}

/// The operations by method and number of segments.
type Table = HashMap<(&'static str, usize), Vec<(&'static str, &'static str)>>;

/// The operation for a method and a path below the URL of the API.
pub(super) fn route(method: &str, path: &str) -> Option<Route> {
    let given: Vec<&str> = path.split('/').collect();
    let candidates = table().get(&(known_method(method)?, given.len()))?;
    // Of two templates that fit, the one with fewer placeholders is meant: `/flows/count` is no flow.
    let fitting = candidates.iter().filter_map(|(operation, template)| {
        let values = fit(template, &given)?;
        Some((values.len(), *operation, values))
    });
    let (_, operation, path) = fitting.min_by_key(|(placeholders, ..)| *placeholders)?;
    Some(Route { operation, path })
}

/// The method and the path of an operation.
pub(super) fn method_and_path(operation: &str) -> Option<(&'static str, &'static str)> {
    let mut all = op::ALL.iter();
    all.find(|(name, ..)| *name == operation)
        .map(|(_, method, path)| (*method, *path))
}

/// The values of the placeholders, if the segments fit.
fn fit(template: &'static str, given: &[&str]) -> Option<Vec<(&'static str, String)>> {
    let mut values = Vec::new();
    for (expected, given) in template.split('/').zip(given) {
        match expected
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) if !given.is_empty() => {
                let value = percent_decode_str(given).decode_utf8_lossy();
                values.push((name, value.into_owned()));
            }
            None if expected == *given => {}
            _ => return None,
        }
    }
    Some(values)
}

fn known_method(method: &str) -> Option<&'static str> {
    ["GET", "POST", "PUT", "PATCH", "DELETE"]
        .into_iter()
        .find(|known| *known == method)
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Table::new();
        for (name, method, path) in op::ALL {
            let key = (*method, path.split('/').count());
            table.entry(key).or_default().push((*name, *path));
        }
        table
    })
}
