use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::limit::CONNECTION_AGE_MAX;
use crate::secret::Secret;

/// A server that answers each request of a connection with the same bytes, and closes where they are done.
struct Server {
    port: u16,
    /// What came, head and body together.
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(answer: impl Into<Vec<u8>>) -> Server {
        Server::with(answer.into(), None).await
    }

    async fn with(answer: Vec<u8>, tls: Option<TlsAcceptor>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, connections) = (Arc::default(), Arc::default());
        let server = Server { port, seen: Arc::clone(&seen), connections: Arc::clone(&connections) };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::Relaxed);
                let (seen, answer, tls) = (Arc::clone(&seen), answer.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => talk(stream, &answer, &seen).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                talk(stream, &answer, &seen).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    fn seen(&self) -> String {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    fn client(&self, path: &str) -> Client {
        Client::new(self.settings(path))
    }

    fn settings(&self, path: &str) -> Settings {
        settings(&format!("http://127.0.0.1:{}{path}", self.port))
    }
}

async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8], seen: &Mutex<Vec<Vec<u8>>>) {
    let mut part = vec![0; 64 * 1024];
    let mut text = Vec::new();
    loop {
        let Ok(read @ 1..) = stream.read(&mut part).await else { return };
        text.extend_from_slice(&part[..read]);
        let Some(head) = memchr::memmem::find(&text, b"\r\n\r\n") else { continue };
        let lines = String::from_utf8_lossy(&text[..head]).to_ascii_lowercase();
        let length = lines.lines().find_map(|line| line.strip_prefix("content-length: "));
        if text.len() < head + 4 + length.map_or(0, |length| length.parse::<usize>().unwrap()) {
            continue;
        }
        seen.lock().unwrap().push(std::mem::take(&mut text));
        if stream.write_all(answer).await.is_err() || !answer.ends_with(b"done") {
            return;
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";

fn settings(url: &str) -> Settings {
    Settings { url: url.parse().unwrap(), auth: Auth::default(), tls: None, compression: Compression::None }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

#[tokio::test]
async fn paths_come_behind_the_stores_own() {
    let server = Server::start(OK).await;
    for (own, path, expected) in [
        ("/logs?a=b", "", "POST /logs?a=b "),
        ("/prefix/", "/_bulk?x=1", "POST /prefix/_bulk?x=1 "),
        ("", "/_bulk", "POST /_bulk "),
        ("", "", "POST / "),
    ] {
        let answer = server.client(own).send(Request::post(path, "text/plain", "body")).await.unwrap();
        assert_eq!((answer.status, &*answer.body), (200, &b"done"[..]));
        let seen = server.seen();
        assert!(seen.contains(expected), "{own} {path}: {seen}");
        assert!(seen.ends_with("\r\n\r\nbody"), "{seen}");
    }
    let client = server.client("");
    assert_eq!(client.send(Request::get("/a b")).await.unwrap_err(), Fault::Path);
    let mut path = "/".to_owned();
    push_percent("a b/ü?".as_bytes(), &mut path);
    assert_eq!(path, "/a%20b%2F%C3%BC%3F");
    assert_eq!(client.send(Request::get(path)).await.unwrap().status, 200);
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    for (auth, line) in [
        (Auth::basic("Aladdin", &secret("open sesame")), "authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        (Auth::bearer(&secret("tok-7")), "authorization: Bearer tok-7"),
        (Auth::scheme("Splunk", &secret("tok-7")), "authorization: Splunk tok-7"),
        (Auth::header("X-Api-Key", &secret("tok-7")), "x-api-key: tok-7"),
    ] {
        let server = Server::start(OK).await;
        let client = Client::new(Settings { auth: auth.unwrap(), ..server.settings("") });
        client.send(Request::get("/")).await.unwrap();
        assert!(server.seen().contains(line), "{}", server.seen());
        let shown = format!("{client:?}");
        assert!(!shown.contains("tok-7") && !shown.contains("QWxh"), "{shown}");
    }
    assert_eq!(Auth::bearer(&secret("a\r\nb")), None, "no header line of another's");
}

/// A token that was changed on disk is taken when the store does not know the old one, and after the age of connections.
/// While the file cannot be read the old one holds.
#[tokio::test]
async fn credentials_changed_on_disk_are_taken() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("token");
    let read = move || Auth::bearer(&Secret::new(std::fs::read(&path).ok()?));
    let path = folder.path().join("token");
    std::fs::write(&path, "first-7").unwrap();
    let server = Server::start("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").await;
    let auth = read().unwrap().read_by(read);
    let client = Client::new(Settings { auth, ..server.settings("") });
    let sent = async || {
        let before = server.seen().len();
        client.send(Request::get("/")).await.unwrap();
        let seen = server.seen().split_off(before);
        ["first-7", "second-7", "third-7"].into_iter().find(|token| seen.contains(token)).unwrap()
    };
    assert_eq!(sent().await, "first-7");
    std::fs::write(&path, "second-7").unwrap();
    assert_eq!(sent().await, "first-7", "it is read once the store has said no");
    assert_eq!(sent().await, "second-7");
    std::fs::remove_file(&path).unwrap();
    assert_eq!([sent().await, sent().await], ["second-7"; 2]);
    std::fs::write(&path, "third-7").unwrap();
    tokio::time::pause();
    tokio::time::advance(CONNECTION_AGE_MAX).await;
    tokio::time::resume();
    assert_eq!(sent().await, "third-7", "connections are as old as they get");
    assert!(!format!("{client:?}").contains("-7"));
}

#[tokio::test]
async fn bodies_are_packed_where_that_is_wanted() {
    let text = "one line of many\n".repeat(1000);
    for (compression, magic) in
        [(Compression::Gzip, &b"\x1f\x8b"[..]), (Compression::Zstd, b"\x28\xb5\x2f\xfd")]
    {
        let server = Server::start(OK).await;
        let client = Client::new(Settings { compression, ..server.settings("") });
        client.send(Request::post("/", "text/plain", text.clone())).await.unwrap();
        let seen = server.seen.lock().unwrap().concat();
        let at = memchr::memmem::find(&seen, b"\r\n\r\n").unwrap() + 4;
        assert!(seen[at..].starts_with(magic) && seen.len() < 2000, "{} bytes", seen.len());
        let unpacked = match compression {
            Compression::Zstd => zstd::bulk::decompress(&seen[at..], 1 << 20).unwrap(),
            _ => {
                let mut unpacked = Vec::new();
                std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&seen[at..]), &mut unpacked)
                    .unwrap();
                unpacked
            }
        };
        assert!(unpacked == text.as_bytes(), "it is another text");
    }
}

/// F25: records go where the operator said, or nowhere.
#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let other = Server::start(OK).await;
    let answer = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{}/\r\nContent-Length: 0\r\n\r\n",
        other.port
    );
    let server = Server::start(answer).await;
    let answer = server.client("/").send(Request::post("", "text/plain", "x")).await.unwrap();
    assert_eq!((answer.status, answer.is_success(), other.connections()), (302, false, 0));
}

/// F22: an answer without end.
#[tokio::test]
async fn an_answer_is_read_up_to_its_bound() {
    for (bytes, expected) in [(10, None), (11, Some(Fault::TooLong(10)))] {
        let body = "x".repeat(bytes);
        let server = Server::start(format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n{body}")).await;
        let sent = server.client("/").send(Request::get("").answer_bytes_max(10)).await;
        assert_eq!(sent.err(), expected);
    }
    let endless = format!("HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n{}", "x".repeat(1 << 20));
    let server = Server::start(endless).await;
    let fault = server.client("/").send(Request::get("")).await.unwrap_err();
    assert_eq!(fault, Fault::TooLong(crate::limit::ANSWER_BYTES_MAX));
}

/// F17, F18: cut within the answer, cut before it, silence, nobody there.
#[tokio::test]
async fn a_fault_says_what_failed() {
    for cut in
        ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "HTTP/1.1 20", "no HTTP at all\r\n\r\n", ""]
    {
        let server = Server::start(cut).await;
        let fault = server.client("/").send(Request::post("", "text/plain", "a-record")).await.unwrap_err();
        assert!(matches!(fault, Fault::Broken(_)), "{cut}: {fault}");
        assert!(!fault.to_string().contains("a-record"), "{fault}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}/", listener.local_addr().unwrap());
    let wait = Duration::from_millis(50);
    let sent = Client::new(settings(&silent)).send(Request::get("").wait(wait)).await;
    assert_eq!(sent.unwrap_err(), Fault::Timeout(wait));
    drop(listener);
    let fault = Client::new(settings(&silent)).send(Request::get("")).await.unwrap_err();
    assert!(matches!(fault, Fault::Connect(_)), "{fault}");
}

/// F24: a pooled connection does not keep an old address for good, and a name without one is a fault like others.
#[tokio::test]
async fn a_store_that_moved_is_found_within_the_age_of_connections() {
    let (old, new) = (Server::start(OK).await, Server::start(OK).await);
    let book: Arc<Mutex<std::io::Result<Vec<u16>>>> = Arc::new(Mutex::new(Ok(vec![old.port])));
    let read = Arc::clone(&book);
    let resolver = Resolver::of(move |_: &str| match &*read.lock().unwrap() {
        Ok(ports) => Ok(ports.iter().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).collect()),
        Err(error) => Err(error.kind().into()),
    });
    // A port in the URL would win over those in the book, so there is none.
    let client = Client::resolving(settings("http://store.test/"), resolver);
    client.send(Request::get("")).await.unwrap();
    *book.lock().unwrap() = Ok(vec![new.port]);
    client.send(Request::get("")).await.unwrap();
    assert_eq!((old.connections(), new.connections()), (1, 0), "a connection is used again");
    tokio::time::pause();
    tokio::time::advance(CONNECTION_AGE_MAX).await;
    tokio::time::resume();
    client.send(Request::get("")).await.unwrap();
    assert_eq!((old.connections(), new.connections()), (1, 1));

    for none in [Ok(Vec::new()), Err(std::io::ErrorKind::NotFound.into())] {
        *book.lock().unwrap() = none;
        tokio::time::pause();
        tokio::time::advance(CONNECTION_AGE_MAX).await;
        tokio::time::resume();
        let fault = client.send(Request::get("")).await.unwrap_err();
        assert!(matches!(fault, Fault::Connect(_)), "{fault}");
    }
}

#[tokio::test]
async fn no_name_leads_to_a_machines_own_credentials() {
    for barred in [
        "169.254.169.254",
        "169.254.0.1",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "::ffff:169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
    ] {
        let resolver = Resolver::of(move |_: &str| Ok(vec![SocketAddr::new(barred.parse().unwrap(), 80)]));
        let error = resolver.resolve("store.test").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{barred}");
        let client = Client::resolving(settings("http://store.test/"), resolver.clone());
        let fault = client.send(Request::get("")).await.unwrap_err();
        assert!(fault.to_string().contains("write the address itself"), "{fault}");
        assert!(connect("store.test:80", &resolver).await.is_err());
    }
    for allowed in ["127.0.0.1", "10.0.0.1", "192.0.2.1", "2001:db8::1", "::1", "100.100.100.201"] {
        let resolver = Resolver::of(move |_: &str| Ok(vec![SocketAddr::new(allowed.parse().unwrap(), 80)]));
        assert_eq!(resolver.resolve("store.test").await.unwrap().len(), 1, "{allowed}");
    }
}

/// A CA of its own with what it issued, as PEM files.
struct Authority {
    dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Authority { dir: TempDir::new().unwrap(), issuer };
        std::fs::write(authority.path("ca.pem"), authority.issuer.pem()).unwrap();
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A certificate for `name`, changed by `change`; its file and its key's.
    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        std::fs::write(&files.0, certificate.pem()).unwrap();
        std::fs::write(&files.1, key.serialize_pem()).unwrap();
        files
    }

    fn acceptor(&self, files: &(PathBuf, PathBuf), asks: bool) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = CertificateDer::pem_file_iter(&files.0).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(&files.1).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if asks {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        } else {
            builder.with_no_client_auth()
        };
        TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()))
    }

    fn tls(&self, identity: Option<(PathBuf, PathBuf)>, server_name: Option<&str>) -> Tls {
        let server_name = server_name.map(str::to_owned);
        Tls::load(TlsFiles { ca: Some(self.path("ca.pem")), identity, server_name }).unwrap()
    }
}

/// What comes of a request over TLS.
async fn over_tls(acceptor: TlsAcceptor, tls: Tls) -> Result<u16, Fault> {
    let server = Server::with(OK.into(), Some(acceptor)).await;
    let url = format!("https://localhost:{}/", server.port);
    let resolver = Resolver::of(|_: &str| Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]));
    let client = Client::resolving(Settings { tls: Some(tls), ..settings(&url) }, resolver);
    client.send(Request::post("", "text/plain", "x")).await.map(|answer| answer.status)
}

#[track_caller]
fn refused(sent: Result<u16, Fault>, why: &str) {
    let fault = sent.unwrap_err();
    assert!(matches!(&fault, Fault::Connect(words) if words.contains(why)), "{fault}");
}

/// F23: a store is who it says, or gets nothing.
#[tokio::test]
async fn a_certificate_is_checked() {
    let (ours, others) = (Authority::new(), Authority::new());
    let good = ours.issue("localhost", |_| {});
    let plain = || ours.tls(None, None);
    assert_eq!(over_tls(ours.acceptor(&good, false), plain()).await, Ok(200));

    let expired = ours.issue("localhost", |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    refused(over_tls(ours.acceptor(&expired, false), plain()).await, "expired");
    let early = ours.issue("localhost", |params| params.not_before = rcgen::date_time_ymd(2400, 1, 1));
    refused(over_tls(ours.acceptor(&early, false), plain()).await, "not valid yet");
    let other_name = ours.issue("other.test", |_| {});
    refused(over_tls(ours.acceptor(&other_name, false), plain()).await, "not valid for name");
    let named = ours.tls(None, Some("other.test"));
    assert_eq!(over_tls(ours.acceptor(&other_name, false), named).await, Ok(200), "the operator named it");
    let unknown = others.issue("localhost", |_| {});
    refused(over_tls(others.acceptor(&unknown, false), plain()).await, "UnknownIssuer");
}

#[tokio::test]
async fn a_store_that_asks_who_we_are_is_told() {
    let ours = Authority::new();
    let (good, client) = (ours.issue("localhost", |_| {}), ours.issue("client.test", |_| {}));
    let sent = over_tls(ours.acceptor(&good, true), ours.tls(Some(client), None)).await;
    assert_eq!(sent, Ok(200));
    let nobody = over_tls(ours.acceptor(&good, true), ours.tls(None, None)).await;
    assert!(nobody.is_err(), "{nobody:?}");
}

/// F23: a CA that was renewed on disk is trusted without a restart, one that is broken leaves the old one in place.
#[tokio::test]
async fn a_certificate_renewed_on_disk_is_taken() {
    let (ours, next) = (Authority::new(), Authority::new());
    let (good, renewed) = (ours.issue("localhost", |_| {}), next.issue("localhost", |_| {}));
    let before = Server::with(OK.into(), Some(ours.acceptor(&good, false))).await;
    let after = Server::with(OK.into(), Some(next.acceptor(&renewed, false))).await;
    let port = Arc::new(Mutex::new(before.port));
    let read = Arc::clone(&port);
    let resolver =
        Resolver::of(move |_: &str| Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, *read.lock().unwrap()))]));
    let tls = Some(ours.tls(None, None));
    let client = Client::resolving(Settings { tls, ..settings("https://localhost/") }, resolver);
    let sent = async || {
        tokio::time::pause();
        tokio::time::advance(CONNECTION_AGE_MAX).await;
        tokio::time::resume();
        client.send(Request::get("")).await.map(|answer| answer.status)
    };
    assert_eq!(sent().await, Ok(200));
    std::fs::write(ours.path("ca.pem"), "no certificate").unwrap();
    assert_eq!(sent().await, Ok(200));
    std::fs::copy(next.path("ca.pem"), ours.path("ca.pem")).unwrap();
    *port.lock().unwrap() = after.port;
    assert_eq!(sent().await, Ok(200));
}

#[test]
fn files_that_are_none_are_told_by_name() {
    let ours = Authority::new();
    let good = ours.issue("localhost", |_| {});
    let other = ours.issue("other.test", |_| {});
    let ca = Some(ours.path("ca.pem"));
    let load = |identity| Tls::load(TlsFiles { ca: ca.clone(), identity, server_name: None });
    for (identity, expected) in [
        ((good.1.clone(), good.1.clone()), "localhost.key holds no certificate in PEM: there is none"),
        ((good.0.clone(), good.0.clone()), "localhost.pem holds no private key in PEM"),
        ((good.0.clone(), other.1.clone()), "certificate and key are not to be used together"),
        ((ours.path("none"), good.1.clone()), "none holds no certificate in PEM"),
    ] {
        let error = load(Some(identity)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("-----"), "{error}");
    }
    let name = Tls::load(TlsFiles { ca, identity: None, server_name: Some("a b".into()) });
    assert_eq!(name.unwrap_err().to_string(), "\"a b\" is no host name");
}
