/*!
TLS to stores: who is trusted, and who we are.

TLS 1.2 and 1.3. Certificates are checked against the system's, or against a CA
of one's own; there is no way to turn the check off. The files are read when
settings are made, so that `check` says what is wrong with them, and again with
new connections, so that a certificate renewed on disk is taken without a
restart.
*/

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt;
use rustls::client::WantsClientCert;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

/// What an operator says of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// PEM file of the certificates that are trusted; the system's without it.
    pub ca: Option<PathBuf>,
    /// PEM files of our own certificate chain and its key, for stores that ask who we are.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that the store's certificate must bear; the host's without it.
    pub server_name: Option<String>,
}

/// Why TLS cannot be set up. Names files and never what is in them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read, or holds no PEM of its kind.
    #[error("{} holds no {what} in PEM: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What the reader says.
        why: String,
    },
    /// The system has no certificates to trust.
    #[error("the system has no CA certificates ({0}); install ca-certificates, or name a file with tls.ca")]
    System(io::Error),
    /// Key and certificate do not belong together, or are of a kind that is not known.
    #[error("certificate and key are not to be used together: {0}")]
    Identity(rustls::Error),
    /// The name is none.
    #[error("{0:?} is no host name")]
    Name(String),
}

/// A set-up that was read from its files.
#[derive(Clone)]
pub struct Tls {
    files: Files,
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// If one of them is not what it should be.
    pub fn load(files: Files) -> Result<Tls, Error> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .expect("ring has both versions");
        let builder = match &files.ca {
            Some(path) => builder.with_root_certificates(roots(path)?),
            None => builder.with_native_roots().map_err(Error::System)?,
        };
        let config = Arc::new(identified(builder, files.identity.as_ref())?);
        let name = files
            .server_name
            .clone()
            .map(|name| ServerName::try_from(name.clone()).map_err(|_| Error::Name(name)));
        Ok(Tls { files, config, name: name.transpose()? })
    }

    /// Reads the files again, where there are any.
    ///
    /// # Errors
    ///
    /// As [`Tls::load`]; what was read before still holds.
    pub fn reloaded(&self) -> Result<Tls, Error> {
        match (&self.files.ca, &self.files.identity) {
            (None, None) => Ok(self.clone()),
            _ => Tls::load(self.files.clone()),
        }
    }

    /// For connections.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// The name that the certificate of `host` must bear. Nothing if the host's name is none.
    pub fn name_of(&self, host: &str) -> Option<ServerName<'static>> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        self.name.clone().or_else(|| ServerName::try_from(host.to_owned()).ok())
    }

    /// The name, if it is not the host's.
    pub(super) fn own_name(&self) -> Option<ServerName<'static>> {
        self.name.clone()
    }

    /// A set-up that trusts nobody, for clients that make no use of it.
    pub(super) fn nobody() -> ClientConfig {
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth()
    }
}

impl PartialEq for Tls {
    /// By what the operator said.
    fn eq(&self, other: &Tls) -> bool {
        self.files == other.files
    }
}

impl Eq for Tls {}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.files).finish()
    }
}

fn roots(path: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|why| fault(path, "CA certificate", &why))?;
    }
    Ok(roots)
}

fn identified(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    identity: Option<&(PathBuf, PathBuf)>,
) -> Result<ClientConfig, Error> {
    let Some((chain, key)) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(chain)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|why| fault(key, "private key", &why))?;
    builder.with_client_auth_cert(chain, key).map_err(Error::Identity)
}

/// The certificates of a file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|why| fault(path, "certificate", &why))?;
    if certificates.is_empty() {
        return Err(fault(path, "certificate", &"there is none"));
    }
    Ok(certificates)
}

fn fault(path: &Path, what: &'static str, why: &dyn fmt::Display) -> Error {
    Error::File { path: path.to_owned(), what, why: why.to_string() }
}
