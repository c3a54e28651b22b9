//! The control channel: a supervisor tells why a signal will come, and is told how the run has ended.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{join, select};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::handover::Control;
use super::stop::{StopReason, StopSignal};
use crate::types::State;

/// `\0PF`, the version of the protocol, and what this side can do: receipts.
const HELLO: [u8; 5] = [0x00, 0x50, 0x46, 0x02, 0x01];

/// How long a supervisor may take to connect, or to answer a receipt.
const REPLY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a supervisor that knows receipts takes to answer the greeting; an older one does not answer at all.
const HELLO_TIMEOUT: Duration = Duration::from_millis(500);

const ACKNOWLEDGED: u8 = b'a';
const RECEIPT: u8 = 0x01;
const RECEIPT_ACKNOWLEDGED: u8 = 0x02;

/// The side of the channel on which receipts are sent.
pub(super) struct ControlChannel {
    writer: mpsc::UnboundedSender<Vec<u8>>,
    acknowledged: mpsc::UnboundedReceiver<()>,
    takes_receipts: bool,
    /// Ends the job when it is dropped.
    _open: oneshot::Sender<()>,
}

/// What the supervisor is to know of the end of the run.
pub(super) enum Receipt<'a> {
    Reported(&'a State),
    Aborted,
}

/// Opens the channel. Returns it with the job that serves it, which is to be spawned.
pub(super) async fn open(
    control: &Control,
    stops: mpsc::UnboundedSender<StopSignal>,
) -> Option<(ControlChannel, impl Future<Output = ()> + Send + 'static)> {
    let connected = timeout(REPLY_TIMEOUT, connect(control)).await;
    let stream = match connected {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, "there is no control channel");
            return None;
        }
        Err(_) => return None,
    };
    let (mut reader, writer) = stream.into_split();
    let mut hello = [0; HELLO.len()];
    let answer = timeout(HELLO_TIMEOUT, reader.read_exact(&mut hello)).await;
    let takes_receipts =
        matches!(answer, Ok(Ok(_))) && hello[..3] == HELLO[..3] && hello[4] & 1 == 1;
    let (to_write, outgoing) = mpsc::unbounded_channel();
    let (acknowledge, acknowledged) = mpsc::unbounded_channel();
    let (open, closed) = oneshot::channel::<()>();
    let channel = ControlChannel {
        writer: to_write.clone(),
        acknowledged,
        takes_receipts,
        _open: open,
    };
    let read = read(reader, to_write, stops, acknowledge);
    let serve = async move {
        let serve = pin!(join(read, write(writer, outgoing)));
        select(serve, closed).await;
    };
    Some((channel, serve))
}

async fn connect(control: &Control) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", control.port)).await?;
    stream.set_nodelay(true)?;
    stream
        .write_all(format!("{}\n", control.token).as_bytes())
        .await?;
    stream.write_all(&HELLO).await?;
    Ok(stream)
}

async fn read(
    mut reader: OwnedReadHalf,
    writer: mpsc::UnboundedSender<Vec<u8>>,
    stops: mpsc::UnboundedSender<StopSignal>,
    acknowledge: mpsc::UnboundedSender<()>,
) {
    // Dropped when the supervisor is gone: nobody waits for an answer then.
    while let Ok(byte) = reader.read_u8().await {
        let reason = match byte {
            b'c' => StopReason::Cancelled,
            b'r' => StopReason::Rescheduled,
            b'q' => StopReason::Relinquished,
            RECEIPT_ACKNOWLEDGED => {
                let _ = acknowledge.send(());
                continue;
            }
            _ => continue,
        };
        // If one of these fails, the attempt has ended, or the supervisor is gone.
        let _ = stops.send(StopSignal::Stop(reason));
        let _ = writer.send(vec![ACKNOWLEDGED]);
    }
}

async fn write(mut writer: OwnedWriteHalf, mut outgoing: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = outgoing.recv().await {
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

impl ControlChannel {
    /// Tells the supervisor how the run has ended, so that it does not judge by the exit code.
    pub(super) async fn send_receipt(&mut self, receipt: Receipt<'_>) {
        if !self.takes_receipts {
            return;
        }
        let json = match receipt {
            Receipt::Reported(state) => json!({
                "disposition": "STATE_REPORTED",
                "state_id": state.id,
                "state_name": state.name.as_deref().unwrap_or_default(),
                "state_type": state.type_.to_string(),
            }),
            Receipt::Aborted => json!({ "disposition": "ORCHESTRATION_ABORTED" }),
        };
        let json = json.to_string().into_bytes();
        let Ok(length) = u32::try_from(json.len()) else {
            return;
        };
        let mut frame = vec![RECEIPT];
        frame.extend(length.to_be_bytes());
        frame.extend(json);
        if self.writer.send(frame).is_ok() {
            // Without an answer the supervisor judges by the exit code.
            let _ = timeout(REPLY_TIMEOUT, self.acknowledged.recv()).await;
        }
    }
}
