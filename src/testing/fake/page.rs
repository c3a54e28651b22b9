//! Sorting and paging of lists.

use serde::Serialize;
use serde_json::Value;

use super::reply::Refusal;

/// The most rows that a server returns at a time (`PREFECT_SERVER_API_DEFAULT_LIMIT`).
pub(crate) const PAGE_LIMIT: usize = 200;

/// The part of the rows that the request asks for by `limit` and `offset`.
pub(crate) fn page<R>(rows: Vec<R>, body: &Value) -> Result<Vec<R>, Refusal> {
    let (limit, offset) = (limit(body)?, offset(body)?);
    Ok(rows.into_iter().skip(offset).take(limit).collect())
}

/// The limit of a list.
pub(crate) fn limit(body: &Value) -> Result<usize, Refusal> {
    let limit = match &body["limit"] {
        Value::Null => return Ok(PAGE_LIMIT),
        limit => limit.as_i64().ok_or_else(|| {
            Refusal::invalid(
                &["body", "limit"],
                "int_type",
                "Input should be a valid integer",
            )
        })?,
    };
    match usize::try_from(limit) {
        Ok(limit) if limit <= PAGE_LIMIT => Ok(limit),
        Ok(_) => Err(Refusal::detail(
            422,
            format!("Invalid limit: must be less than or equal to {PAGE_LIMIT}."),
        )),
        Err(_) => Err(Refusal::detail(
            422,
            "Invalid limit: must be greater than or equal to 0.",
        )),
    }
}

/// The most objects that a bulk operation takes.
pub(crate) fn bulk_limit(body: &Value, most: usize) -> Result<usize, Refusal> {
    let limit = match &body["limit"] {
        Value::Null => return Ok(most),
        limit => limit.as_i64().and_then(|limit| usize::try_from(limit).ok()),
    };
    let within = limit.filter(|limit| (1..=most).contains(limit));
    within.ok_or_else(|| {
        let text = format!("Input should be between 1 and {most}");
        Refusal::invalid(&["body", "limit"], "less_than_equal", text)
    })
}

/// The offset of a list.
pub(crate) fn offset(body: &Value) -> Result<usize, Refusal> {
    match &body["offset"] {
        Value::Null => Ok(0),
        offset => {
            let offset = offset
                .as_i64()
                .and_then(|offset| usize::try_from(offset).ok());
            offset.ok_or_else(|| {
                let text = "Input should be greater than or equal to 0";
                Refusal::invalid(&["body", "offset"], "greater_than_equal", text)
            })
        }
    }
}

/// The order that the request asks for, or the default one.
pub(crate) fn sort<'a>(body: &'a Value, default: &'a str) -> &'a str {
    body["sort"].as_str().unwrap_or(default)
}

/// Sorts rows that are in the order of their creation by a key, the largest first.
///
/// Of rows with equal keys the last one comes first: on a real server no two have the same time, as they may here by one request, or while the
/// clock stands still.
pub(crate) fn descending<R, K: Ord>(rows: &mut [R], key: impl Fn(&R) -> K) {
    rows.reverse();
    rows.sort_by_key(|row| std::cmp::Reverse(key(row)));
}

/// A page by number (`/paginate`).
#[derive(Serialize)]
pub(crate) struct NumberedPage<R> {
    results: Vec<R>,
    count: usize,
    limit: usize,
    pages: usize,
    page: usize,
}

/// The page that the request asks for by `limit` and `page`.
pub(crate) fn numbered<R>(rows: Vec<R>, body: &Value) -> Result<NumberedPage<R>, Refusal> {
    let limit = limit(body)?;
    let page = body["page"].as_i64().unwrap_or(1);
    let page = usize::try_from(page).ok().filter(|page| *page >= 1);
    let page = page.ok_or_else(|| {
        let text = "Input should be greater than or equal to 1";
        Refusal::invalid(&["body", "page"], "greater_than_equal", text)
    })?;
    let count = rows.len();
    let skipped = (page - 1).saturating_mul(limit);
    Ok(NumberedPage {
        results: rows.into_iter().skip(skipped).take(limit).collect(),
        count,
        limit,
        pages: if limit == 0 { 0 } else { count.div_ceil(limit) },
        page,
    })
}
