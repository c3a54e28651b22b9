//! `Op`: an operation, and `Request`: a request of it, decoded.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fake::{Call, Reply};

/// An operation of the API: one of the constants in [`op`](super::op).
pub struct Op<R> {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    request: PhantomData<fn() -> R>,
}

impl<R> Op<R> {
    pub(super) const fn new(name: &'static str, method: &'static str, path: &'static str) -> Self {
        Self {
            name,
            method,
            path,
            request: PhantomData,
        }
    }

    /// The name of its method in [`raw`](crate::raw).
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its HTTP method.
    pub const fn method(&self) -> &'static str {
        self.method
    }

    /// Its path below the URL of the API, with placeholders.
    pub const fn path(&self) -> &'static str {
        self.path
    }
}

impl<R> Clone for Op<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Op<R> {}

impl<R> fmt::Debug for Op<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.method, self.path, self.name)
    }
}

/// A request of one operation, decoded. The types are those in [`op`](super::op); no other can be written.
pub trait Request: sealed::Sealed + Sized {
    /// What the operation returns.
    type Reply;

    /// Reads a request.
    #[doc(hidden)]
    fn read(parts: &Parts<'_>) -> Result<Self, String>;

    /// Writes a reply.
    #[doc(hidden)]
    fn write(reply: Self::Reply) -> Parcel;
}

/// The parts of a request.
#[doc(hidden)]
pub struct Parts<'a>(pub(super) &'a Call<'a>);

impl fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.operation)
    }
}

impl Parts<'_> {
    #[doc(hidden)]
    pub fn placeholder<T: FromStr>(&self, name: &str) -> Result<T, String> {
        let text = self.0.text(name);
        let value = text.parse();
        value.map_err(|_| format!("`{text}` is no value of {{{name}}}"))
    }

    #[doc(hidden)]
    pub fn parameter<T: FromStr>(&self, name: &str) -> Result<Option<T>, String> {
        let Some(text) = self.0.query(name) else {
            return Ok(None);
        };
        let value = text.parse().map(Some);
        value.map_err(|_| format!("`{text}` is no value of the parameter {name}"))
    }

    #[doc(hidden)]
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, String> {
        // A request without a body is null: `()`.
        let body = if self.0.body.is_empty() {
            b"null"
        } else {
            self.0.body
        };
        let mut read = serde_json::Deserializer::from_slice(body);
        serde_path_to_error::deserialize(&mut read).map_err(|error| format!("body: {error}"))
    }
}

/// A reply on its way to the wire.
#[doc(hidden)]
#[derive(Debug)]
pub struct Parcel(pub(super) Reply);

impl Parcel {
    #[doc(hidden)]
    pub fn json(value: &impl Serialize) -> Self {
        Self(Reply::ok(value))
    }

    #[doc(hidden)]
    pub fn bytes(bytes: &Bytes) -> Self {
        let mut reply = Reply::text("text/plain; charset=utf-8", "");
        reply.body = bytes.to_vec();
        Self(reply)
    }

    #[doc(hidden)]
    pub fn nothing() -> Self {
        Self(Reply::no_content())
    }
}

pub(super) mod sealed {
    /// Only the generated types are requests.
    pub trait Sealed {}
}
