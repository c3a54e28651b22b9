//! Ways into the optional fields of a request.

use crate::types::Field;

/// The value of an optional field, made if it is not there.
pub(crate) fn slot<S: Slot>(slot: &mut S) -> &mut S::Value {
    slot.get_or_default()
}

/// A field that may be left out.
pub(crate) trait Slot {
    type Value;

    fn get_or_default(&mut self) -> &mut Self::Value;
}

impl<T: Default> Slot for Option<T> {
    type Value = T;

    fn get_or_default(&mut self) -> &mut T {
        self.get_or_insert_default()
    }
}

impl<T: Default> Slot for Field<T> {
    type Value = T;

    fn get_or_default(&mut self) -> &mut T {
        Field::get_or_default(self)
    }
}
