//! Bodies of other people's protocols: read, handed on, answered.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::http::request::Parts as Head;
use hyper::{Response, StatusCode};
use tokio::time::Instant;

use super::answer::{Problem, Tongue, exported, respond};
use super::itemized::{Items, Purse, acknowledged};
use super::pile::Pile;
use super::request::{Desk, Held};
use crate::codec::{Element, Parts, bulk, hec, loki, otlp};
use crate::structure::document::Value;
use crate::structure::percent;

type Answer = Result<Response<Full<Bytes>>, Problem>;

impl Desk {
    fn pile(&self, head: &Head) -> Pile {
        Pile::new(self.settings.name.clone(), &self.world, head.uri.path(), self.purse())
    }

    fn purse(&self) -> Purse {
        Purse::new(self.room.share(), &self.settings.limits)
    }

    /// Hands all on; it is safe as a whole or not at all.
    async fn all(&self, pile: Pile) -> Result<(), Problem> {
        pile.hand_on(&self.world, &self.settings.limits).await?.into_iter().collect()
    }

    /// Logs of OTLP in protobuf.
    pub(super) async fn otlp(&self, head: &Head, body: Held) -> Answer {
        Ok(exported(Tongue::OtlpProtobuf, self.take_otlp(head, body).await?))
    }

    /// Takes logs of OTLP in protobuf; says how many were rejected.
    pub(super) async fn take_otlp(&self, head: &Head, body: Held) -> Result<u64, Problem> {
        let mut pile = self.pile(head);
        let read = otlp::read_protobuf(&body.bytes, &mut |parts| pile.add(&parts));
        let read = read.map_err(|_| Problem::Content)?;
        drop(body);
        self.all(pile).await?;
        Ok(read.rejected)
    }

    /// Logs of OTLP in JSON; nothing if they are none.
    pub(super) async fn otlp_json(&self, head: &Head, body: &[u8]) -> Option<Answer> {
        let mut pile = self.pile(head);
        let read = otlp::read_json(body, &mut |parts| pile.add(&parts)).ok()?;
        Some(self.all(pile).await.map(|()| exported(Tongue::OtlpJson, read.rejected)))
    }

    /// Loki's push.
    pub(super) async fn loki(&self, head: &Head, body: Held) -> Answer {
        let mut pile = self.pile(head);
        let mut take = |parts: Parts<'_>| pile.add(&parts);
        let read = match &super::asked::media_type(head)[..] {
            b"application/x-protobuf" => loki::read_protobuf(&body.bytes, &mut take),
            _ => loki::read_json(&body.bytes, &mut take),
        };
        read.map_err(|_| Problem::Content)?;
        drop(body);
        self.all(pile).await?;
        Ok(respond(StatusCode::NO_CONTENT, Tongue::Plain, ""))
    }

    /// A bulk request: each item has its own answer, so that a client sends again exactly what failed.
    pub(super) async fn bulk(&self, head: &Head, index: Option<&str>, body: Held, tongue: Tongue) -> Answer {
        let started = Instant::now();
        let mut pile = self.pile(head);
        let mut items = Items::new(self.purse());
        let read = bulk::read(&body.bytes, index, &mut |verb, item| {
            let fate = match item {
                bulk::Item::Document(parts) => Ok(pile.push(&parts)),
                bulk::Item::NoObject => Err("the document is no JSON object"),
                bulk::Item::Refused => Err("a log takes index and create alone"),
            };
            items.push(verb, fate);
        });
        read.map_err(Problem::Bulk)?;
        items.check()?;
        drop(body);
        let batches = pile.hand_on(&self.world, &self.settings.limits).await?;
        Ok(respond(StatusCode::OK, tongue, items.answer(&batches, started.elapsed())))
    }

    /// Splunk's events.
    pub(super) async fn events(&self, head: &Head, body: Held) -> Answer {
        let mut pile = self.pile(head);
        let count = hec::read(&body.bytes, &mut |parts| pile.add(&parts)).map_err(Problem::Event)?;
        drop(body);
        self.collected(head, pile, count).await
    }

    /// Splunk's lines. What the query says of them stands in each record.
    pub(super) async fn raw(&self, head: &Head, body: Held) -> Answer {
        let mut pile = self.pile(head);
        let mut shared = Parts::default();
        let mut element = Element::new("hec");
        for (name, value) in query(head) {
            match &name[..] {
                b"host" => shared.host = value.into(),
                b"source" => shared.app = value.into(),
                b"channel" | b"token" => {}
                _ => element.push(&name, &value),
            }
        }
        shared.structured = element.finish().into();
        let mut count = 0;
        for line in body.bytes.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)) {
            if !line.is_empty() {
                pile.push(&Parts { message: line.into(), ..shared.clone() });
                count += 1;
            }
        }
        drop(body);
        self.collected(head, pile, count).await
    }

    async fn collected(&self, head: &Head, pile: Pile, count: usize) -> Answer {
        if count == 0 {
            return Err(Problem::NoEvents);
        }
        self.all(pile).await?;
        // Its records are safe before it has its number, so every number that was given is of a safe request.
        let id = match has_channel(head) {
            true => format!(",\"ackId\":{}", self.acks.next.fetch_add(1, Ordering::Relaxed)),
            false => String::new(),
        };
        Ok(respond(StatusCode::OK, Tongue::Splunk, format!("{{\"text\":\"Success\",\"code\":0{id}}}")))
    }

    /// Which of Splunk's requests are safe.
    pub(super) fn acks(&self, head: &Head, body: &[u8]) -> Answer {
        if !has_channel(head) {
            return Err(Problem::Content);
        }
        let asked = Value::whole(body).and_then(|value| value.get("acks")).ok_or(Problem::Content)?;
        let ids = asked.elements().map(|id| std::str::from_utf8(id.text()).ok()?.parse().ok());
        let answer = acknowledged(ids, self.acks.next.load(Ordering::Relaxed), self.purse())?;
        Ok(respond(StatusCode::OK, Tongue::Splunk, answer))
    }
}

/// Numbers of the collector's acknowledgements.
#[derive(Debug, Default)]
pub struct Acks {
    next: AtomicU64,
}

/// Whether a request has a channel, and so wants a number.
fn has_channel(head: &Head) -> bool {
    head.headers.contains_key("x-splunk-request-channel") || query(head).any(|(name, _)| name == b"channel")
}

/// The parameters of the query, decoded.
fn query(head: &Head) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let plain = |text: &[u8]| {
        let mut text: Vec<u8> = text.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
        let len = percent::decode(&mut text);
        text.truncate(len);
        text
    };
    head.uri.query().unwrap_or_default().as_bytes().split(|b| *b == b'&').filter_map(move |pair| {
        let equals = memchr::memchr(b'=', pair)?;
        Some((plain(&pair[..equals]), plain(&pair[equals + 1..])))
    })
}

/// What an Elasticsearch of the version that a client asks for says of itself; clients look before they send.
pub fn cluster(tongue: Tongue) -> Response<Full<Bytes>> {
    let version = match tongue {
        Tongue::Elastic(Some(version)) => version,
        _ => 9,
    };
    let text = format!(
        "{{\"name\":\"logveil\",\"cluster_name\":\"logveil\",\"cluster_uuid\":\"_na_\",\"version\":{{\"number\":\"{version}.0.0\",\
         \"build_flavor\":\"default\",\"build_type\":\"tar\",\"build_hash\":\"unknown\",\"build_snapshot\":false,\
         \"lucene_version\":\"10.0.0\",\"minimum_wire_compatibility_version\":\"{}.0.0\",\
         \"minimum_index_compatibility_version\":\"{}.0.0\"}},\"tagline\":\"You Know, for Search\"}}\n",
        version - 1,
        version - 1,
    );
    respond(StatusCode::OK, tongue, text)
}

/// That the collector is well.
pub fn healthy() -> Response<Full<Bytes>> {
    respond(StatusCode::OK, Tongue::Splunk, "{\"text\":\"HEC is healthy\",\"code\":17}")
}
