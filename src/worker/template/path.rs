//! Paths to values within values, as in `labels.team` and `ports[0]`.

use std::borrow::Cow;

use super::python;
use super::value::Value;

/// The keys of a path. Brackets are dots in another form, so `a[b].c` has the keys of `a.b.c`.
pub(super) fn keys(path: &str) -> Vec<String> {
    let dotted = path.replace('[', ".").replace(']', "");
    dotted.split('.').map(str::to_owned).collect()
}

/// The value at a path, if there is one. Null is one.
pub(super) fn look_up<'a>(value: &'a Value, path: &str) -> Option<Cow<'a, Value>> {
    let keys = keys(path);
    let mut keys = keys.iter();
    keys.try_fold(Cow::Borrowed(value), |value, key| step(value, key))
}

fn step<'a>(value: Cow<'a, Value>, key: &str) -> Option<Cow<'a, Value>> {
    match value {
        Cow::Borrowed(Value::Object(object)) => object.get(key).map(Cow::Borrowed),
        Cow::Borrowed(Value::List(items)) => {
            let at = index(key, items.len())?;
            items.get(at).map(Cow::Borrowed)
        }
        // Python's texts are sequences, too.
        value => match value.as_ref() {
            Value::Text(text) => {
                let at = index(key, text.chars().count())?;
                let character = text.chars().nth(at)?;
                Some(Cow::Owned(Value::Text(character.into())))
            }
            _ => None,
        },
    }
}

/// The position that a key means in a sequence; a negative one counts from the end.
fn index(key: &str, length: usize) -> Option<usize> {
    let index = python::integer(key)?;
    match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}
