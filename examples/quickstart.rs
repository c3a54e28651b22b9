//! Creates, changes, uses and deletes a concurrency limit on a real Prefect server.
//!
//! With `PREFECT_API_URL` set it uses that server; otherwise it starts one of its own:
//! `cargo run --features local-server --example quickstart`

use prefect_sdk::{Client, LocalServer, Result};
use uuid::Uuid;

#[tokio::main]
async fn main() -> Result<()> {
    // Kept until the end: dropping it stops the server.
    let url = std::env::var_os("PREFECT_API_URL").filter(|url| !url.is_empty());
    let (client, _server) = match url {
        Some(_) => (Client::from_env()?, None),
        None => {
            println!("PREFECT_API_URL is not set: starting a Prefect server …");
            let server = LocalServer::start().await?;
            (server.client()?, Some(server))
        }
    };
    let version = client.version().await?;
    println!("Prefect {version} answers at {}\n", client.api_url());

    let limits = client.concurrency_limits();
    let tag = format!("quickstart-{}", &Uuid::new_v4().to_string()[..8]);

    let limit = limits.create(&tag, 2).await?;
    println!(
        "created   a limit of {} on the tag {:?}",
        limit.concurrency_limit, limit.tag
    );
    let limit = limits.create(&tag, 1).await?;
    println!(
        "changed   it to {}: creating is an upsert",
        limit.concurrency_limit
    );
    let limit = limits.get_by_tag(&tag).await?;
    println!("read      it back; its id is {}", limit.id);
    println!(
        "listed    {} limit(s) on this server",
        limits.list().await?.len()
    );

    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    limits.increment([&tag], first).await?;
    println!("\noccupied  the slot for one task run");
    match limits.increment([&tag], second).await {
        Ok(_) => println!("occupied  a second slot?!"),
        Err(error) if error.is_locked() => {
            println!("refused   another one: {error}");
            println!(
                "          the server asks to wait {:.1?}",
                error.retry_after().unwrap_or_default()
            );
        }
        Err(error) => return Err(error),
    }
    limits.reset_and_free(&tag).await?;
    println!("reset     the tag and freed its slot");
    limits.increment([&tag], second).await?;
    println!("occupied  it for the task run that was refused");
    limits.decrement([&tag], second).await?;
    println!("released  it");

    limits.delete_by_tag(&tag).await?;
    let gone = limits.get_by_tag_opt(&tag).await?.is_none();
    println!("\ndeleted   the limit; gone: {gone}");
    Ok(())
}
