/*!
The way to stores: one HTTP client for all who speak to one.

[`Client::send`] takes a [`Request`] and gives an [`Answer`] or a [`Fault`];
what an answer means is its caller's knowledge. The client keeps what holds for
every store: TLS with the system's certificates or a CA of one's own,
credentials that cannot be printed, answers of a bounded length, a time for all
of it, no redirects, names resolved anew, and no way to the addresses that hand
out a machine's own credentials. Faults hold nothing of a request and nothing
of an answer.
*/

mod address;
mod auth;
mod client;
mod tls;

pub use address::{Resolver, connect};
pub use auth::Auth;
pub use client::{Answer, Client, Compression, Fault, Request, Settings};
pub use tls::{Error as TlsError, Files as TlsFiles, Tls};

/// Appends `text` as part of a path or query: everything but letters, digits and `-._~` becomes `%XX` (RFC 3986,
/// section 2.3).
pub fn push_percent(text: &[u8], out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend([byte >> 4, byte & 15].map(|digit| char::from(HEX[usize::from(digit)])));
        }
    }
}

#[cfg(test)]
mod tests;
