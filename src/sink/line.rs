/*!
Records as lines: what stdout, files and NDJSON have in common.
*/

use std::sync::Arc;

use crate::act::Redacted;

/// What a line holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The message alone. A line feed within it becomes a space, so that one line is one record.
    #[default]
    Message,
    /// The envelope, as one JSON object.
    Json,
}

/// Appends the batches' records to `out`, one a line.
pub(super) fn write(batches: &[Arc<Redacted>], form: Form, out: &mut Vec<u8>) {
    for envelope in batches.iter().flat_map(|batch| batch.iter()) {
        match form {
            Form::Message => push_one_line(envelope.message, out),
            Form::Json => envelope.write_json(out),
        }
        out.push(b'\n');
    }
}

/// Appends text without its line feeds: nobody forges a record by writing one.
pub(super) fn push_one_line(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(text);
    for byte in &mut out[start..] {
        if *byte == b'\n' {
            *byte = b' ';
        }
    }
}
