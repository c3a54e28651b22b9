//! `Ids`: which ids of the fake and of the real server mean the same object.
//!
//! Requests and what is known of replies are written with placeholders, `<7>`; each server sees its own id in its place.

use std::collections::HashMap;

use super::pieces::{Piece, pieces};

/// One of the two servers that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Fake,
    Real,
}

/// The pairs of ids that mean the same object.
#[derive(Default)]
pub struct Ids {
    pairs: Vec<[String; 2]>,
    numbers: [HashMap<String, usize>; 2],
}

impl Ids {
    /// Notes that these ids mean the same object, and returns its placeholder.
    pub fn add(&mut self, fake: &str, real: &str) -> String {
        let number = self.pairs.len();
        let pair = [fake.to_lowercase(), real.to_lowercase()];
        for (numbers, id) in self.numbers.iter_mut().zip(&pair) {
            numbers.insert(id.clone(), number);
        }
        self.pairs.push(pair);
        format!("<{number}>")
    }

    /// The number of the object that an id means.
    pub fn number(&self, side: Side, id: &str) -> Option<usize> {
        self.numbers[side as usize].get(&id.to_lowercase()).copied()
    }

    /// The text that a server gets: with its ids.
    pub fn write(&self, side: Side, text: &str) -> String {
        let mut written = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('<') {
            let (before, from) = rest.split_at(start);
            written.push_str(before);
            let end = from.find('>').unwrap_or(0);
            let pair = from[1..].get(..end.saturating_sub(1));
            let pair = pair.and_then(|number| self.pairs.get(number.parse::<usize>().ok()?));
            match pair {
                Some(pair) => {
                    written.push_str(&pair[side as usize]);
                    rest = &from[end + 1..];
                }
                None => {
                    written.push('<');
                    rest = &from[1..];
                }
            }
        }
        written.push_str(rest);
        written
    }

    /// The text of a server with placeholders for its ids; `<?>` stands for one that is not known.
    pub fn read(&self, side: Side, text: &str) -> String {
        let read = pieces(text).map(|piece| match piece {
            Piece::Id(id) => match self.number(side, id) {
                Some(number) => format!("<{number}>"),
                None => "<?>".to_owned(),
            },
            Piece::Time(text) | Piece::Text(text) => text.to_owned(),
        });
        read.collect()
    }
}
