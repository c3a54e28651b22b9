//! The names of limits, in the forms in which callers may pass them.

/// One name, or several: `"database"`, `["database", "gpu"]`, a `Vec<String>`…
pub trait IntoLimitNames: sealed::Sealed {
    #[doc(hidden)]
    fn into_limit_names(self) -> Vec<String>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! one {
    ($($name:ty),*) => {$(
        impl sealed::Sealed for $name {}

        impl IntoLimitNames for $name {
            fn into_limit_names(self) -> Vec<String> {
                vec![self.into()]
            }
        }
    )*};
}

one!(&str, &String, String);

macro_rules! several {
    ($([$($generics:tt)*] $names:ty),*) => {$(
        impl<S: AsRef<str>, $($generics)*> sealed::Sealed for $names {}

        impl<S: AsRef<str>, $($generics)*> IntoLimitNames for $names {
            fn into_limit_names(self) -> Vec<String> {
                self.iter().map(|name| name.as_ref().to_owned()).collect()
            }
        }
    )*};
}

several!([const N: usize] [S; N], [const N: usize] &[S; N], [] Vec<S>, [] &Vec<S>, [] &[S]);
