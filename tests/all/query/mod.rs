//! Lists, filters and bulk operations.

mod bulk;
mod filters;
mod listing;
