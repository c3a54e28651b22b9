//! The ids and times in a text.

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Piece<'a> {
    Id(&'a str),
    Time(&'a str),
    Text(&'a str),
}

/// The shape of an id: `h` is a hexadecimal digit.
const ID: &str = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";

/// The shape of the fixed part of a time: `d` is a digit, `t` is `T` or a space.
const TIME: &str = "dddd-dd-ddtdd:dd:dd";

/// Cuts a text into its ids, its times and what is between them.
pub fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((length, make)) = special(rest.as_bytes()) {
            let (piece, after) = rest.split_at(length);
            rest = after;
            return Some(make(piece));
        }
        let bytes = rest.as_bytes();
        let end = (1..bytes.len())
            .find(|at| rest.is_char_boundary(*at) && special(&bytes[*at..]).is_some());
        let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        Some(Piece::Text(piece))
    })
}

type Make = for<'a> fn(&'a str) -> Piece<'a>;

/// The length of the id or time at the beginning of a text.
fn special(text: &[u8]) -> Option<(usize, Make)> {
    if has_shape(text, ID.as_bytes()) {
        return Some((ID.len(), |text| Piece::Id(text)));
    }
    if has_shape(text, TIME.as_bytes()) {
        return Some((time_length(text), |text| Piece::Time(text)));
    }
    None
}

fn has_shape(text: &[u8], shape: &[u8]) -> bool {
    let fits = |(byte, shape): (&u8, &u8)| match shape {
        b'h' => byte.is_ascii_hexdigit(),
        b'd' => byte.is_ascii_digit(),
        b't' => matches!(byte, b'T' | b' '),
        other => byte == other,
    };
    text.len() >= shape.len() && text.iter().zip(shape).all(fits)
}

/// The length of a time with its fraction and its offset.
fn time_length(text: &[u8]) -> usize {
    let mut length = TIME.len();
    if text.get(length) == Some(&b'.') {
        length += 1;
        length += text[length..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
    }
    match text.get(length) {
        Some(b'Z') => length + 1,
        Some(b'+' | b'-') if has_shape(&text[length + 1..], b"dd:dd") => length + 6,
        _ => length,
    }
}
