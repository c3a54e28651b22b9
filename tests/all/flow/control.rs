//! The control channel of a supervisor, which this test is.

use std::process::Child;

use prefect_sdk::Client;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use uuid::Uuid;

use super::process::{ended, start, until_running};
use super::states;
use crate::support::{BUSY_TIMEOUT, live};

const HELLO: [u8; 5] = [0x00, 0x50, 0x46, 0x02, 0x01];

/// Reads the next byte; `None` if the program is gone.
async fn byte(stream: &mut TcpStream) -> Option<u8> {
    let read = timeout(BUSY_TIMEOUT, stream.read_u8()).await;
    read.expect("in time").ok()
}

/// Accepts the program, which has to greet, and answers the greeting.
async fn accept(listener: &TcpListener, answer: &[u8]) -> TcpStream {
    let accepted = timeout(BUSY_TIMEOUT, listener.accept()).await;
    let (mut stream, _) = accepted.expect("in time").expect("a program");
    // Before anything else: the program does not wait long.
    stream.write_all(answer).await.expect("answered");
    let mut greeting = vec![0; "secret\n".len() + HELLO.len()];
    stream.read_exact(&mut greeting).await.expect("a greeting");
    assert_eq!(greeting, [b"secret\n".as_slice(), &HELLO].concat());
    stream
}

/// Has a run cancelled over the channel. Returns its program, the run, and the channel, on which the receipt has begun.
async fn cancelled(client: &Client) -> (Child, Uuid, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port().to_string();
    let control = [
        ("PREFECT__CONTROL_PORT", port.as_str()),
        ("PREFECT__CONTROL_TOKEN", "secret"),
    ];
    // On a busy machine the greeting may be answered too late, so that the program offers no receipt; but not each time.
    for _ in 0..5 {
        let (program, run) = start(client, "wait", &control).await;
        let mut stream = accept(&listener, &HELLO).await;
        until_running(client, run).await;
        stream.write_all(b"c").await.expect("cancelled");
        assert_eq!(byte(&mut stream).await, Some(b'a'));
        match byte(&mut stream).await {
            Some(first) => {
                assert_eq!(first, 0x01);
                return (program, run, stream);
            }
            None => {
                ended(program).await;
            }
        }
    }
    panic!("no receipt is offered");
}

#[tokio::test]
async fn a_supervisor_cancels_without_a_signal_and_gets_a_receipt() {
    let client = live().await;
    let (program, run, mut stream) = cancelled(&client).await;
    let mut length = [0; 4];
    stream.read_exact(&mut length).await.expect("a length");
    let mut receipt = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut receipt).await.expect("a receipt");
    stream.write_all(&[0x02]).await.expect("acknowledged");
    let receipt: Value = serde_json::from_slice(&receipt).expect("JSON");
    assert_eq!(receipt["disposition"], "STATE_REPORTED");
    assert_eq!(receipt["state_type"], "CANCELLED");
    let state = client
        .flow_runs()
        .handle(run)
        .state()
        .await
        .expect("a state");
    assert_eq!(receipt["state_id"], state.id.to_string());
    assert_eq!(ended(program).await.code(), Some(0));
    assert_eq!(
        states(&client, run).await,
        ["Pending", "Running", "Cancelled"]
    );
    let run = client.flow_runs().get(run).await.expect("there");
    assert!(run.infrastructure_pid.is_none(), "the supervisor writes it");
}

#[tokio::test]
async fn a_supervisor_that_knows_no_receipts_gets_none() {
    let client = live().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port().to_string();
    let control = [
        ("PREFECT__CONTROL_PORT", port.as_str()),
        ("PREFECT__CONTROL_TOKEN", "secret"),
    ];
    let (program, run) = start(&client, "", &control).await;
    let mut stream = accept(&listener, &[]).await;
    assert_eq!(ended(program).await.code(), Some(0));
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("the end");
    assert!(rest.is_empty(), "{rest:?}");
    assert_eq!(
        states(&client, run).await,
        ["Pending", "Running", "Completed"]
    );
}
