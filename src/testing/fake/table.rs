//! `Table`: rows by id, in the order of their creation.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

/// Rows by id, in the order of their creation.
pub(crate) struct Table<R> {
    rows: BTreeMap<u64, R>,
    positions: HashMap<Uuid, u64>,
    next: u64,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            positions: HashMap::new(),
            next: 0,
        }
    }
}

impl<R> Table<R> {
    /// Adds a row behind all others, or replaces the one with this id at its place.
    pub(crate) fn insert(&mut self, id: Uuid, row: R) {
        let next = self.next;
        let position = *self.positions.entry(id).or_insert(next);
        self.next += u64::from(position == next);
        self.rows.insert(position, row);
    }

    pub(crate) fn get(&self, id: Uuid) -> Option<&R> {
        self.rows.get(self.positions.get(&id)?)
    }

    pub(crate) fn get_mut(&mut self, id: Uuid) -> Option<&mut R> {
        self.rows.get_mut(self.positions.get(&id)?)
    }

    pub(crate) fn remove(&mut self, id: Uuid) -> Option<R> {
        self.rows.remove(&self.positions.remove(&id)?)
    }

    pub(crate) fn contains(&self, id: Uuid) -> bool {
        self.positions.contains_key(&id)
    }

    /// The rows in the order of their creation.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &R> {
        self.rows.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut R> {
        self.rows.values_mut()
    }

    /// The first row that fulfils a condition.
    pub(crate) fn find(&self, condition: impl Fn(&R) -> bool) -> Option<&R> {
        self.iter().find(|row| condition(row))
    }
}
