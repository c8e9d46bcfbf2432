//! What the benches measure with: policies and a key.

use std::sync::Arc;

use logveil::detect::Rules;
use logveil::keys::{EpochKey, KeyId, Keyring};
use logveil::policy::{BUILTIN, Policy};
use logveil::secret::Secret;

/// `everything`, but addresses and e-mails get pseudonyms.
pub const PSEUDONYMS: &str = "policy: pseudonyms
version: 1
about: Addresses and e-mails pseudonymized, the rest replaced by labels
default: redact
classes:
  '*':
    retention: 90d
    entities:
      hostname: keep
      url: keep
      uuid: keep
      user_agent: keep
      ipv4: pseudonymize
      ipv6: pseudonymize
      email: pseudonymize
";

/// The built-in policy `everything` as text.
pub fn everything() -> &'static str {
    BUILTIN.iter().find(|(name, _)| *name == "everything").expect("it is built in").1
}

/// A policy for these rules, every record in class `app`.
pub fn policy(rules: &Arc<Rules>, text: &str) -> Policy {
    let policy = Policy::parse_for(Arc::clone(rules), "bench", text).expect("it is right");
    let class = policy.class_named("app").expect("every policy has it");
    policy.routed_to(class)
}

/// One key for everything.
pub fn keyring() -> Keyring {
    Keyring::for_run(EpochKey::new(KeyId(*b"kaaaa"), &Secret::new(vec![7; 32])))
}
