//! Filters: the conditions of a request, applied to a row.
//!
//! All filters of the API have one shape: words for columns, each with operators (`{"name": {"any_": [..]}}`). So there is one
//! evaluation, and a resource only says which column a word means. A word or an operator that is not known here is
//! refused: a condition that is left out would answer with rows that the server does not return.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::reply::Refusal;

/// The value of a column of one row.
pub(crate) enum Column<'a> {
    Text(Option<&'a str>),
    Id(Option<Uuid>),
    Time(Option<DateTime<Utc>>),
    /// A time, and the one that `before_` and `after_` compare where it is null.
    TimeOr(Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    Number(Option<f64>),
    Bool(Option<bool>),
    Tags(&'a [String]),
    /// A condition that the resource has judged itself: the row fulfils it or not.
    Judged(bool),
}

/// The column that a word of a filter means for one row; the word of a nested filter is `state.type`. The conditions are given
/// for words that are more than a column (`Column::Judged`).
pub(crate) type Columns<'a> = dyn Fn(&str, &Value) -> Option<Column<'a>> + 'a;

/// Whether a row fulfils a filter; a filter that is left out, null or empty is fulfilled by all rows.
pub(crate) fn matches(filter: &Value, columns: &Columns<'_>) -> Result<bool, Refusal> {
    match filter {
        Value::Null => Ok(true),
        Value::Object(words) => Ok(group(words, "", columns)?.unwrap_or(true)),
        other => Err(unknown("", other)),
    }
}

/// Judges the words of one level; `None` where there is no condition.
fn group(
    words: &Map<String, Value>,
    prefix: &str,
    columns: &Columns<'_>,
) -> Result<Option<bool>, Refusal> {
    let mut judged = Vec::new();
    for (word, conditions) in words {
        let name = format!("{prefix}{word}");
        match conditions {
            Value::Null => {}
            _ if word == "operator" => {}
            Value::Object(inner) => match columns(&name, conditions) {
                Some(column) => judged.push(operators(inner, &name, &column)?.unwrap_or(true)),
                // Of a nested filter, the server skips the parts without a condition.
                None if inner
                    .values()
                    .all(|v| v.is_object() || v.is_null() || v.is_string()) =>
                {
                    let nested = group(inner, &format!("{name}."), columns)?;
                    judged.push(nested.unwrap_or(true));
                }
                None => return Err(unknown(&name, conditions)),
            },
            other => return Err(unknown(&name, other)),
        }
    }
    Ok(combined(words, &judged))
}

fn combined(words: &Map<String, Value>, judged: &[bool]) -> Option<bool> {
    let any = words
        .get("operator")
        .is_some_and(|operator| operator == "or_");
    match judged {
        [] => None,
        judged if any => Some(judged.iter().any(|fulfilled| *fulfilled)),
        judged => Some(judged.iter().all(|fulfilled| *fulfilled)),
    }
}

/// Judges the operators on one column; `None` where there is no condition.
fn operators(
    operators: &Map<String, Value>,
    name: &str,
    column: &Column<'_>,
) -> Result<Option<bool>, Refusal> {
    if let Column::Judged(fulfilled) = column {
        return Ok(Some(*fulfilled));
    }
    let mut judged = Vec::new();
    for (operator, wanted) in operators {
        if wanted.is_null() || operator == "operator" {
            continue;
        }
        let condition = condition(operator, wanted, column);
        judged.extend(condition.ok_or_else(|| unknown(&format!("{name}.{operator}"), wanted))?);
    }
    Ok(combined(operators, &judged))
}

/// Judges one operator; `Some(None)` where it is no condition, `None` where it is unknown.
fn condition(operator: &str, wanted: &Value, column: &Column<'_>) -> Option<Option<bool>> {
    let list = wanted.as_array();
    let fulfilled = match (operator, column) {
        // An empty list of what is excluded, or of what must all be there, is no condition; one of alternatives is never fulfilled.
        ("not_any_" | "all_", _) if list.is_some_and(Vec::is_empty) => return Some(None),
        ("like_", _) if wanted == "" => return Some(None),
        ("is_null_", Column::Tags(tags)) => wanted.as_bool()? == tags.is_empty(),
        ("is_null_", column) => wanted.as_bool()? == column.is_null(),
        ("exists_", column) => wanted.as_bool()? != column.is_null(),
        ("any_", Column::Tags(tags)) => list?.iter().any(|tag| holds(tags, tag)),
        ("all_", Column::Tags(tags)) => list?.iter().all(|tag| holds(tags, tag)),
        ("any_", column) => list?.iter().any(|wanted| column.equals(wanted)),
        ("not_any_", column) => {
            !column.is_null() && !list?.iter().any(|wanted| column.equals(wanted))
        }
        ("eq_", column) => column.equals(wanted),
        ("like_", Column::Text(text)) => {
            let wanted = wanted.as_str()?;
            text.is_some_and(|text| like(&format!("%{wanted}%"), text))
        }
        ("startswith_", Column::Text(text)) => {
            let starts: Vec<&str> = match wanted {
                Value::String(start) => vec![start],
                other => other
                    .as_array()?
                    .iter()
                    .map(Value::as_str)
                    .collect::<Option<_>>()?,
            };
            text.is_some_and(|text| starts.iter().any(|start| like(&format!("{start}%"), text)))
        }
        ("before_" | "le_", column) => column
            .compare(wanted)?
            .is_some_and(std::cmp::Ordering::is_le),
        ("after_" | "ge_", column) => column
            .compare(wanted)?
            .is_some_and(std::cmp::Ordering::is_ge),
        ("lt_", column) => column
            .compare(wanted)?
            .is_some_and(std::cmp::Ordering::is_lt),
        ("gt_", column) => column
            .compare(wanted)?
            .is_some_and(std::cmp::Ordering::is_gt),
        _ => return None,
    };
    Some(Some(fulfilled))
}

fn holds(tags: &[String], tag: &Value) -> bool {
    tag.as_str()
        .is_some_and(|tag| tags.iter().any(|held| held == tag))
}

impl Column<'_> {
    fn is_null(&self) -> bool {
        match self {
            Self::Text(value) => value.is_none(),
            Self::Id(value) => value.is_none(),
            Self::Time(value) | Self::TimeOr(value, _) => value.is_none(),
            Self::Number(value) => value.is_none(),
            Self::Bool(value) => value.is_none(),
            Self::Tags(tags) => tags.is_empty(),
            Self::Judged(_) => false,
        }
    }

    fn equals(&self, wanted: &Value) -> bool {
        match self {
            Self::Text(text) => text.is_some() && *text == wanted.as_str(),
            Self::Id(id) => id.is_some() && *id == wanted.as_str().and_then(|id| id.parse().ok()),
            Self::Number(number) => number.is_some() && *number == wanted.as_f64(),
            Self::Bool(value) => value.is_some() && *value == wanted.as_bool(),
            Self::Time(_) | Self::TimeOr(..) | Self::Tags(_) | Self::Judged(_) => false,
        }
    }

    /// How the column compares with a value; the inner `None` stands for a column that is null.
    fn compare(&self, wanted: &Value) -> Option<Option<std::cmp::Ordering>> {
        match self {
            Self::Time(time) => Some(
                time.map(|time| time.cmp(&instant(wanted)?).into())
                    .unwrap_or(None),
            ),
            Self::TimeOr(time, other) => Self::Time(time.or(*other)).compare(wanted),
            Self::Number(number) => {
                let wanted = wanted.as_f64()?;
                Some(number.and_then(|number| number.partial_cmp(&wanted)))
            }
            _ => None,
        }
    }
}

/// The instant that a request names.
pub(crate) fn instant(value: &Value) -> Option<DateTime<Utc>> {
    serde_json::from_value(value.clone()).ok()
}

/// SQL's `ILIKE`: `%` stands for any characters, `_` for one. Case is ignored for ASCII only, as SQLite does.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    fn rest(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['%', pattern @ ..] => (0..=text.len()).any(|skipped| rest(pattern, &text[skipped..])),
            ['_', pattern @ ..] => !text.is_empty() && rest(pattern, &text[1..]),
            [c, pattern @ ..] => {
                text.first().is_some_and(|t| t.eq_ignore_ascii_case(c)) && rest(pattern, &text[1..])
            }
        }
    }
    let chars = |text: &str| text.chars().collect::<Vec<_>>();
    rest(&chars(pattern), &chars(text))
}

fn unknown(word: &str, value: &Value) -> Refusal {
    Refusal::unsupported(format!("the filter `{word}: {value}`"))
}
