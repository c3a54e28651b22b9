//! Prints which settings apply here, where they come from, and what, if anything, is wrong with the
//! connection.
//!
//! Run `cargo run --example connection` wherever `prefect` works.

use prefect_sdk::Settings;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::load()?;
    print!("{settings}");
    let client = settings.client_builder().build()?;
    println!("{}", client.doctor().await);
    Ok(())
}
