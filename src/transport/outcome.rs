//! `Outcome`: what a successful attempt leaves to the caller.

use bytes::Bytes;
use reqwest::{Response, StatusCode};

use super::raw_reply::RawReply;

/// How the body of a successful reply is read.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum BodyMode {
    Complete,
    Stream,
}

/// A successful reply, read in the mode that was asked for.
pub(super) enum Outcome {
    Complete(RawReply),
    Stream(BegunStream),
}

/// A streamed reply and its first part, unless it is empty.
pub(super) struct BegunStream {
    pub response: Response,
    pub first: Option<Bytes>,
}

impl Outcome {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Complete(reply) => reply.status,
            Self::Stream(begun) => begun.response.status(),
        }
    }

    pub(super) fn into_reply(self) -> RawReply {
        match self {
            Self::Complete(reply) => reply,
            Self::Stream(_) => unreachable!("the whole body was requested"),
        }
    }

    pub(super) fn into_stream(self) -> BegunStream {
        match self {
            Self::Stream(begun) => begun,
            Self::Complete(_) => unreachable!("a stream was requested"),
        }
    }
}
