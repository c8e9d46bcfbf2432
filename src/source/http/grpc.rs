/*!
OTLP over gRPC: `LogsService/Export`, one message there and one back, over HTTP/2 on the same listener.

A client is told by the trailer `grpc-status`: 0 once every holder has confirmed its logs, 14 (unavailable) if it is to send them
again. Messages may be packed by gzip. Whatever else is asked over HTTP/2 is answered as over HTTP/1.
*/

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts as Head;
use hyper::{HeaderMap, Method, Request, Response};

use super::answer::{Problem, exported_message};
use super::body::{self, Encoding};
use super::request::{Desk, Held};
use crate::limit::{STREAM_ANSWER_BYTES, STREAM_BYTES, STREAM_WINDOW_BYTES};
use crate::source::peers::Guest;
use crate::source::room::Share;

/// An answer with trailers.
pub type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

const PATH: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Bytes before a message: whether it is packed, and its length.
const PREFIX_BYTES: usize = 5;

impl Desk {
    /// Answers a request that came over HTTP/2.
    pub async fn answer_http2(&self, request: Request<Incoming>, guest: &Guest) -> Answer {
        // Its head and its answer; what comes of its body before it is read, until it is.
        let mut own = self.room.share();
        let mut unread = self.room.share();
        let held = own.grow(STREAM_BYTES).and_then(|()| unread.grow(STREAM_WINDOW_BYTES as usize));
        let unread = held.map(|()| unread).map_err(Problem::from);
        let answer = self.answer_stream(request, unread, guest).await;
        // Where there is no room even for that, the refusal goes out all the same.
        let _ = own.hold(STREAM_ANSWER_BYTES);
        answer.map(|body| Holding { body, _share: own }.boxed_unsync())
    }

    async fn answer_stream(
        &self,
        request: Request<Incoming>,
        mut unread: Result<Share, Problem>,
        guest: &Guest,
    ) -> Answer {
        let is_grpc = request
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|t| t.as_bytes().starts_with(b"application/grpc"));
        if !is_grpc {
            return self.answer(request, unread, guest).await.map(|body| body.boxed_unsync());
        }
        let (head, mut body) = request.into_parts();
        match self.export(&head, &mut body, &mut unread, guest).await {
            Ok(rejected) => success(&exported_message(rejected)),
            Err(problem) => {
                self.world.metrics.refuse(&self.settings.name, problem.label());
                if problem == Problem::TooFast {
                    self.spend(&head, &mut body, guest).await;
                }
                failure(problem)
            }
        }
    }

    /// Takes a message of logs; says how many of them were rejected.
    async fn export(
        &self,
        head: &Head,
        body: &mut Incoming,
        unread: &mut Result<Share, Problem>,
        guest: &Guest,
    ) -> Result<u64, Problem> {
        if head.method != Method::POST || head.uri.path() != PATH {
            return Err(Problem::Path);
        }
        self.settings.auth.check(&head.headers)?;
        let encoding = match head.headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Encoding::Identity,
            Some(b"gzip") => Encoding::Gzip,
            Some(_) => return Err(Problem::Encoding),
        };
        let (framed, mut share) = self.read(body, unread, guest).await?;
        let bytes = self.unframe(framed, encoding, &mut share).await?;
        self.take_otlp(head, Held::new(bytes, share)).await
    }

    /// The one message of a body.
    async fn unframe(
        &self,
        mut framed: Vec<u8>,
        encoding: Encoding,
        share: &mut Share,
    ) -> Result<Vec<u8>, Problem> {
        let &[packed @ (0 | 1), a, b, c, d] = framed.get(..PREFIX_BYTES).unwrap_or_default() else {
            return Err(Problem::Body);
        };
        let len = u32::from_be_bytes([a, b, c, d]) as usize;
        if framed.len() - PREFIX_BYTES != len || packed == 1 && encoding == Encoding::Identity {
            return Err(Problem::Body);
        }
        framed.drain(..PREFIX_BYTES);
        let encoding = if packed == 1 { encoding } else { Encoding::Identity };
        body::unpack(encoding, framed, &self.settings.limits, share).await
    }
}

/// An answer's body, with the room that its stream takes.
struct Holding {
    body: UnsyncBoxBody<Bytes, Infallible>,
    _share: Share,
}

impl Body for Holding {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn success(message: &[u8]) -> Answer {
    let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let framed = [&[0][..], &len.to_be_bytes(), message].concat();
    let mut trailers = HeaderMap::new();
    trailers.insert(STATUS, HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from(framed)).with_trailers(std::future::ready(Some(Ok(trailers))));
    grpc(body.boxed_unsync())
}

fn failure(problem: Problem) -> Answer {
    let mut answer = grpc(Full::default().boxed_unsync());
    let headers = answer.headers_mut();
    headers.insert(STATUS, HeaderValue::from(u16::from(problem.rpc_code())));
    // Our own words, which a header can hold.
    if let Ok(text) = HeaderValue::from_str(&problem.to_string()) {
        headers.insert(MESSAGE, text);
    }
    answer
}

fn grpc(body: UnsyncBoxBody<Bytes, Infallible>) -> Answer {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    answer
}
