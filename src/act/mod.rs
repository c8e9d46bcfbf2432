/*!
Carries out the policy's actions: findings in, clean bytes out, in one pass.

This module alone makes a [`Redacted`]; nothing downstream accepts anything else.
*/

mod redacted;

pub use redacted::{Builder, Envelope, Redacted};
