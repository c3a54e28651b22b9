//! A process of its own: what is shown here is about a whole process.

use prefect_sdk::Client;

#[test]
fn the_program_can_install_its_own_cryptography_after_it_has_built_a_client() {
    let builder = Client::builder().api_url("https://127.0.0.1:1/api");
    let client = builder.build().expect("a client");
    let installed = rustls::crypto::ring::default_provider().install_default();
    installed.expect("the client has installed none");
    drop(client);
}
