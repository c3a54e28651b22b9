//! `Client::doctor` diagnoses connections that work, and those that do not.

use prefect_sdk::{
    Client, LocalServer,
    client::{Diagnosis, Verdict},
};
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::{Scripted, answering, live, reply};

fn parts(diagnosis: &Diagnosis) -> Vec<(&str, Verdict)> {
    let findings = diagnosis.findings.iter();
    findings
        .map(|finding| (finding.part, finding.verdict))
        .collect()
}

fn assert_bad(diagnosis: &Diagnosis, part: &str, advice: &str) {
    let last = diagnosis.findings.last().expect("a finding");
    assert_eq!(
        (last.part, last.verdict),
        (part, Verdict::Bad),
        "{diagnosis}"
    );
    assert!(last.message.contains(advice), "{diagnosis}");
    assert!(!diagnosis.is_good());
}

fn client(url: &str) -> Client {
    Client::builder().api_url(url).build().expect("a client")
}

#[tokio::test]
async fn a_connection_that_works_is_good_in_all_its_parts() {
    let diagnosis = live().await.doctor().await;
    let good = ["url", "server", "version", "csrf", "api"].map(|part| (part, Verdict::Good));
    assert_eq!(parts(&diagnosis), good, "{diagnosis}");
    assert!(diagnosis.is_good());
    assert_eq!(diagnosis.to_string().lines().count(), 5);
}

#[tokio::test]
async fn a_server_that_is_not_there_cannot_be_reached() {
    let diagnosis = client("http://127.0.0.1:9/api").doctor().await;
    assert_bad(&diagnosis, "server", "Is the server running");
}

#[tokio::test]
async fn a_wrong_password_is_told_from_a_wrong_address() {
    let server = LocalServer::builder()
        .basic_auth("admin:hunter2")
        .start()
        .await
        .expect("a server");
    let wrong = Client::builder()
        .api_url(server.api_url())
        .auth_string("admin:letmein");
    let diagnosis = wrong.build().expect("a client").doctor().await;
    assert_bad(&diagnosis, "credentials", "PREFECT_API_KEY");
    assert!(!diagnosis.to_string().contains("letmein"), "{diagnosis}");
    let diagnosis = client(&format!("{}/v9", server.api_url())).doctor().await;
    assert_bad(&diagnosis, "url", "not that of the API");
    assert!(server.client().expect("a client").doctor().await.is_good());
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn a_client_that_sends_no_tokens_to_a_server_that_wants_them_is_told_so() {
    let server = LocalServer::builder()
        .csrf(true)
        .start()
        .await
        .expect("a server");
    let without = server
        .client_builder()
        .csrf(false)
        .build()
        .expect("a client");
    let diagnosis = without.doctor().await;
    assert_bad(&diagnosis, "csrf", "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED");
    assert!(server.client().expect("a client").doctor().await.is_good());
    server.stop().await.expect("it stops");
}

#[tokio::test]
async fn a_proxys_page_is_recognised() {
    let page = ResponseTemplate::new(200).set_body_raw("<html>log in</html>", "text/html");
    let (client, _server) = answering(page).await;
    assert_bad(&client.doctor().await, "server", "a proxy's login page");
}

#[tokio::test]
async fn another_major_version_is_bad_and_an_older_one_doubtful() {
    for (version, verdict) in [
        ("2.20.3", Verdict::Bad),
        ("3.0.1", Verdict::Doubtful),
        ("?", Verdict::Doubtful),
    ] {
        let off = reply(422, json!({ "detail": "CSRF protection is disabled." }));
        let steps = [
            reply(200, json!(true)),
            reply(200, json!(version)),
            off,
            reply(200, json!(3)),
        ];
        let server = Scripted::start(steps).await;
        let diagnosis = server.client().doctor().await;
        let found = diagnosis
            .findings
            .iter()
            .find(|finding| finding.part == "version");
        assert_eq!(found.expect("a finding").verdict, verdict, "{diagnosis}");
        assert_eq!(diagnosis.is_good(), verdict != Verdict::Bad);
    }
}
