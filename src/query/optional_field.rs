//! Mutable access to the optional fields of a request.

use crate::types::Field;

/// The value of an optional field; a default value is inserted if there is none.
pub(crate) fn value_mut<S: OptionalField>(field: &mut S) -> &mut S::Value {
    field.get_or_default()
}

/// A field that may be left out.
pub(crate) trait OptionalField {
    type Value;

    fn get_or_default(&mut self) -> &mut Self::Value;
}

impl<T: Default> OptionalField for Option<T> {
    type Value = T;

    fn get_or_default(&mut self) -> &mut T {
        self.get_or_insert_default()
    }
}

impl<T: Default> OptionalField for Field<T> {
    type Value = T;

    fn get_or_default(&mut self) -> &mut T {
        Field::get_or_default(self)
    }
}
