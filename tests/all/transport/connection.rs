//! TLS, proxies and authentication, with a real server.

use std::path::Path;
use std::process::{Command, Stdio};

use prefect_sdk::types::FlowCreate;
use prefect_sdk::{Client, ClientBuilder, LocalServer, settings::Sources};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{Authority, ForwardProxy, live, unique};

/// The builder of a client that reaches the live server through TLS.
async fn behind_tls(authority: &Authority) -> ClientBuilder {
    let server = live().await;
    let url = authority.front(server.api_url()).await;
    Client::builder().api_url(url).no_proxy()
}

async fn create_flow(client: &Client) -> prefect_sdk::Result<()> {
    let flow = FlowCreate::new(unique("connection"));
    client.raw().create_flow(&flow).await.map(drop)
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_its_file_is_given() {
    let authority = Authority::new();
    let builder = behind_tls(&authority).await;
    let client = builder.ca_file(&authority.ca_file).build();
    create_flow(&client.expect("a client"))
        .await
        .expect("created");
}

#[tokio::test]
async fn a_private_authority_is_not_trusted_by_itself_and_neither_is_another() {
    let (authority, other) = (Authority::new(), Authority::new());
    let builder = behind_tls(&authority).await;
    for builder in [builder.clone(), builder.ca_file(&other.ca_file)] {
        let error = create_flow(&builder.build().expect("a client")).await;
        let error = error.expect_err("not trusted");
        assert!(
            error.is_connection() && !error.may_have_happened(),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn verification_can_be_switched_off() {
    let authority = Authority::new();
    let builder = behind_tls(&authority).await;
    let client = builder.danger_skip_tls_verification(true).build();
    create_flow(&client.expect("a client"))
        .await
        .expect("created");
}

#[tokio::test]
async fn the_settings_name_the_certificates_and_so_does_ssl_cert_file() {
    let (authority, server) = (Authority::new(), live().await);
    let url = authority.front(server.api_url()).await;
    let file = authority.ca_file.display().to_string();
    for variable in ["PREFECT_API_SSL_CERT_FILE", "SSL_CERT_FILE"] {
        let sources = Sources::empty().variable("PREFECT_API_URL", &url);
        let settings = sources.variable(variable, &file).load().expect("settings");
        let client = settings
            .client_builder()
            .no_proxy()
            .build()
            .expect("a client");
        create_flow(&client).await.expect(variable);
    }
}

#[test]
fn certificates_that_are_none_are_a_configuration_error() {
    let builder = Client::builder().api_url("https://h/api");
    for path in [
        "/nowhere/ca.pem",
        concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
    ] {
        let error = builder
            .clone()
            .ca_file(path)
            .build()
            .expect_err("no certificates");
        assert!(
            error.is_configuration() && error.to_string().contains(path),
            "{error}"
        );
        // Without TLS the certificates are not needed.
        let plain = builder
            .clone()
            .api_url("http://h/api")
            .ca_file(path)
            .build();
        plain.expect("a client");
    }
}

/// A server that speaks only HTTP/2; Prefect's own speaks it only behind another server.
async fn http2_server(authority: &Authority) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let acceptor = authority.acceptor(&["h2"]);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let response = http::Response::builder()
                    .header("content-type", "application/json")
                    .body(())
                    .expect("a response");
                let mut body = respond.send_response(response, false).expect("sent");
                body.send_data(json!("hi").to_string().into(), true)
                    .expect("sent");
            }
        }
    });
    format!("https://{address}/api")
}

#[tokio::test]
async fn http2_is_spoken_when_it_is_asked_for_and_only_then() {
    let authority = Authority::new();
    let url = http2_server(&authority).await;
    let builder = Client::builder()
        .api_url(url)
        .no_proxy()
        .ca_file(&authority.ca_file);
    let client = |http2| builder.clone().http2(http2).build().expect("a client");
    client(true).raw().hello().await.expect("HTTP/2");
    client(false)
        .raw()
        .hello()
        .await
        .expect_err("the server speaks only HTTP/2");
}

#[tokio::test]
async fn requests_go_through_a_proxy_and_tell_it_its_own_password_only() {
    let server = live().await;
    let proxy = ForwardProxy::start().await;
    let client = Client::builder()
        .api_url(server.api_url())
        .api_key("pnu_1")
        .proxy(format!("http://joe:hunter2@{}", proxy.address))
        .build()
        .expect("a client");
    create_flow(&client).await.expect("created");
    let requests = proxy.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.target().starts_with("http://"))
    );
    let authorization = requests[0].header("proxy-authorization");
    assert_eq!(authorization, Some("Basic am9lOmh1bnRlcjI="));
    assert_eq!(requests[0].header("authorization"), Some("Bearer pnu_1"));
}

#[tokio::test]
async fn with_tls_a_proxy_learns_the_host_and_no_more() {
    let authority = Authority::new();
    let builder = behind_tls(&authority).await;
    let proxy = ForwardProxy::start().await;
    let client = builder
        .proxy(format!("http://{}", proxy.address))
        .ca_file(&authority.ca_file)
        .api_key("pnu_1")
        .build();
    create_flow(&client.expect("a client"))
        .await
        .expect("created");
    let requests = proxy.requests();
    assert_eq!(requests[0].method(), "CONNECT");
    assert!(
        requests
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
}

#[test]
fn a_proxy_that_is_none_is_a_configuration_error_without_its_password() {
    let builder = Client::builder().api_url("http://h/api");
    let error = builder
        .proxy("http://joe:hunter2@[")
        .build()
        .expect_err("no URL");
    assert!(error.is_configuration(), "{error}");
    assert!(
        !format!("{error:?}{error}").contains("hunter2"),
        "{error:?}"
    );
}

/// The environment belongs to a whole process, so this runs an example as a separate one.
#[tokio::test]
async fn the_environment_names_the_proxy() {
    let server = live().await;
    let proxy = ForwardProxy::start().await;
    let run = |variable: &'static str| {
        let (url, proxy) = (server.api_url().to_owned(), proxy.address.clone());
        let run = move || {
            Command::new(env!("CARGO"))
                .args([
                    "run",
                    "--quiet",
                    "--all-features",
                    "--example",
                    "connection",
                ])
                .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
                .env_remove("NO_PROXY")
                .env_remove("no_proxy")
                .env("PREFECT_API_URL", url)
                .env(variable, format!("http://{proxy}"))
                .stdin(Stdio::null())
                .output()
                .expect("cargo")
        };
        tokio::task::spawn_blocking(run)
    };
    let output = run("HTTP_PROXY").await.expect("no panic");
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{failed}");
    assert!(
        said.contains("PREFECT_API_URL") && said.contains("the environment"),
        "{said}"
    );
    assert!(said.contains(LocalServer::DEFAULT_VERSION), "{said}");
    let asked = proxy.requests().len();
    assert!(asked > 0, "not through the proxy");
    // A proxy for another scheme is not used.
    assert!(run("HTTPS_PROXY").await.expect("no panic").status.success());
    assert_eq!(proxy.requests().len(), asked);
}

#[tokio::test]
async fn basic_authentication_is_passed_and_its_absence_told() {
    let server = LocalServer::builder().basic_auth("admin:hunter2");
    let server = server.start().await.expect("a server");
    create_flow(&server.client().expect("a client"))
        .await
        .expect("created");
    let sources = Sources::empty()
        .variable("PREFECT_API_URL", server.api_url())
        .variable("PREFECT_API_KEY", "pnu_1");
    let settings = sources
        .clone()
        .variable("PREFECT_API_AUTH_STRING", "admin:hunter2");
    let settings = settings.load().expect("settings");
    let client = settings
        .client_builder()
        .no_proxy()
        .build()
        .expect("a client");
    create_flow(&client).await.expect("the auth string wins");

    let stranger = sources
        .load()
        .expect("settings")
        .client_builder()
        .no_proxy();
    let error = create_flow(&stranger.build().expect("a client")).await;
    let error = error.expect_err("a key is of no use here");
    assert_eq!(
        error.kind(),
        prefect_sdk::ErrorKind::Unauthorized,
        "{error}"
    );
}
