//! One request, from its head to its answer.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use tokio::sync::oneshot;

use super::Settings;
use super::answer::{Problem, accepted};
use super::body::{self, Encoding};
use crate::frame::{Ends, Framer, Lines, Step};
use crate::limit::RECORD_BYTES_MAX;
use crate::record::Ack;
use crate::source::World;
use crate::source::gather::Gather;
use crate::source::room::Room;

/// Where requests are handed in.
pub struct Desk {
    pub settings: Settings,
    pub world: World,
    room: Room,
}

impl Desk {
    /// A desk for all connections of one listener.
    pub fn new(settings: Settings, world: World) -> Desk {
        let room = Room::new(settings.limits.bodies_bytes_max);
        Desk { settings, world, room }
    }

    /// Answers a request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, mut body) = request.into_parts();
        let taken = match gate(head.uri.path(), &head.method) {
            Ok(()) => self.take(&head, &mut body).await,
            Err(problem) => Err(problem),
        };
        match taken {
            Ok(records) => accepted(records),
            Err(problem) => {
                self.world.metrics.refuse(&self.settings.name, problem.label());
                if problem != Problem::Timeout {
                    body::spend(&mut body, &head.headers, &self.settings.limits).await;
                }
                problem.response()
            }
        }
    }

    /// Takes all of a body; says how many records that were.
    async fn take(&self, head: &hyper::http::request::Parts, body: &mut Incoming) -> Result<usize, Problem> {
        let limits = &self.settings.limits;
        let encoding = Encoding::of(&head.headers)?;
        let mut share = self.room.share();
        let packed = body::read(body, limits, &mut share).await?;
        let lines = body::unpack(encoding, packed, limits, &mut share).await?;

        let (tell, told) = oneshot::channel();
        let tell = Mutex::new(Some(tell));
        let ack = Ack::new(move |safe| {
            let tell = tell.lock().ok().and_then(|mut tell| tell.take());
            // A client that is gone hears nothing.
            let _ = tell.map(|tell| tell.send(safe));
        });
        let records = self.hand_on(&lines, head.uri.path(), &ack).await?;
        // Queues hold the records now, within their own bounds.
        drop((lines, share));
        ack.confirm();
        confirmed(told, limits.confirm_wait).await?;
        Ok(records)
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

/// Whether records are taken here.
fn gate(path: &str, method: &Method) -> Result<(), Problem> {
    match path.strip_prefix("/v1/logs") {
        Some("") => {}
        Some(below) if below.starts_with('/') => {}
        _ => return Err(Problem::Path),
    }
    if method == Method::POST { Ok(()) } else { Err(Problem::Method) }
}

/// Waits until every holder of the records has confirmed them.
async fn confirmed(told: oneshot::Receiver<bool>, wait: Duration) -> Result<(), Problem> {
    match tokio::time::timeout(wait, told).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false) | Err(_)) | Err(_) => Err(Problem::Unconfirmed),
    }
}
