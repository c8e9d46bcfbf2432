/*!
Roles: who may do what, by the operating system's user or by a token.

A role protects against mistakes of those who keep to the program, and makes the audit
log say in which role something was done. It does not protect against somebody who may
read the key-encryption key and the data directory: they need no program of ours. On
the admin listener, where nobody has the files, a token is what keeps others out.
*/

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::expand::file_path;
use super::read::keys;
use crate::limit::{ROLE_TOKEN_BYTES_MAX, ROLE_TOKEN_BYTES_MIN};
use crate::yaml::{Field, nearest};

/// What a role may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// `subject find`.
    Find,
    /// `subject export`.
    Export,
    /// `subject erase`.
    Erase,
    /// `subject suppress`.
    Suppress,
    /// `subject reveal`: opening encrypted values. Nobody may without a role.
    Reveal,
    /// Closing requests and incidents by hand.
    Close,
    /// `archive purge`.
    Purge,
    /// `POST /-/reload` on the admin listener.
    Reload,
    /// `GET /metrics` on the admin listener.
    Metrics,
    /// `POST /v1/sessions/logout` on the admin listener.
    Logout,
    /// `POST /v1/keys/rotate` and `/v1/keys/destroy` on the admin listener. Nobody may without a role.
    Keys,
}

const MAY: &[(&str, May)] = &[
    ("find", May::Find),
    ("export", May::Export),
    ("erase", May::Erase),
    ("suppress", May::Suppress),
    ("reveal", May::Reveal),
    ("close", May::Close),
    ("purge", May::Purge),
    ("reload", May::Reload),
    ("metrics", May::Metrics),
    ("logout", May::Logout),
    ("keys", May::Keys),
];

impl May {
    /// As configurations write it.
    pub fn name(self) -> &'static str {
        MAY.iter().find(|(_, may)| *may == self).map_or("", |(name, _)| name)
    }
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// What it may do.
    pub may: Vec<May>,
    /// Users of the operating system who have it.
    pub users: Vec<String>,
    /// The file with the token of those who have it.
    pub token: Option<PathBuf>,
}

impl Role {
    /// Whether this is the role's token. Takes the same time whatever it holds.
    pub fn has_token(&self, given: &[u8]) -> io::Result<bool> {
        let Some(path) = &self.token else { return Ok(false) };
        let token = read_token(path)?;
        Ok(token.as_slice().ct_eq(given.trim_ascii()).into())
    }
}

/// A token as its file has it, without the line's end: refused if others may read it, or if it can be guessed.
pub fn read_token(path: &std::path::Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let found = std::fs::metadata(path)?;
    if found.permissions().mode() & 0o037 != 0 {
        return Err(io::Error::other("may be read by others than its owner and group; run chmod 640 on it"));
    }
    if found.len() > ROLE_TOKEN_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let content = Zeroizing::new(std::fs::read(path)?);
    let token = Zeroizing::new(content.trim_ascii().to_vec());
    if token.len() < ROLE_TOKEN_BYTES_MIN {
        return Err(io::Error::other(format!(
            "holds {} bytes, and a token has {ROLE_TOKEN_BYTES_MIN} at least; make one with: head -c 32 /dev/urandom | base64",
            token.len()
        )));
    }
    Ok(token)
}

/// One role.
pub(super) fn role(name: Arc<str>, field: &Field<'_>) -> Option<Role> {
    let table = field.table(keys("role"))?;
    let may = table.need("may", "a list of what it may do")?.list()?;
    let may: Vec<Option<May>> = may.iter().map(known).collect();
    let users = match table.find("users") {
        Some(field) => field.texts()?,
        None => Vec::new(),
    };
    let token = match table.find("token") {
        Some(field) => Some(file_path(field.text()?).map(PathBuf::from).or_else(|| {
            field.refuse("holds something else, and may hold \"${file:PATH}\", the file with the token")
        })?),
        None => None,
    };
    if users.is_empty() && token.is_none() {
        return field.refuse("has neither users nor a token: nobody has it");
    }
    Some(Role { name, may: may.into_iter().collect::<Option<_>>()?, users, token })
}

fn known(field: &Field<'_>) -> Option<May> {
    let text = field.text()?;
    let found = MAY.iter().find(|(name, _)| *name == text).map(|(_, may)| *may);
    found.or_else(|| {
        let names: Vec<&str> = MAY.iter().map(|(name, _)| *name).collect();
        let near = nearest(text, &names);
        field.refuse(format!("holds {text:?}, and may hold {}{near}", names.join(", ")))
    })
}
