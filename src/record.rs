/*!
A record, the batch that carries it, and the acknowledgement that goes back.
*/

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Timestamp;
use crate::secret::Raw;
use crate::span::Span;

/// One log event, as spans into the buffer of its [`Batch`]. An empty span is a part that the frame did not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// What was said: of syslog the MSG part, of HTTP and files the line.
    pub message: Span,
    /// Who sent it, as the frame says (RFC 5424 HOSTNAME).
    pub host: Span,
    /// Which program said it (RFC 5424 APP-NAME, RFC 3164 TAG).
    pub app: Span,
    /// RFC 5424 PROCID.
    pub procid: Span,
    /// RFC 5424 MSGID.
    pub msgid: Span,
    /// RFC 5424 STRUCTURED-DATA, brackets included.
    pub structured: Span,
    /// Facility and severity (RFC 5424, section 6.2.1): 0 to 191.
    pub priority: Option<u8>,
    /// When it happened, as the frame says. Shown, and used for nothing else: an outsider chooses it.
    pub time: Option<Timestamp>,
    /// The class whose policy and retention hold for it; set by the route.
    pub class: ClassId,
    /// The stream it belongs to; set by the route.
    pub stream: StreamId,
    /// Whether it carries the wish not to be tracked; set by the route where the policy heeds that.
    pub tracking: Tracking,
    /// Where it belongs by what is in it; set by the route where the policy asks for that.
    pub home: HomeId,
    /// Its place among the clean records of its batch; set by `act`, kept when others are left out.
    pub place: u32,
}

/// Where a record belongs by what is in it: a line of the policy's residency, from 1; 0 if none decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HomeId(pub u16);

/// What somebody says of being tracked, by `DNT` or `Sec-GPC`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tracking {
    /// Nothing, or nobody listens.
    #[default]
    Unsaid,
    /// That it is not wished: the record is anonymised, never pseudonymised.
    Refused,
}

impl Record {
    /// A record that is all message.
    pub fn plain(message: Span) -> Record {
        Record { message, ..Record::default() }
    }

    /// Whether it is all message, as lines of files are.
    pub fn is_plain(&self) -> bool {
        let [host, app, procid, msgid, structured] =
            [self.host, self.app, self.procid, self.msgid, self.structured].map(Span::is_empty);
        host & app & procid & msgid & structured
    }

    /// The parts that carry text, in the order of RFC 5424.
    pub fn parts_mut(&mut self) -> [&mut Span; 6] {
        [
            &mut self.host,
            &mut self.app,
            &mut self.procid,
            &mut self.msgid,
            &mut self.structured,
            &mut self.message,
        ]
    }
}

/// What a clean record is called for good: unlike any other, and the same however often the record is sent.
///
/// It comes from where the record stands, never from what it says: nothing about its content can be learned from it.
/// Shown as 32 hexadecimal digits, which sort in the order in which a run took its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// A random number of the run that took the record. 0 is of no run: the record has no name.
    pub run: u64,
    /// Counted by the run.
    pub sequence: u64,
}

impl RecordId {
    /// The id, if there is one.
    pub fn named(self) -> Option<RecordId> {
        (self.run != 0).then_some(self)
    }

    /// Appends it as it is shown.
    pub fn write(self, out: &mut Vec<u8>) {
        for half in [self.run, self.sequence] {
            out.extend((0..16).rev().map(|place| b"0123456789abcdef"[(half >> (4 * place) & 15) as usize]));
        }
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.run, self.sequence)
    }
}

/// A retention class, by its place in [`Names`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u16);

/// A stream, by its place in [`Names`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u16);

/// What the numbers in records are called, and how long each class may live. Made with the policy, shared by all its batches.
#[derive(Debug, Default)]
pub struct Names {
    /// The policy that handled the records: `name@version`.
    pub policy: String,
    /// Class names and limits, by [`ClassId`].
    pub classes: Vec<(String, crate::ttl::Ttl)>,
    /// Stream names, by [`StreamId`].
    pub streams: Vec<String>,
    /// The regions that records of a class may be kept in, by [`ClassId`]; everywhere where there is no list.
    pub regions: Vec<Option<Vec<String>>>,
    /// The regions of each home, by [`HomeId`] less one.
    pub homes: Vec<Vec<String>>,
}

impl Names {
    /// Whether a record of this class and home may be kept in a region, or where none is said.
    pub fn allows(&self, class: ClassId, home: HomeId, region: Option<&str>) -> bool {
        let (of_class, of_home) = self.lists(class, home);
        let has = |list: &[String]| region.is_some_and(|region| list.iter().any(|known| known == region));
        of_class.is_none_or(has) && of_home.is_none_or(has)
    }

    /// What binds a record of this class, and of this home.
    fn lists(&self, class: ClassId, home: HomeId) -> (Option<&[String]>, Option<&[String]>) {
        let of_class = self.regions.get(usize::from(class.0)).and_then(Option::as_deref);
        let of_home = usize::from(home.0).checked_sub(1).and_then(|home| self.homes.get(home));
        (of_class, of_home.map(Vec::as_slice))
    }

    /// The regions that a record of this class and home may be kept in; nothing where no list says so.
    pub fn allowed(&self, class: ClassId, home: HomeId) -> Option<Vec<&str>> {
        let (first, second) = match self.lists(class, home) {
            (None, None) => return None,
            (Some(list), None) | (None, Some(list)) => (list, list),
            (Some(one), Some(other)) => (one, other),
        };
        Some(first.iter().filter(|region| second.contains(region)).map(String::as_str).collect())
    }
}

/// Records as they came, in one contiguous buffer.
#[derive(Debug)]
pub struct Batch {
    /// The bytes that the records' spans point into.
    pub raw: Raw,
    /// The records, in order of arrival.
    pub records: Vec<Record>,
    /// Receive time, decided once: it chooses the epoch, the partition and the expiry.
    pub received: Timestamp,
    /// Name of the source in the configuration.
    pub source: Arc<str>,
    /// The request's path or the file's path, for routes; empty where there is none. Never forwarded.
    pub path: Raw,
    /// Told when the records are safe.
    pub ack: Ack,
}

/// Tells a client that its records are safe, once every holder has said so.
///
/// Clones share one fate: [`confirm`](Ack::confirm) each; when the last clone is gone the client is told
/// `true` if none was dropped unconfirmed, else `false`.
pub struct Ack {
    shared: Arc<Shared>,
    confirmed: bool,
}

struct Shared {
    tell: Option<Box<dyn Fn(bool) + Send + Sync>>,
    failed: AtomicBool,
}

impl Ack {
    /// An acknowledgement that calls `tell` exactly once.
    pub fn new(tell: impl Fn(bool) + Send + Sync + 'static) -> Ack {
        let shared = Shared { tell: Some(Box::new(tell)), failed: AtomicBool::new(false) };
        Ack { shared: Arc::new(shared), confirmed: false }
    }

    /// Nobody waits: plain TCP and UDP have no way back.
    pub fn none() -> Ack {
        let shared = Shared { tell: None, failed: AtomicBool::new(false) };
        Ack { shared: Arc::new(shared), confirmed: false }
    }

    /// Whether somebody waits to be told.
    pub fn is_awaited(&self) -> bool {
        self.shared.tell.is_some()
    }

    /// This holder's part is safe.
    pub fn confirm(mut self) {
        self.confirmed = true;
    }
}

impl Clone for Ack {
    fn clone(&self) -> Ack {
        Ack { shared: Arc::clone(&self.shared), confirmed: false }
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if !self.confirmed {
            self.shared.failed.store(true, Ordering::Release);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(tell) = &self.tell {
            tell(!self.failed.load(Ordering::Acquire));
        }
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ack")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn told() -> (Ack, Arc<Mutex<Vec<bool>>>) {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        (Ack::new(move |safe| ear.lock().unwrap().push(safe)), heard)
    }

    #[test]
    fn a_region_is_allowed_if_it_is_among_those_that_are() {
        let list = |regions: &[&str]| regions.iter().map(|region| (*region).to_owned()).collect::<Vec<_>>();
        let names = Names {
            regions: vec![None, Some(list(&["eea", "ch"]))],
            homes: vec![list(&["ch", "ru"])],
            ..Names::default()
        };
        for (class, home) in [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(c, h)| (ClassId(c), HomeId(h))) {
            for region in [None, Some("eea"), Some("ch"), Some("ru"), Some("us")] {
                let allowed = names.allowed(class, home);
                let expected =
                    allowed.is_none_or(|allowed| region.is_some_and(|region| allowed.contains(&region)));
                assert_eq!(names.allows(class, home, region), expected, "{class:?} {home:?} {region:?}");
            }
        }
    }

    #[test]
    fn tells_once_all_clones_confirmed() {
        let (ack, heard) = told();
        let second = ack.clone();
        ack.confirm();
        assert!(heard.lock().unwrap().is_empty(), "one holder is still out");
        second.confirm();
        assert_eq!(*heard.lock().unwrap(), [true]);
    }

    #[test]
    fn a_dropped_clone_fails_all() {
        let (ack, heard) = told();
        let second = ack.clone();
        drop(second);
        ack.confirm();
        assert_eq!(*heard.lock().unwrap(), [false]);
    }
}
