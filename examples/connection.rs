//! Which settings apply here, where they come from, and whether the server answers.
//!
//! `cargo run --example connection`, wherever `prefect` works.

use prefect_sdk::Settings;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::load()?;
    print!("{settings}");
    let client = settings.client_builder().build()?;
    let version = client.raw().read_version().await?;
    println!("{} answers: Prefect {}", client.api_url(), *version);
    Ok(())
}
