//! TLS from the start, around a connection of which only so much is read. (lettre brings its own TLS, which has no such
//! bound, and is used for STARTTLS only, where the bound is beneath it.)

use std::io;
use std::sync::Arc;

use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::notify::SettingsError;

/// Connects to one server.
#[derive(Clone)]
pub(super) struct Tls {
    connector: TlsConnector,
    server: ServerName<'static>,
}

impl Tls {
    /// Trusts the certificates of `ca` alone, or those of the system.
    pub(super) fn new(server: &str, ca: Option<&[u8]>) -> Result<Self, SettingsError> {
        let wrong = |what: String| SettingsError::Tls { what };
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(error.to_string()))?;
        let tls = match ca {
            Some(pem) => tls.with_root_certificates(roots(pem).map_err(wrong)?),
            None => tls.with_platform_verifier().map_err(|error| wrong(error.to_string()))?,
        };
        let server = ServerName::try_from(server.to_owned()).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(tls.with_no_client_auth())), server })
    }

    pub(super) async fn connect(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.server.clone(), stream).await
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| "the certificates are not in PEM".to_owned())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("there is no certificate in PEM".to_owned()) } else { Ok(roots) }
}
