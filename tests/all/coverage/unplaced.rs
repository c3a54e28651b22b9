//! Calls of operations that `cargo xtask update` has added; a person moves them to where they belong.

use super::tour::Tour;

pub async fn visit(tour: &Tour) {
    #[allow(unused_variables, reason = "there may be no such operation")]
    let client = &tour.client;
    // `cargo xtask update` adds calls above this line.
}
