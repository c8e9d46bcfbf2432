//! Who gives a verb, and why: what stands in the audit log.

use std::fs;
use std::sync::Arc;

use super::Error;
use crate::clock::Timestamp;
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

/// Says in the audit log of the directory that this user did something.
pub(super) fn audited(dir: &DataDir, kek: &Arc<Kek>, act: Act) -> Result<(), Error> {
    AuditLog::new(dir, Arc::clone(kek)).say(act).map_err(Error::failure)
}

/// A reason as it may be kept: what is sensitive in it by the policy `everything` is replaced by its label.
pub(super) fn clean_reason(reason: Option<&str>) -> Option<String> {
    let reason = reason?;
    let policy = Policy::builtin("everything")?;
    let mut raw = Raw::default();
    let record = Record::plain(raw.push(reason.as_bytes()));
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
