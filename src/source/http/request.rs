//! One request, from its head to its answer.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::http::request::Parts as Head;
use hyper::{Request, Response};
use tokio::sync::oneshot;

use super::Settings;
use super::answer::{Problem, Tongue, accepted};
use super::asked::{self, Asked, is_protobuf};
use super::body::{self, Encoding};
use super::protocols::{self, Acks};
use crate::frame::{Ends, Framer, Lines, Step};
use crate::limit::RECORD_BYTES_MAX;
use crate::record::Ack;
use crate::source::gather::Gather;
use crate::source::peers::Guest;
use crate::source::room::{Room, Share};
use crate::source::{World, stopped};

/// Where requests are handed in.
pub struct Desk {
    pub settings: Settings,
    pub world: World,
    pub(super) room: Room,
    pub(super) acks: Acks,
}

/// A body, with the room that it takes.
pub struct Held {
    pub bytes: Vec<u8>,
    _share: Share,
}

impl Held {
    /// Bytes, and the room that was taken for them.
    pub fn new(bytes: Vec<u8>, share: Share) -> Held {
        Held { bytes, _share: share }
    }
}

impl Desk {
    /// A desk for all connections of one listener.
    pub fn new(settings: Settings, world: World) -> Desk {
        let room = Room::new(settings.limits.bodies_bytes_max);
        Desk { settings, world, room, acks: Acks::default() }
    }

    /// Answers a request. `unread` is the room for what may come of its body before it is read, held until all of it is.
    pub async fn answer(
        &self,
        request: Request<Incoming>,
        mut unread: Result<Share, Problem>,
        guest: &Guest,
    ) -> Response<Full<Bytes>> {
        let (head, mut body) = request.into_parts();
        let tongue = asked::tongue(&head);
        match self.take(&head, &mut body, tongue, &mut unread, guest).await {
            Ok(answer) => answer,
            Err(problem) => {
                self.world.metrics.refuse(&self.settings.name, problem.label());
                // Where there is no room for what may come, no more of it is to come.
                if problem != Problem::Timeout && unread.is_ok() {
                    self.spend(&head, &mut body, guest).await;
                }
                problem.response(tongue)
            }
        }
    }

    /// Reads what is left of a refused body, until a stop: it is refused already, so nothing is lost with it.
    pub(super) async fn spend(&self, head: &Head, body: &mut Incoming, guest: &Guest) {
        let mut stop = self.world.stop.clone();
        tokio::select! {
            () = body::spend(body, &head.headers, &self.settings.limits, guest) => {}
            () = stopped(&mut stop) => {}
        }
    }

    /// Looks at the head, and only then at the body.
    async fn take(
        &self,
        head: &Head,
        body: &mut Incoming,
        tongue: Tongue,
        unread: &mut Result<Share, Problem>,
        guest: &Guest,
    ) -> Result<Response<Full<Bytes>>, Problem> {
        let asked = Asked::of(head)?;
        if asked == Asked::Health {
            return Ok(protocols::healthy());
        }
        self.settings.auth.check(&head.headers)?;
        if asked == Asked::Cluster {
            return Ok(protocols::cluster(tongue));
        }
        let limits = &self.settings.limits;
        let encoding = match Encoding::of(&head.headers)? {
            // Loki's protobuf is packed whether or not its headers say so.
            Encoding::Identity if asked == Asked::Loki && is_protobuf(head) => Encoding::Snappy,
            encoding => encoding,
        };
        let (packed, mut share) = self.read(body, unread, guest).await?;
        let bytes = body::unpack(encoding, packed, limits, &mut share).await?;
        let body = Held::new(bytes, share);
        match asked {
            Asked::Otlp => self.otlp(head, body).await,
            Asked::Loki => self.loki(head, body).await,
            Asked::Bulk(index) => self.bulk(head, index.as_deref(), body, tongue).await,
            Asked::Events => self.events(head, body).await,
            Asked::Raw => self.raw(head, body).await,
            Asked::Acks => self.acks(head, &body.bytes),
            Asked::Lines | Asked::Cluster | Asked::Health => self.lines(head, body).await,
        }
    }

    /// Reads a body, unless its client is ahead of its rate; says what it holds of the room.
    pub(super) async fn read(
        &self,
        body: &mut Incoming,
        unread: &mut Result<Share, Problem>,
        guest: &Guest,
    ) -> Result<(Vec<u8>, Share), Problem> {
        let unread = unread.as_mut().map_err(|problem| *problem)?;
        if !guest.spend(0).is_zero() {
            return Err(Problem::TooFast);
        }
        let mut share = self.room.share();
        let packed = body::read(body, &self.settings.limits, &mut share, guest).await?;
        // All of it has come: nothing waits beside it any more.
        unread.hold(0)?;
        Ok((packed, share))
    }

    /// Takes a record a line, or OTLP in JSON.
    async fn lines(&self, head: &Head, body: Held) -> Result<Response<Full<Bytes>>, Problem> {
        let may_be_otlp = head.uri.path() == "/v1/logs" && asked::media_type(head) == b"application/json";
        if may_be_otlp && let Some(answer) = self.otlp_json(head, &body.bytes).await {
            return answer;
        }
        let (tell, told) = oneshot::channel();
        let tell = Mutex::new(Some(tell));
        let ack = Ack::new(move |safe| {
            let tell = tell.lock().ok().and_then(|mut tell| tell.take());
            // A client that is gone hears nothing.
            let _ = tell.map(|tell| tell.send(safe));
        });
        let turn = tokio::time::timeout(self.settings.limits.room_wait, self.world.turns.take()).await;
        let turn = turn.map_err(|_elapsed| Problem::Busy)?;
        let records = self.hand_on(&body.bytes, head.uri.path(), &ack).await?;
        drop(turn);
        // Queues hold the records now, within their own bounds.
        drop(body);
        ack.confirm();
        confirmed(told, self.settings.limits.confirm_wait).await?;
        Ok(accepted(records))
    }

    /// Cuts lines and hands them on, batch by batch.
    async fn hand_on(&self, lines: &[u8], path: &str, ack: &Ack) -> Result<usize, Problem> {
        let mut gather = Gather::new(self.settings.name.clone(), self.world.clone());
        let mut framer = Lines::new(Ends::Feed, RECORD_BYTES_MAX);
        let mut records = 0;
        let mut at = 0;
        loop {
            let haystack = &lines[at..];
            let (step, spent) = framer.step(haystack);
            at += spent;
            if step == Step::More {
                break;
            }
            push(&mut gather, haystack, step);
            if gather.is_full() {
                records += self.hand_on_batch(&mut gather, path, ack).await?;
            }
        }
        push(&mut gather, &lines[at..], framer.finish(&lines[at..]));
        if !gather.is_empty() {
            records += self.hand_on_batch(&mut gather, path, ack).await?;
        }
        Ok(records)
    }

    async fn hand_on_batch(&self, gather: &mut Gather, path: &str, ack: &Ack) -> Result<usize, Problem> {
        let records = gather.record_count();
        let batch = gather.take(path.as_bytes(), ack.clone());
        self.world.intake.take(batch, self.settings.limits.room_wait).await?;
        Ok(records)
    }
}

fn push(gather: &mut Gather, haystack: &[u8], step: Step) {
    match step {
        Step::Frame(frame) => gather.push_plain(&haystack[frame.range()]),
        Step::Cut(cut) => gather.push_cut(cut),
        Step::More | Step::Lost => {}
    }
}

/// Waits until every holder of the records has confirmed them.
async fn confirmed(told: oneshot::Receiver<bool>, wait: Duration) -> Result<(), Problem> {
    match tokio::time::timeout(wait, told).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false) | Err(_)) | Err(_) => Err(Problem::Unconfirmed),
    }
}
