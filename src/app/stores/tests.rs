//! The law of our own deleting, over every store without a lifecycle at once, with time handed in.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;

use super::*;
use crate::retention::span::DAY;
use crate::retention::{files, opensearch, s3};
use crate::store as http;

const PREFIX: &str = "logs/access/";

/// What lies in a search engine and in a bucket, by name.
#[derive(Debug, Default)]
struct There {
    indices: BTreeSet<String>,
    objects: BTreeSet<String>,
    /// What is not deleted, by its path.
    locked: BTreeSet<String>,
}

/// A server that lists and deletes both, as their documentation says.
fn served(there: &Arc<Mutex<There>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let there = Arc::clone(there);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let there = Arc::clone(&there);
            std::thread::spawn(move || while answered(&stream, &there).is_some() {});
        }
    });
    port
}

fn answered(mut stream: &TcpStream, there: &Mutex<There>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut words = head.split(' ');
    let (method, path) = (words.next()?, words.next()?.split('?').next()?);
    let mut status = "200 OK";
    let body = {
        let mut there = there.lock().unwrap_or_else(PoisonError::into_inner);
        match (method, path) {
            ("GET", "/_cat/indices/logs-access*") => {
                let index = |name: &String| serde_json::json!({ "index": name, "creation.date": "0" });
                serde_json::Value::Array(there.indices.iter().map(index).collect()).to_string()
            }
            ("GET", _) => {
                let version = |key: &String| {
                    format!(
                        "<Version><Key>{key}</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>\
                         <LastModified>2026-01-01T00:00:00.000Z</LastModified></Version>"
                    )
                };
                let versions: String = there.objects.iter().map(version).collect();
                format!("<ListVersionsResult><IsTruncated>false</IsTruncated>{versions}</ListVersionsResult>")
            }
            ("DELETE", path) if there.locked.contains(path) => {
                status = "403 Forbidden";
                "{}".to_owned()
            }
            ("DELETE", path) => {
                let gone = there.indices.remove(path.trim_start_matches('/'))
                    || there.objects.remove(path.strip_prefix("/bucket/").unwrap_or_default());
                assert!(gone, "{path} is not there");
                "{}".to_owned()
            }
            _ => panic!("{method} {path} is asked"),
        }
    };
    // In one piece: a second would wait for the first to be acknowledged.
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).ok()
}

/// The three stores of one class with 90 days, and the drivers that `run` has for them.
fn stores(folder: &Path, port: u16) -> Stores {
    let endpoint = || http::Settings {
        url: format!("http://127.0.0.1:{port}/").parse().unwrap(),
        auth: http::Auth::default(),
        tls: None,
        compression: http::Compression::None,
    };
    let url = format!("http://127.0.0.1:{port}/").parse().unwrap();
    let bucket = rusty_s3::Bucket::new(url, rusty_s3::UrlStyle::Path, "bucket", "us-east-1").unwrap();
    let keys = s3::Keys { access: "a".into(), secret: "b".into() };
    let kinds = [
        Kind::Files(files::Settings {
            path: folder.join("access.log"),
            every: DAY,
            deletes: files::Deletes::Logveil,
        }),
        Kind::OpenSearch(opensearch::Settings {
            endpoint: endpoint(),
            index: "logs-access".into(),
            time_field: "received".into(),
            lifecycle: opensearch::Lifecycle::Own,
        }),
        Kind::S3(s3::Settings {
            endpoint: endpoint(),
            bucket,
            prefix: PREFIX.into(),
            keys,
            spans: Duration::from_secs(3_600),
            lifecycle: s3::Lifecycle::Own,
        }),
    ];
    let known = |kind: Kind| {
        let driver = kind.driver().unwrap();
        let targets = Target::from_name(&kind.target(), &[("access".to_owned(), Ttl::days(90))], &[]);
        let name = kind.name().into();
        (Arc::new(Store { name, kind, on_unverified: OnUnverified::Block, targets }), driver)
    };
    Stores { all: kinds.into_iter().map(known).collect(), data_dir: folder.to_owned() }
}

/// A record that came at `at`, in a file that was rotated after it, in the index of its day and the object of its hour.
fn keep(at: Timestamp, number: usize, folder: &Path, there: &Mutex<There>) {
    let path = folder.join(format!("access.log.{number}"));
    fs::write(&path, "x\n").unwrap();
    File::options().append(true).open(&path).unwrap().set_modified(at.into()).unwrap();
    let mut there = there.lock().unwrap();
    there.indices.insert(format!("logs-access-{}", at.strftime("%Y.%m.%d")));
    there.objects.insert(format!("{PREFIX}{}/{number}.ndjson", at.strftime("%Y-%m-%d/%H")));
}

/// In which of the stores it is.
fn is_in(at: Timestamp, number: usize, folder: &Path, there: &Mutex<There>) -> [bool; 3] {
    let there = there.lock().unwrap();
    [
        folder.join(format!("access.log.{number}")).exists(),
        there.indices.contains(&format!("logs-access-{}", at.strftime("%Y.%m.%d"))),
        there.objects.contains(&format!("{PREFIX}{}/{number}.ndjson", at.strftime("%Y-%m-%d/%H"))),
    ]
}

/// What cannot be deleted keeps nothing else from it, is told, and what is gone is told all the same.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_deleted_does_not_keep_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let there = Arc::new(Mutex::new(There::default()));
    let stores = stores(folder.path(), served(&there));
    let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    for day in 0..3 {
        keep(now - SignedDuration::from_hours(24 * (100 + day)), 0, folder.path(), &there);
    }
    {
        let mut there = there.lock().unwrap();
        let first = [
            format!("/{}", there.indices.first().unwrap()),
            format!("/bucket/{}", there.objects.first().unwrap()),
        ];
        there.locked.extend(first);
    }
    let swept = stores.sweep(now).await;
    for swept in &swept[1..] {
        let kind = swept.store.kind.name();
        let left = swept.ended.as_ref().unwrap_err().to_string();
        assert!(left.starts_with("1 of 3 that are due are still there: "), "{kind}: {left}");
        assert!(swept.gone.len() == 2 && swept.gone.is_sorted(), "{kind}: {:?}", swept.gone);
    }
    {
        let mut there = there.lock().unwrap();
        assert_eq!((there.indices.len(), there.objects.len()), (1, 1));
        there.locked.clear();
    }
    for swept in &stores.sweep(now).await[1..] {
        assert_eq!((&swept.ended, swept.gone.len()), (&Ok(()), 1), "{}", swept.store.kind.name());
    }
}

/// The next of a row of numbers that the seed decides (splitmix64).
fn random(state: &mut u64, range: std::ops::Range<i64>) -> i64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let span = range.end.abs_diff(range.start);
    range.start + i64::try_from((mixed ^ (mixed >> 31)) % span).expect("it is within the range")
}

/// Records of every age from 0 to 100 days lie there when it begins; then 100 days pass, with a new record each day and
/// looks that come as late as they may. At no moment from the first look on is one there past its limit, and none that is
/// two days younger is gone.
#[tokio::test(flavor = "multi_thread")]
async fn no_record_is_there_past_its_limit_while_a_hundred_days_pass() {
    let seed = u64::from(std::process::id());
    eprintln!("seed {seed}");
    let mut state = seed;
    let folder = tempfile::tempdir().unwrap();
    let there = Arc::new(Mutex::new(There::default()));
    let stores = stores(folder.path(), served(&there));
    fs::write(folder.path().join("probe"), "").unwrap();
    // What the file system takes for now is the end: a file is no older than its birth.
    let end =
        Timestamp::try_from(fs::metadata(folder.path().join("probe")).unwrap().created().unwrap()).unwrap();
    let start = end - SignedDuration::from_hours(24 * 101);
    let mut records: Vec<Timestamp> = Vec::new();
    for day in (0..=100).rev() {
        records.push(start - SignedDuration::from_secs(day * 86_400 + random(&mut state, 0..86_400)));
    }
    records.sort_unstable();
    for (number, at) in records.iter().enumerate() {
        keep(*at, number, folder.path(), &there);
    }
    let (mut now, mut looks) = (start, 0);
    let limit = SignedDuration::from_hours(24 * 90);
    while now < end {
        for (number, at) in records.iter().enumerate() {
            let age = now.duration_since(*at);
            // What is young is looked for now and then, what has been gone for days is not looked for any more.
            let is_young = age < limit - SignedDuration::from_hours(50);
            if is_young && looks % 50 > 0 || age > limit + SignedDuration::from_hours(50) && looks > 0 {
                continue;
            }
            let kept = is_in(*at, number, folder.path(), &there);
            if looks > 0 && age > limit {
                assert_eq!(kept, [false; 3], "record {number} is {age:?} old at look {looks}, seed {seed}");
            }
            if is_young {
                assert_eq!(kept, [true; 3], "record {number} is only {age:?} old, seed {seed}");
            }
        }
        for swept in stores.sweep(now).await {
            assert_eq!(swept.ended, Ok(()), "{}", swept.target.name);
        }
        looks += 1;
        if now.duration_since(*records.last().unwrap()) > SignedDuration::from_hours(24) {
            records.push(now);
            keep(now, records.len() - 1, folder.path(), &there);
        }
        // Looks come every ten minutes; a restart, and an hour until its clock is believed, may come between two.
        now += SignedDuration::from_secs(random(&mut state, 1_200..4_800));
    }
    assert!(looks > 1_000 && records.len() > 195, "{looks} looks at {} records", records.len());
}
