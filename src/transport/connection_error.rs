//! Why a server was not reached, or did not answer, in words: from the errors of reqwest, hyper and rustls.

use std::error::Error as StdError;
use std::io;

use url::Url;

use super::route::{Route, host_and_port};

/// Describes the failure of a request to this URL, with the host, the port and the cause.
pub(super) fn describe(url: &Url, error: &reqwest::Error, route: &Route) -> String {
    let server = host_and_port(url);
    let proxy = route.proxy.of(url);
    let through = proxy.map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
    let what = match (error.is_connect(), error.is_timeout()) {
        (true, true) => return format!("{server} did not accept a connection{through} in time"),
        (false, true) => return format!("{server} did not answer{through} in time"),
        (true, false) => format!("{server} cannot be reached{through}"),
        (false, false) => {
            format!("the connection to {server}{through} broke before the reply was complete")
        }
    };
    format!("{what}: {}", cause(error))
}

/// The first cause that is known, or the innermost one in its own words.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &(dyn StdError + 'static) = error;
    loop {
        if let Some(known) = known_cause(innermost) {
            return known;
        }
        match inner(innermost) {
            Some(source) => innermost = source,
            None => return innermost.to_string(),
        }
    }
}

/// The error inside another one. That of an `io::Error` is not its source, but what it consists of.
fn inner<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let custom = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
        .map(|custom| custom as &(dyn StdError + 'static));
    custom.or_else(|| error.source())
}

fn known_cause(error: &(dyn StdError + 'static)) -> Option<String> {
    #[cfg(feature = "rustls")]
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(tls_cause(error));
    }
    let words = match error.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there (connection refused)",
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "the other side closed it (connection reset)"
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            "there is no route to the host"
        }
        _ => return None,
    };
    Some(words.to_owned())
}

/// What to do about a certificate that no known authority has issued.
#[cfg(feature = "rustls")]
const GIVE_CERTIFICATE: &str = "PREFECT_API_SSL_CERT_FILE, or `ca_file`, can name a file with the certificate of its issuer, or with itself if it is self-signed";

#[cfg(feature = "rustls")]
fn tls_cause(error: &rustls::Error) -> String {
    use rustls::CertificateError as Certificate;

    let rustls::Error::InvalidCertificate(certificate) = error else {
        return match error {
            rustls::Error::InvalidMessage(_) => {
                "it does not speak TLS on this port; http:// instead of https:// may be meant"
                    .to_owned()
            }
            other => format!("TLS: {other}"),
        };
    };
    let what = match certificate {
        Certificate::UnknownIssuer => format!("has an unknown issuer; {GIVE_CERTIFICATE}"),
        Certificate::NotValidForNameContext {
            expected,
            presented,
        } => {
            let presented: Vec<_> = presented.iter().map(|name| bare(name)).collect();
            if presented.is_empty() {
                return "its certificate names no host (as a subjectAltName)".to_owned();
            }
            format!("is for {}, not {}", presented.join(", "), expected.to_str())
        }
        Certificate::NotValidForName => "is for another host".to_owned(),
        Certificate::Expired | Certificate::ExpiredContext { .. } => "has expired".to_owned(),
        Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
            "is not valid yet; is this computer's clock right?".to_owned()
        }
        // For example, that of an authority.
        Certificate::Other(_) => {
            format!("is not that of a server: {certificate}; {GIVE_CERTIFICATE}")
        }
        other => format!("is not accepted: {other}"),
    };
    format!("its certificate {what}")
}

/// `DnsName("other.example")` and `IpAddress(127.0.0.1)` without what is around them.
#[cfg(feature = "rustls")]
fn bare(name: &str) -> &str {
    let start = name.find('(').map_or(0, |at| at + 1);
    name[start..].trim_matches(['"', ')'])
}
