//! HTTP/1.1 messages, as the tests' own servers and proxies read them.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A request or a reply, as it was on the wire.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub head: String,
    pub body: Vec<u8>,
}

impl Message {
    /// Reads the next message, or `None` at the end of the connection.
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) if head.is_empty() => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let mut message = Self {
            head: String::from_utf8_lossy(&head).into_owned(),
            body: Vec::new(),
        };
        match message.header("content-length") {
            Some(length) => {
                let length = length.parse().map_err(io::Error::other)?;
                message.body = vec![0; length];
                stream.read_exact(&mut message.body).await?;
            }
            None if message.header("transfer-encoding") == Some("chunked") => {
                while !message.body.ends_with(b"0\r\n\r\n") {
                    message.body.push(stream.read_u8().await?);
                }
            }
            None => {}
        }
        Ok(Some(message))
    }

    pub fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    /// Path and query of a request.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Whether this is a reply with a 2xx status.
    pub fn is_success(&self) -> bool {
        self.target().starts_with('2')
    }

    pub fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), &self.body].concat()
    }
}
