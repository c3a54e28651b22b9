//! The client as a whole: its diagnosis, its protection of secrets, and its end.

mod doctor;
mod secrets;
mod shutdown;

use prefect_sdk::Client;

#[test]
fn the_client_is_cheap_to_clone_and_crosses_threads() {
    fn requires<T: Clone + Send + Sync + 'static>() {}
    requires::<Client>();
    assert!(size_of::<Client>() <= 4 * size_of::<usize>());
}
