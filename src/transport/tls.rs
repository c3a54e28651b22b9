//! TLS: which certificates are trusted, and by which cryptography.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::config::Config;
use crate::error::{Error, Result};

/// Returns the configuration for this verification, with these protocols for ALPN.
///
/// The program's own provider of cryptography is used, if it has installed one, and otherwise ring: none is installed for
/// the whole process, which is for the program to decide. (Compiling reqwest's default, aws-lc, would take a third of the
/// CPU time of a cold build.)
pub(super) fn config(config: &Config, protocols: &[&str]) -> Result<ClientConfig> {
    let failed =
        |cause: rustls::Error| Error::configuration("TLS cannot be set up").with_source(cause);
    let provider = CryptoProvider::get_default()
        .map_or_else(|| Arc::new(ring::default_provider()), Arc::clone);
    let verifier: Arc<dyn ServerCertVerifier> = match &config.certificates {
        _ if config.skip_verify => Arc::new(AnyCertificate(Arc::clone(&provider))),
        Some(certificates) => {
            let verifier = WebPkiServerVerifier::builder_with_provider(
                Arc::new(roots(certificates)?),
                Arc::clone(&provider),
            );
            verifier.build().map_err(|cause| {
                Error::configuration("the certificates cannot be used").with_source(cause)
            })?
        }
        None => Arc::new(Verifier::new(Arc::clone(&provider)).map_err(failed)?),
    };
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    tls.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    Ok(tls)
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
