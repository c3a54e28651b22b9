//! Numbers as text, by pydantic's grammar.

/// A whole number: `5`, `+5`, `5.00`, `1_000`. One with more digits than an `i64` has counts as the largest.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = match text.split_once('.') {
        Some((digits, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => {
            digits
        }
        Some(_) => return None,
        None => text,
    };
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    // Among leading zeros underscores may be doubled, elsewhere they stand between two digits.
    let starts_with_zero = digits.starts_with('0');
    let significant = match starts_with_zero {
        true => digits.trim_start_matches(['0', '_']),
        false => digits,
    };
    if significant.is_empty() && starts_with_zero && !digits.ends_with('_') {
        return Some(0);
    }
    let groups = significant.split('_');
    let is_number = groups
        .clone()
        .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_number {
        return None;
    }
    let number = groups.collect::<String>().parse().unwrap_or(i64::MAX);
    Some(if is_negative { -number } else { number })
}

/// A number with a fraction: what Rust reads, and the same with underscores.
pub(super) fn float(text: &str) -> Option<f64> {
    if let Ok(number) = text.trim().parse() {
        return Some(number);
    }
    let is_grouped = !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
    let bare = || text.replace('_', "").trim().parse().ok();
    // Before an underscore pydantic removes no space.
    let is_trimmed = text.trim().len() == text.len() || !text.contains('_');
    (is_grouped && is_trimmed).then(bare).flatten()
}
