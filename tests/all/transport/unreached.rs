//! What an error says when the server is not reached, or is not one.

use prefect_sdk::settings::Sources;
use prefect_sdk::{Client, ClientBuilder, Error, RetryPolicy};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;

use crate::support::{Authority, Scripted, answering, certificate_for, live, plain, refusal};

/// The error of a call, which is retried as usual, and its text.
async fn failure(builder: ClientBuilder) -> (Error, String) {
    let client = builder.no_proxy().build().expect("a client");
    let error = client.raw().hello().await.expect_err("it must fail");
    let said = error.to_string();
    let diagnosis = client.doctor().await.to_string();
    let reason = said.rsplit(": ").next().expect("a reason");
    assert!(diagnosis.contains(reason), "{diagnosis} lacks {reason}");
    (error, said)
}

async fn behind_tls(authority: &Authority) -> ClientBuilder {
    let url = authority.front(live().await.api_url()).await;
    Client::builder().api_url(url)
}

fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{said:?} lacks {part:?}");
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_when_it_is_named() {
    let authority = Authority::self_signed(certificate_for("127.0.0.1"));
    let url = authority.front(live().await.api_url()).await;
    let file = authority.ca_file.display().to_string();
    for variable in ["PREFECT_API_SSL_CERT_FILE", "SSL_CERT_FILE"] {
        let sources = Sources::empty().variable("PREFECT_API_URL", &url);
        let settings = sources.variable(variable, &file).load().expect("settings");
        let client = settings.client_builder().no_proxy().build();
        let client = client.expect("a client");
        client.raw().hello().await.expect(variable);
    }
    let (error, said) = failure(behind_tls(&authority).await).await;
    assert!(error.is_connection() && !error.may_have_happened());
    assert_says(
        &said,
        &[
            "127.0.0.1:",
            "is not that of a server",
            "PREFECT_API_SSL_CERT_FILE",
        ],
    );
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_for_its_own_name_and_time_only() {
    let other = Authority::self_signed(certificate_for("other.example"));
    let builder = behind_tls(&other).await.ca_file(&other.ca_file);
    let (_, said) = failure(builder).await;
    assert_says(&said, &["is for other.example, not 127.0.0.1"]);

    let mut params = certificate_for("127.0.0.1");
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let expired = Authority::self_signed(params);
    let builder = behind_tls(&expired).await.ca_file(&expired.ca_file);
    let (_, said) = failure(builder).await;
    assert_says(&said, &["has expired"]);

    let stranger = Authority::new();
    let (_, said) = failure(behind_tls(&stranger).await).await;
    assert_says(&said, &["unknown issuer", "PREFECT_API_SSL_CERT_FILE"]);

    // One that is not given is not trusted because another one is.
    let (given, used) = (
        Authority::self_signed(certificate_for("127.0.0.1")),
        Authority::self_signed(certificate_for("127.0.0.1")),
    );
    let builder = behind_tls(&used).await.ca_file(&given.ca_file);
    failure(builder).await;
}

#[tokio::test]
async fn a_certificate_that_was_issued_is_checked_in_the_same_way() {
    let authority = Authority::issuing(certificate_for("other.example"));
    let builder = behind_tls(&authority).await.ca_file(&authority.ca_file);
    let (_, said) = failure(builder).await;
    assert_says(&said, &["is for other.example, not 127.0.0.1"]);

    let mut params = certificate_for("127.0.0.1");
    params.not_before = rcgen::date_time_ymd(2200, 1, 1);
    params.not_after = rcgen::date_time_ymd(2300, 1, 1);
    let future = Authority::issuing(params);
    let (_, said) = failure(behind_tls(&future).await.ca_file(&future.ca_file)).await;
    assert_says(&said, &["is not valid yet"]);
}

#[tokio::test]
async fn pem_files_are_read_as_openssl_reads_them() {
    let authority = Authority::new();
    let pem = std::fs::read_to_string(&authority.ca_file).expect("PEM");
    let trusted = openssl_trusted(&pem);
    for (what, text) in [
        ("a byte order mark", format!("\u{feff}{pem}")),
        ("what it is trusted for", trusted),
        (
            "a comment and Windows's line ends",
            format!("# mine\r\n{}", pem.replace('\n', "\r\n")),
        ),
    ] {
        std::fs::write(&authority.ca_file, text).expect("written");
        let builder = behind_tls(&authority).await.ca_file(&authority.ca_file);
        let client = builder.no_proxy().build().expect(what);
        client.raw().hello().await.expect(what);
    }
}

/// The certificate in the form of `openssl x509 -trustout`, which has an (empty) sequence after it.
fn openssl_trusted(pem: &str) -> String {
    use base64::Engine as _;

    let base64 = base64::engine::general_purpose::STANDARD;
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let mut der = base64.decode(lines.collect::<String>()).expect("base64");
    der.extend([0x30, 0x00]);
    let label = "TRUSTED CERTIFICATE-----";
    format!(
        "-----BEGIN {label}\n{}\n-----END {label}\n",
        base64.encode(der)
    )
}

#[test]
fn a_file_that_is_not_there_is_named_with_its_variable_unless_nothing_needs_it() {
    for variable in ["PREFECT_API_SSL_CERT_FILE", "SSL_CERT_FILE"] {
        let sources = |url: &str| {
            let sources = Sources::empty().variable("PREFECT_API_URL", url);
            sources.variable(variable, "/nowhere/ca.pem")
        };
        let client = |url: &str| {
            sources(url)
                .load()
                .expect("settings")
                .client_builder()
                .build()
        };
        client("http://h/api").expect("no certificates are needed");
        let said = client("https://h/api").expect_err("no file").to_string();
        assert_says(&said, &[variable, "/nowhere/ca.pem"]);
    }
}

#[tokio::test]
async fn a_port_where_nothing_listens_is_named() {
    let (_, said) = failure(Client::builder().api_url("http://127.0.0.1:9/api")).await;
    assert_says(&said, &["127.0.0.1:9", "connection refused"]);
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_named() {
    let (_, said) = failure(Client::builder().api_url("http://no-such-host.invalid/api")).await;
    assert_says(&said, &["no-such-host.invalid:80", "lookup"]);
}

#[tokio::test]
async fn https_on_a_port_without_tls_is_noticed() {
    let url = live().await.api_url().replace("http://", "https://");
    let (_, said) = failure(Client::builder().api_url(url)).await;
    assert_says(
        &said,
        &["does not speak TLS", "http:// instead of https://"],
    );
}

/// It is not retried: with the usual waits it would take a minute.
#[tokio::test]
async fn http_on_a_port_with_tls_is_noticed_at_once() {
    let authority = Authority::new();
    let url = authority.front(live().await.api_url()).await;
    let url = url.replace("https://", "http://");
    let (error, said) = failure(plain(&url)).await;
    assert_says(&said, &["speaks TLS", "https:// instead of http://"]);
    assert_eq!(error.attempts(), 1, "{error:?}");
    assert!(!error.may_have_happened());
}

/// A server that breaks connections for another reason is asked again.
#[tokio::test]
async fn a_server_without_tls_that_closes_connections_is_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/api", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 64]).await;
        }
    });
    let (error, said) = failure(plain(&url)).await;
    assert_says(&said, &["broke"]);
    assert_eq!(error.attempts(), 6, "{error:?}");
}

#[tokio::test]
async fn a_404_names_the_object() {
    let client = live().await;
    let id = uuid::Uuid::new_v4();
    let error = client.raw().read_flow(&id).await.expect_err("missing");
    assert!(error.is_not_found());
    assert_says(
        &error.to_string(),
        &["Flow not found", &format!("GET /api/flows/{id}")],
    );
}

#[tokio::test]
async fn a_401_says_what_to_do_and_nothing_twice() {
    let unauthorized = ResponseTemplate::new(401);
    let unauthorized = unauthorized.set_body_json(json!({"exception_message": "Unauthorized"}));
    let (client, _server) = answering(unauthorized).await;
    let error = client.raw().hello().await.expect_err("unauthorized");
    let said = error.to_string();
    assert_eq!(said.matches("Unauthorized").count(), 1, "{said}");
    assert_says(&said, &["PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"]);
    let diagnosis = client.doctor().await.to_string();
    assert!(
        diagnosis.matches("PREFECT_API_KEY").count() <= 1,
        "{diagnosis}"
    );
}

/// The server is not to blame when its proxy is down.
#[tokio::test]
async fn a_proxy_that_is_down_is_named() {
    let proxy = "127.0.0.1:9";
    let builder = Client::builder().api_url("http://prefect.example:4200/api");
    let builder = builder.retry(RetryPolicy::none());
    let client = builder
        .proxy(format!("http://joe:hunter2@{proxy}"))
        .build()
        .expect("a client");
    let error = client.raw().hello().await.expect_err("no proxy");
    let said = error.to_string();
    let through = format!("prefect.example:4200 cannot be reached through the proxy {proxy}: ");
    assert_says(&said, &[&through, "connection refused"]);
    assert!(!said.contains("hunter2"), "{said}");
}

/// A server may have any path (`PREFECT_SERVER_API_BASE_PATH`), so that one without `/api` is only doubtful.
#[tokio::test]
async fn when_no_api_answers_at_a_path_without_api_the_error_says_so() {
    let root = live().await.api_url().replace("/api", "");
    let builder = Client::builder()
        .api_url(&root)
        .version_check(false)
        .csrf(false);
    let client = builder.build().expect("a client");
    let error = client.raw().read_flow(&uuid::Uuid::new_v4()).await;
    let said = error.expect_err("not the API").to_string();
    assert_says(
        &said,
        &["no /api in its path", &format!("{root}/api may be meant")],
    );
}

/// The CSRF token and the version are a part of the call, whose policy holds for them too.
#[tokio::test]
async fn what_a_call_asks_for_first_is_retried_by_its_own_policy() {
    for (policy, attempts) in [
        (RetryPolicy::none(), 1),
        (RetryPolicy::default().attempts(3), 3),
    ] {
        let server = Scripted::start([refusal(502)]).await;
        let client = server.builder().csrf(true).version_check(true);
        let client = client.build().expect("a client").with_retry(policy);
        let body = prefect_sdk::types::FlowCreate::new("etl");
        let error = client.raw().create_flow(&body).await.expect_err("502");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(502));
        assert_eq!(error.attempts(), 0, "the call itself was not sent");
        let requests = server.requests();
        let tokens = requests
            .iter()
            .filter(|request| request.target().contains("/csrf-token"));
        assert_eq!(tokens.count(), attempts, "{requests:?}");
    }
}
