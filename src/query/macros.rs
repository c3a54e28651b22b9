//! The macros that the generated resources call for their queries: how each is sent, and its filters.

/// Implements a query whose reply is a list that is paged by offset; `.await` returns all items.
macro_rules! list {
    ($request:ident $operation:ident ($($path_params:ident: $ty:ty),*) $item:ty) => {
        impl ListRequest for $request {
            type Item = $item;

            #[inline]
            fn page(
                mut self,
                raw: Arc<raw::Client>,
                ($($path_params,)*): Self::PathParams,
                at: Position,
                limit: Option<i64>,
            ) -> BoxFuture<'static, Result<Page<$item>>> {
                let offset = at.offset();
                (self.offset, self.limit) = (Some(offset), limit);
                Box::pin(async move {
                    let reply = raw.$operation($(&$path_params,)* &self).await?;
                    Ok(Page::at_offset(offset, reply.into_inner(), |item| format!("{:?}", item.id)))
                })
            }
        }

        impl QueryRequest for $request {
            type PathParams = ($($ty,)*);
            type Output = Vec<$item>;

            #[inline]
            fn send(
                self,
                raw: Arc<raw::Client>,
                path_params: Self::PathParams,
                page_size: Option<usize>,
            ) -> BoxFuture<'static, Result<Vec<$item>>> {
                Box::pin(pager(self, raw, path_params, page_size).try_collect())
            }
        }
    };
}

/// Implements a query whose reply is one page of many, chosen by its number.
macro_rules! pages {
    ($request:ident $operation:ident ($($path_params:ident: $ty:ty),*) $reply:ty { $items:ident $field:ident: $item:ty }) => {
        impl ListRequest for $request {
            type Item = $item;

            // With another page size, the page with the same number has other items.
            const STREAM_PAGE_SIZE: Option<usize> = None;
            const PAGE_SIZE_MAY_CHANGE: bool = false;

            #[inline]
            fn page(
                mut self,
                raw: Arc<raw::Client>,
                ($($path_params,)*): Self::PathParams,
                at: Position,
                limit: Option<i64>,
            ) -> BoxFuture<'static, Result<Page<$item>>> {
                self.page = Some(at.number().or(self.page).unwrap_or(1));
                self.limit = self.limit.or(limit);
                Box::pin(async move {
                    let reply = raw.$operation($(&$path_params,)* &self).await?.into_inner();
                    let items = pages!(@ $items reply.$field);
                    Ok(Page::numbered(reply.page, reply.pages, items))
                })
            }
        }

        impl QueryRequest for $request {
            type PathParams = ($($ty,)*);
            type Output = $reply;

            #[inline]
            fn send(
                mut self,
                raw: Arc<raw::Client>,
                ($($path_params,)*): Self::PathParams,
                page_size: Option<usize>,
            ) -> BoxFuture<'static, Result<$reply>> {
                self.limit = self.limit.or(page_size.map(|size| size.try_into().unwrap_or(i64::MAX)));
                Box::pin(async move {
                    Ok(raw.$operation($(&$path_params,)* &self).await?.into_inner())
                })
            }
        }
    };
    (@ always $items:expr) => { $items };
    (@ maybe $items:expr) => { $items.unwrap_or_default() };
}

/// Implements a query whose reply is a number.
macro_rules! count {
    ($request:ident $operation:ident () $reply:ty) => {
        impl QueryRequest for $request {
            type PathParams = ();
            type Output = $reply;

            #[inline]
            fn send(
                self,
                raw: Arc<raw::Client>,
                (): (),
                _: Option<usize>,
            ) -> BoxFuture<'static, Result<$reply>> {
                Box::pin(async move { Ok(raw.$operation(&self).await?.into_inner()) })
            }
        }
    };
}

/// Defines the query parameters of an operation as a request that a query sends, with a method for each. The operation
/// takes what is `held` by the query, and its `word`s.
#[allow(
    unused_macros,
    reason = "older documents have no operation with such parameters"
)]
macro_rules! parameters {
    (
        $request:ident $operation:ident ($($held:ident: $held_ty:ty),*) [$($how:ident $passed:ident),*] $reply:ty {
            $($key:literal $word:ident [$ty:ty],)*
        }
    ) => {
        #[doc = concat!("The query parameters of [`", stringify!($operation), "`](crate::raw::Client::", stringify!($operation), ").")]
        #[derive(Clone, Debug, Default)]
        pub struct $request {
            $($word: Option<$ty>,)*
        }

        impl $request {
            #[inline]
            pub(crate) fn new() -> Self {
                Self::default()
            }
        }

        impl QueryRequest for $request {
            type PathParams = ($($held_ty,)*);
            type Output = $reply;

            #[inline]
            fn send(
                self,
                raw: Arc<raw::Client>,
                ($($held,)*): Self::PathParams,
                _: Option<usize>,
            ) -> BoxFuture<'static, Result<$reply>> {
                Box::pin(async move {
                    let reply = raw.$operation($(parameters!(@$how self $passed)),*).await?;
                    Ok(reply.into_inner())
                })
            }
        }

        impl Query<'_, $request> {
            $(
                #[doc = concat!("Sets the query parameter `", $key, "`.")]
                pub fn $word(mut self, $word: impl Into<$ty>) -> Self {
                    self.request.$word = Some($word.into());
                    self
                }
            )*
        }
    };
    (@word $this:ident $word:ident) => { $this.$word.as_ref().map(Parameter::passed) };
    (@held $this:ident $held:ident) => { Parameter::passed(&$held) };
}

/// Lists the paths of all conditions that a bulk operation can have.
macro_rules! conditions {
    ($request:ident [$($path:literal),*]) => {
        impl Conditions for $request {
            const PATHS: &'static [&'static str] = &[$($path),*];
        }
    };
}

/// Defines the setters of a query or a bulk operation: `field` sets a whole field of the request; `one`
/// and `like` set the value at a path through its fields; `any`, `all` and `none` add to a list there.
macro_rules! setters {
    ($builder:ident $request:ident {
        $($how:ident $path:literal $name:ident [$($ty:tt)*] $(($($fields:tt)+))?,)*
    }) => {
        impl $builder<'_, $request> {
            $(setters!(@$how $path $name [$($ty)*] $(($($fields)+))?);)*
        }
    };

    (@field $key:literal $name:ident [$ty:ty]) => {
        #[doc = concat!(
            "Sets the whole field `", $key, "` of the request. Call it before methods that set a part of it: a \
             query drops the parts that were set before, and a bulk operation is refused."
        )]
        pub fn $name(mut self, $name: impl Into<$ty>) -> Self {
            let value: $ty = $name.into();
            self.note_filter(self.request.$name.is_some());
            self.request.$name = value.into();
            self
        }
    };
    (@one $path:literal $($word:tt)*) => {
        setters!(@put (concat!("Sets `", $path, "`.")) $($word)*);
    };
    (@like $path:literal $($word:tt)*) => {
        setters!(@put (concat!(
            "Sets `", $path, "`, which matches a part of the text in any case. `%` stands for any text, \
             `_` for any character."
        )) $($word)*);
    };
    (@put ($doc:expr) $name:ident [$ty:ty] ($($field:ident)+)) => {
        #[doc = $doc]
        pub fn $name(mut self, $name: impl Into<$ty>) -> Self {
            let value: $ty = $name.into();
            self.note_condition();
            setters!(@set self.request; $($field)+ = value);
            self
        }
    };
    (@any $path:literal $name:ident [$ty:ty] ($($field:ident)+ => $plural:ident)) => {
        setters!(@any $path $name [$ty] ($($field)+));
        setters!(
            @each true
            "An empty list of which one must match matches nothing; for a bulk operation it does not count as a condition."
            $path $plural [$ty] ($($field)+)
        );
    };
    (@any $($word:tt)*) => {
        setters!(@add "one must match" $($word)*);
    };
    (@all $path:literal $name:ident [$ty:ty] ($($field:ident)+ => $plural:ident)) => {
        setters!(@all $path $name [$ty] ($($field)+));
        // All of no values are present everywhere: such a list would be no condition.
        setters!(@each false "An empty list adds no condition." $path $plural [$ty] ($($field)+));
    };
    (@all $($word:tt)*) => {
        setters!(@add "all must be present" $($word)*);
    };
    (@none $($word:tt)*) => {
        setters!(@add "none may match" $($word)*);
    };
    (@each $sends_empty:literal $means:literal $path:literal $name:ident [$ty:ty] ($($field:ident)+)) => {
        #[doc = concat!("Adds values to `", $path, "`, as the method for one does. ", $means)]
        pub fn $name(mut self, $name: impl IntoIterator<Item = impl Into<$ty>>) -> Self {
            let values: Vec<$ty> = $name.into_iter().map(Into::into).collect();
            let is_condition = !values.is_empty();
            if is_condition {
                self.note_condition();
            }
            if is_condition || $sends_empty {
                setters!(@at self.request; $($field)+).extend(values);
            }
            self
        }
    };
    (@add $means:literal $path:literal $name:ident [$ty:ty] ($($field:ident)+)) => {
        #[doc = concat!("Adds a value to `", $path, "`; of several values, ", $means, ".")]
        pub fn $name(mut self, $name: impl Into<$ty>) -> Self {
            self.note_condition();
            setters!(@at self.request; $($field)+).push($name.into());
            self
        }
    };
    (@set $object:expr; $field:ident = $value:ident) => { $object.$field = $value.into() };
    (@set $object:expr; $field:ident $($rest:ident)+ = $value:ident) => {
        setters!(@set value_mut(&mut $object.$field); $($rest)+ = $value)
    };
    (@at $object:expr; $field:ident) => { value_mut(&mut $object.$field) };
    (@at $object:expr; $field:ident $($rest:ident)+) => {
        setters!(@at value_mut(&mut $object.$field); $($rest)+)
    };
}

pub(crate) use {conditions, count, list, pages, parameters, setters};
