//! All operations of the API, for the rules and the requests of a [`TestServer`](super::TestServer).
//!
//! Each operation is a constant, named as its method in [`raw`](crate::raw), and has a type for its requests: the placeholders of the
//! path and the parameters of the query by name, and the decoded body.
//!
//! ```
//! use prefect_sdk::testing::op;
//!
//! assert_eq!(op::read_flow_run.method(), "GET");
//! assert_eq!(op::read_flow_run.path(), "/flow_runs/{id}");
//! ```

#![allow(non_upper_case_globals, reason = "an operation is named as its method")]
#![allow(
    missing_docs,
    reason = "the fields are the document's own: crate::raw describes the operations"
)]

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::operation::sealed::Sealed;
use super::operation::{Op, Parcel, Parts, Request};
use crate::types::*;

macro_rules! operations {
    ($(
        $name:ident $request:ident $method:literal $path:literal
        path { $($path_key:literal $path_field:ident [$($path_ty:tt)*],)* }
        query { $($query_key:literal $query_field:ident [$($query_ty:tt)*],)* }
        body [$($body:tt)*] reply [$($reply:tt)*],
    )*) => {
        $(
            #[doc = concat!("`", $method, " ", $path, "`: [`", stringify!($name), "`](crate::raw::Client::", stringify!($name), ").")]
            pub const $name: Op<$request> = Op::new(stringify!($name), $method, $path);

            #[doc = concat!("A request of [`", stringify!($name), "`].")]
            #[derive(Clone, Debug)]
            #[non_exhaustive]
            pub struct $request {
                $(pub $path_field: $($path_ty)*,)*
                $(pub $query_field: Option<$($query_ty)*>,)*
                pub body: $($body)*,
            }

            impl Request for $request {
                type Reply = $($reply)*;

                fn read(parts: &Parts<'_>) -> Result<Self, String> {
                    Ok(Self {
                        $($path_field: parts.placeholder($path_key)?,)*
                        $($query_field: parts.parameter($query_key)?,)*
                        body: parts.body()?,
                    })
                }

                fn write(reply: Self::Reply) -> Parcel {
                    operations!(@write reply $($reply)*)
                }
            }

            impl Sealed for $request {}
        )*

        /// All operations: name, method, path.
        pub(super) const ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $method, $path)),*];
    };

    (@write $reply:ident ()) => {{
        let () = $reply;
        Parcel::nothing()
    }};
    (@write $reply:ident Bytes) => { Parcel::bytes(&$reply) };
    (@write $reply:ident $($ty:tt)*) => { Parcel::json(&$reply) };
}

include!(concat!(env!("OUT_DIR"), "/operations.rs"));
