/*!
S3 and what speaks as it does: objects of NDJSON, packed.

A delivery becomes one object a class and hour of receipt:
`PREFIX/CLASS/DATE/HOUR/ID-RECORDS.ndjson.zst`, ID being that of its first
record. So a retry of the same records writes the same object once more, and
whoever deletes by time finds whole hours. Class and hour of receipt are chosen
by no outsider.

Requests are signed in their URL (SigV4), for [`SIGNED_FOR`]. No answer of S3 is
about a record: whatever is no success is the operator's to mend or the store's,
and waits.
*/

use std::fmt;
use std::sync::Arc;

use rusty_s3::{Bucket, Credentials, S3Action};

use crate::act::Envelope;
use crate::clock::Clock;
use crate::limit::{OBJECT_AGE, OBJECT_BYTES, OBJECTS, REQUEST_RECORDS, SIGNED_FOR};
use crate::record::RecordId;
use crate::secret::Secret;
use crate::sink::{Batch, Delivery, Outcome, Sink, Verdict, answer};
use crate::store::{self, Client, Compression, Request};

/// What goes into one object, where the operator says nothing: objects are not for small amounts.
pub const BATCH: Batch = Batch {
    bytes_max: OBJECT_BYTES,
    records_max: REQUEST_RECORDS,
    age_max: OBJECT_AGE,
    requests_max: OBJECTS,
};

/// An S3 sink's settings.
#[derive(Clone, PartialEq)]
pub struct Settings {
    /// Where the interface is. What packs requests elsewhere packs objects here.
    pub store: store::Settings,
    /// The bucket: its name, its region, and how it is addressed.
    pub bucket: Bucket,
    /// What stands before the class; empty, or ends with `/`.
    pub prefix: String,
    /// Who we are.
    pub keys: Keys,
    /// What goes into one object.
    pub batch: Batch,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("store", &self.store).field("bucket", &self.bucket.name()).finish()
    }
}

/// An access key. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct Keys(Arc<Credentials>);

impl Keys {
    /// Nothing, if one of them is no text.
    pub fn new(access: &Secret, secret: &Secret, token: Option<&Secret>) -> Option<Keys> {
        let text = |secret: &Secret| String::from_utf8(secret.expose().to_vec()).ok();
        let (access, secret) = (text(access)?, text(secret)?);
        let credentials = match token {
            Some(token) => Credentials::new_with_token(access, secret, text(token)?),
            None => Credentials::new(access, secret),
        };
        Some(Keys(Arc::new(credentials)))
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Keys) -> bool {
        let all = |keys: &Keys| {
            let token = keys.0.token().map(str::to_owned);
            (keys.0.key().to_owned(), keys.0.secret().to_owned(), token)
        };
        all(self) == all(other)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

/// A client with its connections.
#[derive(Clone)]
pub struct S3 {
    settings: Settings,
    client: Arc<Client>,
    clock: Arc<dyn Clock>,
}

/// Records that make one object.
struct Object {
    /// Class, day and hour of the receipt.
    place: String,
    first: RecordId,
    lines: Vec<u8>,
    records: usize,
}

impl S3 {
    /// A client for one bucket. `clock` dates signatures.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> S3 {
        S3 { client: Arc::new(Client::new(settings.store.clone())), settings, clock }
    }

    /// The delivery as objects, and which of them each record is in.
    fn objects(delivery: &Delivery<'_>) -> (Vec<Object>, Vec<usize>) {
        let mut objects: Vec<Object> = Vec::new();
        let mut places = Vec::new();
        for envelope in delivery.iter() {
            let place = place(&envelope);
            let at = objects.iter().position(|object| object.place == place).unwrap_or_else(|| {
                objects.push(Object { place, first: envelope.id, lines: Vec::new(), records: 0 });
                objects.len() - 1
            });
            envelope.write_json(&mut objects[at].lines);
            objects[at].lines.push(b'\n');
            objects[at].records += 1;
            places.push(at);
        }
        (objects, places)
    }

    async fn put(&self, object: Object) -> Outcome {
        let Settings { store, bucket, prefix, keys, .. } = &self.settings;
        let ending = match store.compression {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        };
        let Object { place, first, lines, records } = object;
        let key = format!("{prefix}{place}/{first}-{records}.ndjson{ending}");
        let url = bucket.put_object(Some(&keys.0), &key).sign_with_time(SIGNED_FOR, &self.clock.now());
        let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        let body = store.compression.pack(lines.into());
        let request = Request::put(path, "application/x-ndjson", body).as_it_is();
        match self.client.send(request).await {
            Ok(answer) if answer.is_success() => Outcome::Accept,
            Ok(answer) => Outcome::Defer(answer::fault(answer.status), answer.retry_after()),
            Err(fault) => Outcome::Defer(fault.into(), None),
        }
    }
}

impl Sink for S3 {
    fn batch(&self) -> Batch {
        self.settings.batch
    }

    fn twin(&self) -> Option<Self> {
        Some(self.clone())
    }

    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        self.settings.batch.bound(delivery);
        let (objects, places) = S3::objects(delivery);
        let mut outcomes = Vec::new();
        for object in objects {
            outcomes.push(self.put(object).await);
        }
        if outcomes.iter().all(|outcome| *outcome == Outcome::Accept) {
            return Verdict::Accept;
        }
        Verdict::Settle(places.into_iter().map(|at| (1, outcomes[at].clone())).collect())
    }
}

/// `CLASS/DATE/HOUR`; a sign of the class that is no letter, digit, `-` or `_` becomes `_`.
fn place(envelope: &Envelope<'_>) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    let class: String = envelope.class.chars().map(plain).collect();
    format!("{class}/{}", envelope.received.strftime("%Y-%m-%d/%H"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample::envelope;

    #[test]
    fn an_object_lies_where_its_class_and_the_hour_of_receipt_say() {
        let mut envelope = envelope(b"m");
        envelope.time = Some("1999-12-31T23:00:00Z".parse().unwrap());
        assert_eq!(place(&envelope), "access/2027-01-15/08");
        envelope.class = "../etc";
        assert_eq!(place(&envelope), "___etc/2027-01-15/08");
    }

    #[test]
    fn keys_are_never_shown() {
        let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
        let keys = Keys::new(&secret("canary-7f3a"), &secret("canary-7f3a"), None).unwrap();
        assert_eq!(format!("{keys:?}"), "Keys");
    }
}
