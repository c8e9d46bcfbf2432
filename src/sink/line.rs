/*!
Records as lines: what stdout, files and NDJSON have in common.
*/

use super::{Batch, Delivery};
use crate::act::Envelope;

/// What a line holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The message alone. A line feed, NUL or carriage return within it becomes a space, so that one line is one record.
    #[default]
    Message,
    /// The envelope, as one JSON object.
    Json,
}

/// Appends the records of a delivery to `out`, one a line.
pub(super) fn write(delivery: &Delivery<'_>, form: Form, out: &mut Vec<u8>) {
    delivery.iter().for_each(|envelope| push(&envelope, form, out));
}

/// Appends the first records of a delivery to `out`, one a line, as many as a batch may have. The delivery is limited
/// to these.
pub(super) fn write_some(delivery: &mut Delivery<'_>, form: Form, batch: Batch, out: &mut Vec<u8>) {
    batch.fill(delivery, out, |envelope, out| push(envelope, form, out));
}

fn push(envelope: &Envelope<'_>, form: Form, out: &mut Vec<u8>) {
    match form {
        Form::Message => push_one_line(envelope.message, out),
        Form::Json => envelope.write_json(out),
    }
    out.push(b'\n');
}

/// Appends text with a space for each line feed, NUL and carriage return: whichever of them a reader ends its lines
/// at (RFC 6587, section 3.4.2), nobody forges a record by writing one.
pub fn push_one_line(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(text);
    one_line(&mut out[start..]);
}

/// The same for text that stands where it is to go.
pub(super) fn one_line(text: &mut [u8]) {
    let mut from = 0;
    while let Some(at) = memchr::memchr3(b'\n', b'\r', 0, &text[from..]) {
        text[from + at] = b' ';
        from += at + 1;
    }
}
