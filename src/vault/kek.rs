/*!
The key-encryption key: it wraps every other key and is never derived from.
*/

use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, Mac};
use rustix::rand::GetRandomFlags;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::disk::{Disk, mode, read_bounded};
use super::{DataDir, Error, command};
use crate::limit::VAULT_FILE_BYTES_MAX;
use crate::secret::Secret;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a nonce before each wrapped key and block (XChaCha20).
pub const NONCE_BYTES: usize = 24;

/// The key-encryption key.
#[derive(Debug)]
pub struct Kek {
    secret: Secret,
    placement: Placement,
}

/// Where the key-encryption key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// From the data directory itself: a copy of the directory holds all that is needed to read it.
    BesideTheData,
    /// From elsewhere.
    Elsewhere,
}

/// Where a configuration says that the key-encryption key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KekPlace {
    /// In a file.
    File(PathBuf),
    /// On the standard output of a command, the program first.
    Command(Vec<String>),
}

impl std::fmt::Display for KekPlace {
    /// Of a command the program alone: arguments may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KekPlace::File(path) => write!(f, "{}", path.display()),
            KekPlace::Command(command) => {
                write!(f, "the command {}", command.first().map_or("", String::as_str))
            }
        }
    }
}

impl KekPlace {
    /// Reads the key from there.
    pub fn read(&self) -> Result<Kek, Error> {
        match self {
            KekPlace::File(path) => Kek::from_file(path),
            KekPlace::Command(command) => Kek::parse(&command::output(command)?),
        }
    }
}

impl Kek {
    /// Reads the key from its place; without one it lies next to the data, and is made if there are no data yet.
    pub fn open(place: Option<&KekPlace>, dir: &DataDir) -> Result<Kek, Error> {
        place.map_or_else(|| Kek::beside(dir), KekPlace::read)
    }

    /// Reads a key from its text: 32 bytes as base64, as hex, or as they are.
    pub fn parse(text: &[u8]) -> Result<Kek, Error> {
        let secret = decode(text).ok_or(Error::KekForm)?;
        Ok(Kek { secret, placement: Placement::Elsewhere })
    }

    /// Reads the key from a file that only its owner may read (its group may, where a mounted Secret needs it).
    pub fn from_file(path: &Path) -> Result<Kek, Error> {
        check_mode(path, 0o037)?;
        Kek::parse(&Zeroizing::new(read_bounded(path, VAULT_FILE_BYTES_MAX).map_err(Error::io(path))?))
    }

    /// The key that lies next to the data, made if there are no data yet.
    pub fn beside(dir: &DataDir) -> Result<Kek, Error> {
        let path = dir.join("kek");
        if !path.exists() {
            make_beside(dir, &path)?;
        }
        check_mode(&path, 0o077)?;
        let text = Zeroizing::new(read_bounded(&path, VAULT_FILE_BYTES_MAX).map_err(Error::io(&path))?);
        let secret = decode(&text).ok_or(Error::KekForm)?;
        Ok(Kek { secret, placement: Placement::BesideTheData })
    }

    /// What an operator should know of where this key lies.
    pub fn warning(&self) -> Option<&'static str> {
        match self.placement {
            Placement::BesideTheData => Some(
                "the key-encryption key lies next to the data: whoever copies the data directory can read it. \
                 Move the file `kek` to another place and name it in the configuration: keyring.kek: \"${file:PATH}\"",
            ),
            Placement::Elsewhere => None,
        }
    }

    /// The public check value, which tells one key-encryption key from another: 24 bits of HMAC-SHA-256.
    pub fn check(&self) -> String {
        check_value(self.secret.expose())
    }

    /// A seal over `what` that only the holder of this key can make: HMAC-SHA-256.
    pub(crate) fn seal(&self, what: &[u8]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.secret.expose())
            .expect("HMAC takes keys of any length");
        mac.update(b"logveil seal\0");
        mac.update(what);
        mac.finalize().into_bytes().into()
    }

    /// Wraps a key; `bound` is authenticated with it.
    pub(crate) fn wrap(&self, key: &[u8; KEY_BYTES], bound: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let payload = Payload { msg: key, aad: bound };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|_| Error::Random)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Unwraps a key, if it was wrapped by this one with the same `bound`.
    pub(crate) fn unwrap(&self, wrapped: &[u8], bound: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: bound };
        let key = Zeroizing::new(self.cipher().decrypt(&XNonce::from(*nonce), payload).ok()?);
        Some(Zeroizing::new(<[u8; KEY_BYTES]>::try_from(key.as_slice()).ok()?))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key: [u8; KEY_BYTES] =
            self.secret.expose().try_into().expect("every constructor checks the length");
        XChaCha20Poly1305::new(&Key::from(key))
    }
}

/// The public check value of a key: hex of the leading 24 bits of an HMAC-SHA-256 under it.
pub(crate) fn check_value(key: &[u8]) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(b"logveil key check value");
    HEXLOWER.encode(&mac.finalize().into_bytes()[..3])
}

/// Fills at most 256 bytes, which the operating system gives whole or not at all. By the system call itself, so that
/// the static binary needs no `/dev/urandom` where there is no `/dev`.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), Error> {
    let wanted = bytes.len();
    let filled = rustix::rand::getrandom(bytes, GetRandomFlags::empty());
    filled.ok().filter(|filled| *filled == wanted).map(|_| ()).ok_or(Error::Random)
}

fn make_beside(dir: &DataDir, path: &Path) -> Result<(), Error> {
    if !dir.is_held() || dir.join("state").exists() || dir.join("keys").exists() {
        return Err(Error::KekMissing { path: path.to_owned() });
    }
    make_file(dir.disk(), path)
}

/// Makes a random key in a file of its own.
pub(super) fn make_file(disk: &Disk, path: &Path) -> Result<(), Error> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    random(key.as_mut_slice())?;
    let text = Zeroizing::new(BASE64.encode(key.as_slice()) + "\n");
    disk.replace(path, text.as_bytes()).map_err(Error::io(path))
}

/// Refuses a file that has any of the `forbidden` permission bits.
pub(super) fn check_mode(path: &Path, forbidden: u32) -> Result<(), Error> {
    let mode = mode(path).map_err(Error::io(path))?;
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(Error::Permissions { path: path.to_owned(), mode })
}

fn decode(text: &[u8]) -> Option<Secret> {
    let bytes = match text.len() {
        KEY_BYTES => text.to_vec(),
        _ => {
            let text = text.trim_ascii();
            let hex = HEXLOWER_PERMISSIVE.decode(text).ok();
            hex.filter(|bytes| bytes.len() == KEY_BYTES).or_else(|| BASE64.decode(text).ok())?
        }
    };
    (bytes.len() == KEY_BYTES).then(|| Secret::new(bytes))
}
