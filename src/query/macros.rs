//! What the generated handles say of their queries: how each is sent, and what it can say.

/// A query whose answer is a list, page by page with an offset: all of its items.
macro_rules! list {
    ($request:ident $operation:ident ($($within:ident: $ty:ty),*) $item:ty) => {
        impl Listing for $request {
            type Item = $item;

            fn page(
                mut self,
                raw: Arc<raw::Client>,
                ($($within,)*): Self::Within,
                at: Position,
                limit: Option<i64>,
            ) -> Pending<'static, Page<$item>> {
                let offset = at.offset();
                (self.offset, self.limit) = (Some(offset), limit);
                Box::pin(async move {
                    let reply = raw.$operation($(&$within,)* &self).await?;
                    Ok(Page::at_offset(offset, reply.into_inner()))
                })
            }
        }

        impl Question for $request {
            type Within = ($($ty,)*);
            type Answer = Vec<$item>;

            fn ask(query: Query<'_, Self>) -> Pending<'static, Vec<$item>> {
                query.collect()
            }
        }
    };
}

/// A query whose answer is one page of many, found by its number.
macro_rules! pages {
    ($request:ident $operation:ident ($($within:ident: $ty:ty),*) $reply:ty { $items:ident $field:ident: $item:ty }) => {
        impl Listing for $request {
            type Item = $item;

            // Of another size, the page of a number is another one.
            const STREAMED: Option<usize> = None;
            const RESIZABLE: bool = false;

            fn page(
                mut self,
                raw: Arc<raw::Client>,
                ($($within,)*): Self::Within,
                at: Position,
                limit: Option<i64>,
            ) -> Pending<'static, Page<$item>> {
                self.page = Some(at.number().or(self.page).unwrap_or(1));
                self.limit = self.limit.or(limit);
                Box::pin(async move {
                    let reply = raw.$operation($(&$within,)* &self).await?.into_inner();
                    let items = pages!(@ $items reply.$field);
                    Ok(Page::numbered(reply.page, reply.pages, items))
                })
            }
        }

        impl Question for $request {
            type Within = ($($ty,)*);
            type Answer = $reply;

            fn ask(query: Query<'_, Self>) -> Pending<'static, $reply> {
                let limit = query.items_at_a_time();
                let Query { client, within: ($($within,)*), mut request, .. } = query;
                request.limit = request.limit.or(limit);
                let raw = client.shared_raw();
                Box::pin(async move {
                    Ok(raw.$operation($(&$within,)* &request).await?.into_inner())
                })
            }
        }
    };
    (@ always $items:expr) => { $items };
    (@ maybe $items:expr) => { $items.unwrap_or_default() };
}

/// A query whose answer is a number.
macro_rules! count {
    ($request:ident $operation:ident () $reply:ty) => {
        impl Question for $request {
            type Within = ();
            type Answer = $reply;

            fn ask(query: Query<'_, Self>) -> Pending<'static, $reply> {
                let Query {
                    client, request, ..
                } = query;
                let raw = client.shared_raw();
                Box::pin(async move { Ok(raw.$operation(&request).await?.into_inner()) })
            }
        }
    };
}

/// All conditions that bulk work can have.
macro_rules! conditions {
    ($request:ident [$($path:literal),*]) => {
        impl Conditions for $request {
            const PATHS: &'static [&'static str] = &[$($path),*];
        }
    };
}

/// The words of a query or of bulk work: `field` sets one of the request; `one` sets what
/// a path through its fields leads to; `any`, `all` and `none` add to a list there.
macro_rules! setters {
    ($builder:ident $request:ident {
        $($how:ident $path:literal $name:ident [$($ty:tt)*] $(($($field:ident)+))?,)*
    }) => {
        impl $builder<'_, $request> {
            $(setters!(@$how $path $name [$($ty)*] $(($($field)+))?);)*
        }
    };

    (@field $key:literal $name:ident [$ty:ty]) => {
        #[doc = concat!("Sets `", $key, "` of the request as a whole. Say it before words that are about it: a query forgets what was said of it before, and bulk work refuses to.")]
        pub fn $name(mut self, $name: impl Into<$ty>) -> Self {
            let value: $ty = $name.into();
            self.says_filter(self.request.$name.is_some());
            self.request.$name = value.into();
            self
        }
    };
    (@one $path:literal $($word:tt)*) => {
        setters!(@put (concat!("Sets `", $path, "`.")) $($word)*);
    };
    (@like $path:literal $($word:tt)*) => {
        setters!(@put (concat!(
            "Sets `", $path, "`: a part of it, in whatever case. `%` stands for any text, `_` for any character."
        )) $($word)*);
    };
    (@put ($doc:expr) $name:ident [$ty:ty] ($($field:ident)+)) => {
        #[doc = $doc]
        pub fn $name(mut self, $name: impl Into<$ty>) -> Self {
            let value: $ty = $name.into();
            self.says_word();
            setters!(@set self.request; $($field)+ = value);
            self
        }
    };
    (@any $($word:tt)*) => {
        setters!(@add "one of them is enough" $($word)*);
    };
    (@all $($word:tt)*) => {
        setters!(@add "all must be there" $($word)*);
    };
    (@none $($word:tt)*) => {
        setters!(@add "it is none of them" $($word)*);
    };
    (@add $means:literal $path:literal $name:ident [$ty:ty] ($($field:ident)+)) => {
        #[doc = concat!("Adds to `", $path, "`: said several times, ", $means, ".")]
        pub fn $name(mut self, $name: impl Into<$ty>) -> Self {
            self.says_word();
            setters!(@at self.request; $($field)+).push($name.into());
            self
        }
    };
    (@set $object:expr; $field:ident = $value:ident) => { $object.$field = $value.into() };
    (@set $object:expr; $field:ident $($rest:ident)+ = $value:ident) => {
        setters!(@set slot(&mut $object.$field); $($rest)+ = $value)
    };
    (@at $object:expr; $field:ident) => { slot(&mut $object.$field) };
    (@at $object:expr; $field:ident $($rest:ident)+) => {
        setters!(@at slot(&mut $object.$field); $($rest)+)
    };
}

pub(crate) use {conditions, count, list, pages, setters};
