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
    found
        .map(|certificate| Ok(first_element(&certificate?).to_vec().into()))
        .collect()
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
