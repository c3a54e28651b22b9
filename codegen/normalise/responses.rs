//! Responses: which statuses the generated code distinguishes.

use serde_json::{Map, Value};

use crate::codegen::document::for_each_operation;
use crate::codegen::problem::{Problem, Result};

/// Every operation documents 422, with a body that the server hardly ever sends, and no other error:
/// error responses stay raw, and the one hand-written `Error` reads them.
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

/// The document has 200 where the server sends 201 and the other way round: any 2xx is a success.
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
        // A status without content is ignored beside one with content (200 or 204).
        bodies.sort_by_key(|response| response.get("content").is_none());
        if bodies.iter().skip(1).any(|b| {
            b.get("content")
                .is_some_and(|c| Some(c) != bodies[0].get("content"))
        }) {
            return Err(Problem::new(
                at,
                "two success responses differ in content; choose one of them in the overlay",
            ));
        }
        *responses = Map::from_iter([("2XX".to_owned(), bodies.swap_remove(0))]);
        hits += 1;
        Ok(())
    })?;
    Ok(hits)
}
