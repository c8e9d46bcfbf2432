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

/// Replacements under a key: name, line of a policy, entity.
#[allow(dead_code, reason = "one bench of several needs it")]
pub const KEYED: &[(&str, &str, &str)] = &[
    ("tag", "pseudonymize", "ipv4"),
    ("ip", "{ pseudonymize: { shape: ip } }", "ipv4"),
    ("ip", "{ pseudonymize: { shape: ip } }", "ipv6"),
    ("uuid", "{ pseudonymize: { shape: uuid } }", "ipv4"),
    ("email", "{ pseudonymize: { shape: email } }", "email"),
    ("digits", "{ pseudonymize: { shape: digits } }", "user_id"),
    ("encrypt", "encrypt", "ipv4"),
    ("encrypt", "encrypt", "email"),
];

/// `everything`, but this entity is handled so.
#[allow(dead_code, reason = "one bench of several needs it")]
pub fn keyed_policy(entity: &str, action: &str) -> String {
    let kept = "hostname: keep, url: keep, uuid: keep, user_agent: keep";
    format!(
        "policy: keyed\ndefault: redact\nclasses: {{ '*': {{ entities: {{ {kept}, {entity}: {action} }} }} }}\n"
    )
}

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
