//! Responses: which statuses the generated code tells apart.

use serde_json::{Map, Value};

use crate::pipeline::document::for_each_operation;
use crate::pipeline::problem::{Problem, Result};

/// 422 stands on every operation, as a body that the server hardly ever sends, and nothing else
/// stands anywhere: failures stay raw, and the one hand-written `Error` reads them.
pub fn drop_error_responses(document: &mut Value) -> Result<usize> {
    let mut hits = 0;
    for_each_operation(document, |_, _, _, operation| {
        if let Some(responses) = operation
            .get_mut("responses")
            .and_then(Value::as_object_mut)
        {
            let before = responses.len();
            responses.retain(|status, _| status.starts_with('2'));
            hits += before - responses.len();
        }
        Ok(())
    })?;
    Ok(hits)
}

/// The document says 200 where the server says 201 and the other way round: any 2xx is a success.
pub fn any_success_status(document: &mut Value) -> Result<usize> {
    let mut hits = 0;
    for_each_operation(document, |at, _, _, operation| {
        let responses = operation
            .get_mut("responses")
            .and_then(Value::as_object_mut)
            .filter(|responses| !responses.is_empty())
            .ok_or_else(|| Problem::new(at, "the operation documents no success response"))?;
        let mut bodies: Vec<Value> = std::mem::take(responses)
            .into_iter()
            .map(|(_, r)| r)
            .collect();
        // A status without content beside one with content (200 or 204) decides nothing.
        bodies.sort_by_key(|response| response.get("content").is_none());
        if bodies.iter().skip(1).any(|b| {
            b.get("content")
                .is_some_and(|c| Some(c) != bodies[0].get("content"))
        }) {
            return Err(Problem::new(
                at,
                "two success responses differ in content; say in the overlay which one is meant",
            ));
        }
        *responses = Map::from_iter([("2XX".to_owned(), bodies.swap_remove(0))]);
        hits += 1;
        Ok(())
    })?;
    Ok(hits)
}
