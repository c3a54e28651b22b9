//! What Python's `str`, `repr` and `int` make of values.

use serde_json::Number;

use super::characters;
use super::value::Value;

/// `str(value)`: the text that stands for a value within a text.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        value => {
            let mut text = String::new();
            write_repr(&mut text, value);
            text
        }
    }
}

/// `int(text)` of a text that has no spaces and no plus, which a placeholder cannot have.
pub(super) fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let mut value: i64 = 0;
    // An underscore is allowed between two digits.
    for group in digits.split('_') {
        if group.is_empty() {
            return None;
        }
        for digit in group.chars() {
            let digit = characters::digit(digit)?;
            value = value.checked_mul(10)?.checked_add(sign * digit)?;
        }
    }
    Some(value)
}

fn write_repr(to: &mut String, value: &Value) {
    match value {
        Value::Null => to.push_str("None"),
        Value::Bool(true) => to.push_str("True"),
        Value::Bool(false) => to.push_str("False"),
        Value::Number(number) => to.push_str(&number_text(number)),
        Value::Text(text) => write_quoted(to, text),
        Value::List(items) => {
            to.push('[');
            for (index, item) in items.iter().enumerate() {
                write_separator(to, index);
                write_repr(to, item);
            }
            to.push(']');
        }
        Value::Object(object) => {
            to.push('{');
            for (index, (key, value)) in object.iter().enumerate() {
                write_separator(to, index);
                write_quoted(to, key);
                to.push_str(": ");
                write_repr(to, value);
            }
            to.push('}');
        }
    }
}

fn write_separator(to: &mut String, index: usize) {
    if index > 0 {
        to.push_str(", ");
    }
}

/// A number as Python writes it; the exponent of a float has a sign and two digits: `1e+16`, `1e-05`.
fn number_text(number: &Number) -> String {
    let text = match number.as_f64() {
        Some(float) if number.is_f64() => shortest(float),
        _ => return number.to_string(),
    };
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

/// The shortest text of a float. Rust's `Debug` has Python's number of digits, but where the float is half-way between
/// two texts, Rust may take the upper one, and Python takes the even one, as Rust does for a given number of digits.
fn shortest(float: f64) -> String {
    let text = format!("{float:?}");
    let digits = text.split('e').next().unwrap_or_default();
    let decimals = digits.split_once('.').map_or(0, |(_, it)| it.len());
    let even = match text.contains('e') {
        true => format!("{float:.decimals$e}"),
        false => format!("{float:.decimals$}"),
    };
    match even.parse() == Ok(float) {
        true => even,
        false => text,
    }
}

fn write_quoted(to: &mut String, text: &str) {
    let quote = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    to.push(quote);
    for character in text.chars() {
        match character {
            '\t' => to.push_str("\\t"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\\' => to.push_str("\\\\"),
            it if it == quote => to.extend(['\\', it]),
            it if characters::is_printable(it) => to.push(it),
            it => to.push_str(&match u32::from(it) {
                code @ ..=0xff => format!("\\x{code:02x}"),
                code @ ..=0xffff => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            }),
        }
    }
    to.push(quote);
}
