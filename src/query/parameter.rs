//! Parameters in the forms in which the generated operations take them: numbers by value, text as `&str`, all else by
//! reference.

/// A value that an operation takes as a `P`.
#[allow(
    dead_code,
    reason = "older documents have no operation with such parameters"
)]
pub(crate) trait Parameter<'a, P> {
    fn passed(&'a self) -> P;
}

impl<'a, T> Parameter<'a, &'a T> for T {
    fn passed(&'a self) -> &'a T {
        self
    }
}

impl<'a> Parameter<'a, &'a str> for String {
    fn passed(&'a self) -> &'a str {
        self
    }
}

impl Parameter<'_, i64> for i64 {
    fn passed(&self) -> i64 {
        *self
    }
}

impl Parameter<'_, bool> for bool {
    fn passed(&self) -> bool {
        *self
    }
}
