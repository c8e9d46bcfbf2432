/*!
Requests to a broker, and answers that are looked through before they are read.

The reader of the protocol makes room for as many elements as an array says it
has, before it reads the first: four bytes would be enough to make the program
run out of memory. So each answer has its [`Part`]s, and is handed to the reader
only once all that it says it has is there.
*/

use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    FetchRequest, FetchResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, MetadataResponse, RequestHeader,
    ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::limit::STORE_ANSWER_BYTES_MAX;
use crate::retention::driver::Unknown;
use crate::store::{Resolver, connect};

/// A part of an answer.
#[derive(Debug)]
pub(super) enum Part {
    /// So many bytes.
    Fixed(usize),
    /// Text, perhaps none, behind its length in two bytes.
    Text,
    /// Bytes, perhaps none, behind their length in four.
    Bytes,
    /// Elements of these parts, behind their number in four bytes.
    Array(&'static [Part]),
}

/// A request with its number, its version and its answer.
pub(super) trait Request: Encodable {
    const KEY: ApiKey;
    /// The one version that is spoken: the oldest that brokers of Kafka 4 know, which those since 2.1 know, too.
    const VERSION: i16;
    const ANSWER: &'static [Part];
    type Response: Decodable;
}

macro_rules! requests {
    ($($request:ident -> $response:ident, $key:ident, $version:literal: [$($part:expr),*];)*) => {$(
        impl Request for $request {
            const KEY: ApiKey = ApiKey::$key;
            const VERSION: i16 = $version;
            const ANSWER: &'static [Part] = &[$($part),*];
            type Response = $response;
        }
    )*};
}

use Part::{Array, Fixed, Text};

requests! {
    ApiVersionsRequest -> ApiVersionsResponse, ApiVersions, 0: [Fixed(2), Array(&[Fixed(6)])];
    MetadataRequest -> MetadataResponse, Metadata, 4: [Fixed(4), BROKERS, Text, Fixed(4), TOPICS];
    DescribeConfigsRequest -> DescribeConfigsResponse, DescribeConfigs, 1:
        [Fixed(4), Array(&[Fixed(2), Text, Fixed(1), Text, CONFIGS])];
    IncrementalAlterConfigsRequest -> IncrementalAlterConfigsResponse, IncrementalAlterConfigs, 0:
        [Fixed(4), Array(&[Fixed(2), Text, Fixed(1), Text])];
    ListOffsetsRequest -> ListOffsetsResponse, ListOffsets, 1: [Array(&[Text, Array(&[Fixed(22)])])];
    FetchRequest -> FetchResponse, Fetch, 4:
        [Fixed(4), Array(&[Text, Array(&[Fixed(22), Array(&[Fixed(16)]), Part::Bytes])])];
}

const BROKERS: Part = Array(&[Fixed(4), Text, Fixed(4), Text]);
const TOPICS: Part = Array(&[Fixed(2), Text, Fixed(1), Array(&[Fixed(10), NODES, NODES])]);
const NODES: Part = Array(&[Fixed(4)]);
const CONFIGS: Part = Array(&[Text, Text, Fixed(3), Array(&[Text, Text, Fixed(1)])]);

/// What is behind these parts; nothing if one of them is not there whole.
fn behind<'a>(parts: &[Part], mut bytes: &'a [u8]) -> Option<&'a [u8]> {
    for part in parts {
        bytes = match part {
            Fixed(length) => bytes.get(*length..)?,
            Text => skipped(bytes.try_get_i16().ok()?.into(), bytes)?,
            Part::Bytes => skipped(bytes.try_get_i32().ok()?, bytes)?,
            Array(parts) => {
                for _ in 0..bytes.try_get_i32().ok()? {
                    bytes = behind(parts, bytes)?;
                }
                bytes
            }
        };
    }
    Some(bytes)
}

/// What is behind so many bytes; a length below 0 stands for none.
fn skipped(length: i32, bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(usize::try_from(length.max(0)).ok()?..)
}

/// A connection to a broker.
pub(super) struct Wire {
    stream: TcpStream,
    asked: i32,
    versions: BTreeMap<i16, (i16, i16)>,
}

fn broken(_: impl std::fmt::Debug) -> Unknown {
    Unknown::new("its answer is not what Kafka's protocol has")
}

impl Wire {
    /// Connects, and asks what the broker knows.
    pub(super) async fn open(broker: &str) -> Result<Wire, Unknown> {
        let stream = connect(broker, &Resolver::default())
            .await
            .map_err(|error| Unknown(format!("cannot connect: {error}")))?;
        let mut wire = Wire { stream, asked: 0, versions: BTreeMap::new() };
        let told = wire.exchange(&ApiVersionsRequest::default()).await?;
        let range = |api: &kafka_protocol::messages::api_versions_response::ApiVersion| {
            (api.api_key, (api.min_version, api.max_version))
        };
        wire.versions = told.api_keys.iter().map(range).collect();
        Ok(wire)
    }

    /// Asks for what the broker is known to know.
    pub(super) async fn call<Q: Request>(&mut self, request: &Q) -> Result<Q::Response, Unknown> {
        match self.versions.get(&(Q::KEY as i16)) {
            Some((least, most)) if (*least..=*most).contains(&Q::VERSION) => self.exchange(request).await,
            Some(_) => Err(Unknown::new("it speaks no version of a request that is needed")),
            None => Err(Unknown::new("it does not know a request that is needed")),
        }
    }

    async fn exchange<Q: Request>(&mut self, request: &Q) -> Result<Q::Response, Unknown> {
        self.asked += 1;
        let header = RequestHeader::default()
            .with_request_api_key(Q::KEY as i16)
            .with_request_api_version(Q::VERSION)
            .with_correlation_id(self.asked)
            .with_client_id(Some(StrBytes::from_static_str("logveil")));
        let mut bytes = BytesMut::new();
        header.encode(&mut bytes, Q::KEY.request_header_version(Q::VERSION)).map_err(broken)?;
        request.encode(&mut bytes, Q::VERSION).map_err(broken)?;
        let failed = |error: std::io::Error| Unknown(format!("the connection broke: {}", error.kind()));
        let length = u32::try_from(bytes.len()).map_err(broken)?;
        self.stream.write_all(&length.to_be_bytes()).await.map_err(failed)?;
        self.stream.write_all(&bytes).await.map_err(failed)?;
        let length = self.stream.read_u32().await.map_err(failed)? as usize;
        if length > STORE_ANSWER_BYTES_MAX {
            return Err(Unknown::new("its answer is too long"));
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await.map_err(failed)?;
        let mut answer = Bytes::from(answer);
        let version = Q::KEY.response_header_version(Q::VERSION);
        let header = ResponseHeader::decode(&mut answer, version).map_err(broken)?;
        if header.correlation_id != self.asked {
            return Err(Unknown::new("it answered another request"));
        }
        read::<Q>(answer)
    }
}

fn read<Q: Request>(mut answer: Bytes) -> Result<Q::Response, Unknown> {
    if behind(Q::ANSWER, &answer).is_none() {
        return Err(broken("it says it has more than is there"));
    }
    Q::Response::decode(&mut answer, Q::VERSION).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of these parts: arrays of two elements, and texts of two letters.
    fn filled(parts: &[Part], out: &mut Vec<u8>) {
        for part in parts {
            match part {
                Fixed(length) => out.extend(vec![0; *length]),
                Text => out.extend(b"\0\x02ab"),
                Part::Bytes => out.extend(b"\0\0\0\x02ab"),
                Array(parts) => {
                    out.extend(2_i32.to_be_bytes());
                    (0..2).for_each(|_| filled(parts, out));
                }
            }
        }
    }

    /// The parts are those of the protocol: its reader takes what they make, to the last byte. With one byte less, and
    /// with any number of four bytes so large that nothing could hold so many, it is refused before it is read.
    #[track_caller]
    fn check<Q: Request>() {
        let mut bytes = Vec::new();
        filled(Q::ANSWER, &mut bytes);
        let mut whole = Bytes::from(bytes.clone());
        assert!(Q::Response::decode(&mut whole, Q::VERSION).is_ok() && whole.is_empty(), "{:?}", Q::KEY);
        assert!(read::<Q>(Bytes::from(bytes.clone())).is_ok(), "{:?}", Q::KEY);
        for length in 0..bytes.len() {
            assert!(read::<Q>(Bytes::from(bytes[..length].to_vec())).is_err(), "{:?}", Q::KEY);
        }
        let mut counts = 0;
        for at in 0..bytes.len() - 3 {
            if bytes[at..at + 4] == 2_i32.to_be_bytes() {
                let mut hostile = bytes.clone();
                hostile[at..at + 4].copy_from_slice(&i32::MAX.to_be_bytes());
                assert!(read::<Q>(Bytes::from(hostile)).is_err(), "{:?} at {at}", Q::KEY);
                counts += 1;
            }
        }
        assert!(counts > 0);
    }

    #[test]
    fn an_answer_that_says_it_has_more_than_is_there_is_not_read() {
        check::<ApiVersionsRequest>();
        check::<MetadataRequest>();
        check::<DescribeConfigsRequest>();
        check::<IncrementalAlterConfigsRequest>();
        check::<ListOffsetsRequest>();
        check::<FetchRequest>();
    }
}
