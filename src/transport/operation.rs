//! `Operation`: an operation of the API.

/// An operation of the API: the name of its generated method in [`crate::raw`], and its path below the
/// API's URL with its placeholders (`/flows/{id}`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operation(pub &'static str, pub &'static str);

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        self.0
    }

    pub(crate) fn template(self) -> &'static str {
        self.1
    }

    /// Whether the request is about the server itself, and may be sent to a server of any version.
    pub(crate) fn is_probe(self) -> bool {
        matches!(
            self.template(),
            "/admin/version" | "/csrf-token" | "/health" | "/hello" | "/ready" | "/version"
        )
    }
}
