/*!
The whole product, without any input or output: records in, clean records out.

[`process`] routes each record of a batch, finds what is sensitive in it and
acts on it as the policy says. It fails closed: a record that makes a stage
panic is withheld and a marker stands in its place; a batch that needs a key
which is not there is held and given back.
*/

mod rescan;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use crate::act::{State, Tally};
pub use rescan::{Again, Hit, Rescan};

use crate::act::{Orders, Pass, Redacted, Table};
use crate::clock::Timestamp;
use crate::keys::Keyring;
use crate::policy::{Policy, residency};
use crate::record::{Ack, Batch, ClassId, HomeId, Record, StreamId, Tracking};
use crate::span::Span;
use crate::structure::signal;

/// What became of a batch.
#[derive(Debug)]
pub enum Outcome {
    /// Its clean records.
    Clean {
        /// They go on, and nothing else does.
        redacted: Redacted,
        /// What was done.
        tally: Tally,
        /// The batch's own, to be confirmed once the records are safe.
        ack: Ack,
    },
    /// A class that pseudonymizes has no key for this epoch. The batch is as it was; try again once the key is there.
    Held {
        /// Untouched.
        batch: Batch,
        /// The class that has no key.
        class: ClassId,
    },
}

/// Why a record is withheld.
const FAILED: &str = "it made a stage fail";

/// Cleans a batch. The epoch of its keys is that of its receive time.
pub fn process(policy: &Policy, keyring: &Keyring, state: &mut State, batch: Batch) -> Outcome {
    let routes = policy.routes();
    routed(policy, keyring, state, batch, |batch, record| routes.route(batch, record))
}

fn routed(
    policy: &Policy,
    keyring: &Keyring,
    state: &mut State,
    mut batch: Batch,
    route: impl Fn(&Batch, &Record) -> (StreamId, ClassId),
) -> Outcome {
    let lost = route_all(policy, &mut batch, route);
    batch.records.iter_mut().for_each(|record| rejoin(policy, batch.raw.bytes(), record));
    let orders = orders(policy, keyring, batch.received);
    if let Some(class) = keyless(policy, &orders, &batch) {
        return Outcome::Held { batch, class };
    }
    let mut tally = Tally::default();
    let redacted = if lost.is_empty() { whole(policy, &orders, state, &batch, &mut tally) } else { None };
    let redacted = redacted.unwrap_or_else(|| {
        *state = State::default();
        tally = Tally::default();
        one_by_one(policy, &orders, state, &batch, &lost, &mut tally)
    });
    tally.records_in = batch.records.len() as u64;
    tally.bytes_in = batch.raw.len() as u64;
    tally.bytes_out = redacted.text_len() as u64;
    Outcome::Clean { redacted, tally, ack: batch.ack }
}

/// Routes every record; returns the places, ascending, of those that made the route panic. They are of the first class, and to
/// be withheld.
fn route_all(
    policy: &Policy,
    batch: &mut Batch,
    route: impl Fn(&Batch, &Record) -> (StreamId, ClassId),
) -> Vec<usize> {
    let mut search = residency::Search::default();
    let mut one = |batch: &mut Batch, place: usize| {
        let search = &mut search;
        let (stream, class) = route(batch, &batch.records[place]);
        let record = &mut batch.records[place];
        (record.stream, record.class) = (stream, class);
        record.tracking = tracking(policy, batch.raw.bytes(), record);
        record.home = home(policy, batch.raw.bytes(), record, search);
    };
    let places = 0..batch.records.len();
    let all = AssertUnwindSafe(|| places.clone().for_each(|place| one(batch, place)));
    if catch_unwind(all).is_ok() {
        return Vec::new();
    }
    places.filter(|place| catch_unwind(AssertUnwindSafe(|| one(batch, *place))).is_err()).collect()
}

/// Whether a record of a class that heeds it carries the wish not to be tracked.
fn tracking(policy: &Policy, raw: &[u8], record: &Record) -> Tracking {
    let asks = |part: Span| signal::asks_not_to_be_tracked(raw.get(part.range()).unwrap_or_default());
    if policy.heeds_signals(record.class) && (asks(record.message) || asks(record.structured)) {
        return Tracking::Refused;
    }
    Tracking::Unsaid
}

/// Where a record belongs by what is in it, if the policy asks for that.
fn home(policy: &Policy, raw: &[u8], record: &Record, search: &mut residency::Search) -> HomeId {
    if policy.residency().is_empty() {
        return HomeId::default();
    }
    let mut of = |part: Span| {
        policy.residency().home(policy.rules(), raw.get(part.range()).unwrap_or_default(), search)
    };
    match of(record.message) {
        HomeId(0) => of(record.structured),
        home => home,
    }
}

/// Gives the message its key back: `password: text` behind a time reads like a program and what it says (RFC 3164,
/// section 4.1.3), and alone the text would not be found. A program without a number that is called as a field is taken
/// for the field. Its route is that of the program.
fn rejoin(policy: &Policy, raw: &[u8], record: &mut Record) {
    if record.app.is_empty() {
        return;
    }
    let between = raw.get(record.app.end..record.message.start);
    let reads_like_a_field = record.procid.is_empty() && matches!(between, Some(b":" | b": "));
    let name = raw.get(record.app.range()).unwrap_or_default();
    if reads_like_a_field && policy.rules().is_field_name(name) {
        record.message.start = record.app.start;
        record.app.end = record.app.start;
    }
}

/// What is to be done in each class, with its key of the epoch, and, where a class heeds that, the same for records that
/// ask not to be tracked: looked up once per batch.
fn orders<'a>(policy: &'a Policy, keyring: &'a Keyring, received: Timestamp) -> Vec<Orders<'a>> {
    let table = keyring.sessions().map(|sessions| Table { sessions, received, logouts: policy.logouts() });
    let of = |class| Orders {
        class,
        rules: policy.rules(),
        wanted: policy.wanted(class),
        actions: policy.actions(class),
        key: keyring.key(policy.class_name(class), received),
        suppressed: keyring.suppressed(),
        table,
    };
    let silent = |class| {
        let (wanted, actions) = policy.silent(class);
        Orders { wanted, actions, key: None, ..of(class) }
    };
    let heeded = policy.classes().any(|class| policy.heeds_signals(class));
    let silents = policy.classes().filter(|_| heeded).map(silent);
    policy.classes().map(of).chain(silents).collect()
}

/// The class of the first record that needs a key and has none.
fn keyless(policy: &Policy, orders: &[Orders<'_>], batch: &Batch) -> Option<ClassId> {
    let lacks = |record: &&Record| {
        let needs = policy.pseudonymizes(record.class) && record.tracking == Tracking::Unsaid;
        needs && Orders::of(record, orders).key.is_none()
    };
    batch.records.iter().find(lacks).map(|record| record.class)
}

/// The common case: one guard around all records. `None` if one of them made a stage panic.
fn whole(
    policy: &Policy,
    orders: &[Orders<'_>],
    state: &mut State,
    batch: &Batch,
    tally: &mut Tally,
) -> Option<Redacted> {
    let mut pass = Pass::new(&batch.raw, batch.received, policy.names().clone());
    pass.reserve(batch.raw.len(), batch.records.len());
    let all = AssertUnwindSafe(|| {
        pass.records(orders, state, &batch.records, tally);
    });
    catch_unwind(all).ok().map(|()| pass.finish())
}

/// One guard a record: what panics, or is `lost` already, is withheld, the others go on. State and pass are made whole again after a panic.
fn one_by_one(
    policy: &Policy,
    orders: &[Orders<'_>],
    state: &mut State,
    batch: &Batch,
    lost: &[usize],
    tally: &mut Tally,
) -> Redacted {
    let mut pass = Pass::new(&batch.raw, batch.received, policy.names().clone());
    for (place, record) in batch.records.iter().enumerate() {
        if lost.binary_search(&place).is_ok() {
            pass.withhold(record, FAILED, tally);
            continue;
        }
        let mut counted = tally.clone();
        let one = std::slice::from_ref(record);
        let one = AssertUnwindSafe(|| pass.records(orders, state, one, &mut counted));
        if catch_unwind(one).is_ok() {
            *tally = counted;
        } else {
            *state = State::default();
            pass.withhold(record, FAILED, tally);
        }
    }
    pass.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::entity::Entity;
    use crate::keys::sessions::Sessions;
    use crate::keys::{Epoch, EpochKey, KeyId};
    use crate::secret::{Raw, Secret};

    fn key() -> EpochKey {
        EpochKey::new(KeyId(*b"k7f3a"), &Secret::new(vec![7; 32]))
    }

    fn policy(name: &str) -> Policy {
        Policy::builtin(name).expect("it is built in")
    }

    fn batch(messages: &[&str]) -> Batch {
        let mut raw = Raw::default();
        let records = messages.iter().map(|text| Record::plain(raw.push(text.as_bytes()))).collect();
        let path = Raw::default();
        Batch { raw, records, received: Timestamp::UNIX_EPOCH, source: "test".into(), path, ack: Ack::none() }
    }

    #[track_caller]
    fn clean(policy: &Policy, keyring: &Keyring, batch: Batch) -> (Vec<String>, Tally) {
        let outcome = process(policy, keyring, &mut State::default(), batch);
        let Outcome::Clean { redacted, tally, .. } = outcome else { panic!("the batch was held") };
        let text =
            |envelope: crate::act::Envelope<'_>| String::from_utf8_lossy(envelope.message).into_owned();
        (redacted.iter().map(text).collect(), tally)
    }

    #[test]
    fn records_come_out_in_order_and_are_counted() {
        let (messages, tally) =
            clean(&policy("everything"), &Keyring::empty(), batch(&["by 192.0.2.7", "", "nothing"]));
        assert_eq!(messages, ["by [ipv4]", "", "nothing"]);
        let counted = (tally.records_in, tally.records_out, tally.bytes_in, tally.bytes_out);
        assert_eq!(counted, (3, 3, 19, 16));
        assert_eq!(tally.found(Entity::IPV4, "redact"), 1);
    }

    #[test]
    fn without_a_key_the_batch_is_held_as_it_was() {
        let (mut state, policy) = (State::default(), policy("default"));
        let sent = ["by jane@example.com"];
        let outcome = process(&policy, &Keyring::empty(), &mut state, batch(&sent));
        let Outcome::Held { batch: held, class } = outcome else { panic!("no key is there") };
        assert_eq!(policy.class_name(class), "app");
        assert_eq!(held.raw.bytes(), sent[0].as_bytes());
        let mut keyring = Keyring::empty();
        keyring.insert("app", Epoch(1), key());
        let outcome = process(&policy, &keyring, &mut state, held);
        let Outcome::Held { batch: held, .. } = outcome else { panic!("the key is tomorrow's") };
        keyring.insert("app", Epoch(0), key());
        let (messages, _) = clean(&policy, &keyring, held);
        assert!(messages[0].starts_with("by email_k7f3a."), "{messages:?}");
    }

    /// F28: around the end of a day each batch has one key, by its receive time, in whichever program it is.
    #[test]
    fn around_the_end_of_a_day_a_batch_has_one_key() {
        let mut keyring = Keyring::empty();
        keyring.insert("app", Epoch(0), key());
        keyring.insert("app", Epoch(1), EpochKey::new(KeyId(*b"kzzzz"), &Secret::new(vec![8; 32])));
        let midnight = Timestamp::from_second(86_400).expect("a moment");
        let (mut one, mut other) = (State::default(), State::default());
        for millis in (-5000..=5000).step_by(500) {
            let received = midnight + jiff::SignedDuration::from_millis(millis);
            let batch = || Batch { received, ..batch(&["by jane@example.com", "to jane@example.com"]) };
            let text = |state: &mut State| {
                let outcome = process(&policy("default"), &keyring, state, batch());
                let Outcome::Clean { redacted, .. } = outcome else { panic!("both days have a key") };
                String::from_utf8_lossy(redacted.bytes()).into_owned()
            };
            let clean = text(&mut one);
            let (key, none) = if millis < 0 { ("k7f3a", "kzzzz") } else { ("kzzzz", "k7f3a") };
            assert_eq!(clean.matches(key).count(), 2, "{clean} at {millis}");
            assert!(!clean.contains(none), "{clean} at {millis}");
            assert_eq!(text(&mut other), clean, "another program with the same keys agrees");
        }
    }

    #[test]
    fn a_class_without_records_needs_no_key() {
        let mut keyring = Keyring::empty();
        keyring.insert("app", Epoch(0), key());
        clean(&policy("default"), &keyring, batch(&["x"]));
    }

    /// A span beyond the buffer stands for any fault of ours.
    #[test]
    fn a_record_that_makes_a_stage_panic_is_withheld_alone() {
        let mut broken = batch(&["by 192.0.2.7", "secret", "by 192.0.2.8"]);
        broken.records[1].message = Span::new(15, 1_000);
        broken.records[1].host = Span::new(0, 3);
        let outcome = process(&policy("everything"), &Keyring::empty(), &mut State::default(), broken);
        let Outcome::Clean { redacted, tally, .. } = outcome else { panic!("no key is needed") };
        let all: Vec<_> = redacted.iter().collect();
        assert_eq!(all[0].message, b"by [ipv4]");
        assert_eq!(all[1].message, b"[logveil: record withheld, 985 bytes, it made a stage fail]");
        assert_eq!(all[1].host, b"", "nothing else of it goes on");
        assert_eq!(all[2].message, b"by [ipv4]");
        assert_eq!((tally.records_in, tally.records_out, tally.withheld), (3, 3, 1));
        assert_eq!(tally.found(Entity::IPV4, "redact"), 2, "each finding is counted once");
    }

    #[test]
    fn a_record_that_makes_the_route_panic_is_withheld_alone() {
        let policy = policy("everything");
        let route = |batch: &Batch, record: &Record| {
            assert_ne!(&batch.raw.bytes()[record.message.range()], b"secret", "planted");
            policy.routes().route(batch, record)
        };
        let batch = batch(&["by 192.0.2.7", "secret", "by 192.0.2.8"]);
        let outcome = routed(&policy, &Keyring::empty(), &mut State::default(), batch, route);
        let Outcome::Clean { redacted, tally, .. } = outcome else { panic!("no key is needed") };
        let messages: Vec<_> = redacted.iter().map(|envelope| envelope.message.to_vec()).collect();
        let marker = b"[logveil: record withheld, 6 bytes, it made a stage fail]";
        assert_eq!(messages, [&b"by [ipv4]"[..], marker, b"by [ipv4]"]);
        assert_eq!((tally.records_in, tally.records_out, tally.withheld), (3, 3, 1));
    }

    fn sessions(byte: u8) -> Arc<Sessions> {
        Arc::new(Sessions::new(KeyId(*b"ktabl"), &Secret::new(vec![byte; 64])))
    }

    const TABLE: &str = "policy: p
logout: [{ field: { event: logout } }, { text: 'POST /logout ' }]
classes: { app: { entities: { session_id: { pseudonymize: { table: 7d } }, email: drop_record } } }";

    #[test]
    fn a_logout_in_the_stream_ends_the_session_for_every_worker() {
        let policy = Policy::parse("p", TABLE).expect("it is right");
        let keyring = Keyring::empty().with_sessions(sessions(7));
        let token = "3f9a1c77e2b04d58a6c1";
        let one = |message: String| clean(&policy, &keyring, batch(&[&message])).0.concat();
        let tag_of = |message: String| {
            let out = one(message);
            let at = out.find("session_id_ktabl.").unwrap_or_else(|| panic!("no tag: {out}"));
            out[at..][..37].to_owned()
        };
        let seen = |event: &str| format!(r#"{{"event":"{event}","session_id":"{token}"}}"#);
        let first = tag_of(seen("view"));
        assert_eq!(tag_of(seen("click")), first, "another worker has the same table");
        assert_eq!(tag_of(format!("session_id={token} ok")), first, "however it is written");
        assert_eq!(tag_of(seen("logout")), first, "the logout itself still belongs to the session");
        let second = tag_of(seen("view"));
        assert_ne!(second, first);
        assert_eq!(tag_of(format!("POST /logout session_id={token}")), second);
        assert_ne!(tag_of(seen("view")), second);
        let third = tag_of(seen("view"));
        one(format!(r#"{{"event":"logout","session_id":"{token}","by":"jane@example.com"}}"#));
        assert_ne!(tag_of(seen("view")), third, "a logout that is dropped ends the session all the same");
    }

    #[test]
    fn without_a_table_what_would_come_from_it_is_redacted_and_no_key_is_needed() {
        let policy = Policy::parse("p", TABLE).expect("it is right");
        let (messages, _) = clean(&policy, &Keyring::empty(), batch(&["session_id=3f9a1c77e2b04d58a6c1"]));
        assert_eq!(messages, ["session_id=[session_id]"]);
    }

    #[test]
    fn a_dropped_record_leaves_nothing() {
        let text = "policy: p\nclasses: { app: { entities: { email: drop_record } } }";
        let policy = Policy::parse("p", text).expect("it is right");
        let (messages, tally) =
            clean(&policy, &Keyring::empty(), batch(&["a", "by 192.0.2.7 jane@example.com", "b"]));
        assert_eq!(messages, ["a", "b"]);
        assert_eq!((tally.records_in, tally.records_out, tally.dropped), (3, 2, 1));
    }

    #[test]
    fn every_part_of_a_record_is_searched() {
        let mut batch =
            batch(&["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", r#"[a b="192.0.2.5"]"#, "x"]);
        let spans: Vec<Span> = batch.records.iter().map(|record| record.message).collect();
        let mut record = batch.records[5];
        for (part, span) in record.parts_mut().into_iter().zip(spans) {
            *part = span;
        }
        batch.records = vec![record];
        let outcome = process(&policy("everything"), &Keyring::empty(), &mut State::default(), batch);
        let Outcome::Clean { redacted, .. } = outcome else { panic!("no key is needed") };
        let clean = redacted.iter().next().expect("one record");
        for part in [clean.host, clean.app, clean.procid, clean.msgid] {
            assert_eq!(part, b"[ipv4]");
        }
        assert_eq!(clean.structured, br#"[a b="[ipv4\]"]"#);
    }

    /// RFC 3164 has no sign that tells a program from a key.
    #[test]
    fn a_key_that_reads_like_a_program_is_searched_with_its_value() {
        let time = "<13>Nov 22 10:00:00 web1";
        for (frame, app, message) in [
            ("password: hunter2", "", "password: [password]"),
            ("db_password: hunter2", "", "db_password: [password]"),
            ("password[7]: hunter2", "password", "hunter2"),
            ("su: hunter2", "su", "hunter2"),
        ] {
            let mut batch = batch(&[&format!("{time} {frame}")]);
            let span = batch.records[0].message;
            batch.records = vec![crate::codec::syslog::parse(batch.raw.bytes(), span, batch.received)];
            let policy = policy("everything");
            let outcome = process(&policy, &Keyring::empty(), &mut State::default(), batch);
            let Outcome::Clean { redacted, .. } = outcome else { panic!("no key is needed") };
            let clean = redacted.iter().next().expect("one record");
            let parts = [clean.host, clean.app, clean.message].map(String::from_utf8_lossy);
            assert_eq!(parts, ["web1", app, message], "{frame}");
        }
    }

    #[test]
    fn the_ack_goes_along() {
        let told = Arc::new(std::sync::Mutex::new(None));
        let ear = Arc::clone(&told);
        let mut batch = batch(&["x"]);
        batch.ack = Ack::new(move |safe| *ear.lock().unwrap() = Some(safe));
        let outcome = process(&policy("everything"), &Keyring::empty(), &mut State::default(), batch);
        let Outcome::Clean { ack, .. } = outcome else { panic!("no key is needed") };
        assert_eq!(*told.lock().unwrap(), None);
        ack.confirm();
        assert_eq!(*told.lock().unwrap(), Some(true));
    }
}
