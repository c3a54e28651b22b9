//! How settings affect requests.

use prefect_sdk::{ClientBuilder, settings::Sources};
use uuid::Uuid;

use super::{Folder, load};
use crate::support::{Scripted, flow};

/// The headers of a request by a client with these settings.
async fn headers(sources: Sources) -> crate::support::http::Message {
    let server = Scripted::start([flow()]).await;
    let sources = sources
        .variable("PREFECT_API_URL", &server.url)
        .variable("PREFECT_CLIENT_CSRF_SUPPORT_ENABLED", "false")
        .variable("PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED", "no");
    let client = load(&sources).client_builder().build().expect("a client");
    client.raw().read_flow(&Uuid::new_v4()).await.expect("read");
    server.requests().remove(0)
}

#[tokio::test]
async fn custom_headers_of_all_sources_are_merged_and_protected_ones_ignored() {
    let folder = Folder::new();
    folder
        .file(
            "prefect.toml",
            "[client.custom_headers]\nX-One = 'toml'\nX-Two = 'toml'",
        )
        .profiles(
            "active = 'p'\n[profiles.p]\n\
             PREFECT_CLIENT_CUSTOM_HEADERS = '{\"X-Two\": \"profile\", \"X-Three\": \"profile\"}'",
        );
    let custom = r#"{"x-one": "env", "USER-AGENT": "evil", "Prefect-Csrf-Token": "evil"}"#;
    let sources = folder
        .sources()
        .variable("PREFECT_CLIENT_CUSTOM_HEADERS", custom);
    let settings = load(&sources);
    assert_eq!(settings.warnings().len(), 2, "{:?}", settings.warnings());
    let request = headers(sources).await;
    assert_eq!(request.header("x-one"), Some("env"));
    assert_eq!(request.header("x-two"), Some("toml"));
    assert_eq!(request.header("x-three"), Some("profile"));
    assert_ne!(request.header("user-agent"), Some("evil"));
    assert_eq!(request.header("prefect-csrf-token"), None);
}

#[tokio::test]
async fn a_custom_authorization_wins_over_auth_string_and_key() {
    let sources = Sources::empty()
        .variable("PREFECT_API_KEY", "pnu_1")
        .variable("PREFECT_API_AUTH_STRING", "admin:admin")
        .variable(
            "PREFECT_CLIENT_CUSTOM_HEADERS",
            r#"{"authorization": "Custom x"}"#,
        );
    assert_eq!(
        headers(sources).await.header("authorization"),
        Some("Custom x")
    );
}

/// In Prefect, the context of a live run wins; here, a header that the user sets in the builder.
#[tokio::test]
async fn a_process_that_a_worker_started_says_on_whose_behalf_it_asks() {
    let sources = Sources::empty()
        .variable("PREFECT__FLOW_ID", "f-1")
        .variable("PREFECT__FLOW_NAME", " my flow\t")
        .variable("PREFECT__WORKER_NAME", " ")
        .variable("PREFECT__DEPLOYMENT_NAME", "naïve");
    let request = headers(sources).await;
    assert_eq!(request.header("x-prefect-flow-id"), Some("f-1"));
    assert_eq!(request.header("x-prefect-flow-name"), Some("my flow"));
    assert_eq!(request.header("x-prefect-deployment-name"), Some("naïve"));
    assert_eq!(request.header("x-prefect-worker-name"), None);
    assert_eq!(request.header("x-prefect-worker-id"), None);
    let without = headers(Sources::empty()).await;
    assert!(!without.head.to_ascii_lowercase().contains("x-prefect-flow"));
}

/// The `Authorization` header of a client that is built from these settings with this change.
async fn authorization(
    sources: Sources,
    change: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Option<String> {
    let server = Scripted::start([flow()]).await;
    let builder = load(&sources.variable("PREFECT_API_URL", &server.url)).client_builder();
    let builder = change(builder.csrf(false).version_check(false));
    let client = builder.build().expect("a client");
    client.raw().read_flow(&Uuid::new_v4()).await.expect("read");
    let requests = server.requests();
    requests[0].header("authorization").map(str::to_owned)
}

#[tokio::test]
async fn credentials_of_the_builder_replace_those_of_the_settings_of_whatever_kind() {
    let inherited = [
        ("PREFECT_API_AUTH_STRING", "admin:admin"),
        ("PREFECT_API_KEY", "pnu_1"),
        (
            "PREFECT_CLIENT_CUSTOM_HEADERS",
            r#"{"Authorization": "Custom x"}"#,
        ),
    ];
    for (variable, value) in inherited {
        let sources = || Sources::empty().variable(variable, value);
        let replaced = authorization(sources(), |builder| builder.api_key("pnu_2"));
        assert_eq!(
            replaced.await.as_deref(),
            Some("Bearer pnu_2"),
            "{variable}"
        );
        let none = authorization(sources(), ClientBuilder::no_credentials).await;
        assert_eq!(none, None, "{variable}");
        let kept = authorization(sources(), |builder| {
            builder.api_key("pnu_2").auth_string("a:b")
        });
        assert_eq!(kept.await.as_deref(), Some("Basic YTpi"), "{variable}");
    }
    let empty = authorization(Sources::empty(), |builder| {
        builder.api_key("").auth_string("")
    });
    assert_eq!(empty.await, None, "empty credentials are none");
}

#[tokio::test]
async fn credentials_of_the_settings_stay_with_the_origin_of_their_url() {
    for (url, kept) in [
        ("http://elsewhere/api", false),
        ("http://127.0.0.1/api", false),
    ] {
        let sources = Sources::empty().variable("PREFECT_API_KEY", "pnu_1");
        let moved = authorization(sources, |builder| {
            // The URL is changed and changed back: credentials that were dropped stay dropped.
            let here = format!("{builder:?}");
            let here = here.split('"').nth(1).expect("the URL").to_owned();
            builder.api_url(url).api_url(here)
        });
        assert_eq!(moved.await.is_some(), kept, "{url}");
    }
    let sources = Sources::empty().variable("PREFECT_API_KEY", "pnu_1");
    let same = authorization(sources, |builder| {
        let here = format!("{builder:?}");
        let here = here.split('"').nth(1).expect("the URL").to_owned();
        builder.api_url(format!("{here}/"))
    });
    assert_eq!(same.await.as_deref(), Some("Bearer pnu_1"));
}

/// A header may be a credential, whatever its name.
#[tokio::test]
async fn headers_of_the_settings_stay_with_the_origin_of_their_url() {
    let server = Scripted::start([flow(), flow()]).await;
    let same = server.url.clone();
    for (before, kept) in [("http://elsewhere/api", false), (same.as_str(), true)] {
        let sources = Sources::empty()
            .variable("PREFECT_API_URL", before)
            .variable("PREFECT_CLIENT_CUSTOM_HEADERS", r#"{"Cookie": "hunter2"}"#);
        let builder = load(&sources).client_builder().header("X-Own", "1");
        let builder = builder.api_url(&server.url).csrf(false);
        let client = builder.version_check(false).build().expect("a client");
        client.raw().read_flow(&Uuid::new_v4()).await.expect("read");
        let requests = server.requests();
        let request = requests.last().expect("sent");
        assert_eq!(request.header("x-own"), Some("1"));
        assert_eq!(request.header("cookie").is_some(), kept, "{before}");
    }
}

#[tokio::test]
async fn headers_of_others_are_not_sent_to_the_server_of_a_profile_that_is_asked_for() {
    let server = Scripted::start([flow()]).await;
    let folder = Folder::new();
    folder.profiles(&format!(
        "[profiles.p]\nPREFECT_API_URL = '{}'\nPREFECT_CLIENT_CUSTOM_HEADERS = '{{\"X-Own\": \"1\"}}'",
        server.url
    ));
    let others = r#"{"Cookie": "hunter2", "X-Own": "hunter2"}"#;
    let sources = folder
        .sources()
        .variable("PREFECT_CLIENT_CUSTOM_HEADERS", others);
    let settings = sources.load_profile("p").expect("settings");
    let builder = settings.client_builder().csrf(false).version_check(false);
    let client = builder.build().expect("a client");
    client.raw().read_flow(&Uuid::new_v4()).await.expect("read");
    let request = &server.requests()[0];
    assert_eq!(request.header("x-own"), Some("1"));
    assert!(!request.head.contains("hunter2"), "{}", request.head);
}

#[tokio::test]
async fn the_builder_wins_over_the_settings() {
    let server = Scripted::start([flow()]).await;
    let sources = Sources::empty()
        .variable("PREFECT_API_URL", "http://127.0.0.1:1/api")
        .variable("PREFECT_API_KEY", "pnu_1")
        .variable("PREFECT__FLOW_ID", "settings");
    let client = load(&sources)
        .client_builder()
        .api_url(&server.url)
        .api_key("pnu_2")
        .header("X-Prefect-Flow-Id", "context")
        .csrf(false)
        .version_check(false)
        .build()
        .expect("a client");
    client.raw().read_flow(&Uuid::new_v4()).await.expect("read");
    let request = &server.requests()[0];
    assert_eq!(request.header("authorization"), Some("Bearer pnu_2"));
    assert_eq!(request.header("x-prefect-flow-id"), Some("context"));
}
