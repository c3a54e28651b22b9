//! TLS: which certificates are trusted, and by which cryptography.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use super::config::Config;
use crate::error::{Error, Result};

/// Returns the configuration for this verification, with these protocols for ALPN.
pub(super) fn config(config: &Config, protocols: &[&str]) -> Result<ClientConfig> {
    let provider = provider();
    let verifier: Arc<dyn ServerCertVerifier> = match &config.certificates {
        _ if config.skip_verify => Arc::new(AnyCertificate(Arc::clone(&provider))),
        Some(certificates) => Arc::new(GivenCertificates::new(certificates, &provider)?),
        None => Arc::new(Verifier::new(Arc::clone(&provider)).map_err(cannot_be_set_up)?),
    };
    with_verifier(provider, verifier, protocols)
}

/// Returns a configuration that accepts any certificate, for requests without secrets.
pub(super) fn unverified(protocols: &[&str]) -> Result<ClientConfig> {
    let provider = provider();
    let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
    with_verifier(provider, verifier, protocols)
}

/// The program's own provider of cryptography, if it has installed one, and otherwise ring: none is installed for the whole
/// process, which is for the program to decide. (Compiling reqwest's default, aws-lc, would take a third of the CPU time
/// of a cold build.)
fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default().map_or_else(|| Arc::new(ring::default_provider()), Arc::clone)
}

fn with_verifier(
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    protocols: &[&str],
) -> Result<ClientConfig> {
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(cannot_be_set_up)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    tls.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    Ok(tls)
}

fn cannot_be_set_up(cause: rustls::Error) -> Error {
    Error::configuration("TLS cannot be set up").with_source(cause)
}

fn roots(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).map_err(|cause| {
            Error::configuration("a certificate cannot be used").with_source(cause)
        })?;
    }
    Ok(roots)
}

/// Accepts what the given certificates have issued, and these themselves.
#[derive(Debug)]
struct GivenCertificates {
    issuers: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl GivenCertificates {
    fn new(given: &[CertificateDer<'static>], provider: &Arc<CryptoProvider>) -> Result<Self> {
        let roots = Arc::new(roots(given)?);
        let issuers = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
        let issuers = issuers.build().map_err(|cause| {
            Error::configuration("the certificates cannot be used").with_source(cause)
        })?;
        Ok(Self {
            issuers,
            given: given.to_vec(),
        })
    }
}

impl ServerCertVerifier for GivenCertificates {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self
            .issuers
            .verify_server_cert(certificate, intermediates, name, ocsp, now);
        match verified {
            // What `openssl req -x509` makes is an authority's certificate, which webpki refuses as a server's. Its time
            // has been checked by then, its name has not.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                if self.given.contains(certificate) =>
            {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.issuers
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.issuers
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.issuers.supported_verify_schemes()
    }
}

/// Accepts every certificate, if the server has the key of it.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
