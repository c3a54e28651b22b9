//! Tests of `prefect_sdk::testing`.

mod cassette;
mod clock;
mod differential;
mod recordings;
mod rules;
