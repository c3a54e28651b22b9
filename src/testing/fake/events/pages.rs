//! Reading stored events, a page at a time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::selection::Selection;
use crate::testing::fake::call::Call;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;

/// The most events of a page.
const PAGE_SIZE: usize = 50;

pub(super) fn first(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let size = page_size(&body["limit"])?;
    let selection = Selection::of(&body["filter"], world.now)?;
    let total = world.events.stored(&selection).len();
    page(
        world,
        call,
        &selection,
        Place {
            total,
            size,
            offset: 0,
        },
    )
}

pub(super) fn next(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let Some(token) = call.query("page-token") else {
        return Err(Refusal::invalid(
            &["query", "page-token"],
            "missing",
            "Field required",
        ));
    };
    let token = decoded(token).ok_or_else(|| Refusal::detail(403, "Forbidden"))?;
    let number =
        |key: &str| usize::try_from(token[key].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
    let place = Place {
        total: number("count"),
        size: number("page_size"),
        offset: number("offset"),
    };
    let selection = Selection::of(&token["filter"], world.now)?;
    page(world, call, &selection, place)
}

/// Where a page is in the list. The total is that of the time of the first page.
struct Place {
    total: usize,
    size: usize,
    offset: usize,
}

fn page(
    world: &World,
    call: &Call<'_>,
    selection: &Selection,
    place: Place,
) -> Result<Reply, Refusal> {
    let stored = world
        .events
        .stored(selection)
        .into_iter()
        .skip(place.offset);
    let events: Vec<_> = stored.take(place.size.min(selection.most())).collect();
    let behind = place.offset.saturating_add(place.size);
    let next_page = (behind < place.total).then(|| {
        let token = encoded(&json!({
            "filter": selection.to_value(), "count": place.total, "page_size": place.size, "offset": behind,
        }));
        let host = call.header("host").unwrap_or("localhost");
        format!("http://{host}/api/events/filter/next?page-token={token}")
    });
    Ok(Reply::ok(
        &json!({"events": events, "total": place.total, "next_page": next_page}),
    ))
}

fn page_size(limit: &Value) -> Result<usize, Refusal> {
    let size = match limit {
        Value::Null => Some(PAGE_SIZE),
        limit => limit.as_u64().and_then(|limit| usize::try_from(limit).ok()),
    };
    size.filter(|size| *size <= PAGE_SIZE).ok_or_else(|| {
        let text = format!("Input should be between 0 and {PAGE_SIZE}");
        Refusal::invalid(&["body", "limit"], "less_than_equal", text)
    })
}

/// A token is encoded twice: once by the list, once by the route.
fn encoded(token: &Value) -> String {
    BASE64.encode(BASE64.encode(token.to_string()))
}

fn decoded(token: &str) -> Option<Value> {
    let inner = BASE64.decode(token).ok()?;
    let token: Value = serde_json::from_slice(&BASE64.decode(inner).ok()?).ok()?;
    token.is_object().then_some(token)
}
