//! Reads certificates in PEM form, as OpenSSL does.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error, PemObject as _};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The labels of certificates that OpenSSL reads besides `CERTIFICATE`.
const OTHER_LABELS: [&str; 2] = ["TRUSTED CERTIFICATE-----", "X509 CERTIFICATE-----"];

/// Returns all certificates of a file.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = pem.strip_prefix(BYTE_ORDER_MARK).unwrap_or(pem);
    let mut text = String::from_utf8_lossy(pem).into_owned();
    for label in OTHER_LABELS {
        text = text.replace(label, "CERTIFICATE-----");
    }
    let found = CertificateDer::pem_slice_iter(text.as_bytes());
    let mut certificates = Vec::new();
    for certificate in found {
        let der = certificate?;
        let (certificate, trust) = der.split_at(first_element(&der).len());
        if is_trusted_for_servers(trust) {
            certificates.push(certificate.to_vec().into());
        }
    }
    Ok(certificates)
}

/// The purposes that allow a certificate to identify servers, in DER: that, and any.
const PURPOSES: [&[u8]; 2] = [
    &[0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
    &[0x06, 0x04, 0x55, 0x1D, 0x25, 0x00],
];

/// Whether what follows a trusted certificate allows it to identify servers: a sequence of purposes that it is trusted for
/// and of others that it is rejected for, if there are any. One that is rejected for anything is left out.
fn is_trusted_for_servers(trust: &[u8]) -> bool {
    const SEQUENCE: u8 = 0x30;
    const REJECTED: u8 = 0xA0;
    let inner = trust.get(2..).unwrap_or_default();
    let has = |purpose: &&[u8]| inner.windows(purpose.len()).any(|bytes| bytes == *purpose);
    match inner.first() {
        Some(&SEQUENCE) => PURPOSES.iter().any(has) && !inner.contains(&REJECTED),
        Some(&REJECTED) => false,
        _ => true,
    }
}

/// The first element of DER: in a trusted certificate, what it is trusted for comes after it.
fn first_element(der: &[u8]) -> &[u8] {
    let length = match der {
        [_, short @ ..=0x7F, ..] => Some(2 + usize::from(*short)),
        [_, long, rest @ ..] => {
            let bytes = rest.get(..usize::from(long & 0x7F));
            bytes.filter(|bytes| bytes.len() <= 4).map(|bytes| {
                let value = bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                2 + bytes.len() + value
            })
        }
        _ => None,
    };
    length.and_then(|length| der.get(..length)).unwrap_or(der)
}
