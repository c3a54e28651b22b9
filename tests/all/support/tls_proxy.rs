//! Intermediaries in front of a server: a TLS terminator and a forward proxy.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::http::Message;

/// A server's certificate, and a file with the one to trust for it.
pub struct Authority {
    /// The certificate to trust, in PEM form; the file is removed when this is dropped.
    pub ca_file: PathBuf,
    server: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Authority {
    /// A private certificate authority, and a certificate that it issued for 127.0.0.1.
    pub fn new() -> Self {
        Self::issuing(certificate_for("127.0.0.1"))
    }

    /// A private certificate authority, and this certificate that it issued.
    pub fn issuing(params: CertificateParams) -> Self {
        let key = KeyPair::generate().expect("a key");
        let authority = as_authority(CertificateParams::default());
        let certificate = authority.self_signed(&key).expect("a certificate");
        let issuer = rcgen::Issuer::from_params(&authority, &key);
        let signing_key = KeyPair::generate().expect("a key");
        let cert = params
            .signed_by(&signing_key, &issuer)
            .expect("a certificate");
        Self::trusted_by(&certificate.pem(), cert, signing_key)
    }

    /// A certificate that has signed itself, with `CA:TRUE` as `openssl req -x509` makes it.
    pub fn self_signed(params: CertificateParams) -> Self {
        let signing_key = KeyPair::generate().expect("a key");
        let params = as_authority(params);
        let cert = params.self_signed(&signing_key).expect("a certificate");
        Self::trusted_by(&cert.pem(), cert, signing_key)
    }

    fn trusted_by(trusted: &str, cert: rcgen::Certificate, signing_key: KeyPair) -> Self {
        let name = format!("prefect-sdk-ca-{}.pem", uuid::Uuid::new_v4());
        let ca_file = std::env::temp_dir().join(name);
        std::fs::write(&ca_file, trusted).expect("written");
        Self {
            ca_file,
            server: rcgen::CertifiedKey { cert, signing_key },
        }
    }

    /// Returns an acceptor of TLS connections with these ALPN protocols.
    pub fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let key = PrivateKeyDer::Pkcs8(self.server.signing_key.serialize_der().into());
        let chain = vec![self.server.cert.der().clone()];
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        let mut config = config.expect("a certificate");
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// Starts a TLS terminator in front of this API, and returns its URL.
    pub async fn front(&self, api_url: &str) -> String {
        let (upstream, path) = address_of(api_url);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let acceptor = self.acceptor(&["http/1.1"]);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
                tokio::spawn(async move {
                    // A client that does not trust the certificate fails the handshake here.
                    let Ok(mut client) = acceptor.accept(stream).await else {
                        return;
                    };
                    let mut server = TcpStream::connect(upstream).await.expect("a server");
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        format!("https://{address}/{path}")
    }
}

/// The parameters of a certificate for a host.
pub fn certificate_for(host: &str) -> CertificateParams {
    CertificateParams::new(vec![host.to_owned()]).expect("a name")
}

fn as_authority(mut params: CertificateParams) -> CertificateParams {
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.ca_file);
    }
}

/// Splits `http://host:port/api` into `host:port` and `api`.
fn address_of(api_url: &str) -> (String, String) {
    let address = api_url.trim_start_matches("http://");
    let (address, path) = address.split_once('/').expect("an API URL");
    (address.to_owned(), path.to_owned())
}

/// A proxy that forwards plain HTTP, and tunnels everything else by CONNECT.
pub struct ForwardProxy {
    pub address: String,
    accepting: tokio::task::JoinHandle<()>,
    requests: Arc<Mutex<Vec<Message>>>,
}

impl ForwardProxy {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let requests = Arc::<Mutex<Vec<Message>>>::default();
        let seen = Arc::clone(&requests);
        let accepting = tokio::spawn(async move {
            // The connections end with this task.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(forward(stream, Arc::clone(&seen)));
            }
        });
        Self {
            address,
            accepting,
            requests,
        }
    }

    /// Accepts no more connections, and breaks the open ones.
    pub fn stop(&self) {
        self.accepting.abort();
    }

    /// The requests that the proxy has received so far.
    pub fn requests(&self) -> Vec<Message> {
        self.requests.lock().expect("not poisoned").clone()
    }
}

async fn forward(mut client: TcpStream, requests: Arc<Mutex<Vec<Message>>>) {
    while let Ok(Some(request)) = Message::read(&mut client).await {
        requests.lock().expect("not poisoned").push(request.clone());
        if request.method() == "CONNECT" {
            let mut server = TcpStream::connect(request.target())
                .await
                .expect("a server");
            let connected = client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await;
            connected.expect("written");
            let _ = copy_bidirectional(&mut client, &mut server).await;
            return;
        }
        let (upstream, path) = address_of(request.target());
        let absolute = request.target().to_owned();
        let request = Message {
            head: request.head.replacen(&absolute, &format!("/{path}"), 1),
            ..request
        };
        let mut server = TcpStream::connect(upstream).await.expect("a server");
        server.write_all(&request.bytes()).await.expect("written");
        let reply = Message::read(&mut server).await.expect("a reply");
        let reply = reply.expect("a reply").bytes();
        if client.write_all(&reply).await.is_err() {
            return;
        }
    }
}
