/*!
TLS for listeners: who we are, and who may come in.

TLS 1.2 and 1.3. With a CA for clients, nobody without a certificate of it comes in. Certificates that are renewed on disk
are taken by new connections; files that are wrong are told, and the old ones stay. A peer that connects and says nothing,
as health probes do, is no error.
*/

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::limit::{TLS_FILES_ASKED_EVERY, TLS_WAIT};
use crate::telemetry::{Metrics, Refusal};

/// What an operator says of a listener's TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// PEM file of our certificate and those between it and a CA.
    pub cert: PathBuf,
    /// PEM file of its key.
    pub key: PathBuf,
    /// PEM file of the CAs of clients; everybody may come in without it.
    pub client_ca: Option<PathBuf>,
}

/// What becomes of a client without a certificate where there is a CA for them. One with a wrong certificate never comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strangers {
    /// They do not come in.
    Refused,
    /// They come in, and whoever answers them sees it.
    Seen,
}

/// Why a listener cannot speak TLS. Names files and never what is in them.
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
    /// Key and certificate do not belong together, or are of a kind that is not known.
    #[error("certificate and key are not to be used together: {0}")]
    Identity(rustls::Error),
    /// The CA is of a kind that is not known.
    #[error("the CA of clients is not to be used: {0}")]
    Clients(String),
}

/// A listener's TLS, read from its files.
pub struct Tls {
    files: Files,
    protocols: &'static [&'static [u8]],
    strangers: Strangers,
    now: Mutex<Now>,
}

struct Now {
    config: Arc<ServerConfig>,
    stamps: Vec<Option<SystemTime>>,
    asked: Instant,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({:?})", self.files)
    }
}

/// Two that were read from the same files say the same.
impl PartialEq for Tls {
    fn eq(&self, other: &Tls) -> bool {
        self.files == other.files
    }
}

impl Eq for Tls {}

impl Tls {
    /// Reads the files. `protocols` are offered by ALPN. Blocks.
    pub fn open(
        files: Files,
        protocols: &'static [&'static [u8]],
        strangers: Strangers,
    ) -> Result<Tls, Error> {
        let stamps = stamps(&files);
        let config = read(&files, protocols, strangers)?;
        let now = Mutex::new(Now { config, stamps, asked: Instant::now() });
        Ok(Tls { files, protocols, strangers, now })
    }

    /// Whether clients are asked for certificates.
    pub fn asks_clients(&self) -> bool {
        self.files.client_ca.is_some()
    }

    /// Shakes hands, within [`TLS_WAIT`]. Nothing if that fails: counted, unless the peer never began.
    pub async fn accept(
        &self,
        stream: TcpStream,
        source: &str,
        metrics: &Metrics,
    ) -> Option<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(self.config(source));
        match timeout(TLS_WAIT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) if is_silence(&error) => {}
            Ok(Err(_)) => metrics.refuse(source, Refusal::Handshake),
            Err(_elapsed) => metrics.refuse(source, Refusal::Timeout),
        }
        None
    }

    /// What new connections get; looks at the files from time to time.
    fn config(&self, source: &str) -> Arc<ServerConfig> {
        let mut now = self.now();
        if now.asked.elapsed() < TLS_FILES_ASKED_EVERY {
            return Arc::clone(&now.config);
        }
        now.asked = Instant::now();
        let stamps = stamps(&self.files);
        if stamps != now.stamps {
            now.stamps = stamps;
            match read(&self.files, self.protocols, self.strangers) {
                Ok(config) => now.config = config,
                Err(error) => {
                    tracing::warn!(source, %error, "new certificates are refused; the old ones stay")
                }
            }
        }
        Arc::clone(&now.config)
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As if the files had not been looked at for a while.
    #[cfg(test)]
    fn forget(&self) {
        self.now().asked = Instant::now() - 2 * TLS_FILES_ASKED_EVERY;
    }
}

/// A peer that closed before it said anything whole: a probe, or one that changed its mind.
fn is_silence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

/// When each file was last written.
fn stamps(files: &Files) -> Vec<Option<SystemTime>> {
    let paths = [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()];
    let stamp = |path: &PathBuf| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    paths.into_iter().flatten().map(stamp).collect()
}

fn read(files: &Files, protocols: &[&[u8]], strangers: Strangers) -> Result<Arc<ServerConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(Error::Identity)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| Error::Clients(error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match strangers {
                Strangers::Refused => verifier,
                Strangers::Seen => verifier.allow_unauthenticated(),
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|e| Error::Clients(e.to_string()))?)
        }
    };
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|why| file(&files.key, "private key", &why))?;
    let mut config = builder.with_single_cert(certificates(&files.cert)?, key).map_err(Error::Identity)?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    const WHAT: &str = "certificate";
    let all = CertificateDer::pem_file_iter(path).map_err(|why| file(path, WHAT, &why))?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(|why| file(path, WHAT, &why))?;
    if all.is_empty() { Err(file(path, WHAT, &"there is none in it")) } else { Ok(all) }
}

fn file(path: &Path, what: &'static str, why: &dyn fmt::Display) -> Error {
    Error::File { path: path.to_owned(), what, why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn identity(dir: &Path) -> Files {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let files = Files { cert: dir.join("cert.pem"), key: dir.join("key.pem"), client_ca: None };
        std::fs::write(&files.cert, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        files
    }

    #[test]
    fn says_which_file_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let good = identity(dir.path());
        Tls::open(good.clone(), &[], Strangers::Refused).unwrap();
        let empty = dir.path().join("empty.pem");
        std::fs::write(&empty, "canary").unwrap();
        for (files, expected) in [
            (
                Files { cert: empty.clone(), ..good.clone() },
                "empty.pem holds no certificate in PEM: there is none in it",
            ),
            (Files { key: empty.clone(), ..good.clone() }, "empty.pem holds no private key in PEM: "),
            (Files { client_ca: Some(empty), ..good.clone() }, "empty.pem holds no certificate in PEM: "),
            (Files { key: dir.path().join("none"), ..good.clone() }, "none holds no private key in PEM: "),
        ] {
            let error = Tls::open(files, &[], Strangers::Refused).err().unwrap().to_string();
            assert!(error.contains(expected) && !error.contains("canary"), "{error}");
        }
        let other = tempfile::tempdir().unwrap();
        let other = identity(other.path());
        let error =
            Tls::open(Files { key: other.key, ..good }, &[], Strangers::Refused).err().unwrap().to_string();
        assert!(error.starts_with("certificate and key are not to be used together: "), "{error}");
    }

    #[test]
    fn a_renewed_certificate_is_taken_and_a_wrong_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let files = identity(dir.path());
        let tls = Tls::open(files.clone(), &[], Strangers::Refused).unwrap();
        let first = tls.config("edge");
        let write_later = |path: &Path, text: &[u8], seconds: u64| {
            let file = std::fs::File::create(path).unwrap();
            std::io::Write::write_all(&mut &file, text).unwrap();
            file.set_modified(file.metadata().unwrap().modified().unwrap() + Duration::from_secs(seconds))
                .unwrap();
        };
        write_later(&files.cert, b"none", 10);
        assert!(Arc::ptr_eq(&first, &tls.config("edge")), "it is not looked at all the time");
        tls.forget();
        assert!(Arc::ptr_eq(&first, &tls.config("edge")), "a wrong one is refused");
        let renewed = tempfile::tempdir().unwrap();
        let renewed = identity(renewed.path());
        write_later(&files.cert, &std::fs::read(renewed.cert).unwrap(), 20);
        write_later(&files.key, &std::fs::read(renewed.key).unwrap(), 20);
        tls.forget();
        assert!(!Arc::ptr_eq(&first, &tls.config("edge")), "a good one is taken");
    }
}
