//! `AnyRequest`: a request of whatever operation.

use serde_json::Value;

use super::operation::sealed::Sealed;
use super::operation::{Parcel, Parts, Request};

/// A request of whatever operation: see [`TestServer::on_any`](super::TestServer::on_any).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AnyRequest {
    /// The name of the operation: that of its method in [`raw`](crate::raw).
    pub operation: &'static str,
    /// The values of the placeholders in the path.
    pub path: Vec<(&'static str, String)>,
    /// The body; null where there is none.
    pub body: Value,
}

impl Sealed for AnyRequest {}

impl Request for AnyRequest {
    type Reply = Value;

    fn read(parts: &Parts<'_>) -> Result<Self, String> {
        Ok(Self {
            operation: parts.0.operation,
            path: parts.0.path.to_vec(),
            body: parts.body()?,
        })
    }

    fn write(reply: Value) -> Parcel {
        Parcel::json(&reply)
    }
}
