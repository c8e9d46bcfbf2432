//! Who gives a verb, and why: what stands in the audit log.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::archive::Place;
use super::{Error, reason};
use crate::clock::Timestamp;
use crate::config::{May, read_token};
use crate::keys::Keyring;
use crate::pipeline::{Outcome, State, process};
use crate::policy::Policy;
use crate::record::{Ack, Batch, Record};
use crate::secret::Raw;
use crate::vault::{Act, AuditLog, DataDir, Kek};

/// The operating system's user, by name where `/etc/passwd` has one.
pub(super) fn user() -> String {
    let uid = rustix::process::getuid().as_raw();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| format!("uid {uid}"))
}

/// In which role something is done.
#[derive(Debug, clap::Args)]
pub(super) struct Permit {
    /// The file with a role's token, for who is not one of the role's users.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Who gives a verb.
pub(super) struct Who {
    /// The operating system's user.
    pub(super) name: String,
    /// The role that allows it; none where no role is configured.
    pub(super) role: Option<String>,
}

impl Permit {
    /// Whether this user, or whoever has the token, may do it. Where no roles are configured, everybody who can read the
    /// key-encryption key may do everything but reveal.
    pub(super) fn of(&self, place: &Place, may: May) -> Result<Who, Error> {
        let (name, roles) = (user(), place.roles()?);
        if roles.is_empty() && may != May::Reveal {
            return Ok(Who { name, role: None });
        }
        let token = match &self.token_file {
            Some(path) => Some(read_token(path).map_err(|error| {
                Error::Usage(format!("--token-file {}: {}", path.display(), reason(&error)))
            })?),
            None => None,
        };
        for role in roles.iter().filter(|role| role.may.contains(&may)) {
            let by_token = token.as_ref().map(|token| role.has_token(token)).transpose();
            let by_token = by_token
                .map_err(|error| Error::Usage(format!("roles.{}.token: {}", role.name, reason(&error))))?;
            if role.users.contains(&name) || by_token == Some(true) {
                return Ok(Who { name, role: Some(role.name.to_string()) });
            }
        }
        Err(Error::Usage(format!(
            "{name}: has no role that may {}; the configuration's `roles` say who may, --token-file names another's token",
            may.name()
        )))
    }
}

/// Says in the audit log of the directory that this user did something.
pub(super) fn audited(dir: &DataDir, kek: &Arc<Kek>, act: Act) -> Result<(), Error> {
    AuditLog::new(dir, Arc::clone(kek)).say(act).map_err(Error::failure)
}

/// A reason as it may be kept: what is sensitive in it by the policy `everything` is replaced by its label.
pub(super) fn clean_reason(said: Option<&str>) -> Option<String> {
    let said = said?;
    let policy = Policy::builtin("everything")?;
    let mut raw = Raw::default();
    let record = Record::plain(raw.push(said.as_bytes()));
    let (received, source, path) = (Timestamp::UNIX_EPOCH, "reason".into(), Raw::default());
    let batch = Batch { records: vec![record], raw, received, source, path, ack: Ack::none() };
    match process(&policy, &Keyring::empty(), &mut State::default(), batch) {
        Outcome::Clean { redacted, .. } => {
            let said = redacted.iter().next()?.message.to_vec();
            Some(String::from_utf8_lossy(&said).into_owned())
        }
        Outcome::Held { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_nobody() {
        let reason = clean_reason(Some("asked by jane@example.com from 203.0.113.7")).unwrap();
        assert_eq!(reason, "asked by [email] from [ipv4]");
        assert_eq!(clean_reason(Some("child")).unwrap(), "child");
        assert_eq!(clean_reason(None), None);
    }
}
